import numpy as np
import pytest
import yaml
from conftest import ROOT
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_pinball_loss, roc_auc_score, root_mean_squared_error

from bank_models.errors import ConfigError
from bank_models.files import folders
from bank_models.models.early_stopping import Patience
from bank_models.models.neural import estimator as neural
from bank_models.models.neural.estimator import NeuralNetworkClassifier, NeuralNetworkRegressor
from bank_models.runs import model_file

torch = pytest.importorskip("torch")
network = pytest.importorskip("bank_models.models.neural.network")

RNG = np.random.default_rng(0)
N = 2400
IS_CATEGORY = [False, False, False, True]
X = np.column_stack([RNG.normal(size=(N, 2)), np.full(N, 3.0), RNG.integers(-1, 4, N)])  # the third column is constant
LOGIT = 3 * np.sign(X[:, 0] * X[:, 1]) + (X[:, 3] == 2)
Y = (RNG.random(N) < 1 / (1 + np.exp(-LOGIT))).astype(np.int8)
AMOUNT_EUR = 5000 + 1000 * X[:, 0] ** 2 + 500 * (1 + np.abs(X[:, 1])) * RNG.normal(size=N)
FIT, STOP, NEW = np.arange(1200), np.arange(1200, 1700), np.arange(1700, N)
PATIENCE = Patience(rounds=4, min_delta=0.0, restore_best_weights=True)
SMALL = {"layers": 2, "neurons": 32, "embedding_size": 8, "bins": 16, "learning_rate": 0.01, "random_state": 0, "n_jobs": 1}


def classifier(**params) -> NeuralNetworkClassifier:
    return NeuralNetworkClassifier(**SMALL | params)


def fit_on(rows, estimator, y=Y, **kwargs):
    return estimator.fit(X[rows], y[rows], IS_CATEGORY, **kwargs)


def fit_stopping(estimator, y=Y, patience=PATIENCE, **kwargs):
    return fit_on(FIT, estimator, y, stop=(X[STOP], y[STOP]), patience=patience, **kwargs)


@pytest.fixture(scope="module")
def stopped():
    return fit_stopping(classifier(), with_train_loss=True)


@pytest.mark.parametrize("embedding", neural.EMBEDDINGS)
def test_it_learns_an_interaction_that_no_linear_model_can(embedding):
    linear = LogisticRegression().fit(X[FIT], Y[FIT])
    fitted = fit_stopping(classifier(embedding=embedding))
    assert roc_auc_score(Y[NEW], linear.predict_proba(X[NEW])[:, 1]) < 0.6
    assert roc_auc_score(Y[NEW], fitted.predict_proba(X[NEW])[:, 1]) > roc_auc_score(Y[NEW], LOGIT[NEW]) - 0.04


@pytest.mark.parametrize("schedule", neural.SCHEDULES)
def test_an_early_stopped_network_equals_one_trained_for_exactly_the_best_number_of_epochs(schedule):
    stopped = fit_stopping(classifier(schedule=schedule, schedule_epochs=10), with_train_loss=True)
    assert 1 < stopped.best_iteration_ < 60
    assert len(stopped.history_["val_loss"]) == stopped.best_iteration_ + PATIENCE.rounds
    exact = fit_on(FIT, classifier(schedule=schedule, schedule_epochs=10, max_epochs=stopped.best_iteration_))
    assert stopped.predict_proba(X).tobytes() == exact.predict_proba(X).tobytes()
    assert exact.best_iteration_ == stopped.best_iteration_


def test_without_restoring_the_network_keeps_every_epoch_it_was_trained_for():
    kept = fit_stopping(classifier(), patience=Patience(rounds=4, min_delta=0.0, restore_best_weights=False))
    assert kept.best_iteration_ == len(kept.history_["val_loss"]) == 4 + 1 + np.argmin(kept.history_["val_loss"])
    exact = fit_on(FIT, classifier(max_epochs=kept.best_iteration_))
    assert kept.predict_proba(X).tobytes() == exact.predict_proba(X).tobytes()


def test_min_delta_stops_sooner(stopped):
    impatient = fit_stopping(classifier(), patience=Patience(rounds=4, min_delta=0.02, restore_best_weights=True))
    assert impatient.best_iteration_ < stopped.best_iteration_


def test_the_history_is_the_log_loss_of_the_network_after_each_epoch(stopped):
    best = stopped.best_iteration_ - 1
    assert best == np.argmin(stopped.history_["val_loss"])
    for name, rows in (("train_loss", FIT), ("val_loss", STOP)):
        assert stopped.history_[name][best] == pytest.approx(log_loss(Y[rows], stopped.predict_proba(X[rows])), rel=1e-5)
    assert set(stopped.history_["learning_rate"]) == {SMALL["learning_rate"]}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("squared_error", root_mean_squared_error), ("quantile", lambda y, estimate: mean_pinball_loss(y, estimate, alpha=0.9))],
)
def test_the_history_of_a_regressor_is_in_the_natural_unit(loss, expected):
    fitted = fit_stopping(NeuralNetworkRegressor(**SMALL, loss=loss, quantile=0.9), AMOUNT_EUR)
    loss_of_best = fitted.history_["val_loss"][fitted.best_iteration_ - 1]
    assert loss_of_best == pytest.approx(expected(AMOUNT_EUR[STOP], fitted.predict(X[STOP])), rel=1e-5)


def test_the_cosine_falls_to_a_hundredth_and_stays_there():
    rates = fit_on(FIT, classifier(schedule="cosine", schedule_epochs=4, max_epochs=6)).history_["learning_rate"]
    shares = 0.01 + 0.99 * (1 + np.cos(np.pi * np.array([0, 1, 2, 3, 4, 4]) / 4)) / 2
    np.testing.assert_allclose(rates, SMALL["learning_rate"] * shares, rtol=1e-12)


def test_one_seed_gives_one_network_and_another_seed_another():
    first, again, other = (
        fit_on(FIT, classifier(random_state=seed, max_epochs=2)).predict_proba(X).tobytes() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_fitting_and_scoring_leave_the_state_of_torch_as_it_was():
    before = (torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    fit_on(FIT, classifier(max_epochs=1)).predict(X)
    after = (torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_a_saved_network_scores_bit_for_bit_the_same_in_another_process(stopped, python, tmp_path):
    regressor = fit_on(FIT, NeuralNetworkRegressor(**SMALL, max_epochs=2), AMOUNT_EUR)
    run = tmp_path / "run"
    with folders.published(run) as folder:
        model_file.dump(folder / "classifier.skops", stopped)
        model_file.dump(folder / "regressor.skops", regressor)
    np.save(tmp_path / "X.npy", X)
    code = (
        "import numpy as np; from pathlib import Path; from bank_models.runs import model_file\n"
        f"X, run = np.load({str(tmp_path / 'X.npy')!r}), Path({str(run)!r})\n"
        "classifier, regressor = (model_file.load(run, name) for name in ('classifier.skops', 'regressor.skops'))\n"
        f"np.save({str(tmp_path / 'c.npy')!r}, classifier.predict_proba(X))\n"
        f"np.save({str(tmp_path / 'r.npy')!r}, regressor.predict(X))\n"
    )
    result = python("-c", code)
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "c.npy").tobytes() == stopped.predict_proba(X).tobytes()
    assert np.load(tmp_path / "r.npy").tobytes() == regressor.predict(X).tobytes()


def test_categories_that_were_not_seen_are_one_with_missing_ones(stopped):
    unseen, missing = (np.column_stack([X[NEW, :3], np.full(len(NEW), code)]) for code in (17, -1))
    np.testing.assert_array_equal(stopped.predict_proba(unseen), stopped.predict_proba(missing))
    assert (stopped.predict_proba(unseen) != stopped.predict_proba(X[NEW])).any()


def test_beyond_the_range_of_training_a_score_stays_as_at_its_edge(stopped):
    edge, beyond = X[NEW].copy(), X[NEW].copy()
    edge[:, 0], beyond[:, 0] = X[FIT, 0].max(), 1e30
    np.testing.assert_array_equal(stopped.predict_proba(edge), stopped.predict_proba(beyond))


def test_the_probabilities_of_three_classes_sum_to_one_and_follow_the_classes():
    labels = np.array(["bronze", "gold", "silver"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    fitted = fit_stopping(classifier(), labels)
    y_score = fitted.predict_proba(X[NEW])
    assert y_score.dtype == np.float64
    np.testing.assert_allclose(y_score.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(fitted.classes_, ["bronze", "gold", "silver"])
    assert np.mean(fitted.predict(X[NEW]) == labels[NEW]) > 0.95


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_a_quantile_has_its_share_of_new_rows_below_it(quantile):
    estimator = NeuralNetworkRegressor(**SMALL | {"learning_rate": 0.003}, loss="quantile", quantile=quantile)
    estimate = fit_stopping(estimator, AMOUNT_EUR).predict(X[NEW])
    assert np.mean(AMOUNT_EUR[NEW] <= estimate) == pytest.approx(quantile, abs=0.05)  # 4 standard errors of 700 rows


def test_a_regressor_in_cents_is_the_one_in_euro_times_a_hundred():
    euro, cents = (fit_stopping(NeuralNetworkRegressor(**SMALL), AMOUNT_EUR * unit).predict(X[NEW]) for unit in (1, 100))
    np.testing.assert_allclose(cents, euro * 100, rtol=1e-3)
    residual = np.mean((AMOUNT_EUR[NEW] - euro) ** 2)
    assert residual < 0.6 * AMOUNT_EUR[NEW].var()


def test_a_weight_of_zero_is_as_if_the_row_taught_nothing():
    weight = np.ones(len(FIT))
    weight[:200] = 0
    spoiled = Y.copy()
    spoiled[FIT[:200]] = 1 - spoiled[FIT[:200]]
    one, other = (fit_on(FIT, classifier(max_epochs=2), y, sample_weight=weight).predict_proba(X) for y in (Y, spoiled))
    np.testing.assert_array_equal(one, other)


def test_weights_of_the_rows_that_stop_count_in_the_watched_loss(stopped):
    weight = np.where(Y[STOP] == 1, 3.0, 1.0)
    weighted = fit_on(FIT, classifier(max_epochs=1), stop=(X[STOP], Y[STOP], weight))
    expected = log_loss(Y[STOP], weighted.predict_proba(X[STOP]), sample_weight=weight)
    assert weighted.history_["val_loss"] == [pytest.approx(expected, rel=1e-5)]


def test_columns_that_are_all_numbers_or_all_categories_will_do():
    numbers = classifier(max_epochs=2).fit(X[FIT, :3], Y[FIT])
    categories = classifier(max_epochs=2).fit(X[FIT, 3:], Y[FIT], is_category=[True])
    assert np.isfinite(numbers.predict_proba(X[NEW, :3])).all()
    assert np.isfinite(categories.predict_proba(X[NEW, 3:])).all()


def test_bins_of_a_case_worked_by_hand():
    column = np.array([0, 0, 0, 0, 1, 2, 3, 4], dtype=float)  # quantiles at 0, 1/4, 1/2, 3/4, 1: 0, 0, 0.5, 2.25, 4
    left, slope = network.quantile_bins(np.column_stack([column, np.ones(8)]), bins=4)
    np.testing.assert_allclose(left, [[0, 0.5, 2.25, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(slope, [[2, 1 / 1.75, 1 / 1.75, 0], [0, 0, 0, 0]])


def test_the_piecewise_linear_encoding_of_a_case_worked_by_hand():
    layer = network.PiecewiseLinear(1, 1, 2)
    layer.left.copy_(torch.tensor([[0.0, 1.0]]))
    layer.slope.copy_(torch.tensor([[1.0, 0.5]]))
    layer.line.data.copy_(torch.tensor([[[100.0], [0.0]]]))
    layer.weight.data.copy_(torch.tensor([[[1.0], [10.0]]]))
    encoded = layer(torch.tensor([[-1.0], [0.5], [2.0], [9.0]])).detach()
    np.testing.assert_allclose(encoded, [[100.0], [100.5], [106.0], [111.0]])  # 100 + way through (0, 1) + 10 x through (1, 3)


def test_the_score_of_a_row_does_not_depend_on_the_rows_it_is_scored_with(stopped):
    many = np.tile(X, (2, 1))  # more rows than are scored at once
    together = stopped.predict_proba(many)
    for rows in (slice(0, 1), slice(7, 10), slice(30, 47), slice(4090, 4100), slice(0, 4097)):
        np.testing.assert_array_equal(stopped.predict_proba(many[rows]), together[rows])


def test_missing_values_are_refused_with_what_to_choose():
    with pytest.raises(ConfigError, match=r"takes neither missing nor infinite values.*\n.*imputer=median"):
        classifier().fit(np.array([[1.0], [np.nan]]), [0, 1])


def test_a_learning_rate_that_explodes_is_refused():
    regressor = NeuralNetworkRegressor(**SMALL | {"learning_rate": 1e30, "max_epochs": 3})
    with pytest.raises(ConfigError, match=r"diverged at model\.params\.learning_rate=1e\+30"):
        fit_on(FIT, regressor, AMOUNT_EUR)


def test_a_graphics_card_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(ConfigError, match=r"device=cuda, but PyTorch finds no CUDA device here"):
        classifier(device="cuda").fit(X, Y)


def test_without_torch_the_module_imports_and_says_what_to_install(python):
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from bank_models.errors import ConfigError; from bank_models.models.neural.estimator import NeuralNetworkClassifier\n"
        "try: NeuralNetworkClassifier().fit([[0.0], [1.0]], [0, 1])\n"
        "except ConfigError as error: print(error)"
    )
    message = python("-c", code).stdout
    assert "NeuralNetworkClassifier needs the extra neural, which is not installed" in message
    assert "Type: make setup EXTRAS=neural   (or: pip install torch==2.13.0 skorch==1.4.0)" in message


def test_importing_the_estimators_does_not_import_torch(python):
    assert python("-c", "import sys, bank_models.models.neural.estimator; print('torch' in sys.modules)").stdout == "False\n"


def test_the_defaults_of_the_estimators_are_those_of_the_configuration():
    params = yaml.safe_load((ROOT / "conf/model/neural_network.yaml").read_text())["params"]
    for estimator in (NeuralNetworkClassifier(), NeuralNetworkRegressor()):
        assert params.items() <= estimator.get_params().items()

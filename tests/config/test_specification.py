"""The specification's words: what they select, and that what was trained is what they say."""

import json
import pickle
import re
import shlex
from importlib.util import find_spec

import numpy as np
import pytest
import yaml
from conftest import ROOT
from pydantic import TypeAdapter, ValidationError

from bank_models.config.schema import Constraint
from bank_models.errors import ConfigError
from bank_models.files import folders, manifest
from bank_models.models.estimators import as_fitted, make_estimator, named
from bank_models.runs import model_file

SHARE = Constraint(type="share", choices=["sqrt", "log2"], nullable=True).annotation()
LAYERS = Constraint(type="layers").annotation()


@pytest.mark.parametrize("value", ["sqrt", "log2", None, 0.5, 1.0, 1, 7])
def test_features_of_a_tree_are_a_word_a_share_or_a_number(value):
    assert TypeAdapter(SHARE).validate_python(value) == value


@pytest.mark.parametrize("value", ["auto", 0, 0.0, 1.5, -1, True])
def test_nothing_else_says_how_many_features_a_tree_looks_at(value):
    with pytest.raises(ValidationError, match=r"must be sqrt, log2, a share such as 0.5, or a number of columns such as 3"):
        TypeAdapter(SHARE).validate_python(value)


@pytest.mark.parametrize("value", [[], [0], [9000], 17, "2", [1.5], [True]])
def test_what_is_no_list_of_widths_is_no_layers(value):
    with pytest.raises(ValidationError, match="or a list of their widths"):
        TypeAdapter(LAYERS).validate_python(value)


def test_a_regression_of_a_forest_takes_half_of_the_columns(compose):
    config = compose("use_case=atm_cash_optimization", "model=random_forest", "model.params.max_features=0.5")
    assert make_estimator("RandomForestRegressor", config.model.params, 0, 1).max_features == 0.5
    with pytest.raises(ConfigError, match=r"^model\.params\.max_features=auto: must be sqrt, log2, a share[^\n]*$"):
        compose("use_case=atm_cash_optimization", "model=random_forest", "model.params.max_features=auto")


def test_layers_of_two_widths_are_built_saved_and_loaded(tmp_path):
    pytest.importorskip("torch", reason="make setup EXTRAS=neural")
    import pandas as pd

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)}).astype("float32")
    params = {"layers": [6, 3], "max_epochs": 2, "embedding": "none"}
    model = make_estimator("NeuralNetworkRegressor", params, 0, 1).fit(X, X["a"].to_numpy())
    shapes = [weights.shape for name, weights in model.state_.items() if name.startswith("hidden") and weights.ndim == 2]
    assert shapes == [(6, 2), (3, 6)]
    with folders.published(tmp_path / "run") as folder:
        model_file.dump(folder / "model.skops", model)
    np.testing.assert_array_equal(model_file.load(tmp_path / "run").predict(X), model.predict(X))


def test_linear_regression_is_least_squares_and_with_a_penalty_ridge(tmp_path):
    from sklearn.linear_model import LinearRegression, Ridge

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    for alpha, kind, bare in ((0, LinearRegression, LinearRegression()), (2.0, Ridge, Ridge(alpha=2.0))):
        params = {"fit_intercept": True, "normalize": True, "alpha": alpha}
        model = make_estimator("LinearRegression", params, 0, 1).fit(X, y)
        assert type(model) is kind
        assert named("LinearRegression", params) == kind.__name__
        np.testing.assert_allclose(model.coef_, bare.fit(X, y).coef_, rtol=1e-12)
        with folders.published(tmp_path / kind.__name__) as folder:
            model_file.dump(folder / "model.skops", model)
        np.testing.assert_array_equal(model_file.load(tmp_path / kind.__name__).predict(X), model.predict(X))


def test_use_cases_that_need_the_penalty_say_so_in_their_own_file(compose):
    for path in (ROOT / "conf/tuned").glob("*_linear_regression.yaml"):
        use_case = path.stem.removesuffix("_linear_regression")
        assert compose(f"use_case={use_case}").model.params["alpha"] > 0
    assert compose("use_case=cash_forecasting", "model=linear_regression").model.params["alpha"] == 0


@pytest.mark.parametrize(
    ("overrides", "method"),
    [
        (["data_split=random", "data_split.stratify=true"], "stratified"),
        (["data_split=random", "data_split.stratify=false"], "random"),
        (["data_split=stratified", "data_split.stratify=true"], "stratified"),
    ],
    ids=" ".join,
)
def test_stratify_says_how_a_random_split_draws(compose, overrides, method):
    assert compose("use_case=credit_scoring", *overrides).data_split.method == method


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data_split.stratify=false"], "Type data_split=random data_split.stratify=false."),
        (["data_split=hashed", "data_split.stratify=true"], "data_split=hashed decides by itself where a row goes"),
        (["tuning.method=bayesian", "model=xgboost"], "Type tuning=bayesian."),
        (["model=xgboost", "+model.params.scale_pos_wait=3"], "Did you mean model.params.scale_pos_weight?"),
        (["model=xgboost", "+model.params.n_jobs=3"], "model.params.n_jobs is decided by n_threads, so it cannot be set."),
        (["model=xgboost", "+model.params.objective=x"], "is decided by the task of the use case"),
        (["model=xgboost", "+model.params.grow_policy=[a]"], "must be a number, a word, true, false or null"),
        (["model=random_forest", "+model.params.ccp_alpha=-1"], "The 'ccp_alpha' parameter of RandomForestClassifier must be"),
        (
            ["model=random_forest", "+model.params.min_samples=5"],
            "Did you mean model.params.min_samples_leaf or model.params.min_samples_split?",
        ),
        (["model=kmeans", "use_case=risk_parity", "+model.params.algorithm=elkan"], "which has no such parameter"),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_a_word_that_cannot_work_says_what_to_type_instead(compose, overrides, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        compose(*(["use_case=credit_scoring"] if "use_case=risk_parity" not in overrides else []), *overrides)
    assert len(str(refused.value).splitlines()) <= 3


def test_the_specifications_min_samples_is_answered_with_the_two_settings_it_may_mean():
    from bank_models.command_line import CONF
    from bank_models.config.compose import compose_job, composer

    with composer([CONF]) as compose, pytest.raises(ConfigError) as refused:
        compose_job(compose, ["model=random_forest", "model.params.min_samples=5"], [CONF])
    meant = "model.params.min_samples_split or model.params.min_samples_leaf"
    assert str(refused.value) == f"model.params.min_samples is not known. Did you mean {meant}?"


def test_a_plus_before_a_setting_that_there_is_is_said_to_be_too_much():
    from bank_models.command_line import CONF
    from bank_models.config.compose import compose_job, composer

    with composer([CONF]) as compose, pytest.raises(ConfigError) as refused:
        compose_job(compose, ["model=xgboost", "+model.params.max_bin=64"], [CONF])
    assert str(refused.value) == "model.params.max_bin is a setting already. Type it without a plus: model.params.max_bin=…"


def test_a_parameter_that_no_file_lists_reaches_the_library(compose):
    config = compose("use_case=credit_scoring", "model=xgboost", "+model.params.scale_pos_weight=3")
    assert make_estimator("XGBClassifier", config.model.params, 0, 1).get_params()["scale_pos_weight"] == 3


def test_the_options_of_the_specification_are_its_configuration(compose):
    config = compose("use_case=credit_scoring", "model=xgboost", "early_stopping=specification", "tuning=specification")
    assert config.early_stopping.model_dump() == {"patience": 10, "min_delta": 0.001, "restore_best_weights": True}
    assert (config.tuning.method, config.tuning.cv) == ("grid_search", 3)


def test_a_pickle_has_the_specifications_name_and_is_opened_with_a_warning(tmp_path, caplog):
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit([[0]], [0])
    with folders.published(tmp_path / "run") as folder:
        model_file.dump_pickle(folder / "model.pkl", model)
    assert "model.pkl is a pickle" in caplog.text
    with pytest.warns(UserWarning, match=r"model\.pkl is a pickle: opening it runs the code in it"):
        assert model_file.load(tmp_path / "run", "model.pkl").get_params() == model.get_params()
    assert pickle.loads((tmp_path / "run/model.pkl").read_bytes()).get_params() == model.get_params()


def test_hyperparameters_are_those_of_the_model_with_the_rounds_that_it_has():
    assert as_fitted("XGBClassifier", {"n_estimators": 500, "max_depth": 3}, 41) == {"n_estimators": 41, "max_depth": 3}
    assert as_fitted("HistGradientBoostingClassifier", {"max_iter": 500}, 7) == {"max_iter": 7}
    assert as_fitted("RandomForestClassifier", {"n_estimators": 200}, None) == {"n_estimators": 200}


def test_a_run_as_the_specification_asks_leaves_its_files_and_its_entry(train, tmp_path):
    """One training with what the rows of the specification change: pickles, a parameter of the library, an entry."""
    result = train(
        "use_case=credit_scoring", "model=xgboost", "cv=none", "early_stopping=specification", "artifacts=pickle",
        "+model.params.scale_pos_weight=2", "data_split=random", "data_split.stratify=true", "tracking=none",
        "registry=local", f"registry.path={tmp_path}/models",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "models/credit_scoring/v1.0.0"
    entry = json.loads((folder / "entry.json").read_text())
    line = json.loads((folder.parent / "registry.jsonl").read_text().splitlines()[0])
    assert entry == line["entry"]
    facts = json.loads((folder / "metadata.json").read_text())
    assert facts["params"]["scale_pos_weight"] == entry["hyperparameters"]["scale_pos_weight"] == 2
    assert facts["params"]["n_estimators"] == 1000 > entry["hyperparameters"]["n_estimators"] == facts["best_iteration"]
    assert "entry.json" in manifest.read_manifest(folder)
    assert (folder / "model.pkl").is_file()
    assert "+model.params.scale_pos_weight=2" in (folder / "model_card.md").read_text()


def _rows() -> list[list[str]]:
    """The cells of the page's first table: number, part, row, command, result."""
    text = (ROOT / "docs/reference/specification.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in row] for row in rows]


ROWS = _rows()
COMMANDS = list(dict.fromkeys(row[3] for row in ROWS))
NEURAL = pytest.mark.skipif(find_spec("torch") is None, reason="make setup EXTRAS=neural")


def test_the_page_has_a_row_for_each_of_the_specification():
    assert [int(row[0]) for row in ROWS] == list(range(1, 65))


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [pytest.param(one, marks=NEURAL if "neural_network" in one else ()) for one in COMMANDS], ids=COMMANDS
)
def test_every_row_runs_leaves_its_files_and_records_what_was_typed(train, tmp_path, command):
    """Rows that share a command share a run."""
    typed = shlex.split(command.strip("`"))[3:]
    result = train(*typed, "tracking=none", *([f"registry.path={tmp_path}/models"] if "registry=local" in typed else []))
    assert result.returncode == 0, result.stderr
    run = tmp_path / "run"
    facts = json.loads((run / "metadata.json").read_text())
    for row in (row for row in ROWS if row[3] == command):
        for name in re.findall(r"`([a-z_]+\.(?:json|csv|parquet|skops|pkl))`", row[4]):
            folder = tmp_path / "models/credit_scoring/v1.0.0" if name == "entry.json" else run
            assert (folder / name).is_file(), name
    for key, value in (one.split("=") for one in typed if one.startswith("model.params.")):
        if "tuning=" not in command:
            assert facts["params"][key.removeprefix("model.params.")] == yaml.safe_load(value.replace(",", ", ")), key
    for key, value in (one.split("=") for one in typed if one.startswith(("data_split.", "cv.", "early_stopping.", "tuning."))):
        group, name = key.split(".")
        assert facts["config"][group][name] == yaml.safe_load(value.replace(",", ", ")), key

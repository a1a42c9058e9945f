import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bank_models.evaluation import forecast, projection
from bank_models.evaluation.explain import importance
from bank_models.metrics.scores import Prediction


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "telling": rng.normal(size=600),
        "idle": rng.normal(size=600),
        "kind": pd.Categorical(rng.choice(["a", "b"], 600)),
        "words": pd.Series(["x"] * 600, dtype="str"),
        "unused": 1.0,
    })  # fmt: skip
    return frame, (frame["telling"] + rng.normal(scale=0.1, size=600) > 0).to_numpy().astype(int)


def answer(frame) -> Prediction:
    score = 1 / (1 + np.exp(-frame["telling"].to_numpy())) + 0.01 * (frame["kind"] == "b").to_numpy()
    return Prediction(score, (score > 0.5).astype(int))


def area(y_true, prediction, periods=None) -> float:
    return roc_auc_score(y_true, prediction.score)


def test_a_column_that_the_model_goes_by_is_important_and_one_that_it_ignores_is_not(rows):
    frame, y = rows
    features = ["idle", "telling", "kind", "words"]
    table = importance.explain(frame, features, y, answer, area, seed=1, is_binary=True)["importance"]
    assert table["feature"].iloc[0] == "telling"
    assert table["importance"].iloc[0] == pytest.approx(0.5, abs=0.1)
    assert table.set_index("feature").loc["idle", ["importance", "std"]].tolist() == [0.0, 0.0]


def test_shuffles_that_are_asked_together_are_those_of_each_feature_by_itself(rows, monkeypatch):
    frame, y = rows
    features = ["idle", "telling", "kind", "words"]
    rng, usual = np.random.default_rng(7), area(y, answer(frame))
    loss = {}
    for name in [name for name in frame.columns if name in features]:
        orders = [rng.permutation(len(frame)) for _ in range(importance.N_REPEATS)]
        shuffled = [frame.assign(**{name: frame[name].to_numpy()[order]}) for order in orders]
        loss[name] = [usual - area(y, answer(some)) for some in shuffled]
    for n_cells in (1, 2 * frame.size * importance.N_REPEATS, importance.CELLS_AT_ONCE):
        monkeypatch.setattr(importance, "CELLS_AT_ONCE", n_cells)
        table = importance.permutation_importance(frame, features, y, answer, area, np.random.default_rng(7))
        found = table.set_index("feature")
        assert found["importance"].to_dict() == {name: np.mean(loss[name]) for name in features}
        assert found["std"].to_dict() == {name: np.std(loss[name], ddof=1) for name in features}


def test_of_many_features_those_that_the_model_uses_most_are_shuffled_and_the_others_are_said_not_to_be(monkeypatch):
    monkeypatch.setattr(importance, "MOST_CELLS", 10_000_000)  # ten features, five times 100 rows of 2,000
    n_features, cells = 2_000, []
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, n_features)).astype("float32")).rename(columns="n{}".format)
    y = (frame["n7"] > 0).to_numpy().astype(int)
    usage = np.where(np.arange(n_features) < 1_500, 1.0 / (1 + np.abs(np.arange(n_features) - 7)), 0.0)

    def answer(some) -> Prediction:
        cells.append(some.size)
        return Prediction(some["n7"].to_numpy(), some["n7"].to_numpy() > 0)

    table = importance.explain(frame, list(frame), y, answer, area, 1, True, usage=usage)["importance"]
    assert sum(cells) < 2.5 * importance.MOST_CELLS  # with those of the dependences
    assert max(cells) < 1.5 * importance.CELLS_AT_ONCE
    found = table.set_index("feature")["importance"]
    assert found.index[0] == "n7"
    assert found.notna().sum() == 500 + 10
    assert found[["n3", "n11"]].notna().all()
    assert (found[[f"n{i}" for i in range(1_500, n_features)]] == 0).all()
    assert importance.note(table, usage) == [
        "Importance by permutation is known of the 10 features that the model uses most; 1,490 that it uses less were not "
        "shuffled, and 500 that it does not use have none."
    ]


def test_dependence_follows_the_model_and_leaves_text_out(rows):
    frame, y = rows
    table = importance.explain(frame, ["idle", "telling", "kind", "words"], y, answer, area, seed=1)["dependence"]
    of = {name: part["mean_answer"].to_numpy() for name, part in table.groupby("feature")}
    assert sorted(of) == ["idle", "kind", "telling"]
    assert np.all(np.diff(of["telling"]) > 0)
    assert of["kind"][1] - of["kind"][0] == pytest.approx(0.01)
    assert np.ptp(of["idle"]) == pytest.approx(0.0)


def test_of_several_classes_dependence_has_each(rows):
    frame, y = rows

    def two(frame):
        score = answer(frame).score
        return Prediction(np.column_stack([1 - score, score]), (score > 0.5).astype(int))

    found = importance.explain(
        frame, ["telling"], y, two, lambda y, p, periods: area(y, Prediction(p.score[:, 1], None)), seed=1
    )
    assert set(found["dependence"]["class"]) == {0, 1}


def test_rare_positives_are_a_quarter_of_the_rows_drawn():
    y = np.zeros(10_000, dtype=int)
    y[:300] = 1
    rows = importance.draw(10_000, 400, np.random.default_rng(0), y)
    assert (len(rows), y[rows].sum()) == (400, 100)
    assert np.all(np.diff(rows) > 0)


def test_a_sample_with_more_positives_than_test_has_is_said_to_be_one():
    y = np.zeros(10_000, dtype=int)
    y[:300] = 1
    of_a_sample, of_all = (pd.DataFrame({"feature": ["a"], "n_rows": [n]}) for n in (400, 10_000))
    said = importance.note_on_sample(of_a_sample, y)
    assert len(said) == 1
    assert "400 test rows, 25.0% of them of the rarer class; of all test rows 3.0% are." in said[0]
    assert importance.note_on_sample(of_all, y) == []
    assert importance.note_on_sample(of_a_sample, np.arange(10_000) % 2) == []


def test_rows_of_periods_are_drawn_period_by_period():
    periods = np.repeat(np.arange(50), 20)
    rows = importance.draw(1000, 200, np.random.default_rng(0), None, periods)
    assert len(rows) == 200
    assert set(np.bincount(periods[rows], minlength=50)) == {0, 20}


def test_a_projection_keeps_clusters_that_are_far_apart_far_apart():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(1500, 4)), rng.normal(loc=20, size=(1500, 4))])
    found = projection.project(X, np.repeat([0, 1], 1500), seed=0)
    assert len(found) == projection.MOST_ROWS
    assert found["silhouette"].min() > 0.8
    middle = found.groupby("cluster")["x"].mean()
    assert abs(middle[0] - middle[1]) == pytest.approx(40, abs=1)


def test_noise_and_a_single_cluster_have_no_silhouette():
    X = np.random.default_rng(0).normal(size=(50, 1))
    found = projection.project(X, np.array([-1] * 5 + [0] * 45), seed=0)
    assert found["silhouette"].isna().all()
    assert (found["y"] == 0).all()


def test_forecasts_are_means_by_moment_in_order():
    found = forecast.by_moment(["b", "a", "a"], [5.0, 1.0, 3.0], [6.0, 2.0, 2.0], [0.0, 1.0, 2.0])
    assert found.to_dict("list") == {
        "time": ["a", "b"], "n_rows": [2, 1], "actual": [2.0, 5.0], "predicted": [2.0, 6.0], "baseline": [1.5, 0.0],
    }  # fmt: skip

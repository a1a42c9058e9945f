import numpy as np
import pandas as pd

from bank_models.evaluation import plot_tables
from bank_models.metrics.scores import Prediction, decide

RNG = np.random.default_rng(0)


def test_a_roc_of_four_rows_worked_by_hand():
    table = plot_tables.roc(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    assert table.to_numpy().tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]


def test_a_thinned_curve_keeps_its_ends_and_its_area():
    y = RNG.random(50_000) < 0.02
    score = y + RNG.normal(0, 1.2, len(y))
    table = plot_tables.roc(y.astype(int), score)
    area = np.trapezoid(table["true_positive_rate"], table["false_positive_rate"])
    from sklearn.metrics import roc_auc_score

    assert len(table) <= plot_tables.MOST_POINTS
    assert table.iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert abs(area - roc_auc_score(y, score)) < 0.005


def test_a_table_of_decisions_counts_every_row_and_names_classes():
    y, probability = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2]]
    table = plot_tables.of_test("multiclass", y, decide("multiclass", probability), ["low", "middle", "high"], 0)[
        "plots/confusion"
    ]
    counted = {(row.actual, row.predicted): row.n_rows for row in table.itertuples() if row.n_rows}
    assert counted == {("low", "low"): 1, ("middle", "middle"): 1, ("high", "middle"): 1, ("high", "high"): 1}
    assert len(table) == 9


def test_values_are_shown_by_a_sample_and_their_residuals_by_tenths():
    value = RNG.normal(size=2_000)
    tables = plot_tables.of_test("regression", value + 1, Prediction(value, value), None, 0)
    assert set(tables) == {"plots/predictions", "plots/residuals"}
    assert len(tables["plots/predictions"]) == plot_tables.MOST_ROWS
    assert tables["plots/residuals"]["median"].tolist() == [1.0] * 10
    assert tables["plots/residuals"]["mean_predicted"].is_monotonic_increasing


def test_only_a_model_that_trains_in_rounds_has_a_learning_curve():
    rounds = np.arange(1, 1_001)
    history = pd.DataFrame({"round": rounds, "train_loss": 1 / rounds, "val_loss": 1 / rounds, "learning_rate": 0.1})
    table = plot_tables.of_history(history)["plots/learning_curve"]
    assert (len(table), table["round"].iloc[0], table["round"].iloc[-1]) == (plot_tables.MOST_POINTS, 1, 1_000)
    assert plot_tables.of_history(history.iloc[:0]) == {}

"""Preprocessing as ONNX nodes: imputation, scaling, and categories by tables of what the fitted encoder gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import PowerTransformer, StandardScaler

from bank_models.export.graph import ML, Graph
from bank_models.features.transformers.categories import CategoryEncoder

MISSING = ""
SCALERS = (StandardScaler, PowerTransformer)


def add_matrix(graph: Graph, step: Any, inputs: Mapping[str, str]) -> str:
    """Add what turns columns into the matrix of an estimator.

    Parameters
    ----------
    graph : Graph
    step : ColumnTransformer
        Of `bank_models.features.preprocessing.make_features`, fitted to numbers and categories.
    inputs : mapping of str to str
        Name of each column in the graph: float32 numbers or texts.

    Returns
    -------
    str
        float64, of shape (n_rows, n_columns).
    """
    blocks = []
    for kind, fitted, names in step.transformers_:
        if kind == "number":
            blocks.append(_add_numbers(graph, fitted, [inputs[name] for name in names]))
        elif kind == "category":
            blocks += _add_categories(graph, fitted, list(names), inputs)
    return graph.side_by_side(blocks)


def _add_numbers(graph: Graph, fitted: Any, columns: list[str]) -> str:
    matrix = graph.as_type(graph.side_by_side(columns), "float64")
    if imputer := fitted.named_steps.get("imputer"):
        matrix = _add_imputer(graph, imputer, matrix)
    if fitted.named_steps["numbers"].dtype == "float32":
        matrix = graph.as_type(graph.as_type(matrix, "float32"), "float64")
    if scaler := fitted.named_steps.get("scaler"):
        matrix = _add_scaler(graph, scaler, matrix)
    return matrix


def _add_imputer(graph: Graph, imputer: SimpleImputer, matrix: str) -> str:
    """Medians for what is missing, and a column of 0 and 1 for each feature that lacked values in fitting."""
    statistics = np.asarray(imputer.statistics_)
    kept = np.flatnonzero(~np.isnan(statistics))
    values = graph.columns(matrix, kept)
    blocks = [graph.add("Where", graph.add("IsNaN", values), statistics[kept], values)]
    if imputer.add_indicator and len(imputer.indicator_.features_):
        flagged = graph.add("IsNaN", graph.columns(matrix, imputer.indicator_.features_))
        blocks.append(graph.as_type(flagged, "float64"))
    return graph.side_by_side(blocks)


def _add_scaler(graph: Graph, scaler: Any, matrix: str) -> str:
    if isinstance(scaler, PowerTransformer):
        return _add_scaler(graph, scaler._scaler, _add_yeo_johnson(graph, scaler.lambdas_, matrix))
    return graph.add("Div", graph.add("Sub", matrix, scaler.mean_), scaler.scale_)


def _add_yeo_johnson(graph: Graph, powers: np.ndarray, matrix: str) -> str:
    """The transformation of Yeo & Johnson (2000), Biometrika 87, 954-959, of each column by its power."""
    above = _add_power(graph, powers, graph.add("Max", matrix, 0.0))
    below = _add_power(graph, 2 - powers, graph.add("Max", graph.add("Neg", matrix), 0.0))
    return graph.add("Sub", above, below)


def _add_power(graph: Graph, powers: np.ndarray, values: str) -> str:
    """((1 + x)^power - 1) / power, and log(1 + x) for a power of 0; 0 where x is 0."""
    is_logarithm = np.abs(powers) < np.finfo("float64").eps
    divisor = np.where(is_logarithm, 1.0, powers)
    logarithm = graph.add("Log", graph.add("Add", values, 1.0))
    power = graph.add("Div", graph.expm1(graph.add("Mul", logarithm, divisor)), divisor)
    return graph.add("Where", is_logarithm, logarithm, power)


def _add_categories(graph: Graph, encoder: CategoryEncoder, names: list[str], inputs: Mapping[str, str]) -> list[str]:
    """For each category the row of its table: the encoder itself says what stands there."""
    seen, columns = encoder.seen(), encoder.columns()
    blocks = []
    for name in [*encoder.few_, *encoder.many_]:
        known = [str(value) for value in seen[name]]
        own = [i for i, column in enumerate(columns) if column.feature == name]
        table = encoder.transform(_each_value(name, known, names))[:, own]
        code = graph.add(
            "LabelEncoder", inputs[name], domain=ML, keys_strings=[*known, MISSING],
            values_int64s=list(range(len(known) + 1)), default_int64=len(known) + 1,
        )  # fmt: skip
        blocks.append(graph.add("Gather", table, graph.add("Squeeze", code, np.array([1])), axis=0))
    return blocks


def _each_value(name: str, known: list[str], names: list[str]) -> pd.DataFrame:
    """Rows with each value that was seen, with none, and with one that was not seen."""
    values = [*known, None, unseen(known)]
    kind = pd.CategoricalDtype(pd.Index([*known, values[-1]], dtype="str"))
    return pd.DataFrame({column: pd.Categorical(values, dtype=kind) for column in names})


def unseen(known: list[str]) -> str:
    """A value that is none of those that were seen."""
    return "not seen" + "_" * max(map(len, known), default=0)

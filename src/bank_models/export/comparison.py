"""Comparison of an ONNX file with the model that it was made from, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config.feature import Feature
from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError
from bank_models.export.matrix import MISSING, unseen
from bank_models.export.model import TOLERANCE
from bank_models.metrics.scores import decide
from bank_models.models.layers import categories_seen, take_apart
from bank_models.models.wrappers import predict_score

N_CHANGED = 50  # test rows of which each column is changed, one after the other


@dataclass(frozen=True)
class Agreement:
    """How near an ONNX file comes to its model.

    Attributes
    ----------
    largest : float
        Difference of scores: of probabilities as it is; of numbers as a share of the number, or of the mean size of all
        numbers where that is larger.
    n_decisions : int
        How many decisions differ.
    """

    largest: float
    n_decisions: int

    @property
    def is_exact(self) -> bool:
        return self.largest <= TOLERANCE and self.n_decisions == 0


def compare(path: Path, model: Any, use_case: UseCase, table: pd.DataFrame) -> Agreement:
    """Score rows with an ONNX file and with its model.

    Parameters
    ----------
    path : Path
    model : object
    use_case : UseCase
    table : DataFrame of shape (n_rows, at least the features)

    Returns
    -------
    Agreement
    """
    answers, task = _answers(path, use_case.inputs(), table), use_case.task
    layers, expected = take_apart(model), np.asarray(predict_score(model, table, task))
    decision = decide(task, expected, layers.threshold, layers.costs).decision
    found, expected = answers["score"], expected.astype("float64")
    size = np.maximum(np.abs(expected), np.abs(expected).mean()) if task == "regression" else 1.0
    gaps = np.abs(found - expected) / np.where(size == 0, 1.0, size)
    n_decisions = int((answers["decision"] != _named(decision, use_case)).sum()) if "decision" in answers else 0
    return Agreement(float("inf") if np.isnan(gaps).any() else float(gaps.max()), n_decisions)


def _answers(path: Path, features: Mapping[str, Feature], table: pd.DataFrame) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, cells(features, table)), strict=True))


def cells(features: Mapping[str, Feature], table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Columns of a table as the inputs of an ONNX file: texts, empty where missing, and float32, NaN where missing."""
    return {name: _cells(table[name], feature.type)[:, None] for name, feature in features.items()}


def _cells(column: pd.Series, kind: str) -> np.ndarray:
    if kind == "category":
        return column.astype(object).where(column.notna(), MISSING).to_numpy(dtype=object)
    return column.to_numpy(dtype="float32", na_value=np.nan)


def _named(decision: np.ndarray, use_case: UseCase) -> np.ndarray:
    """Decisions as `bank_models.predict` writes them."""
    names = list(use_case.classes or (use_case.negative, use_case.positive))
    return decision if None in names else np.array(names, dtype=object)[decision.astype(int)]


def with_gaps(model: Any, features: Mapping[str, Feature], table: pd.DataFrame) -> pd.DataFrame:
    """Rows that lack values, or have categories that the model did not see in fitting.

    Parameters
    ----------
    model : object
    features : mapping of str to Feature
    table : DataFrame of shape (n_rows, at least the features)
        Its first rows are taken: of each, one column after the other is changed, and then all at once.

    Returns
    -------
    DataFrame
    """
    first, seen = table[list(features)].head(N_CHANGED), categories_seen(take_apart(model).core)
    gaps: dict[str, Any] = {name: None if name in seen else np.nan for name in features}
    news = {name: unseen(values) for name, values in seen.items()}
    changes = [*({name: gap} for name, gap in gaps.items()), *({name: new} for name, new in news.items()), gaps, gaps | news]
    changed = [_changed(first, change, seen) for change in changes]
    whole = pd.concat(changed, ignore_index=True)
    return whole.astype({name: "category" for name in seen if name in features})


def _changed(rows: pd.DataFrame, change: Mapping[str, Any], seen: Mapping[str, list[str]]) -> pd.DataFrame:
    plain = rows.astype({name: object if name in seen else "float32" for name in rows})
    return plain.assign(**{name: pd.Series(value, rows.index, plain[name].dtype) for name, value in change.items()})


def check_installed() -> None:
    """Refuse to go on without ONNX.

    Raises
    ------
    ConfigError
    """
    from importlib.util import find_spec

    if lacking := [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]:
        raise ConfigError(f"An export to ONNX needs {' and '.join(lacking)}.\nType: make setup EXTRAS=onnx")

"""Target column: allowed values and encoding."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bank_models.errors import DataError

PLAIN = re.compile(r"true|false|[+-]?\d+([.,]0+)?", re.IGNORECASE)  # labels that programs spell in several ways


def target_fault(labels: pd.Series, task: str = "binary", classes: Sequence[str] | None = None) -> str | None:
    """Say what is wrong with a target; None when a model can learn from it.

    Parameters
    ----------
    labels : Series of shape (n_rows,)
    task : {"binary", "multiclass", "regression"}
        binary: 0 or 1 (or booleans), both present. multiclass: the declared classes, each present. regression: finite
        numbers, not all the same.
    classes : sequence of str, optional
        Of a multiclass target.
    """
    missing = labels.isna().to_numpy()
    if missing.any():
        return f"{missing.sum():,} of {len(labels):,} labels are missing (row {missing.argmax() + 1} is the first)"
    if task == "regression":
        return _number_fault(labels)
    found = list(labels.unique())
    if task == "multiclass":
        return _class_fault([str(value) for value in found], classes)
    if any(isinstance(value, str) or value not in (0, 1) for value in found):
        return f"must be 0 or 1 with 1 for the positive class, but has {_listed(found)}"
    if len(found) == 1:
        return f"every row is {int(found[0])}, but both classes are needed to learn from"
    return None


def convert_target(labels: pd.Series, task: str = "binary", classes: Sequence[str] | None = None) -> pd.Series:
    """A faultless target in its final type: int8 of 0 and 1, int16 codes of the classes, or float64."""
    if task == "regression":
        return labels.astype("float64")
    if task == "multiclass":
        return pd.Series(pd.Categorical(labels.astype(str), list(classes)).codes.astype("int16"), labels.index)
    return labels.astype("int8")


def as_zero_and_one(labels: pd.Series, positive: str, where: str) -> pd.Series:
    """Two classes by name as 1, for the positive one, and 0; missing ones stay missing.

    Raises
    ------
    DataError
        If there are more than two, or none is the positive one.
    """
    spelled = labels.astype(object).map(spell, na_action="ignore")
    found = sorted(spelled.dropna().unique())
    classes = {name: name for name in found}
    if len(found) > 2 or (positive not in found and all(map(PLAIN.fullmatch, found))):
        classes, positive = {name: _alike(name) for name in found}, _alike(positive)
    n_classes = len(set(classes.values()))
    if n_classes > 2 or positive not in classes.values():
        fault = "no row has it" if positive not in classes.values() else f"there are {n_classes} classes"
        raise DataError(
            f"{labels.name}: positive={shorten(positive)}, but {fault}: the target of {where} has {_listed(found)}.\n"
            "Name one of two classes in use_case.positive, or choose task: multiclass."
        )
    return spelled.map({name: float(one == positive) for name, one in classes.items()}).astype("float64")


def spell(value: object) -> str:
    """A label as text; whole numbers without a fraction."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)


def _alike(name: str) -> str:
    """A label as others may spell it: without upper case, blanks around it, and zeros behind a whole number."""
    plain = name.strip().lower()
    return re.sub(r"[.,]0+$", "", plain) if re.fullmatch(r"[+-]?\d+[.,]0+", plain) else plain


def shorten(value: object) -> str:
    """A value as one line of at most 40 characters."""
    text = str(value) if isinstance(value, np.number | np.bool_) else repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _number_fault(labels: pd.Series) -> str | None:
    if not pd.api.types.is_numeric_dtype(labels):
        row = int(pd.to_numeric(labels, errors="coerce").isna().to_numpy().argmax())
        return f"must be a number, but row {row + 1} is {shorten(labels.iloc[row])}"
    endless = ~np.isfinite(labels.to_numpy(dtype="float64"))
    if endless.any():
        return f"{endless.sum():,} values are infinite (row {endless.argmax() + 1} is the first)"
    if labels.nunique() == 1:
        return f"every row is {shorten(labels.iloc[0])}: there is nothing to predict"
    return None


def _class_fault(found: list[str], classes: Sequence[str]) -> str | None:
    if unknown := [value for value in found if value not in classes]:
        return f"must be one of {', '.join(classes)}, but has {_listed(unknown)}"
    if absent := [name for name in classes if name not in found]:
        return f"no row is {', '.join(absent)}, but every class is needed to learn from"
    return None


def _listed(values: list) -> str:
    return ", ".join(shorten(value) for value in values[:4]) + (", …" if len(values) > 4 else "")

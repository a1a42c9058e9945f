"""Shape checks of fitted attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from bank_models.runs.model_checks.fault import need

MOST_COLUMNS = 2**31
MOST_CLASSES = 10_000  # every row gets a number for each


def name_of(kind: type) -> str:
    """Full name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_array(value: Any, *shape: int | None, kinds: str = "iuf") -> bool:
    """Whether a value is an array of a shape; None stands for any length.

    Parameters
    ----------
    value : object
    *shape : int or None
    kinds : str
        Letters of numpy's kinds of types that it may have.
    """
    if type(value) is not np.ndarray or value.dtype.kind not in kinds or value.ndim != len(shape):
        return False
    return all(wanted is None or there == wanted for there, wanted in zip(value.shape, shape, strict=True))


def is_finite(value: Any, *shape: int | None) -> bool:
    """Whether a value is an array of a shape in which every number is one."""
    return is_array(value, *shape) and bool(np.isfinite(value).all())


def fitted(one: Any, *names: str) -> list[Any] | None:
    """Values of attributes that fitting gives; None of an object that was not fitted, which refuses to score by itself.

    Raises
    ------
    Malformed
        If some of them are there and others are not.
    """
    values = vars(one)
    if not any(name in values for name in names):
        return None
    need(all(name in values for name in names), f"a {type(one).__name__} lacks what fitting gives")
    return [values[name] for name in names]


def columns_of(one: Any) -> int:
    """Number of columns that an object was fitted on."""
    n = vars(one).get("n_features_in_")
    need(is_integer(n) and 0 <= n < MOST_COLUMNS, f"a {type(one).__name__} has an unusual number of columns")
    return int(n)


def classes_of(one: Any) -> int:
    """Number of classes of a classifier; 1 of anything else."""
    if not is_classifier(one):
        return 1
    classes = vars(one).get("classes_")
    is_fine = is_array(classes, None) and 0 < len(classes) <= MOST_CLASSES
    need(is_fine, f"a {type(one).__name__} has an unusual number of classes")
    return len(classes)


def is_classifier(one: Any) -> bool:
    return isinstance(one, ClassifierMixin)


def check_kind(one: Any, *names: str) -> None:
    """Refuse an object that is of none of some classes.

    Raises
    ------
    Malformed
    """
    need(type(one).__name__ in names, f"a {type(one).__name__} stands where a {' or '.join(names)} should")

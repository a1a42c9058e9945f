"""Cut rows into train, val and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from src.errors import ConfigError, DataError


@dataclass(frozen=True)
class Split:
    """Row positions of each part: disjoint, and together every row.

    Attributes
    ----------
    train, val, test : ndarray of int64
        Ascending, or in time order for a temporal split.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        return {"train": self.train, "val": self.val, "test": self.test}

    def sha256(self) -> str:
        """Hash of all positions: equal for equal splits of tables with equal numbers of rows."""
        digest = hashlib.sha256()
        for name, rows in self.parts().items():
            digest.update(f"{name}:{len(rows)}:".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()


def split(y, times, method: str, val_ratio: float, test_ratio: float, random_state: int | None) -> Split:
    """Split rows by the named method.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Classes.
    times : ndarray of datetime64 of shape (n_rows,), optional
        Needed by `temporal`.
    method : {"stratified", "random", "temporal"}
    val_ratio, test_ratio : float
        Shares of all rows, in (0, 1).
    random_state : int or None

    Returns
    -------
    Split

    Raises
    ------
    DataError
        If a class has too few members for every part to have one.
    """
    if method == "temporal":
        parts = temporal(times, val_ratio, test_ratio)
    else:
        parts = shuffled(y, val_ratio, test_ratio, random_state, stratify=method == "stratified")
    check(parts, y)
    return parts


def shuffled(y, val_ratio: float, test_ratio: float, random_state: int, stratify: bool) -> Split:
    """Draw val and test at random; with `stratify`, each class in the same proportion everywhere.

    Two cuts, as the specification makes them: first train from the rest, then val from test.
    """
    rest_ratio = val_ratio + test_ratio
    try:
        train, rest = train_test_split(
            np.arange(len(y)), test_size=rest_ratio, random_state=random_state, stratify=y if stratify else None
        )
        val, test = train_test_split(
            rest, test_size=test_ratio / rest_ratio, random_state=random_state, stratify=y[rest] if stratify else None
        )
    except ValueError as error:
        n_rare = np.unique(y, return_counts=True)[1].min()
        raise DataError(
            f"{len(y)} rows, {n_rare} of the rarest class, cannot be split {1 - rest_ratio:g}/{val_ratio:g}/{test_ratio:g} "
            "so that every part has some of each class.\nBring more rows of that class."
        ) from error
    return Split(np.sort(train), np.sort(val), np.sort(test))


def temporal(times, val_ratio: float, test_ratio: float) -> Split:
    """The newest rows are test, those before them val; rows of one moment stay together."""
    if times is None:
        raise ConfigError("A temporal split needs a time column")
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    n_rows = len(ordered)
    cut_val, cut_test = (
        int(np.searchsorted(ordered, ordered[round(n_rows * share)])) for share in (1 - val_ratio - test_ratio, 1 - test_ratio)
    )
    if not 0 < cut_val < cut_test:
        raise DataError("Too few distinct times to cut train, val and test apart: choose data_split=stratified")
    return Split(order[:cut_val], order[cut_val:cut_test], order[cut_test:])


def check(parts: Split, y) -> None:
    """Every row in one part and one only, and every class in every part.

    Raises
    ------
    DataError
    """
    rows = np.concatenate(list(parts.parts().values()))
    if not np.array_equal(np.sort(rows), np.arange(len(y))):
        raise AssertionError("the parts of a split must be disjoint and complete")
    n_classes = len(np.unique(y))
    for name, part in parts.parts().items():
        if len(np.unique(y[part])) < n_classes:
            raise DataError(
                f"{name} has {len(part)} rows of a single class: it could not be scored.\n"
                "Bring more rows of the rare class, or keep classes together with data_split=stratified."
            )

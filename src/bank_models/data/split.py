"""Train, validation and test splits: random, stratified, temporal, group, hashed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from bank_models.data.column_store import Keep, kept
from bank_models.data.repeats import has_copies
from bank_models.errors import ConfigError, DataError


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

    def kept(self, keep: Keep) -> Split:
        """The same split, its positions kept where the columns of the table are."""
        return Split(*(kept(rows, keep) for rows in self.parts().values()))

    def sha256(self) -> str:
        """Hash of all positions: equal for equal splits of tables with equal numbers of rows."""
        digest = hashlib.sha256()
        for name, rows in self.parts().items():
            digest.update(f"{name}:{len(rows)}:".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()


def overlap(parts: Split, contents, y, times=None, groups=None) -> dict[str, object]:
    """What test shares with train and val: equal rows, groups, and stretches of time.

    Parameters
    ----------
    parts : Split
    contents : ndarray of uint64 of shape (n_rows,)
        Hash of each row's features.
    y, times, groups : ndarray of shape (n_rows,), the last two optional

    Returns
    -------
    dict
        `n_copies`: rows of test that equal a row of another part in every feature and in the target; `n_groups` of test and
        how many of them train or val has too, `n_groups_known` (None without groups); `newest_train` and `oldest_test` (None
        without times).
    """
    seen = np.concatenate([parts.train, parts.val])
    whole = contents ^ pd.util.hash_array(np.asarray(y))
    of_test = None if groups is None else pd.unique(groups[parts.test])
    return {
        "n_copies": n_among(whole[parts.test], whole[seen]),
        "n_groups": None if groups is None else len(of_test),
        "n_groups_known": None if groups is None else int(np.isin(of_test, pd.unique(groups[seen])).sum()),
        "newest_train": None if times is None else str(pd.Timestamp(times[parts.train].max())),
        "oldest_test": None if times is None else str(pd.Timestamp(times[parts.test].min())),
    }


def n_among(hashes: np.ndarray, others: np.ndarray) -> int:
    """How many hashes are among others: both in order, a fraction of the time and memory of a table of them."""
    if not len(others):
        return 0
    ordered, asked = np.sort(others), np.sort(hashes)
    places = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
    return int((ordered[places] == asked).sum())


def split(
    y,
    method: str,
    val_ratio: float,
    test_ratio: float,
    random_state: int | None,
    task: str = "binary",
    times=None,
    keys=None,
    contents=None,
) -> Split:
    """Split rows by the named method.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Class codes or values.
    method : {"stratified", "random", "temporal", "group", "hashed"}
    val_ratio, test_ratio : float
        Shares of all rows, in (0, 1).
    random_state : int or None
    task : str
        Of a classification, every part must hold every class.
    times : ndarray of datetime64 of shape (n_rows,), optional
        Needed by `temporal`.
    keys : ndarray of shape (n_rows,), optional
        Needed by `group` (whom the row belongs to) and `hashed` (an unsigned 64-bit hash of what decides).
    contents : ndarray of shape (n_rows,), optional
        Hash of each row's features: `stratified` and `random` put rows that look the same into one part.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        If a class or the groups are too few for every part to have some.
    """
    if method == "temporal":
        parts = temporal(times, val_ratio, test_ratio)
    elif method == "group":
        parts = grouped(keys, val_ratio, test_ratio, random_state)
    elif method == "hashed":
        parts = hashed(keys, val_ratio, test_ratio, random_state)
    else:
        parts = shuffled(y, val_ratio, test_ratio, random_state, stratify=method == "stratified", contents=contents)
    check(parts, y, task)
    return parts


def grouped(groups, val_ratio: float, test_ratio: float, random_state: int) -> Split:
    """Draw whole groups; the ratios are shares of the groups."""
    if len(np.unique(groups)) < 3:
        raise DataError(f"{len(np.unique(groups))} groups cannot be split three ways: bring more, or choose another data_split")
    rest_ratio = val_ratio + test_ratio
    train, rest = _cut_groups(groups, rest_ratio, random_state)
    val, test = (rest[rows] for rows in _cut_groups(groups[rest], test_ratio / rest_ratio, random_state))
    return Split(train, val, test)


def _cut_groups(groups, test_size: float, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    cut = GroupShuffleSplit(1, test_size=test_size, random_state=random_state)
    return next(cut.split(np.arange(len(groups)), groups=groups))


def row_keys(frame: pd.DataFrame, group_column: str | None) -> np.ndarray:
    """What decides a row's part in a hashed split: its group where there are groups, else all its values."""
    hashed_from = frame[group_column] if group_column else frame
    return pd.util.hash_pandas_object(hashed_from, index=False).to_numpy()


def hashed(keys, val_ratio: float, test_ratio: float, random_state: int) -> Split:
    """Place every row by its key alone, so that rows that come later move none of the earlier ones."""
    salted = pd.util.hash_array(keys ^ np.uint64(random_state))
    place = salted / 2.0**64
    is_test, is_val = place >= 1 - test_ratio, (place >= 1 - test_ratio - val_ratio) & (place < 1 - test_ratio)
    return Split(np.flatnonzero(~is_test & ~is_val), np.flatnonzero(is_val), np.flatnonzero(is_test))


def shuffled(y, val_ratio: float, test_ratio: float, random_state: int, stratify: bool, contents=None) -> Split:
    """Draw val and test at random; with `stratify`, each class in the same proportion everywhere.

    Two cuts, as the specification makes them: first train from the rest, then val from test. Of rows with equal contents the
    first is drawn, and the others go with it.
    """
    if contents is not None and has_copies(contents):
        _, first, copy_of = np.unique(contents, return_index=True, return_inverse=True)
        drawn = shuffled(np.asarray(y)[first], val_ratio, test_ratio, random_state, stratify)
        return Split(*(np.flatnonzero(np.isin(copy_of, part)) for part in drawn.parts().values()))
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


def known_before(rows, times, first, horizon: int = 1) -> np.ndarray:
    """Those rows whose target is known when a row of the moment `first` is scored.

    Parameters
    ----------
    rows : ndarray of int
        Positions.
    times : ndarray of datetime64 of shape (n_rows,)
        Of all rows, also of those that are not asked for: they say what a moment is.
    first : datetime64
    horizon : int
        How many moments back the newest target is that is known by then.
    """
    moments = np.unique(times)
    return rows[np.searchsorted(moments, times[rows]) <= np.searchsorted(moments, first) - horizon]


def check(parts: Split, y, task: str) -> None:
    """Every row in one part and one only, some rows in every part, and every class in every part.

    Raises
    ------
    DataError
    """
    rows = np.concatenate(list(parts.parts().values()))
    if len(rows) != len(y) or not (np.bincount(rows, minlength=len(y)) == 1).all():
        raise AssertionError("the parts of a split must be disjoint and complete")
    n_classes = 1 if task == "regression" else len(np.unique(y))
    for name, part in parts.parts().items():
        if len(np.unique(y[part])) < n_classes:
            lacking = "no rows" if len(part) == 0 else f"{len(part)} rows that lack a class"
            raise DataError(
                f"{name} has {lacking}: it could not be scored.\n"
                "Bring more rows of the rare class, or keep classes together with data_split=stratified."
            )

"""Predictions of trials for held-out rows, kept in files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from bank_models.files import folders, writing
from bank_models.tuning.storage import SQLITE


class Predictions:
    """Predictions of trials for the held-out rows of each fold, a file for each trial; memory holds those that are in use.

    Parameters
    ----------
    folder : Path
        Exists.
    n_rows : sequence of int
        Held-out rows of each fold.
    """

    def __init__(self, folder: Path, n_rows: Sequence[int]):
        self._folder, self._ends = folder, np.cumsum(n_rows)

    def __setitem__(self, number: int, scores: Sequence[np.ndarray]) -> None:
        with writing.replaced(self._path(number)) as part, part.open("wb") as file:
            np.save(file, np.concatenate(scores), allow_pickle=False)

    def __getitem__(self, number: int) -> list[np.ndarray]:
        """A trial's predictions, fold by fold.

        Raises
        ------
        ValueError
            If the file does not hold a prediction for each held-out row.
        """
        stacked = self.stacked(number)
        if len(stacked) != self._ends[-1] or not np.isfinite(stacked).all():
            raise ValueError(f"{self._path(number)} does not hold a prediction for each of {self._ends[-1]:,} rows")
        return np.split(stacked, self._ends[:-1])

    def stacked(self, number: int) -> np.ndarray:
        """The same for the rows of all folds, one fold after the other, as they lie in the file."""
        return np.load(self._path(number), mmap_mode="r", allow_pickle=False)

    def __delitem__(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.npy"


@contextlib.contextmanager
def folder_of(storage: str | None, study: str) -> Iterator[Path]:
    """Where a search keeps predictions: beside the file that keeps its trials, else in a folder that goes when it ends."""
    if storage is None or not storage.startswith(SQLITE):
        with folders.scratch("predictions-") as folder:
            yield folder
        return
    folder = Path(f"{storage.removeprefix(SQLITE)}.predictions") / sha256(study.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    yield folder

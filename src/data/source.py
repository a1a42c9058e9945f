"""Where rows come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.data.dataset import Dataset
    from src.use_case import UseCase


def load(kind: str, use_case: UseCase, name: str | None, path: str | None, rows: int | None, seed: int | None) -> Dataset:
    """Read or draw the rows of a use case.

    Parameters
    ----------
    kind : {"packaged", "simulated", "file"}
    use_case : UseCase
    name : str, optional
        Data set, for `packaged`.
    path : str, optional
        Table, for `file`.
    rows, seed : int, optional
        How many rows to draw and from which seed, for `simulated`.

    Returns
    -------
    Dataset
        Not validated yet.
    """
    if kind == "packaged":
        from src.data import packaged

        return packaged.load(name, use_case.target)
    if kind == "simulated":
        from src.data.simulated import simulate

        return simulate(use_case, rows, seed)
    from src.data import file

    return file.load(
        path,
        use_case.features,
        use_case.target,
        use_case.time_column,
        use_case.task,
        use_case.classes,
        use_case.group_column,
    )

"""Where rows come from."""

from __future__ import annotations

from dataclasses import replace
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
        On a proxy, with the facts of `packaged.facts_of_proxy`.
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

        data = packaged.load(name, use_case.target)
        if name not in use_case.proxies:
            return data
        proxy = f"A proxy: the rows are real, but not those of {use_case.name}. A row is {use_case.row}."
        return replace(data, provenance=data.provenance | {"proxy_for": use_case.key}, notes=[proxy, *data.notes])
    if kind == "simulated":
        from src.data.simulated import simulate

        return simulate(use_case.features, use_case.simulation, use_case.target, use_case.time_column, rows, seed)
    from src.data import file

    return file.load(
        path,
        use_case.features,
        use_case.target,
        use_case.time_column,
        use_case.task,
        use_case.classes,
        use_case.group_column,
        use_case.protected,
    )

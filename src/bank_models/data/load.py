"""Loading: from the chosen source to a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bank_models.config.use_case import UseCase
    from bank_models.data.dataset import Dataset


def load(
    kind: str,
    use_case: UseCase,
    name: str | None = None,
    path: str | None = None,
    rows: int | None = None,
    seed: int | None = None,
    memory_budget: int | None = None,
    **how: Any,
) -> Dataset:
    """Read or draw the rows of a use case.

    Parameters
    ----------
    kind : {"packaged", "simulated", "file", "sql", "extension"}
    use_case : UseCase
        On a proxy, with the facts of `datasets.facts_of_proxy`.
    name : str, optional
        Data set, for `packaged`.
    path : str, optional
        Table, for `file`.
    rows, seed : int, optional
        How many rows to draw and from which seed, for `simulated`.
    memory_budget : int, optional
        Bytes of the largest table of a Parquet file or a query that is held in memory: see `bank_models.data.column_store`.
    **how : object
        Of `sql`: `query`, `url_env` and `order_by`, what to ask, where the address stands and how to sort. Of `extension`:
        `source` and `settings`, which of its functions to call with which arguments. Of `file`: how it spells its table, the
        settings of `bank_models.data.reading.make_reading`.

    Returns
    -------
    Dataset
        Not validated yet.
    """
    if kind == "packaged":
        from bank_models.data import packaged

        data = packaged.load(name, use_case.target)
        if name not in use_case.proxies:
            return data
        proxy = f"A proxy: the rows are real, but not those of {use_case.name}. A row is {use_case.row}."
        return replace(data, provenance=data.provenance | {"proxy_for": use_case.key}, notes=[proxy, *data.notes])
    if kind == "simulated":
        from bank_models.data.simulated import simulate

        return simulate(use_case, rows, seed)
    from bank_models.data.table_schema import schema_of

    if kind == "sql":
        from bank_models.data import sql

        return sql.load(how["query"], how["url_env"], schema_of(use_case), how.get("order_by") or (), memory_budget)
    if kind == "extension":
        from bank_models.data import own_source

        return own_source.load(how["source"], how.get("settings"), schema_of(use_case))
    from bank_models.data import file
    from bank_models.data.reading import SETTINGS, make_reading

    spelling = {setting: how[setting] for setting in SETTINGS if setting in how}
    return file.load(path, schema_of(use_case), make_reading(path, **spelling), use_case.unlabelled, memory_budget)

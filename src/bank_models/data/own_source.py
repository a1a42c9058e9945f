"""Own data source: the rows that a function of an extension reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from bank_models.data.arrow import to_frame
from bank_models.data.dataset import Dataset
from bank_models.data.file import check_columns, notes_on_others, with_target
from bank_models.data.hashing import frame_sha256
from bank_models.data.table_schema import TableSchema
from bank_models.errors import DataError
from bank_models.extensions.data_sources import SOURCES


def load(source: str, settings: Mapping[str, Any] | None, schema: TableSchema) -> Dataset:
    """Read the rows of a source of an extension; they are not compared with the declaration yet, `validate` does that.

    Parameters
    ----------
    source : str
        A name of `bank_models.extensions.data_sources.SOURCES`.
    settings : mapping, optional
        Arguments of its function.
    schema : TableSchema

    Raises
    ------
    DataError
        If it fails, or gives no table with the declared columns.
    """
    table, types = read(source, settings or {}), schema.types()
    if table.num_rows == 0:
        raise DataError(f"data_source.source={source} gives no rows.")
    check_columns(f"the source {source}", table.column_names, list(types))
    frame = with_target(to_frame(table.select(list(types)), types), f"the source {source}", schema)
    provenance = {
        "kind": "extension",
        "source": source,
        "extension": SOURCES.package_of(source),
        "sha256": frame_sha256(frame),
        "rows": len(frame),
    }
    return Dataset(frame, provenance, notes=notes_on_others("source", table.column_names, types))


def read(source: str, settings: Mapping[str, Any]) -> pa.Table:
    """The table that a source gives.

    Raises
    ------
    DataError
    """
    try:
        found = SOURCES[source].read(**settings)
    except Exception as error:  # whatever a function of somebody else raises
        said = next(iter(str(error).splitlines()), "")
        raise DataError(f"data_source.source={source} cannot be read: {type(error).__name__}: {said}") from error
    if isinstance(found, pa.Table):
        return found
    if not isinstance(found, pd.DataFrame):
        raise DataError(
            f"data_source.source={source} gives a {type(found).__name__}: it must be a DataFrame or a pyarrow.Table."
        )
    try:
        return pa.Table.from_pandas(found, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        said = next(iter(str(error).splitlines()), "")
        raise DataError(f"data_source.source={source} gives a column of mixed types: {said}") from error

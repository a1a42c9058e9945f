"""Batched writing of Parquet and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bank_models.data.csv_cells import escaped_table


class TableWriter:
    """Writes tables of one schema, the first one's, into a file.

    Parameters
    ----------
    path : Path
        Where the bytes go.
    name : str
        Its end tells the format.
    about : mapping of str to str
        Kept in the schema of a Parquet file.
    escape_formulas : bool
        Of a CSV: keep spreadsheets from taking a text for a formula, see `bank_models.data.csv_cells`.
    """

    def __init__(self, path: Path, name: str, about: Mapping[str, str], escape_formulas: bool = True):
        self.path = path
        self.is_parquet = name.lower().endswith(".parquet")
        self.is_packed = name.lower().endswith(".gz")
        self.about = about
        self.escapes = escape_formulas and not self.is_parquet
        self._writer = self._sink = None

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *exc_info) -> None:
        for opened in (self._writer, self._sink):
            if opened is not None:
                opened.close()

    def write(self, table: pa.Table) -> None:
        table = escaped_table(table) if self.escapes else table
        if self._writer is None:
            self._open(table.schema)
        self._writer.write_table(table.cast(self._schema))

    def _open(self, schema: pa.Schema) -> None:
        self._schema = schema.with_metadata(dict(self.about)) if self.is_parquet else schema
        self._sink = pa.output_stream(self.path, compression="gzip" if self.is_packed else None)
        open_writer = pq.ParquetWriter if self.is_parquet else pa_csv.CSVWriter
        self._writer = open_writer(self._sink, self._schema)

"""SQL source: the rows of a query, from SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bank_models.config import secrets
from bank_models.data import column_store, opening
from bank_models.data.arrow import LARGEST_EXACT_INTEGER, to_frame
from bank_models.data.dataset import Dataset
from bank_models.data.file import check_columns, notes_on_others, with_target
from bank_models.data.hashing import frame_sha256
from bank_models.data.signatures import one_line
from bank_models.data.table_schema import TableSchema
from bank_models.errors import DataError, at_most

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

DRIVERS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
HERE = "the query"
SELECTS = ("SELECT", "WITH", "VALUES", "TABLE", "(")
COMMENTS = re.compile(r"(\s+|--[^\n]*(\n|$)|/\*.*?\*/)*", re.DOTALL)
MOST_BYTES_OF_A_QUERY = 1 << 20
MEMORY_PER_CELL = 40
READ_ONLY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
NO_ORDER = (
    "Rows of a query come in no order that lasts, so they were sorted by a hash of their values. "
    "To sort them by columns: data_source.order_by=[…]."
)


def load(
    query: str, url_env: str, schema: TableSchema, order_by: Sequence[str] = (), memory_budget: int | None = None
) -> Dataset:
    """Read the rows of a query; they are not compared with the declaration yet, `validate` does that.

    The database is only read: a query that would change something is refused by it. Rows are sorted, because the same query
    may give the same rows in another order tomorrow: by `order_by`, then by a hash of the values of the declared columns.
    Rows that are the same in all of these are interchangeable, so a run depends on the rows alone.

    Parameters
    ----------
    query : str
        One SELECT, or the path of a `.sql` file that holds one.
    url_env : str
        Environment variable that holds the address: ``sqlite:///folder/file.db``, ``postgresql://user:password@host/database``.
    schema : TableSchema
        As for `bank_models.data.file.load`.
    order_by : sequence of str
        Columns of the query; they need not be declared ones. Missing values come last.
    memory_budget : int, optional
        Bytes. The columns of a larger table lie on the disk: see `bank_models.data.column_store`.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError, DataError
        At most three lines, without the address.
    """
    text, url = _text_of(query), secrets.read("data_source.url_env", url_env)
    kind, name = _database(url, url_env)
    types = schema.types()
    table = _fetch(kind, url, url_env, text, types)
    columns, needed = table.column_names, list(dict.fromkeys([*types, *order_by]))
    if table.num_rows == 0:
        raise DataError("The query gives no rows.")
    check_columns(HERE, columns, needed)
    plain, spelled = _plain(table.select(needed))
    is_larger = column_store.is_larger(len(plain), len(types), memory_budget)
    keep = column_store.on_disk(HERE, len(plain), len(types)) if is_larger else column_store.in_memory
    frame = _frame(plain, types, spelled, keep)
    frame = column_store.taken(frame, _order(frame, plain, order_by, spelled), keep)
    frame = with_target(_sorted_categories(frame), HERE, schema)
    provenance = {
        "kind": "sql",
        "source": f"{DRIVERS[kind]} database {name}",
        "database": kind,
        "query": text,
        "query_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "order_by": list(order_by),
        "sha256": frame_sha256(frame),
        "rows": len(frame),
    }
    notes = notes_on_others("query", columns, {*types, *order_by})
    return Dataset(frame, provenance, notes=notes if order_by else [*notes, NO_ORDER], keep=keep)


def _frame(table: pa.Table, types: Mapping[str, str], spelled: Sequence[str], keep: column_store.Keep) -> pd.DataFrame:
    """Columns as the validation reads them; of a large table one after the other."""
    if keep is column_store.in_memory:
        return to_frame(table.select(list(types)), types, as_text=spelled)
    columns = {name: keep(to_frame(table.select([name]), types, as_text=spelled)[name]) for name in types}
    return pd.DataFrame(columns, copy=False)


def _text_of(query: str) -> str:
    """The query without a semicolon at its end, from its file if that was named."""
    text = query.strip()
    if text.lower().endswith(".sql") and not re.search(r"\s", text):
        text = _read_query(Path(text))
    text = text.rstrip("; \n\t\r")
    begins = re.match(r"\(|\w*", text[COMMENTS.match(text).end() :])[0].upper()
    if begins not in SELECTS:
        raise DataError(
            f"data_source.query must be a SELECT, but {f'begins with {begins[:20]}' if begins else 'has no such word'}.\n"
            "Rows are read from a database, and nothing is changed there."
        )
    return text


def _read_query(path: Path) -> str:
    try:
        with opening.open_file(path) as opened:
            raw = opened.read(MOST_BYTES_OF_A_QUERY + 1)
        if len(raw) > MOST_BYTES_OF_A_QUERY:
            raise DataError(f"{path} has more than 1 MiB: no query is as long.")
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"data_source.query={path} cannot be read: it is not text in UTF-8.") from error
    except DataError as error:
        raise DataError(f"data_source.query={error}") from error


def _database(url: str, url_env: str) -> tuple[str, str]:
    """Kind and name of the database at an address."""
    scheme, _, rest = url.partition("://")
    if scheme not in DRIVERS:
        known = " and ".join(f"{kind}://" for kind in DRIVERS)
        raise DataError(f"The address in {url_env} begins with {scheme}://, which cannot be read.\nKnown: {known}.")
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        if not rest.startswith("/"):
            raise DataError(f"The address in {url_env} lacks a slash: of a SQLite file it is sqlite:///folder/file.db.")
        kind = opening.kind_at(path)
        if kind != "file":
            what = f"is {'a folder' if kind == 'folder' else kind}, not a file" if kind else "does not exist"
            raise DataError(f"{url_env} names the SQLite file {path}, which {what}.")
        return scheme, path.name
    parts = urlsplit(url)
    return scheme, unquote(parts.path.removeprefix("/")) or "of the user"


def _fetch(kind: str, url: str, url_env: str, query: str, types: Mapping[str, str]) -> pa.Table:
    import adbc_driver_manager as adbc

    connect = {"sqlite": _sqlite, "postgresql": _postgresql}[kind]
    try:
        connection = connect(url)
    except (adbc.Error, sqlite3.Error) as error:
        said = _said(error, url)
        raise DataError(f"The {DRIVERS[kind]} database in {url_env} cannot be opened: {said}") from None
    try:
        with contextlib.closing(connection):
            return _beside_signals(_read, kind, connection, url, query, types)
    except (adbc.Error, sqlite3.Error, pa.ArrowException, OSError) as error:
        said = _said(error, url)
        raise DataError(f"{DRIVERS[kind]} refuses the query: {said}\nThe query: {one_line(query)}") from None


def _beside_signals(read: Callable, *arguments: Any) -> Any:
    """Call a function in a thread of its own and wait for it: in the main thread the driver takes Ctrl-C for itself.

    It then asks the database to cancel the query, which SQLite's driver cannot, and the query runs on for ever.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="query") as one:
        return one.submit(read, *arguments).result()


def _said(error: Exception, url: str) -> str:
    """What the database says, without the driver's words around it and without the address."""
    text = secrets.without_secrets(str(error), url)
    found = re.search(r"(?:ERROR|FATAL):\s+(.+?)(?:\n|\. SQLSTATE|$)", text)
    said = found[1] if found else re.sub(r"^[A-Z_]+: (\[\w+\] )?(Failed to \w+( query)?: )?", "", text).split("\nquery:")[0]
    hint = re.search(r"\nHINT:\s+(.+)", text)
    return one_line(said) + (f" ({one_line(hint[1])})" if hint else "")


def _sqlite_uri(url: str) -> str:
    return f"{Path(url.removeprefix('sqlite:///')).absolute().as_uri()}?mode=ro"


def _sqlite(url: str) -> Connection:
    import adbc_driver_sqlite.dbapi

    return adbc_driver_sqlite.dbapi.connect(_sqlite_uri(url))


def _postgresql(url: str) -> Connection:
    import adbc_driver_postgresql.dbapi

    return adbc_driver_postgresql.dbapi.connect(url)


def _read(kind: str, connection: Connection, url: str, query: str, types: Mapping[str, str]) -> pa.Table:
    with contextlib.closing(connection.cursor()) as cursor:
        if kind == "sqlite":
            n_columns = _check_reads_only(url, query)
            _read_in_one_batch(cursor, query, n_columns)
        else:
            cursor.execute("SET TRANSACTION READ ONLY")
            if not cursor.adbc_execute_schema(query).names:  # not a query: its driver would run it before we know
                raise DataError("data_source.query must be a SELECT, which gives columns.")
        cursor.execute(f"{query}\n")  # a comment at the end of the query would swallow what the driver adds
        table = column_store.spooled(cursor.fetch_record_batch())
        if kind == "sqlite":
            _check_digits_kept(cursor, query, table, types)
        return table


def _check_reads_only(url: str, query: str) -> int:
    """Let SQLite itself compile the query with no right but to read; its driver would leave out a second statement.

    A read-only connection is not enough: `ATTACH` and `VACUUM INTO` write files of their own. The number of columns is given
    back.
    """
    with contextlib.closing(sqlite3.connect(_sqlite_uri(url), uri=True)) as connection:
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READ_ONLY else sqlite3.SQLITE_DENY)
        connection.execute(f"EXPLAIN {query}")
        return len(connection.execute(f"SELECT * FROM (\n{query}\n) LIMIT 0").description)


def _read_in_one_batch(cursor, query: str, n_columns: int) -> None:
    """Count the rows of a query and have the driver read as many at once, which it reserves memory for.

    SQLite's columns have no type, so the driver takes it from the first batch, and fails if a later one has another. Both
    reads see the same state of the database: they are of one transaction.
    """
    cursor.execute(f"SELECT COUNT(*) FROM (\n{query}\n)")
    n_rows = cursor.fetchone()[0]
    opening.check_memory("The result of the query", n_rows * n_columns * MEMORY_PER_CELL)
    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(max(1, n_rows))})


def _check_digits_kept(cursor, query: str, table: pa.Table, types: Mapping[str, str]) -> None:
    """Refuse large integers in a column of SQLite that also holds fractions, because its driver rounds them."""
    for name in types:
        if table.column_names.count(name) != 1 or not pa.types.is_floating(table[name].type):
            continue
        extremes = pc.min_max(table[name]).as_py()
        if max(abs(extremes["min"] or 0), abs(extremes["max"] or 0)) < LARGEST_EXACT_INTEGER:
            continue
        column = '"' + name.replace('"', '""') + '"'
        most = LARGEST_EXACT_INTEGER - 1
        beyond = f"typeof({column}) = 'integer' AND {column} NOT BETWEEN {-most} AND {most}"
        cursor.execute(f"SELECT {column} FROM (\n{query}\n) WHERE {beyond} LIMIT 1")
        if found := cursor.fetchone():
            raise DataError(f"{name}: an integer of 2**53 or more loses digits beside fractions ({found[0]}).")


def _plain(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """Columns of types that tables are made of, and the names of those that spell numbers as text (NUMERIC)."""
    columns, spelled, faults = {}, [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        named = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        if named == "numeric":
            column = column.cast(pa.string()) if pa.types.is_string(field.type) else _storage(column)
            spelled.append(field.name)
        elif named == "bpchar":  # padded with blanks, which mean nothing
            column = pc.utf8_rtrim(column, characters=" ")
        elif named == "money" or not _is_of_tables(field.type):
            faults.append(f"{field.name}: a column of type {named or field.type} cannot be used: CAST it to text or numeric.")
        columns[field.name] = column
    if faults:
        raise DataError(at_most(3, faults, "columns"))
    return pa.table(columns), spelled


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.storage for chunk in column.chunks], pa.string())


def _is_of_tables(kind: pa.DataType) -> bool:
    of = pa.types
    tests = (
        of.is_integer,
        of.is_floating,
        of.is_boolean,
        of.is_string,
        of.is_large_string,
        of.is_date,
        of.is_timestamp,
        of.is_null,
    )
    return any(test(kind) for test in tests)


def _order(frame: pd.DataFrame, plain: pa.Table, order_by: Sequence[str], spelled: Sequence[str]) -> np.ndarray:
    """Positions of the rows in the order in which they are used."""
    keys = {name: plain[name].cast(pa.float64()) if name in spelled else plain[name] for name in order_by}
    keys = {str(place): key for place, key in enumerate(keys.values())}
    keys["hash"] = pa.array(pd.util.hash_pandas_object(frame, index=False).to_numpy())
    return pc.sort_indices(pa.table(keys), sort_keys=[(key, "ascending") for key in keys]).to_numpy()


def _sorted_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories in the order of the alphabet instead of that in which rows came."""
    coded = [name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return frame.assign(**{name: frame[name].cat.reorder_categories(sorted(frame[name].cat.categories)) for name in coded})

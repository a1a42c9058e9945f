"""Tables as people, programs and disks break them: what writes each kind, and what reading it must come to.

`CASES` has a name, a function that writes the kind of table, and what must be said of it; a sound frame goes in, and what comes
out is refused in three lines at most, or is the same data, or is data with a note.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bank_models.config.feature import Feature

FEATURES = {
    "opened": Feature(type="date"),
    "country": Feature(type="category", max_missing=0.5),
    "segment": Feature(type="category", categories=["mass", "affluent"]),
    "is_new": Feature(type="bool"),
    "n_late": Feature(type="int"),
    "remark": Feature(type="text", max_missing=0.5),
    "amount_eur": Feature(type="float"),
}
TARGET = "default"
Write = Callable[[pd.DataFrame, Path], None]


@dataclass(frozen=True)
class Broken:
    """A kind of table.

    Attributes
    ----------
    write : callable
        Takes the sound frame and the path.
    refused : str, optional
        Pattern of the refusal; None if the table is read.
    noted : str, optional
        Pattern of a note on a table that is read, though it may be wrong.
    ending : str
        Of the file's name.
    """

    write: Write
    refused: str | None = None
    noted: str | None = None
    ending: str = ".csv"


def sound(n_rows: int = 200) -> pd.DataFrame:
    """Rows without a fault. No use case names `loan`, `comment` and `branch`."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "loan": [f"L{i:05d}" for i in range(n_rows)],
            "opened": pd.date_range("2024-01-01", periods=n_rows).strftime("%Y-%m-%d"),
            "country": rng.choice(["DE", "FR", "NA", "AT"], n_rows),
            "segment": rng.choice(["mass", "affluent"], n_rows),
            "is_new": rng.random(n_rows) < 0.5,
            "n_late": rng.integers(0, 90, n_rows),
            "remark": rng.choice(["paid late", "moved house", "none"], n_rows),
            "comment": rng.choice(["ok", "see file", "called"], n_rows),
            "branch": rng.integers(100, 120, n_rows),
            "default": rng.integers(0, 2, n_rows),
            "amount_eur": rng.lognormal(8, 1, n_rows).round(2) + 1000,
        }
    )


def bytes_of(change: Callable[[bytes], bytes]) -> Write:
    """The sound CSV with its bytes changed."""
    return lambda frame, path: path.write_bytes(change(frame.to_csv(index=False).encode()))


def frame_of(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Write:
    """The CSV of a changed frame."""
    return lambda frame, path: change(frame).to_csv(path, index=False)


def cell(column: str, value: str, row: int = 5) -> Write:
    """One cell, of a row counted from 1, changed."""
    return frame_of(lambda frame: frame.astype({column: object}).assign(
        **{column: frame[column].astype(object).where(frame.index != row - 1, value)}
    ))  # fmt: skip


def every(column: str, change: Callable) -> Write:
    """All cells of a column changed."""
    return frame_of(lambda frame: frame.assign(**{column: frame[column].map(change)}))


def line(change: Callable[[str], str], row: int = 5) -> Write:
    """The line of a row changed."""

    def write(frame: pd.DataFrame, path: Path) -> None:
        lines = frame.to_csv(index=False).split("\n")
        lines[row] = change(lines[row])
        path.write_text("\n".join(lines), encoding="utf-8", newline="")

    return write


def stray_quotes(column: str, n_rows: int) -> Write:
    """A quote before a cell and one behind the cell some rows below."""

    def write(frame: pd.DataFrame, path: Path) -> None:
        place, lines = list(frame).index(column), [row.split(",") for row in frame.to_csv(index=False).split("\n")]
        lines[5][place] = '"' + lines[5][place]
        lines[5 + n_rows][place] += '"'
        path.write_text("\n".join(map(",".join, lines)), encoding="utf-8")

    return write


def parquet(change: Callable[[pa.Table], pa.Table] = lambda table: table, **options) -> Write:
    """A Parquet file with page checksums, of a changed table."""
    options = {"write_page_checksum": True} | options
    return lambda frame, path: pq.write_table(change(pa.Table.from_pandas(frame, preserve_index=False)), path, **options)


def flipped(row: int, **options) -> Write:
    """A Parquet file with one bit of an amount changed, which makes it about 10**308 times larger or smaller."""

    def write(frame: pd.DataFrame, path: Path) -> None:
        parquet(compression="none", use_dictionary=False, **options)(frame, path)
        raw, amount = bytearray(path.read_bytes()), frame["amount_eur"].to_numpy()[row - 1].tobytes()
        raw[raw.index(amount) + 7] ^= 1 << 6
        path.write_bytes(raw)

    return write


def windows(write: Write) -> Write:
    """The line ends of Windows for what some function writes."""

    def rewrite(frame: pd.DataFrame, path: Path) -> None:
        write(frame, path)
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    return rewrite


def cut(write: Write, n_bytes: int) -> Write:
    """What some function writes, without its last bytes."""

    def rewrite(frame: pd.DataFrame, path: Path) -> None:
        write(frame, path)
        path.write_bytes(path.read_bytes()[:-n_bytes])

    return rewrite


def packed(change: Callable[[bytes], bytes]) -> Write:
    return lambda frame, path: path.write_bytes(gzip.compress(change(frame.to_csv(index=False).encode()), 1))


def with_total(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.tail(1).assign(loan="Total", amount_eur=frame["amount_eur"].sum())])


def with_column(name: str, values) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, pa.array(values))


def link_to(target: str) -> Write:
    return lambda frame, path: path.symlink_to(target)


def larger_than_any_memory(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)
    with path.open("r+b") as opened:
        opened.truncate(1 << 42)


def a_text_that_every_row_repeats(table: pa.Table) -> pa.Table:
    """A small file of rows that would take half a terabyte once each has its text."""
    n_rows = 1 << 16
    indices = pa.array(np.arange(n_rows) % 2, pa.int32())
    texts = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * (1 << 23), "y" * (1 << 23)]))
    rows = table.take(pa.array(np.arange(n_rows) % len(table)))
    return rows.set_column(rows.column_names.index("remark"), "remark", texts)


CASES = {
    # quotes
    "stray quotes around ten rows of a column that is not named": Broken(
        stray_quotes("comment", 10), "line 6, column comment .*'\"\\w+'.* holds rows of this table"
    ),
    "stray quotes around ten rows of a text": Broken(stray_quotes("remark", 10), "line 6, column remark"),
    "stray quotes around ten rows of a category": Broken(stray_quotes("country", 10), "line 6, column country"),
    "stray quotes around one line end": Broken(stray_quotes("country", 1), "line 6, column country"),
    "stray quotes around the first column": Broken(stray_quotes("loan", 4), "line 6, column loan"),
    "stray quotes around the last column": Broken(stray_quotes("amount_eur", 4), "line 6, column amount_eur"),
    "stray quotes with Windows line ends": Broken(windows(stray_quotes("comment", 4)), "line 6, column comment"),
    "quotes in the middle of a cell": Broken(
        line(lambda row: row.replace("L00004", 'L0"00"4')),
        r"line 6, column loan \('L0\"00\"4'\) has a double quote in the middle",
    ),
    "text after a closing quote": Broken(
        line(lambda row: row.replace("L00004", '"L00"004')), "column loan .* in the middle of a cell"
    ),
    "a blank before an opening quote": Broken(
        line(lambda row: row.replace("L00004", ' "L00004"')), "column loan .* in the middle of a cell"
    ),
    "quotes escaped by a backslash": Broken(
        line(lambda row: row.replace("L00004", r'"L0\"00\"4"')), "column loan .* in the middle of a cell"
    ),
    "a quote that is never closed": Broken(line(lambda row: '"' + row), "odd number of double quotes"),
    "every cell in quotes": Broken(lambda frame, path: frame.to_csv(path, index=False, quoting=1), None),
    # ends and bytes
    "cut inside the last number": Broken(
        bytes_of(lambda text: text[:-4]), "no line end after its last row, as if it was cut short there: it ends with '134'"
    ),
    "cut before the last line end": Broken(bytes_of(lambda text: text[:-1]), "no line end after its last row"),
    "cut inside the last line end of Windows": Broken(bytes_of(lambda text: text.replace(b"\n", b"\r\n")[:-1]), None),
    "a packed table cut inside the last number": Broken(
        packed(lambda text: text[:-4]), r"no line end (.|\n)*echo \| gzip >> ", ending=".csv.gz"
    ),
    "a zero byte in a text": Broken(cell("remark", "paid\0late"), r"line 6, column remark \('paid\\x00late'\) has a zero byte"),
    "a zero byte in a column that is not named": Broken(cell("comment", "a\0b"), "line 6, column comment .*zero byte"),
    "a zero byte in a text of Parquet": Broken(
        parquet(with_column("remark", ["paid"] * 199 + ["a\0b"])), r"remark: .*zero byte in it \(row 200", ending=".parquet"
    ),
    "zero bytes to the end of a block": Broken(bytes_of(lambda text: text[:4096] + bytes(4096)), "has a zero byte"),
    "a letter of Latin-1 far from the beginning": Broken(
        bytes_of(lambda text: text * 50 + b"\xfc\n"), "not CSV text in UTF-8: line 10051, column loan .*0xfc"
    ),
    "a control character in a category": Broken(
        cell("country", "DE\x07"), r"country: 1 value is with a control character in it \(row 5: 'DE\\x07'\)"
    ),
    "a byte order mark": Broken(bytes_of(lambda text: b"\xef\xbb\xbf" + text), None),
    "line ends of two systems": Broken(bytes_of(lambda text: text.replace(b"\n", b"\r\n", 20)), None),
    "line ends of an old Macintosh": Broken(bytes_of(lambda text: text.replace(b"\n", b"\r")), None),
    "the end mark of DOS": Broken(bytes_of(lambda text: text + b"\x1a"), "no line end after its last row"),
    # rows
    "two files joined": Broken(bytes_of(lambda text: text + text), "row 201 is the header again"),
    "a row of totals": Broken(frame_of(with_total), r"amount_eur: the last value is the sum of all others \(row 201"),
    "a row of totals with gaps": Broken(
        bytes_of(lambda text: text + b"Total,,,,,,,,,,5\n"), "default: 1 of 201 labels are missing"
    ),
    "a row too long": Broken(line(lambda row: row + ",1"), "row 5 has 12 instead of 11"),
    "a row too short": Broken(line(lambda row: row.rpartition(",")[0]), "row 5 has 10 instead of 11"),
    "a row with semicolons": Broken(line(lambda row: row.replace(",", ";")), "row 5 has 1 instead of 11"),
    "marks of a merge": Broken(line(lambda row: f"<<<<<<< HEAD\n{row}"), "row 5 has 1 instead of 11"),
    "empty lines": Broken(line(lambda row: f"\n\n{row}"), None),
    "a title above the header": Broken(bytes_of(lambda text: b"Loans,,,,,,,,,,\n" + text), "opened: not a column"),
    # names
    "a name with a blank": Broken(
        frame_of(lambda frame: frame.rename(columns={"country": " country"})),
        r"country: not a column .*Did you mean ' country'\?",
    ),
    "a name with a blank that does not break": Broken(
        frame_of(lambda frame: frame.rename(columns={"country": "country\xa0"})), r"Did you mean 'country\\xa0'\?"
    ),
    "a second column but for capitals": Broken(
        frame_of(lambda frame: frame.assign(Country="x")), "country: .*has this column and Country. Which one is meant"
    ),
    "a second column but for a blank": Broken(
        frame_of(lambda frame: frame.assign(**{"country ": "x"})), "country: .*has this column and 'country '"
    ),
    "a column twice": Broken(frame_of(lambda frame: pd.concat([frame, frame[["country"]]], axis=1)), "country: 2 columns of"),
    "a column without a name": Broken(lambda frame, path: frame.to_csv(path), None, "left out: ''"),
    # numbers
    "thousands with commas": Broken(
        cell("amount_eur", "1,234.56"), r"amount_eur: 1 value is not a number \(row 5: '1,234.56'\)"
    ),
    "thousands with points": Broken(
        every("amount_eur", lambda value: f"{value / 1000:.3f}"), None, "amount_eur has three decimals"
    ),
    "thousands with blanks that do not break": Broken(cell("amount_eur", "1\xa0234"), "amount_eur: 1 value is not a number"),
    "decimal commas": Broken(
        every("amount_eur", lambda value: str(value).replace(".", ",")), "amount_eur: 200 values are not a number"
    ),
    "a dash instead of a minus sign": Broken(cell("amount_eur", "\u2013120"), "amount_eur: 1 value is not a number"),
    "digits of full width": Broken(cell("amount_eur", "\uff11\uff12"), "amount_eur: 1 value is not a number"),
    "a per cent sign": Broken(cell("amount_eur", "12%"), "amount_eur: 1 value is not a number"),
    "a currency": Broken(cell("amount_eur", "1200 EUR"), "amount_eur: 1 value is not a number"),
    "blanks for a number": Broken(cell("amount_eur", "  "), "amount_eur: 0.500% of the values are missing"),
    "a formula for a number": Broken(cell("amount_eur", "=1+1"), "amount_eur: 1 value is not a number"),
    "an integer above 2**53": Broken(cell("n_late", "9007199254740993"), r"n_late: an integer of 2\*\*53"),
    "an infinity": Broken(cell("amount_eur", "inf"), "amount_eur: 1 value is infinite"),
    "leading zeros of a whole number": Broken(every("n_late", "{:04d}".format), None),
    "yes for true": Broken(cell("is_new", "yes"), r"is_new: 1 value is neither true nor false \(row 5: 'yes'\)"),
    "yes and no": Broken(every("is_new", lambda value: "yes" if value else "no"), None),
    # dates
    "a date of Germany": Broken(cell("opened", "31.12.2024"), r"opened: 1 value is not in ISO 8601.*row 5: '31.12.2024'"),
    "a date of the United States": Broken(cell("opened", "12/31/2024"), "opened: 1 value is not in ISO 8601"),
    "a day that is none": Broken(cell("opened", "2024-02-30"), "opened: 1 value is not in ISO 8601"),
    "a year among days": Broken(
        cell("opened", "2024"), r"opened: 1 value is without a day, which others have \(row 5: '2024'\)"
    ),
    "a month among days": Broken(cell("opened", "2024-03"), "opened: 1 value is without a day"),
    "the number of a day in a spreadsheet": Broken(cell("opened", "45000"), "opened: 1 value is not in ISO 8601"),
    # categories
    "a formula for a category": Broken(cell("country", "=1+1"), r"country: 1 value is a formula .*row 5: '=1\+1'"),
    "an error of a spreadsheet for a category": Broken(
        cell("country", "#N/A"), "country: 1 value is a formula or an error of a spreadsheet"
    ),
    "blanks for a category": Broken(cell("country", "  "), r"country: 1 value is nothing but blanks \(row 5"),
    "a category with a blank behind it": Broken(cell("country", "DE "), r"country: 'DE ' \(row 5\) looks like 'DE'"),
    "a category with a blank that does not break": Broken(
        cell("country", "DE\xa0"), r"country: 'DE\\xa0' \(row 5\) looks like 'DE'"
    ),
    "a category with a character of no width": Broken(
        cell("country", "D\u200bE"), r"country: 'D\\u200bE' \(row 5\) looks like 'DE'"
    ),
    "a category in Cyrillic letters": Broken(
        cell("country", "\u0410\u0422"), r"country: '\\u0410\\u0422' \(row 5\) looks like 'AT'"
    ),
    "a category in small letters": Broken(cell("country", "de"), None, "country has values that differ in capitals only"),
    "a category that says NULL": Broken(cell("country", "NULL"), None, "country has the value 'NULL', as a category"),
    "a category with a lost letter": Broken(cell("country", "\ufffdsterreich"), None, "country has letters that were lost"),
    "a category that is not declared": Broken(
        cell("segment", "privat"), r"segment: 1 value is not among the declared categories \(row 5"
    ),
    # Parquet
    "Parquet with page checksums": Broken(parquet(), None, ending=".parquet"),
    "Parquet without page checksums": Broken(parquet(write_page_checksum=False), None, "has no page checksums", ".parquet"),
    "a bit of a number, with page checksums": Broken(flipped(5), "not a whole Parquet file", ending=".parquet"),
    "a bit of a number, without": Broken(flipped(5, write_page_checksum=False), "amount_eur reaches from", ending=".parquet"),
    "a Parquet file cut short": Broken(cut(parquet(), 200), "not a whole Parquet file", ending=".parquet"),
    "a small file of texts that no memory can hold": Broken(
        parquet(a_text_that_every_row_repeats), r"needs about [\d,.]+ GiB of memory", ending=".parquet"
    ),
    # what is no file
    "a named pipe": Broken(lambda frame, path: os.mkfifo(path), "is a named pipe, not a file"),
    "a link to a device": Broken(link_to("/dev/zero"), "is a device, not a file", ending=".parquet"),
    "a link to nothing": Broken(link_to("nowhere.csv"), "is a link to nowhere.csv, and there is no such file"),
    "a link to itself": Broken(lambda frame, path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    "a folder": Broken(lambda frame, path: path.mkdir(), "is a folder without Parquet files"),
    "a file larger than any memory": Broken(larger_than_any_memory, r"needs about 12,288.0 GiB of memory to be read, but"),
    "packed zeros without end": Broken(packed(lambda text: text + bytes(1 << 26)), "has a zero byte", ending=".csv.gz"),
    "an empty file": Broken(lambda frame, path: path.touch(), "is empty"),
}

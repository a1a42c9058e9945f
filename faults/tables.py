"""Broken data: a table with one fault is refused in a sentence, or every value of it is the intended one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from faults import command, prepared
from faults.case import Attempt, Broken, Group, expect

GROUP = Group("tables")
N_ROWS = 80
TARGET, TIME = "default", "paid_at"
REFUSED = object()
GIB = 1 << 30


def features() -> dict:
    from bank_models.config.feature import Feature

    return {
        "amount": Feature(type="float"),
        "n_late": Feature(type="int"),
        "is_new": Feature(type="bool"),
        "country": Feature(type="category"),
        "segment": Feature(type="category", categories=["mass", "affluent", "private"]),
        "opened": Feature(type="date"),
        "remark": Feature(type="text"),
    }


def sound(draw: Random) -> pd.DataFrame:
    """Rows without a fault, as they are meant."""
    return pd.DataFrame(
        {
            "customer": [f"C{i:05d}" for i in range(N_ROWS)],
            "amount": [round(draw.lognormvariate(6, 1), 2) for _ in range(N_ROWS)],
            "n_late": [draw.randrange(90) for _ in range(N_ROWS)],
            "is_new": [draw.random() < 0.5 for _ in range(N_ROWS)],
            "country": [draw.choice(["DE", "FR", "NA", "AT", "00049"]) for _ in range(N_ROWS)],
            "segment": [draw.choice(["mass", "affluent", "private"]) for _ in range(N_ROWS)],
            "opened": [f"20{draw.randrange(10, 24)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}" for _ in range(N_ROWS)],
            "remark": [draw.choice(["late, twice", "moved", 'said "no"', "none"]) for _ in range(N_ROWS)],
            "branch": [draw.randrange(100, 120) for _ in range(N_ROWS)],
            "paid_at": [f"2024-01-{1 + i % 28:02d}T{i // 28:02d}:00:00" for i in range(N_ROWS)],
            "default": [i % 2 for i in range(N_ROWS)],
            "last": [round(draw.uniform(10, 99), 3) for _ in range(N_ROWS)],
        }
    )


CELLS: dict[str, dict[str, object]] = {  # what is written, and what it may be read as, if it is not refused
    "amount": {
        "1e3": 1000.0, "+5": 5.0, " 5 ": 5.0, "5.": 5.0, ".5": 0.5, "-0": 0.0, "1E+2": 100.0, "1,234.5": REFUSED,
        "1.234,5": REFUSED, "1 234.5": REFUSED, "1'234.5": REFUSED, "1_000": REFUSED, "€12.5": REFUSED, "12.5 EUR": REFUSED,
        "12.5%": REFUSED, "0x1F": REFUSED, "0b1": REFUSED, "1d5": REFUSED, "inf": REFUSED, "-Infinity": REFUSED,
        "1e400": REFUSED, "3.5e38": REFUSED, "nan": REFUSED, "": REFUSED, "NA": REFUSED, "-": REFUSED, ".": REFUSED,
        "1.2.3": REFUSED, "5-": -5.0, "(5)": -5.0, "#DIV/0!": REFUSED, "#N/A": REFUSED, "=1+1": REFUSED, "'5": REFUSED,
        "true": REFUSED, "1/2": REFUSED, "12:30": REFUSED, "2024-01-01": REFUSED, "five": REFUSED, "\u0661\u0662": REFUSED,
        "\uff11\uff12": REFUSED, "\u22125": -5.0, "5\u00a0": 5.0, "9007199254740993": REFUSED,
        "123456789012345678901234567890": REFUSED, "5\0": REFUSED, "\x005": REFUSED, "1e": REFUSED, "5;6": REFUSED,
    },
    "n_late": {
        "1.0": 1, "1e2": 100, "007": 7, "2147483648": 2147483648, "1.5": REFUSED, "1,000": REFUSED,
        "9223372036854775808": REFUSED,
        "9007199254740993": REFUSED, "0x10": REFUSED, "true": REFUSED, "": REFUSED, "None": REFUSED, "inf": REFUSED,
        "3.0000000001": REFUSED, "\u0663": REFUSED, "1 000": REFUSED,
    },
    "is_new": {
        "TRUE": True, "1": True, "0.0": False, "false": False, "yes": REFUSED, "no": REFUSED, "ja": REFUSED, "T": REFUSED,
        "2": REFUSED, "-1": REFUSED, "on": REFUSED, "": REFUSED, "0.5": REFUSED, "wahr": REFUSED,
    },
    "country": {
        "NA": "NA", "null": "null", "nan": "nan", "None": "None", "00012": "00012", "1e5": "1e5", "1.0": "1.0", "true": "true",
        " DE": " DE", "DE ": "DE ", "=cmd|' /C calc'!A0": "=cmd|' /C calc'!A0", 'a "b", c': 'a "b", c',
        "two\nlines": "two\nlines",
        "\ufeffDE": "\ufeffDE", "\u202eED": "\u202eED", "e\u0301": "e\u0301", "x" * 200_000: "x" * 200_000, "": REFUSED,
        "DE\0": REFUSED, "\x1bDE": "\x1bDE",
    },
    "segment": {"Mass": REFUSED, "mass ": REFUSED, "m\u0430ss": REFUSED, "": REFUSED, "0": REFUSED, "mass\0": REFUSED},
    "opened": {
        "20240131": "2024-01-31", "2024-01-31T00:00:00": "2024-01-31", "2024-01-31T00:00:00+00:00": "2024-01-31",
        "31.01.2024": REFUSED, "01/31/2024": REFUSED, "31/01/2024": REFUSED, "2024-13-01": REFUSED, "2024-02-30": REFUSED,
        "45291": REFUSED, "1704067200": REFUSED, "2024-01-31T25:00": REFUSED, "0000-00-00": REFUSED, "24-01-31": REFUSED,
        "now": REFUSED, "today": REFUSED, "NaT": REFUSED, "": REFUSED, "Jan 31 2024": REFUSED, "2024-W05-3": "2024-01-31",
        "2024-031": "2024-01-31", "9999-12-31": "9999-12-31", "1600-01-01": "1600-01-01",
        "2024-01-31\0": REFUSED, "2024": "2024-01-01",
    },
    "remark": {"": REFUSED, "a\0b": REFUSED, "\U0001f600": "\U0001f600", "=1+1": "=1+1"},
    "paid_at": {
        "": REFUSED, "yesterday": REFUSED, "2024-01-31 24:00:01": REFUSED, "31.01.2024": REFUSED, "1704067200": REFUSED,
    },
    "default": {"": REFUSED, "2": REFUSED, "yes": REFUSED, "0.5": REFUSED, "-1": REFUSED, "NA": REFUSED, "1,0": REFUSED},
}  # fmt: skip


def as_csv(frame: pd.DataFrame, **options) -> str:
    return frame.to_csv(index=False, lineterminator="\n", **options)


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _text(rows: list[list[str]]) -> str:
    to = io.StringIO()
    csv.writer(to, lineterminator="\n").writerows(rows)
    return to.getvalue()


def _renamed(before: str, after: str) -> Callable:
    return lambda frame, draw: as_csv(frame.rename(columns={before: after}))


def _swapped(a: str, b: str) -> Callable:
    return lambda frame, draw: as_csv(frame.rename(columns={a: b, b: a}))


def _cut_in_last_number(frame, draw):
    return as_csv(frame)[: -draw.randint(2, 3)]


def _cut(frame, draw):
    text = as_csv(frame)
    at = draw.randrange(len(text) // 4, len(text) - 8)
    return text[:at] if text[at - 1] != "\n" and text[at] != "\n" else text[: at - 3]


def _stray_quotes(column: str) -> Callable:
    """Two quotes, ten rows apart, that make one cell of all that is between them."""

    def write(frame, draw):
        lines, place = as_csv(frame).splitlines(), list(frame).index(column)
        first = draw.randrange(5, 40)
        for number, cell in ((first, '"{}'), (first + 10, '{}"')):
            row = next(csv.reader([lines[number]]))
            row[place] = cell.format(row[place])
            lines[number] = ",".join(value if i == place or "," not in value else f'"{value}"' for i, value in enumerate(row))
        return "\n".join(lines) + "\n"

    return write


def _edited(edit: Callable[[list[list[str]], Random], object]) -> Callable:
    def write(frame, draw):
        rows = _rows(as_csv(frame))
        edit(rows, draw)
        return _text(rows)

    return write


def _latin(frame, draw):
    return as_csv(frame.assign(remark="Öl")).encode("latin-1")


def _late_latin(frame, draw):
    return as_csv(frame).encode() + "C9,1,1,1,DE,mass,2024-01-01,Öl,1,2024-02-01,0,1\n".encode("cp1252")


TEXTS: dict[str, Callable] = {  # a CSV as text or bytes, of the frame
    "nothing at all": lambda frame, draw: "",
    "only a header": lambda frame, draw: as_csv(frame.head(0)),
    "only a line end": lambda frame, draw: "\n",
    "only a byte order mark": lambda frame, draw: b"\xef\xbb\xbf",
    "a byte order mark": lambda frame, draw: b"\xef\xbb\xbf" + as_csv(frame).encode(),
    "Windows line ends": lambda frame, draw: as_csv(frame).replace("\n", "\r\n"),
    "line ends of an old Macintosh": lambda frame, draw: as_csv(frame).replace("\n", "\r"),
    "mixed line ends": lambda frame, draw: as_csv(frame).replace("\n", "\r\n", 40),
    "no last line end": lambda frame, draw: as_csv(frame).rstrip(),
    "UTF-16": lambda frame, draw: as_csv(frame).encode("utf-16"),
    "UTF-16 without a mark": lambda frame, draw: as_csv(frame).encode("utf-16-le"),
    "UTF-32": lambda frame, draw: as_csv(frame).encode("utf-32"),
    "Latin-1": _latin,
    "Latin-1 in the last row": _late_latin,
    "half a character": lambda frame, draw: (
        as_csv(frame.assign(remark="Ö")).encode()[:-60].rpartition("Ö".encode())[0] + b"\xc3"
    ),
    "zeros at the end": lambda frame, draw: as_csv(frame) + "\0" * 512,
    "zeros in the middle": lambda frame, draw: as_csv(frame)[:2000] + "\0" * 512 + as_csv(frame)[2512:],
    "cut short": _cut,
    "cut inside the last number": _cut_in_last_number,
    "cut inside the header": lambda frame, draw: as_csv(frame)[:40],
    "semicolons": lambda frame, draw: as_csv(frame, sep=";"),
    "semicolons and decimal commas": lambda frame, draw: as_csv(frame, sep=";", decimal=","),
    "decimal commas in quotes": lambda frame, draw: as_csv(frame, decimal=","),
    "tabs": lambda frame, draw: as_csv(frame, sep="\t"),
    "bars": lambda frame, draw: as_csv(frame, sep="|"),
    "no header": lambda frame, draw: as_csv(frame, header=False),
    "the header twice": lambda frame, draw: as_csv(frame.head(0)) + as_csv(frame),
    "two files in one": lambda frame, draw: as_csv(frame.head(40)) + as_csv(frame.tail(40)),
    "a title above the header": lambda frame, draw: "Export of 2024\n" + as_csv(frame),
    "a comment above the header": lambda frame, draw: "# export\n" + as_csv(frame),
    "a comment in the middle": lambda frame, draw: as_csv(frame).replace("\nC00050", "\n# page 2\nC00050"),
    "a line of totals": lambda frame, draw: as_csv(frame) + "Total,80,,,,,,,,,,\n",
    "an index": lambda frame, draw: frame.to_csv(lineterminator="\n"),
    "columns in another order": lambda frame, draw: as_csv(frame[draw.sample(list(frame), len(list(frame)))]),
    "blank lines": lambda frame, draw: as_csv(frame).replace("\nC00020", "\n\nC00020"),
    "every cell quoted": lambda frame, draw: as_csv(frame, quoting=csv.QUOTE_ALL),
    "single quotes": lambda frame, draw: as_csv(frame, quotechar="'"),
    "quotes escaped by backslashes": lambda frame, draw: as_csv(frame, doublequote=False, escapechar="\\"),
    "quotes that are not doubled": lambda frame, draw: as_csv(frame).replace('""no""', '"no"'),
    "a quote that is not closed": lambda frame, draw: as_csv(frame).replace("\nC00033,", '\n"C00033,'),
    "stray quotes in a declared column": _stray_quotes("country"),
    "stray quotes in another column": _stray_quotes("branch"),
    "stray quotes in the first column": _stray_quotes("customer"),
    "a comma at the end of each row": lambda frame, draw: as_csv(frame).replace("\n", ",\n").replace(",\n", "\n", 1),
    "a comma at the end of one row": lambda frame, draw: as_csv(frame).replace("\nC00021", ",\nC00021"),
    "a row with a cell less": _edited(lambda rows, draw: rows[draw.randrange(1, 80)].pop(3)),
    "a row with a cell more": _edited(lambda rows, draw: rows[draw.randrange(1, 80)].insert(3, "1")),
    "a column less": lambda frame, draw: as_csv(frame.drop(columns="n_late")),
    "no target": lambda frame, draw: as_csv(frame.drop(columns=TARGET)),
    "no time": lambda frame, draw: as_csv(frame.drop(columns=TIME)),
    "a name in capitals": _renamed("amount", "Amount"),
    "a name with a blank": _renamed("amount", " amount"),
    "a name with a hidden character": _renamed("amount", "amount\u200b"),
    "a name twice": _renamed("branch", "amount"),
    "a column without a name": _renamed("branch", ""),
    "names of number and text swapped": _swapped("amount", "remark"),
    "names of date and category swapped": _swapped("opened", "segment"),
    "one class": lambda frame, draw: as_csv(frame.assign(default=1)),
    "a target in words": lambda frame, draw: as_csv(frame.assign(default=frame.default.map({0: "good", 1: "bad"}))),
    "a column without values": lambda frame, draw: as_csv(frame.assign(amount=None)),
    "a cell of 20 MB": lambda frame, draw: as_csv(frame.assign(remark=["x" * 20_000_000, *frame.remark[1:]])),
    "20,000 columns more": lambda frame, draw: as_csv(
        pd.concat([frame, pd.DataFrame(0, frame.index, [f"x{i}" for i in range(20_000)])], axis=1)
    ),
    "HTML": lambda frame, draw: frame.to_html(),
    "JSON": lambda frame, draw: frame.to_json(orient="records"),
    "lines of JSON": lambda frame, draw: frame.to_json(orient="records", lines=True),
    "random bytes": lambda frame, draw: draw.randbytes(5000),
    "a spreadsheet": lambda frame, draw: b"PK\x03\x04" + draw.randbytes(3000),
    "gzip without its ending": lambda frame, draw: gzip.compress(as_csv(frame).encode()),
    "Parquet without its ending": lambda frame, draw: as_parquet(frame),
}


def as_parquet(frame: pd.DataFrame, **options) -> bytes:
    to = io.BytesIO()
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, to, **{"write_page_checksum": True, "compression": "none", **options})
    return to.getvalue()


def _flipped(data: bytes, draw: Random, low: float = 0.0, high: float = 1.0) -> bytes:
    at = draw.randrange(int(low * len(data)), int(high * len(data)))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _changed_number(frame: pd.DataFrame, draw: Random) -> bytes:
    """One bit of one number flipped, where only the checksum of its page can tell."""
    data = bytearray(as_parquet(frame, use_dictionary=False))
    at = data.index(struct.pack("<d", sorted(frame.amount)[N_ROWS // 2]))  # no extreme, which the statistics would show
    data[at + 5] ^= 1 << draw.randrange(4)
    return bytes(data)


def _column(name: str, values) -> Callable:
    def write(frame, draw):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return as_parquet(table.set_column(table.schema.get_field_index(name), name, values(frame)))

    return write


def _packed(frame: pd.DataFrame) -> bytes:
    return gzip.compress(as_csv(frame).encode())


BYTES: dict[str, tuple[str, Callable]] = {  # of a Parquet file or a packed CSV
    "Parquet as it should be": ("rows.parquet", lambda frame, draw: as_parquet(frame)),
    "Parquet with one bit flipped": ("rows.parquet", lambda frame, draw: _flipped(as_parquet(frame), draw)),
    "Parquet with a number changed": ("rows.parquet", _changed_number),
    "packed Parquet with one bit flipped": (
        "rows.parquet",
        lambda frame, draw: _flipped(as_parquet(frame, compression="zstd"), draw),
    ),
    "Parquet without checksums, one bit flipped": (
        "rows.parquet",
        lambda frame, draw: _flipped(as_parquet(frame, write_page_checksum=False), draw),
    ),
    "Parquet with a flipped ending": ("rows.parquet", lambda frame, draw: _flipped(as_parquet(frame), draw, 0.8)),
    "Parquet cut short": ("rows.parquet", lambda frame, draw: (data := as_parquet(frame))[: draw.randrange(4, len(data))]),
    "Parquet twice": ("rows.parquet", lambda frame, draw: as_parquet(frame) * 2),
    "Parquet without rows": ("rows.parquet", lambda frame, draw: as_parquet(frame.head(0))),
    "Parquet that is CSV": ("rows.parquet", lambda frame, draw: as_csv(frame).encode()),
    "Parquet of random bytes": ("rows.parquet", lambda frame, draw: b"PAR1" + draw.randbytes(3000) + b"PAR1"),
    "Parquet with numbers as text": ("rows.parquet", _column("amount", lambda frame: pa.array(frame.amount.astype(str)))),
    "Parquet with a list in each cell": (
        "rows.parquet",
        _column("amount", lambda frame: pa.array([[x] for x in frame.amount])),
    ),
    "Parquet with bytes as text": (
        "rows.parquet",
        _column("country", lambda frame: pa.array([x.encode() for x in frame.country])),
    ),
    "Parquet with decimals": (
        "rows.parquet",
        _column("amount", lambda frame: pa.array(frame.amount.map("{:.2f}".format)).cast(pa.decimal128(12, 2))),
    ),
    "Parquet with integers beyond 2**63": (
        "rows.parquet",
        _column("n_late", lambda frame: pa.array([2**63 + 5, *frame.n_late[1:]], pa.uint64())),
    ),
    "Parquet with integers beyond 2**53": (
        "rows.parquet",
        _column("amount", lambda frame: pa.array([2**53 + 1, *range(1, N_ROWS)])),
    ),
    "Parquet with an infinity": ("rows.parquet", _column("amount", lambda frame: pa.array([float("inf"), *frame.amount[1:]]))),
    "Parquet with a not-a-number": (
        "rows.parquet",
        _column("amount", lambda frame: pa.array([float("nan"), *frame.amount[1:]])),
    ),
    "Parquet with a null": ("rows.parquet", _column("n_late", lambda frame: pa.array([None, *frame.n_late[1:]]))),
    "Parquet with numbers as dates": ("rows.parquet", _column("opened", lambda frame: pa.array(range(N_ROWS)))),
    "Parquet with dates as numbers": (
        "rows.parquet",
        _column("amount", lambda frame: pa.array(range(N_ROWS), pa.timestamp("s"))),
    ),
    "Parquet with text that is no UTF-8": (
        "rows.parquet",
        _column("remark", lambda frame: pa.array([b"\xff\xfe"] * N_ROWS).view(pa.string())),
    ),
    "Parquet with a zero byte in text": (
        "rows.parquet",
        _column("remark", lambda frame: pa.array(["a\0b", *frame.remark[1:]])),
    ),
    "gzip as it should be": ("rows.csv.gz", lambda frame, draw: _packed(frame)),
    "gzip with one bit flipped": ("rows.csv.gz", lambda frame, draw: _flipped(_packed(frame), draw)),
    "gzip cut short": ("rows.csv.gz", lambda frame, draw: _packed(frame)[: -draw.randrange(1, 500)]),
    "gzip in two parts": (
        "rows.csv.gz",
        lambda frame, draw: gzip.compress(as_csv(frame).encode()[:3000]) + gzip.compress(as_csv(frame).encode()[3000:]),
    ),
    "gzip with something behind it": ("rows.csv.gz", lambda frame, draw: _packed(frame) + b"\x01\x02\x03"),
    "gzip that is none": ("rows.csv.gz", lambda frame, draw: as_csv(frame).encode()),
    "gzip twice": ("rows.csv.gz", lambda frame, draw: gzip.compress(_packed(frame))),
    "a gzip bomb of zeros": ("rows.csv.gz", lambda frame, draw: gzip.compress(bytes(100_000_000), 9) * 100),
    "a gzip bomb of rows": (
        "rows.csv.gz",
        lambda frame, draw: _packed(frame) + gzip.compress(as_csv(frame, header=False).encode() * 9000, 9) * 200,
    ),
}


def _link(to: str) -> Callable[[Path, str], None]:
    return lambda path, text: path.symlink_to(to)


def _as(name: str) -> Callable[[Path, str], None]:
    return lambda path, text: path.with_name(name).write_text(text)


PLACES: dict[str, tuple[str, Callable[[Path, str], object]]] = {  # what stands where the file should
    "a folder in place of the file": ("rows.csv", lambda path, text: path.mkdir()),
    "a pipe in place of the file": ("rows.csv", lambda path, text: os.mkfifo(path)),
    "a pipe in place of Parquet": ("rows.parquet", lambda path, text: os.mkfifo(path)),
    "a link to /dev/zero": ("rows.csv", _link("/dev/zero")),
    "a link to /dev/zero as Parquet": ("rows.parquet", _link("/dev/zero")),
    "a link to /dev/random as gzip": ("rows.csv.gz", _link("/dev/urandom")),
    "a link to nothing": ("rows.csv", _link("nowhere.csv")),
    "a link to itself": ("rows.csv", _link("rows.csv")),
    "a link to a process' memory": ("rows.csv", _link("/proc/self/mem")),
    "no file": ("rows.csv", _as("row.csv")),
    "a name that is too long": ("x" * 300 + ".csv", lambda path, text: None),
    "another ending": ("rows.tsv", _as("rows.tsv")),
    "no ending": ("rows", _as("rows")),
    "an ending in capitals": ("rows.CSV", _as("rows.CSV")),
}


def _cell_cases() -> dict[str, tuple[str, str]]:
    named = {}
    for column, texts in CELLS.items():
        for text in texts:
            shown = repr(text) if len(text) < 40 else f"{len(text):,} characters"
            named[f"{column}: {shown}"] = column, text
    return named


CELL_CASES = _cell_cases()
CASES = ("as it should be", *CELL_CASES, *TEXTS, *BYTES, *PLACES)


def broken(case: str, draw: Random) -> tuple[Path, pd.DataFrame]:
    """Write a table with a fault; its path, and the values that are meant."""
    frame = sound(draw)
    if case in CELL_CASES:
        return _with_cell(frame, *CELL_CASES[case], draw)
    name, write = BYTES.get(case) or PLACES.get(case) or ("rows.csv", None)
    path = Path(name).absolute()
    if case in PLACES:
        write(path, as_csv(frame))
        return path, frame
    data = TEXTS.get(case, lambda frame, draw: as_csv(frame))(frame, draw) if write is None else write(frame, draw)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    if case == "a cell of 20 MB":
        frame = frame.assign(remark=["x" * 20_000_000, *frame.remark[1:]])
    return path, frame


def _with_cell(frame: pd.DataFrame, column: str, text: str, draw: Random) -> tuple[Path, pd.DataFrame]:
    rows, row = _rows(as_csv(frame)), draw.randrange(N_ROWS)
    rows[row + 1][list(frame).index(column)] = text
    path, meant = Path("rows.csv").absolute(), CELLS[column][text]
    path.write_bytes(_text(rows).encode("utf-8", "surrogatepass"))
    values = [*frame[column][:row], None if meant is REFUSED else meant, *frame[column][row + 1 :]]
    return path, frame.assign(**{column: pd.Series(values, dtype=object)})


def read(path: Path) -> pd.DataFrame:
    """The validated table of a file."""
    from bank_models.data.file import load
    from bank_models.data.table_schema import TableSchema
    from bank_models.data.validation import validate

    schema = TableSchema(features(), TARGET, TIME)
    return validate(load(str(path), schema).frame, schema, duplicates="keep").frame


def check_values(found: pd.DataFrame, meant: pd.DataFrame) -> None:
    """Expect every value to be the one that was meant, in its row."""
    expect(len(found) == len(meant), f"{len(found)} rows instead of {len(meant)}")
    for name in [*features(), TARGET, TIME]:
        for row, (value, wanted) in enumerate(zip(found[name], meant[name], strict=True), start=1):
            expect(_same(name, value, wanted), f"{name}, row {row} is {value!r:.60} and should be {wanted!r:.60}")


def _same(name: str, value, wanted) -> bool:
    if wanted is None:
        return False
    if name == "amount":
        return np.float32(value) == np.float32(wanted)
    if name in ("opened", TIME):
        return pd.Timestamp(value) == pd.Timestamp(str(wanted)).tz_localize(None)
    return str(value) == wanted if isinstance(wanted, str) else value == wanted


@GROUP.promise(
    "a table with one fault",
    "It is refused in at most three lines, or every value that is trained on is the one that was meant.",
    cases=CASES,
    limit_s=40,
)
def one_fault(attempt: Attempt) -> None:
    from bank_models.errors import DataError

    path, meant = broken(attempt.case, attempt.draw)
    limit = 6 * GIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        found = read(path)
    except DataError as error:
        expect(len(str(error).splitlines()) <= 3, f"{len(str(error).splitlines())} lines of complaint")
        expect(attempt.case != "as it should be", f"a sound table is refused: {error}")
        return
    check_values(found, meant)


BAD_CELLS = {"number": "1,234", "category": "yacht\0", "gap": "", "latin": "\udcd6l", "zero": "a\0b"}
BY_COMMAND = ("src.train", "src.predict")


@GROUP.promise(
    "a broken table given to a command",
    "Training and scoring answer with exit code 2 in at most three lines, and write nothing.",
    cases=BY_COMMAND,
    share=0.6,
)
def by_command(attempt: Attempt) -> None:
    frame = prepared.german_credit()
    lines = as_csv(frame).splitlines()
    kind = attempt.draw.choice(["cut", "latin", "quote", "ragged", "number", "zero", "category", "gap"])
    row = attempt.draw.randrange(5, len(lines) - 5)
    cells = next(csv.reader([lines[row]]))
    place = list(frame).index({"number": "credit_amount_dm", "category": "purpose", "gap": "age_years"}.get(kind, "purpose"))
    cells[place] = {"number": "1,234", "category": "yacht\0", "gap": "", "latin": "\udcd6l", "zero": "a\0b"}.get(
        kind, cells[place]
    )
    lines[row] = ",".join(f'"{cell}"' for cell in cells)
    if kind == "ragged":
        lines[row] += ",1,2"
    if kind == "quote":
        lines[row] = lines[row].replace('"', "", 1)
    text = "\n".join(lines) + "\n"
    Path("rows.csv").write_bytes((text[:-30] if kind == "cut" else text).encode("utf-8", "surrogateescape"))
    if attempt.case == "src.train":
        answer = command.train("data_source=file", "data_source.path=rows.csv")
    else:
        run = prepared.run_folder("credit")
        answer = command.run("src.predict", f"run_dir={run}", "input=rows.csv", "output=scores.csv")
    try:
        answer.check_is_a_sentence(2)
    except Broken as broken:
        raise Broken(f"{kind}: {broken}") from None
    left = [str(path) for path in Path().rglob("*") if path.name not in ("rows.csv", "runs")]
    expect(not left, f"{kind}: it left {left[:3]}")


@GROUP.promise(
    "the same rows from file, Parquet and database",
    "A CSV, a packed CSV, a Parquet file and a query of SQLite with the same rows are the same data, value by value.",
    share=0.5,
)
def same_rows(attempt: Attempt) -> None:
    import sqlite3

    from bank_models.data import sql
    from bank_models.data.table_schema import TableSchema
    from bank_models.data.validation import validate

    frame = sound(attempt.draw)
    Path("rows.csv").write_text(as_csv(frame), encoding="utf-8")
    Path("rows.csv.gz").write_bytes(_packed(frame))
    Path("rows.parquet").write_bytes(as_parquet(frame))
    with sqlite3.connect("rows.db") as connection:
        frame.to_sql("loans", connection, index=False)
    os.environ["DATABASE_URL"] = f"sqlite:///{Path('rows.db').absolute()}"
    for name in ("rows.csv", "rows.csv.gz", "rows.parquet"):
        check_values(read(Path(name)), frame)
    schema = TableSchema(features(), TARGET, TIME)
    data = sql.load("SELECT * FROM loans", "DATABASE_URL", schema, order_by=["customer"])
    check_values(validate(data.frame, schema, duplicates="keep").frame, frame)


@GROUP.promise(
    "a batch that is scored",
    "Scores of a table do not depend on its kind or the size of batches; a bad row is named, and with `reject` left out alone.",
    share=0.3,
)
def batches(attempt: Attempt) -> None:
    run = prepared.run_folder("credit")
    frame = prepared.german_credit().drop(columns="bad").sample(400, random_state=attempt.seed % 2**31)
    frame.to_csv("rows.csv", index=False)
    frame.to_parquet("rows.parquet", index=False)
    scores = []
    for name, size in (("rows.csv", 100_000), ("rows.csv", 7), ("rows.parquet", 33)):
        command.run(
            "src.predict", f"run_dir={run}", f"input={name}", "output=scores.parquet", f"batch_rows={size}"
        ).check_is_good()
        scores.append(pd.read_parquet("scores.parquet")["score"].to_numpy())
    expect(all(np.allclose(scores[0], other, rtol=1e-12) for other in scores), "scores depend on how the rows came")
    bad = sorted(attempt.draw.sample(range(400), 3))
    frame.astype({"age_years": object}).assign(age_years=[-5 if i in bad else x for i, x in enumerate(frame.age_years)]).to_csv(
        "rows.csv", index=False
    )
    told = f"run_dir={run}", "input=rows.csv", "output=some.parquet"
    command.run("src.predict", *told).check_is_a_sentence(2)
    command.run("src.predict", *told, "on_bad_row=reject").check_is_good()
    kept = [i for i in range(400) if i not in bad]
    expect(np.allclose(pd.read_parquet("some.parquet")["score"], scores[0][kept], rtol=1e-12), "another row was left out")


def describe() -> str:
    """How many kinds of each there are."""
    return json.dumps({"cells": len(CELL_CASES), "texts": len(TEXTS), "bytes": len(BYTES), "places": len(PLACES)})

import gzip
import hashlib
import json
import re
import resource
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_tables import CASES, TARGET, sound
from broken_tables import FEATURES as OF_SOUND
from conftest import elsewhere

from bank_models.config.feature import Feature
from bank_models.data import csv_check, opening
from bank_models.data.batches import read_batches
from bank_models.data.file import load
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import validate
from bank_models.errors import DataError

FEATURES = {
    "amount_eur": Feature(type="float", max_missing=0.5),
    "n_late": Feature(type="int", max_missing=0.5),
    "is_new": Feature(type="bool", max_missing=0.5),
    "country": Feature(type="category", max_missing=0.5),
    "code": Feature(type="category", max_missing=0.5),
}
SCHEMA = TableSchema(FEATURES, "default")
CSV = """paid_at,code,country,is_new,n_late,amount_eur,default,customer
2024-01-01,00012,NA,true,3,1.5,0,Ann
2024-01-02,12,,FALSE,,2.5e1,1,"Bo, ""B"" C"
2024-01-03,"7
8",DE,1,0,,0,Cé
"""
FRAME = pd.DataFrame(
    {
        "amount_eur": [1.5, 25.0, None],
        "n_late": [3.0, None, 0.0],
        "is_new": [True, False, True],
        "country": ["NA", None, "DE"],
        "code": ["00012", "12", "7\n8"],
        "default": [0, 1, 0],
    }
)
SMALL = {"amount_eur": Feature(type="float"), "country": Feature(type="category")}


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def write_parquet(tmp_path, columns, **options):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns), path, write_page_checksum=True, **options)
    return str(path)


def refusal_of(path, match, features=SMALL):
    with pytest.raises(DataError, match=match) as refusal:
        load(path, TableSchema(features, "default"))
    assert len(str(refusal.value).splitlines()) <= 3


def check_frame(frame):
    kept = validate(frame, SCHEMA).frame
    assert list(kept) == list(FRAME)
    for name in FRAME:
        assert kept[name].astype(object).where(kept[name].notna(), None).tolist() == [
            None if pd.isna(value) else value for value in FRAME[name]
        ]


@pytest.mark.parametrize(
    "raw",
    [CSV.encode(), b"\xef\xbb\xbf" + CSV.encode(), CSV.replace("\n20", "\r\n20").encode()],
    ids=["plain", "byte order mark", "Windows line ends"],
)
def test_a_csv_keeps_its_texts_and_its_source_is_recorded(tmp_path, raw):
    path = write(tmp_path, "rows.csv", raw)
    dataset = load(path, SCHEMA)
    check_frame(dataset.frame)
    assert dataset.notes == ["Columns of the file that the use case does not name were left out: paid_at, customer."]
    assert dataset.provenance == {
        "kind": "file",
        "source": "rows.csv",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "rows": 3,
    }


def test_a_gzipped_csv_reads_like_a_plain_one(tmp_path):
    path = write(tmp_path, "rows.csv.gz", gzip.compress(CSV.encode()))
    check_frame(load(path, SCHEMA).frame)


def test_the_time_column_comes_along(tmp_path):
    frame = load(write(tmp_path, "rows.csv", CSV), TableSchema(FEATURES, "default", "paid_at")).frame
    kept = validate(frame, TableSchema(FEATURES, "default", "paid_at")).frame
    assert kept["paid_at"].tolist() == list(pd.date_range("2024-01-01", periods=3))


@pytest.mark.parametrize("seed", range(5))
def test_parquet_and_csv_of_the_same_rows_are_the_same_data(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n_rows = 500
    frame = pd.DataFrame(
        {
            "amount_eur": np.where(rng.random(n_rows) < 0.1, np.nan, rng.lognormal(5, 3, n_rows)),
            "n_late": pd.array(rng.integers(0, 9, n_rows)),
            "is_new": rng.random(n_rows) < 0.5,
            "country": rng.choice(["NA", "DE", "null", 'a "b", c', "ü\n"], n_rows),
            "code": rng.choice(["00012", "1e5", "true", "nan"], n_rows),
            "default": rng.integers(0, 2, n_rows),
            "unused": "x",
        },
        index=rng.permutation(n_rows),
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    first, second = (load(str(tmp_path / f"rows.{ending}"), SCHEMA) for ending in ("parquet", "csv"))
    first, second = (validate(dataset.frame, SCHEMA) for dataset in (first, second))
    pd.testing.assert_frame_equal(first.frame, second.frame)
    np.testing.assert_array_equal(first.frame["amount_eur"], frame["amount_eur"].astype("float32"))
    assert first.frame["country"].tolist() == frame["country"].tolist()


def test_a_parquet_file_may_hold_decimals_dates_dictionaries_and_codes(tmp_path):
    columns = {
        "amount_eur": pa.array([Decimal("1.50"), Decimal("25.00"), None]),
        "n_late": pa.array([3, None, 0], pa.int64()),
        "is_new": pa.array([True, None, True]),
        "country": pa.array(["NA", None, "DE"]).dictionary_encode(),
        "code": pa.array([12, None, 7]),
        "default": [False, True, False],
        "paid_at": [date(2024, 1, 1)] * 3,
    }
    frame = load(write_parquet(tmp_path, columns), TableSchema(FEATURES, "default", "paid_at")).frame
    kept = validate(frame, TableSchema(FEATURES, "default", "paid_at")).frame
    assert kept["amount_eur"].tolist()[:2] == [1.5, 25.0]
    assert kept["code"].tolist()[::2] == ["12", "7"]
    assert kept["is_new"].dtype == "float32"
    assert kept["default"].tolist() == [0, 1, 0]
    assert kept["paid_at"].dtype.kind == "M"


@pytest.mark.parametrize("spelling", ["NA", "NaN", "", " NULL ", "n/a", "None"])
def test_numbers_may_be_missing_in_many_spellings(tmp_path, spelling):
    path = write(tmp_path, "rows.csv", f"amount_eur,country,default\n 1.5,DE,0\n{spelling},{spelling},1\n")
    frame = load(path, TableSchema(SMALL, "default")).frame
    assert frame["amount_eur"].isna().tolist() == [False, True]
    assert frame["country"].isna().tolist() == [False, spelling == ""]


@pytest.mark.parametrize("cells", ["0 1 0", "true false true", "TRUE 0 1", "0.0 1.0 0.0", "False True True"])
def test_a_target_of_zeros_and_ones_or_booleans_becomes_int8(tmp_path, cells):
    rows = "".join(f"1,DE,{cell}\n" for cell in cells.split())
    path = write(tmp_path, "rows.csv", f"amount_eur,country,default\n{rows}")
    labels = load(path, TableSchema(SMALL, "default")).frame["default"]
    expected = [int(cell.lower() in ("1", "1.0", "true")) for cell in cells.split()]
    assert (labels.dtype, labels.tolist()) == ("int8", expected)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("yes no yes", "^default: must be 0 or 1 with 1 for the positive class, but has 'yes', 'no'"),
        ("0 1 2", "but has 0.0, 1.0, 2.0"),
        ("0 NA 1", r"^default: 1 of 3 labels are missing \(row 2 is the first\)"),
        ("1 1 1", "^default: every row is 1, but both classes are needed"),
    ],
)
def test_a_target_that_is_not_two_classes_is_refused(tmp_path, cells, said):
    rows = "".join(f"1,DE,{cell}\n" for cell in cells.split())
    refusal_of(write(tmp_path, "rows.csv", f"amount_eur,country,default\n{rows}"), said)


HEADER = "amount_eur,country,default\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
GOOD_ROWS = HEADER + "1,DE,0\n2,FR,1\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", "amount,country,default\n1,DE,0\n", r"amount_eur: not a column .*csv\. Did you mean amount\?"),
        ("rows.csv", "amount_eur,country,defaults\n1,DE,0\n", r"default: not a column .* Did you mean defaults\?"),
        ("rows.csv", "amount_eur,country,country,default\n1,DE,FR,0\n", "country: 2 columns of .* have this name"),
        ("rows.csv", "", r"is empty \(0 bytes\)"),
        ("rows.csv", HEADER, "has a header but no rows"),
        ("rows.csv", HEADER.strip(), "has a header but no rows"),
        ("rows.csv", GOOD_ROWS + "3,D\n", "has 1 row with too few or too many cells: row 3 has 2 instead of 3"),
        ("rows.csv", GOOD_ROWS.rstrip(), "no line end after its last row, as if it was cut short there: it ends with '1'"),
        ("rows.csv", HEADER + "1,DE,0\n1,234,DE,1\n2,3,4,1\n", "has 2 rows .* row 2 has 4 instead of 3"),
        ("rows.csv", GOOD_ROWS + '3,"DE', "an odd number of double quotes"),
        ("rows.csv", GOOD_ROWS.replace(",", ";"), "its cells are not separated by commas"),
        ("rows.csv", PNG, "is not CSV.*: it looks like a PNG picture"),
        ("rows.csv", json.dumps([{"amount_eur": 1}]), "it looks like JSON"),
        ("rows.csv", b"PAR1\x00\x00", "it looks like a Parquet file"),
        ("rows.csv", gzip.compress(GOOD_ROWS.encode(), mtime=0), "it looks like a gzip file"),
        ("rows.csv", GOOD_ROWS.encode("utf-16"), "it looks like text in UTF-16"),
        ("rows.csv", (HEADER + "1,Österreich,0\n").encode("latin-1"), "is not CSV text in UTF-8"),
        (
            "rows.csv",
            (GOOD_ROWS * 999 + "1,Österreich,0\n").encode("latin-1"),
            r"not CSV text in UTF-8: line 2998, column country.*0xd6",
        ),
        ("rows.csv", HEADER + "9007199254740993,DE,0\n2,FR,1\n", r"^amount_eur: an integer of 2\*\*53 .*\(row 1: 900"),
        ("rows.csv", HEADER + "1.5,DE,0\n12345678901234567890,FR,1\n", r"loses digits.*\(row 2: 12345678901234567890"),
        ("rows.csv.gz", gzip.compress(GOOD_ROWS.encode(), mtime=0)[:-6], "is not a whole gzip file"),
        ("rows.csv.gz", GOOD_ROWS, "is not a whole gzip file"),
        ("rows.parquet", PNG, "is not a whole Parquet file: it looks like a PNG picture"),
        ("rows.parquet", GOOD_ROWS, "is not a whole Parquet file: it starts with other bytes"),
        ("rows.parquet", b"", r"is empty \(0 bytes\)"),
        ("rows.xls", b"PK\x03\x04", r"does not end in \.parquet, \.csv, \.csv\.gz"),
        ("rows", GOOD_ROWS, r"does not end in \.parquet, \.csv, \.csv\.gz"),
    ],
)
def test_a_file_that_cannot_work_is_refused_in_three_lines(tmp_path, name, content, said):
    refusal_of(write(tmp_path, name, content), said)


def test_a_file_that_is_not_there_gets_the_nearest_name(tmp_path):
    path = write(tmp_path, "payments_2024.csv", GOOD_ROWS)
    refusal_of(path.replace("2024", "2023"), r"There is no file .*2023\.csv\. Did you mean payments_2024\.csv\?")


def test_a_folder_is_not_a_file(tmp_path):
    refusal_of(str(tmp_path), "is a folder without Parquet files")


def test_large_numbers_with_a_fraction_or_exponent_are_numbers(tmp_path):
    path = write(tmp_path, "rows.csv", HEADER + "1e20,DE,0\n-9007199254740993.5,FR,1\n")
    assert load(path, TableSchema(SMALL, "default")).frame["amount_eur"].tolist() == [1e20, -9007199254740993.5]


def test_a_cell_of_blanks_in_a_column_of_numbers_is_missing(tmp_path):
    features = SMALL | {"amount_eur": Feature(type="float", max_missing=0.5)}
    path = write(tmp_path, "rows.csv", HEADER + "1.5,DE,0\n  ,FR,1\n2.5,DE,0\n")
    values = load(path, TableSchema(features, "default")).frame["amount_eur"]
    assert values.isna().tolist() == [False, True, False]
    assert values.dtype == "float64"


def test_integers_above_2_to_53_are_refused_in_parquet_beside_a_gap(tmp_path):
    path = write_parquet(tmp_path, {"amount_eur": [1, None, 2**53 + 1], "country": ["DE"] * 3, "default": [0, 1, 0]})
    refusal_of(path, r"^amount_eur: an integer of 2\*\*53 or more .*\(row 3: 9007199254740993\)")


def test_integers_above_2_to_63_are_refused_in_parquet(tmp_path):
    amounts = pa.array([1, 2**63 + 5, 3], pa.uint64())
    path = write_parquet(tmp_path, {"amount_eur": amounts, "country": ["DE"] * 3, "default": [0, 1, 0]})
    refusal_of(path, r"^amount_eur: an integer of 2\*\*53 or more .*\(row 2: 9223372036854775813\)")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_parquet_file_cut_short_is_refused(tmp_path, share):
    path = write_parquet(tmp_path, {"amount_eur": np.arange(1000.0), "country": ["DE"] * 1000, "default": [0, 1] * 500})
    raw = (tmp_path / "table.parquet").read_bytes()
    (tmp_path / "table.parquet").write_bytes(raw[: int(share * len(raw))])
    refusal_of(path, "is not a whole Parquet file: it was cut short or changed")


def test_a_flipped_bit_in_a_page_of_parquet_is_detected(tmp_path):
    amounts = np.random.default_rng(0).random(1000)
    columns = {"amount_eur": amounts, "country": ["DE"] * 1000, "default": [0, 1] * 500}
    path = write_parquet(tmp_path, columns, compression="none", use_dictionary=False)
    raw = bytearray((tmp_path / "table.parquet").read_bytes())
    raw[raw.index(amounts[500].tobytes())] ^= 1
    (tmp_path / "table.parquet").write_bytes(raw)
    refusal_of(path, "is not a whole Parquet file: it was cut short or changed")


def test_text_in_a_column_of_numbers_reaches_the_validation_with_its_row(tmp_path):
    frame = load(write(tmp_path, "rows.csv", HEADER + '1,DE,0\n"1,234",FR,1\n'), TableSchema(SMALL, "default")).frame
    with pytest.raises(DataError, match=r"^amount_eur: 1 value is not a number \(row 2: '1,234'\)"):
        validate(frame, TableSchema(SMALL, "default"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_protected_columns_are_read_and_codes_keep_their_zeros(tmp_path, ending):
    path = tmp_path / f"loans.{ending}"
    table = FRAME.assign(nationality=["007", None, "7"])
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    dataset = load(str(path), TableSchema(FEATURES, "default", protected=["nationality"]))
    kept = validate(dataset.frame, TableSchema(FEATURES, "default", protected=["nationality"])).frame
    assert list(kept) == [*FEATURES, "default", "nationality"]
    assert kept["nationality"].cat.categories.tolist() == ["007", "7"]
    assert kept["nationality"].isna().tolist() == [False, True, False]


# Broken tables


def read(path):
    """What a run makes of a file, with its notes."""
    dataset = load(str(path), TableSchema(OF_SOUND, TARGET))
    valid = validate(dataset.frame, TableSchema(OF_SOUND, TARGET))
    return valid.frame, [*dataset.notes, *valid.notes]


@pytest.mark.parametrize("name", CASES)
def test_a_broken_table_is_refused_or_noted_or_the_same_data(tmp_path, name):
    case, path = CASES[name], tmp_path / f"rows{CASES[name].ending}"
    case.write(sound(), path)
    if case.refused:
        with pytest.raises(DataError, match=case.refused) as refusal:
            read(path)
        assert len(str(refusal.value).splitlines()) <= 3
        return
    frame, notes = read(path)
    if case.noted:
        assert re.search(case.noted, "\n".join(notes))
    else:
        pd.testing.assert_frame_equal(frame, validate(sound(), TableSchema(OF_SOUND, TARGET)).frame)
        assert notes == ["Columns of the file that the use case does not name were left out: loan, comment, branch."]


OF_ONE_ROW = re.compile(r"[a-z_]+: (1 value|200 values|the last value|an integer|'|\.\*zero)|row 5 has|default: 1 of")
NOT_OF_BATCHES = re.compile("larger than any memory|that no memory can hold|blanks for a number")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, case in CASES.items()
        if case.refused and not OF_ONE_ROW.match(case.refused) and not NOT_OF_BATCHES.search(name)
    ],
)
def test_a_table_that_is_broken_as_a_whole_cannot_be_scored_either(tmp_path, name):
    case, path = CASES[name], tmp_path / f"rows{CASES[name].ending}"
    case.write(sound(), path)
    with pytest.raises(DataError, match=case.refused):
        list(read_batches(str(path), {name: feature.type for name, feature in OF_SOUND.items()}, 50))


MULTILINE = 'Dear Sir,\n"we" paid, late\r\nBob'


@pytest.mark.parametrize("text", [MULTILINE, "a,b,c,d,e,f\ng,h,i,j,k", '"', ",", "\n", ",,,,,,,,,,\n", "1,2\n3,4"])
def test_a_text_may_have_lines_and_commas_and_quotes(tmp_path, text):
    frame = sound().assign(remark=lambda frame: frame["remark"].where(frame.index != 4, text))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert read(tmp_path / "rows.csv")[0]["remark"].tolist() == frame["remark"].tolist()


def random_texts(rng, n_rows):
    """Texts of the characters that mean something in a CSV, among others."""
    pieces = np.array([",", '"', "\n", "\r\n", "a", "12", " ", "ü"])
    return ["".join(rng.choice(pieces, rng.integers(0, 9))) for _ in range(n_rows)]


@pytest.mark.parametrize("seed", range(20))
def test_legal_texts_are_read_as_they_were_written_wherever_the_bytes_are_cut(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(csv_check, "STEP_BYTES", seed + 1)
    rng = np.random.default_rng(seed)
    features = {"before": Feature(type="int"), "remark": Feature(type="text", max_missing=1), "rate": Feature(type="float")}
    frame = pd.DataFrame({"before": range(60), "remark": random_texts(rng, 60), "rate": rng.random(60), "default": [0, 1] * 30})
    frame.to_csv(tmp_path / "rows.csv", index=False, lineterminator=rng.choice(["\n", "\r\n"]))
    found = load(str(tmp_path / "rows.csv"), TableSchema(features, "default")).frame
    assert found["remark"].fillna("").tolist() == frame["remark"].tolist()


@pytest.mark.parametrize("step", [5, 1 << 18])
def test_two_stray_quotes_are_found_wherever_they_stand(tmp_path, monkeypatch, step):
    monkeypatch.setattr(csv_check, "STEP_BYTES", step)
    rng, rows = np.random.default_rng(step), [row.split(",") for row in sound().to_csv(index=False).splitlines()]
    for _ in range(40):
        first, column = rng.integers(1, 150), rng.integers(0, len(rows[0]))
        last, broken = first + rng.integers(1, 40), [list(row) for row in rows]
        broken[first][column] = '"' + broken[first][column]
        broken[last][column] += '"'
        path = write(tmp_path, "rows.csv", "\n".join(map(",".join, broken)) + "\n")
        with pytest.raises(DataError, match=f"line {first + 1}, column {rows[0][column]}"):
            load(path, TableSchema(OF_SOUND, TARGET))


def test_a_table_of_two_columns_may_have_letters_in_quotes(tmp_path):
    letters = ["Dear Sir,\nI paid", "Hello,\nplease call", "no comma\nhere"] * 20
    pd.DataFrame({"letter": letters, "default": [0, 1, 0] * 20}).to_csv(tmp_path / "rows.csv", index=False)
    assert len(load(str(tmp_path / "rows.csv"), TableSchema({"letter": Feature(type="text")}, "default")).frame) == 60


@pytest.mark.parametrize("by", ["rows of zeros", "one long line"])
def test_a_packed_table_larger_than_any_table_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, by):
    monkeypatch.setattr(opening, "MOST_UNPACKED", 1 << 20)
    text = HEADER + ("1,DE,0\n2,FR,1\n" if by == "rows of zeros" else "1" * 10) * 1_000_000
    path = write(tmp_path, "rows.csv.gz", gzip.compress(text.encode(), 9))
    refusal_of(path, r"unpacks to more than [\d.]+ GiB, over 100 times its size")
    with pytest.raises(DataError, match="over 100 times its size"):
        list(read_batches(path, {"country": "category"}, 1000))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "rows.csv", GOOD_ROWS)
    check = opening.check_memory

    def while_another_program_writes(*about):
        check(*about)
        with (tmp_path / "rows.csv").open("a") as opened:
            opened.write("3,DE,0\n")

    monkeypatch.setattr(opening, "check_memory", while_another_program_writes)
    refusal_of(path, "was changed while it was read")


def refusal_with(path: str, limit: int) -> str:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        load(path, TableSchema(SMALL, "default"))
    except DataError as error:
        return str(error)
    return "read"


def test_a_table_that_the_process_may_not_hold_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(GOOD_ROWS)
    with path.open("r+b") as opened:
        opened.truncate(3 << 30)
    assert "needs about 9.0 GiB of memory to be read" in elsewhere(refusal_with, str(path), 8 << 30)


def test_the_smallest_and_largest_values_of_all_types_are_those_that_the_file_names(tmp_path):
    """A file of any program is refused if they are not, so that this must hold for every type."""
    n_rows = 300
    rng = np.random.default_rng(0)
    moments = pd.Series(pd.date_range("2024-01-01", periods=n_rows, freq="7h"))
    columns = {
        "amount_eur": pa.array(np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(size=n_rows)), from_pandas=False),
        "float32": pa.array(rng.normal(size=n_rows), pa.float32()),
        "zero": pa.array([-0.0, 0.0] * 150),
        "nothing": pa.nulls(n_rows, pa.float64()),
        "uint64": pa.array([2**64 - 1, 0] * 150, pa.uint64()),
        "decimal": pa.array([Decimal("1.50"), None, Decimal("-3.25")] * 100),
        "day": pa.array(moments.dt.date),
        "us": pa.array(moments, pa.timestamp("us")),
        "ns": pa.array(moments, pa.timestamp("ns")),
        "berlin": pa.array(moments.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")),
        "flag": pa.array([True, None, False] * 100),
        "text": pa.array(["ü", None, "Z"] * 100),
        "large": pa.array(["ü", None, "Z"] * 100, pa.large_string()),
        "code": pa.array(["b", None, "a"] * 100).dictionary_encode(),
        "default": pa.array([0, 1, 1] * 100),
    }
    features = {name: Feature(type="category", max_missing=1) for name in columns if name != "default"}
    for page_bytes in (64, 1 << 20):
        path = write_parquet(tmp_path, columns, row_group_size=77, data_page_size=page_bytes)
        assert len(load(path, TableSchema(features, "default")).frame) == n_rows
        batches = read_batches(path, dict.fromkeys(columns, "category"), 50)
        assert sum(len(batch.rows) for batch in batches) == n_rows


@pytest.mark.parametrize("where", ["load", "batches"])
def test_missing_values_that_a_file_does_not_name_are_found(tmp_path, where):
    """Its statistics are of one table, its pages of another: as after a change of the pages."""
    columns = {"amount_eur": [1.5, None, 2.5] * 10, "country": ["DE"] * 30, "default": [0, 1, 1] * 10}
    whole, gaps = (dict(columns, amount_eur=values) for values in ([1.5, 2.0, 2.5] * 10, columns["amount_eur"]))
    files = [pq.ParquetFile(write_parquet(tmp_path, given)).metadata for given in (whole, gaps)]
    from bank_models.data import parquet_check

    table = pa.table(gaps)
    parquet_check.StatisticsCheck(files[1], list(gaps)).feed(table)
    with pytest.raises(parquet_check.ContradictionError, match="amount_eur has 10 missing values, not the 0 that it names"):
        parquet_check.StatisticsCheck(files[0], list(gaps)).feed(table)

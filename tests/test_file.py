import gzip
import hashlib
import json
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.data.file import load
from src.data.validation import validate
from src.errors import DataError
from src.use_case import Feature

FEATURES = {
    "amount_eur": Feature(type="float", max_missing=0.5),
    "n_late": Feature(type="int", max_missing=0.5),
    "is_new": Feature(type="bool", max_missing=0.5),
    "country": Feature(type="category", max_missing=0.5),
    "code": Feature(type="category", max_missing=0.5),
}
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
        load(path, features, "default")
    assert len(str(refusal.value).splitlines()) <= 3


def check_frame(frame):
    kept = validate(frame, FEATURES, "default").frame
    assert list(kept) == list(FRAME)
    for name in FRAME:
        assert kept[name].astype(object).where(kept[name].notna(), None).tolist() == [
            None if pd.isna(value) else value for value in FRAME[name]
        ]


@pytest.mark.parametrize(
    "raw",
    [CSV.encode(), b"\xef\xbb\xbf" + CSV.encode(), CSV.replace("\n20", "\r\n20").encode(), CSV.rstrip().encode()],
    ids=["plain", "byte order mark", "Windows line ends", "no last line end"],
)
def test_a_csv_keeps_its_texts_and_its_source_is_recorded(tmp_path, raw):
    path = write(tmp_path, "rows.csv", raw)
    dataset = load(path, FEATURES, "default")
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
    check_frame(load(path, FEATURES, "default").frame)


def test_the_time_column_comes_along(tmp_path):
    frame = load(write(tmp_path, "rows.csv", CSV), FEATURES, "default", "paid_at").frame
    kept = validate(frame, FEATURES, "default", "paid_at").frame
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
    first, second = (load(str(tmp_path / f"rows.{ending}"), FEATURES, "default") for ending in ("parquet", "csv"))
    first, second = (validate(dataset.frame, FEATURES, "default", duplicates="keep") for dataset in (first, second))
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
    frame = load(write_parquet(tmp_path, columns), FEATURES, "default", "paid_at").frame
    kept = validate(frame, FEATURES, "default", "paid_at").frame
    assert kept["amount_eur"].tolist()[:2] == [1.5, 25.0]
    assert kept["code"].tolist()[::2] == ["12", "7"]
    assert kept["is_new"].dtype == "float32"
    assert kept["default"].tolist() == [0, 1, 0]
    assert kept["paid_at"].dtype.kind == "M"


@pytest.mark.parametrize("spelling", ["NA", "NaN", "", " NULL ", "n/a", "None"])
def test_numbers_may_be_missing_in_many_spellings(tmp_path, spelling):
    path = write(tmp_path, "rows.csv", f"amount_eur,country,default\n 1.5,DE,0\n{spelling},{spelling},1\n")
    frame = load(path, SMALL, "default").frame
    assert frame["amount_eur"].isna().tolist() == [False, True]
    assert frame["country"].isna().tolist() == [False, spelling == ""]


@pytest.mark.parametrize("cells", ["0 1 0", "true false true", "TRUE 0 1", "0.0 1.0 0.0", "False True True"])
def test_a_target_of_zeros_and_ones_or_booleans_becomes_int8(tmp_path, cells):
    rows = "".join(f"1,DE,{cell}\n" for cell in cells.split())
    labels = load(write(tmp_path, "rows.csv", f"amount_eur,country,default\n{rows}"), SMALL, "default").frame["default"]
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
        ("rows.csv", GOOD_ROWS + "3,D", "has 1 row with too few or too many cells: row 3 has 2 instead of 3"),
        ("rows.csv", HEADER + "1,DE,0\n1,234,DE,1\n2,3,4,1\n", "has 2 rows .* row 2 has 4 instead of 3"),
        ("rows.csv", GOOD_ROWS + '3,"DE', "an odd number of double quotes"),
        ("rows.csv", GOOD_ROWS.replace(",", ";"), "its cells are not separated by commas"),
        ("rows.csv", PNG, "is not CSV.*: it looks like a PNG picture"),
        ("rows.csv", json.dumps([{"amount_eur": 1}]), "it looks like JSON"),
        ("rows.csv", b"PAR1\x00\x00", "it looks like a Parquet file"),
        ("rows.csv", gzip.compress(GOOD_ROWS.encode(), mtime=0), "it looks like a gzip file"),
        ("rows.csv", GOOD_ROWS.encode("utf-16"), "it looks like text in UTF-16"),
        ("rows.csv", (HEADER + "1,Österreich,0\n").encode("latin-1"), "is not CSV text in UTF-8"),
        ("rows.csv", (GOOD_ROWS * 999 + "1,Österreich,0\n").encode("latin-1"), "cannot be read as CSV: .*invalid UTF8"),
        ("rows.csv", HEADER + "9007199254740993,DE,0\n2,FR,1\n", r"^amount_eur: an integer of 2\*\*53 .*\(row 1: 900"),
        ("rows.csv", HEADER + "1.5,DE,0\n12345678901234567890,FR,1\n", r"loses digits.*\(row 2: 12345678901234567890"),
        ("rows.csv.gz", gzip.compress(GOOD_ROWS.encode(), mtime=0)[:-6], "is not a whole gzip file"),
        ("rows.csv.gz", GOOD_ROWS, "is not a whole gzip file"),
        ("rows.parquet", PNG, "is not a whole Parquet file: it looks like a PNG picture"),
        ("rows.parquet", GOOD_ROWS, "is not a whole Parquet file: it starts with other bytes"),
        ("rows.parquet", b"", r"is empty \(0 bytes\)"),
        ("rows.xlsx", b"PK\x03\x04", r"does not end in \.parquet, \.csv or \.csv\.gz"),
        ("rows", GOOD_ROWS, r"does not end in \.parquet, \.csv or \.csv\.gz"),
    ],
)
def test_a_file_that_cannot_work_is_refused_in_three_lines(tmp_path, name, content, said):
    refusal_of(write(tmp_path, name, content), said)


def test_a_file_that_is_not_there_gets_the_nearest_name(tmp_path):
    path = write(tmp_path, "payments_2024.csv", GOOD_ROWS)
    refusal_of(path.replace("2024", "2023"), r"There is no file .*2023\.csv\. Did you mean payments_2024\.csv\?")


def test_a_folder_is_not_a_file(tmp_path):
    refusal_of(str(tmp_path), "is a folder, not a file")


def test_large_numbers_with_a_fraction_or_exponent_are_numbers(tmp_path):
    path = write(tmp_path, "rows.csv", HEADER + "1e20,DE,0\n-9007199254740993.5,FR,1\n")
    assert load(path, SMALL, "default").frame["amount_eur"].tolist() == [1e20, -9007199254740993.5]


def test_integers_above_2_to_53_are_refused_in_parquet_beside_a_gap(tmp_path):
    path = write_parquet(tmp_path, {"amount_eur": [1, None, 2**53 + 1], "country": ["DE"] * 3, "default": [0, 1, 0]})
    refusal_of(path, r"^amount_eur: an integer of 2\*\*53 or more .*\(row 3: 9007199254740993\)")


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
    frame = load(write(tmp_path, "rows.csv", HEADER + '1,DE,0\n"1,234",FR,1\n'), SMALL, "default").frame
    with pytest.raises(DataError, match=r"^amount_eur: 1 value is not a number \(row 2: '1,234'\)"):
        validate(frame, SMALL, "default")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_protected_columns_are_read_and_codes_keep_their_zeros(tmp_path, ending):
    path = tmp_path / f"loans.{ending}"
    table = FRAME.assign(nationality=["007", None, "7"])
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    dataset = load(str(path), FEATURES, "default", protected=["nationality"])
    kept = validate(dataset.frame, FEATURES, "default", protected=["nationality"]).frame
    assert list(kept) == [*FEATURES, "default", "nationality"]
    assert kept["nationality"].cat.categories.tolist() == ["007", "7"]
    assert kept["nationality"].isna().tolist() == [False, True, False]

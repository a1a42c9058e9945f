"""Text that is spelled as people spell it, read as the same table in training and in scoring."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from bank_models.config.feature import Feature
from bank_models.config.use_case import UseCase
from bank_models.data import arrow, file
from bank_models.data.batches import read_batches, to_frame
from bank_models.data.reading import PLAIN, Reading, make_reading, settings_of
from bank_models.data.table_files import parts_of
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import check_rows, validate
from bank_models.drafts.writer import scalar
from bank_models.errors import DataError

ODD = Reading(";", ",", ".", "cp1252", ("?", "-"), ("€",), strip=True)
TEXT = (
    ' Größe ; Betrag;Tag;Neu;"Text; lang";Ziel\n'
    'klein ;1.234,50 €;31.12.2023;Ja;"a;b, c";gut\n'
    "groß;?;01.02.2024;nein;x;schlecht\n"
    " - ;-0,5;05.06.2022;JA; y ;gut\n"
)
KINDS = {"Größe": "category", "Betrag": "float", "Tag": "date", "Neu": "bool", "Text; lang": "category"}
FEATURES = {
    name: Feature(type=kind, max_missing=0.5, format="%d.%m.%Y" if kind == "date" else None) for name, kind in KINDS.items()
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "rows.csv").write_bytes(TEXT.encode("cp1252"))
    return str(tmp_path / "rows.csv")


def by_hand() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Größe": ["klein", "groß", None],
            "Betrag": np.array([1234.5, np.nan, -0.5], dtype="float32"),
            "Tag": pd.to_datetime(["2023-12-31", "2024-02-01", "2022-06-05"]).astype("datetime64[s]"),
            "Neu": np.array([1, 0, 1], dtype="float32"),
            "Text; lang": ["a;b, c", "x", "y"],
        }
    )


def test_an_odd_file_read_by_hand(path):
    data = file.load(path, TableSchema(FEATURES, "Ziel", positive="gut"), reading=ODD)
    frame = validate(data.frame, TableSchema(FEATURES, "Ziel")).frame
    assert frame["Ziel"].tolist() == [1, 0, 1]
    for name, expected in by_hand().items():
        got = frame[name].astype(object).where(frame[name].notna(), None).tolist()
        assert got == expected.astype(object).where(expected.notna(), None).tolist(), name


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_scoring_reads_an_odd_file_as_training_does(path, batch_rows):
    schema = TableSchema(FEATURES, "Ziel", positive="gut")
    trained = validate(file.load(path, schema, reading=ODD).frame, schema).frame
    parts = []
    for batch in read_batches(path, KINDS, batch_rows, ODD):
        table, faults = check_rows(to_frame(batch.cells, batch.rows, KINDS)[0], FEATURES)
        assert faults == []
        parts.append(table.astype(object))
    scored = pd.concat(parts)
    for name in KINDS:
        assert [str(one) for one in scored[name]] == [str(one) for one in trained[name].astype(object)], name


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_text_in_pieces_is_the_text_as_a_whole(encoding, separator):
    raw = TEXT.replace(";", separator).encode(encoding)
    reading = Reading(separator, encoding=encoding)
    whole = reading.recoder().feed(raw)
    for step in (1, 2, 3, 7):
        recoder = reading.recoder()
        assert b"".join(recoder.feed(raw[at : at + step]) for at in range(0, len(raw), step)) == whole


@pytest.mark.parametrize("text", ["a;b", "a,b", ";,;,", "x", ""])
def test_separator_and_comma_change_places_and_back(text):
    reading = Reading(";")
    swapped = reading.recoder().feed(text.encode()).decode()
    cells = reading.cells(pa.table({"x": pa.array([swapped])}), {})
    assert cells["x"].to_pylist() == [text]


@pytest.mark.parametrize(
    ("text", "thousands", "decimal", "value"),
    [
        ("1.234.567,89", ".", ",", 1234567.89),
        ("1,234.5", ",", ".", 1234.5),
        ("1\u00a0234,5", " ", ",", 1234.5),
        ("1 234", " ", ".", 1234.0),
        ("1'234.5", "'", ".", 1234.5),
        (" 12,5 ", None, ",", 12.5),
        ("12,5 %", None, ",", 12.5),
        ("EUR 12.5", None, ".", 12.5),
    ],
)
def test_numbers_as_people_write_them(text, thousands, decimal, value):
    reading = Reading(decimal=decimal, thousands=thousands, symbols=("%", "EUR"))
    cells = reading.cells(pa.table({"x": pa.array([text])}), {"x": "float"})
    assert arrow.from_text(cells["x"], "float").to_pylist() == [value]


def test_settings_make_the_reading_that_they_came_from():
    assert make_reading("rows.csv", **settings_of(ODD)) == ODD
    assert make_reading("rows.csv") == PLAIN
    assert make_reading("rows.tsv.gz").separator == "\t"


def test_text_in_another_encoding_than_named_is_refused_with_what_to_type(tmp_path):
    (tmp_path / "rows.csv").write_bytes("a,y\nö,1\nx,0\n".encode("cp1252"))
    schema = TableSchema({"a": Feature(type="category")}, "y")
    with pytest.raises(DataError, match=r"is not text in ascii: .*\nName its encoding: data_source.encoding=cp1252"):
        file.load(str(tmp_path / "rows.csv"), schema, Reading(encoding="ascii"))


@pytest.mark.parametrize("cell", ["(1.5)", "( 1.5 )", "1.5-", "-1.5", "\u22121.5"])
def test_a_negative_number_is_read_as_people_and_programs_write_it(tmp_path, cell):
    (tmp_path / "rows.csv").write_text(f"a,y\n{cell},0\n2,1\n", encoding="utf-8")
    table = file.load(str(tmp_path / "rows.csv"), TableSchema({"a": Feature(type="float")}, "y"))
    assert table.frame["a"].tolist() == [-1.5, 2]


def test_a_positive_class_that_no_row_has_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,y\n1,good\n2,bad\n")
    with pytest.raises(DataError, match=r"y: positive='worse', but no row has it: the target of .* has 'bad', 'good'"):
        file.load(str(tmp_path / "rows.csv"), TableSchema({"a": Feature(type="int")}, "y", positive="worse"))


def test_a_date_in_another_format_than_declared_is_refused_with_its_row():
    frame = pd.DataFrame({"day": ["31.12.2023", "2024-01-01"], "y": [0, 1]})
    feature = {"day": Feature(type="date", format="%d.%m.%Y")}
    with pytest.raises(DataError, match=r"day: 1 value is not in the format %d.%m.%Y \(row 2: '2024-01-01'\)"):
        validate(frame, TableSchema(feature, "y"))


def test_classes_that_are_whole_numbers_need_no_quotes():
    use_case = UseCase.model_validate(
        {"key": "k", "task": "multiclass", "target": "y", "metric": "accuracy", "classes": [3, 4, 5], "features": {"x": "int"}}
    )
    assert use_case.classes == ["3", "4", "5"]


def test_files_in_hidden_folders_are_no_parts_of_a_table(tmp_path):
    for place in ("year=2024/a.parquet", ".git/b.parquet", "_delta_log/c.parquet", "d.parquet"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    assert parts_of(tmp_path) == [tmp_path / "d.parquet", tmp_path / "year=2024/a.parquet"]


@pytest.mark.parametrize(
    "value",
    ["plain", "yes", "No", "null", "a: b", "# x", '"', "\\N", "ö", "\u200b", "\U0001f600", "\U000e0041", "1", "", "a b", "-"],
)
def test_a_text_in_a_drafted_file_is_read_as_it_was(value):
    assert yaml.safe_load(f"{scalar(value)}: {scalar([value])}") == {value: [value]}


@pytest.mark.parametrize("value", [0.0, 200.0, 1e7, 1.5e22, 3e-07, -0.25, 1e300, True, 5])
def test_a_number_in_a_drafted_file_is_read_as_it_was(value):
    assert yaml.safe_load(scalar(value)) == value


def test_a_folder_of_parquet_files_is_read_in_batches_that_are_its_rows_in_order(tmp_path):
    frame = pd.DataFrame({"amount_eur": np.arange(10.0), "country": list("abcdefghij")})
    for number, rows in enumerate((frame[:4], frame[4:4], frame[4:])):
        rows.to_parquet(tmp_path / f"{number}.parquet", index=False)
    batches = list(read_batches(str(tmp_path), {"country": "category", "amount_eur": "float"}, 3))
    assert max(len(batch.rows) for batch in batches) == 3
    assert np.array_equal(np.concatenate([batch.rows for batch in batches]), np.arange(10))
    assert [cell for batch in batches for cell in batch.cells["country"].to_pylist()] == list("abcdefghij")
    assert batches[-1].share_read == 1.0

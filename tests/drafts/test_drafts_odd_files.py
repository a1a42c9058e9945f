"""Files and columns as other programs write them: what the draft makes of each, or the sentence that it answers."""

import gzip
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bank_models import draft_use_case
from bank_models.data.file import load
from bank_models.data.reading import make_reading
from bank_models.data.table_schema import schema_of
from bank_models.errors import ConfigError, DataError

N = 120
RNG = np.random.default_rng(8)
INCOME, SCORE = (2000 + 900 * RNG.normal(size=N)).round(2), (10 * RNG.normal(size=N)).round(1)
Y = (INCOME / 900 + SCORE / 10 + RNG.normal(size=N) > 2.3).astype(int)


def base(**more) -> pd.DataFrame:
    return pd.DataFrame({"income": INCOME, "score": SCORE, "grade": np.resize(list("abc"), N), "y": Y}).assign(**more)


def words(one: str, other: str) -> pd.DataFrame:
    return base(y=np.where(Y == 1, one, other))


def text(table: pd.DataFrame | None = None, **how) -> str:
    return (base() if table is None else table).to_csv(index=False, **how)


def amounts(form) -> pd.DataFrame:
    return base(income=[form(value) for value in INCOME])


def days(form: str) -> pd.DataFrame:
    return base(booked=pd.date_range("2023-01-01", periods=N, freq="25h").strftime(form))


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def drafted(folder, content, target="y", name="table.csv", **given):
    path = Path(folder) / name
    if isinstance(content, pd.DataFrame):
        content = content.to_csv(index=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return draft_use_case(path, target, **given)


def values_of(draft) -> pd.DataFrame:
    """The rows as a training reads them."""
    from bank_models.config.use_case import UseCase

    use_case = UseCase.model_validate(draft.use_case)
    spelling = {name: value for name, value in draft.data_source.items() if name != "path"}
    path = draft.data_source["path"]
    return load(path, schema_of(use_case), make_reading(path, **spelling), use_case.unlabelled).frame


# Files


FILES = {
    "UTF-16 without a mark": text().encode("utf-16-le"),
    "UTF-16 of the other order, without a mark": text().encode("utf-16-be"),
    "UTF-16 with tabs, as Excel's «Unicode text»": text(sep="\t").encode("utf-16"),
    "line ends of Windows, and quotes around all cells": text(lineterminator="\r\n", quoting=1),
    "line ends of an old Macintosh": text(lineterminator="\r"),
    "Excel's line with the separator": "sep=;\n" + text(sep=";"),
    "Excel's line with an odd separator": "sep=^\r\n" + text(sep="^"),
    "a title": "Loan report 2024\n" + text(),
    "titles as wide as the table": "Loan report;;;\nMade on 1.1.2024;;;\n;;;\n" + text(sep=";"),
    "a title and an empty line": "Loan report\n\n" + text(),
    "a comment": "# made by a program\n" + text(),
    "empty lines between rows": text().replace("\n", "\n\n"),
    "a separator at the end of each line": "".join(f"{line},\n" for line in text().splitlines()),
    "carets": text(sep="^"),
    "blanks": text(sep=" "),
    "tildes": text(sep="~"),
    "dollars": amounts(lambda value: f"${value:,.2f}".replace("$-", "-$")),
    "an apostrophe between thousands": amounts(lambda value: f"{value:,.2f}".replace(",", "'")),
    "a curly apostrophe between thousands": amounts(lambda value: f"{value:,.2f}".replace(",", "\u2019")),
    "negative numbers in brackets": amounts(lambda value: f"({-value:,.2f})" if value < 0 else f"{value:,.2f}"),
    "a minus behind the number": amounts(lambda value: f"{-value:.2f}-" if value < 0 else f"{value:.2f}"),
    "a minus that is no hyphen": amounts(lambda value: f"{value}".replace("-", "\u2212")),
    "exponents": amounts(lambda value: f"{value:.8e}"),
    "cells of nothing but blanks": text().replace(",a,", ",  ,"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_same_numbers_however_another_program_wrote_it(tmp_path, name):
    frame = values_of(drafted(tmp_path, FILES[name]))
    np.testing.assert_allclose(frame[["income", "score", "y"]].to_numpy("float64"), base()[["income", "score", "y"]], rtol=1e-6)
    assert frame.grade.nunique() == (2 if "blanks" in name and "cells" in name else 3)


def test_lines_above_the_header_are_said(tmp_path):
    draft = drafted(tmp_path, FILES["titles as wide as the table"])
    assert draft.data_source["skip_lines"] == 3
    assert "3 lines stand above the header and are skipped: Loan report;;;" in draft.said


def test_lakhs_are_numbers(tmp_path):
    draft = drafted(tmp_path, amounts(lambda value: f"3,{20 + int(abs(value)) % 70},456.50"))
    assert values_of(draft).income.between(320_456, 390_456).all()


def test_a_number_that_begins_with_zero_is_not_in_thousands(tmp_path):
    table = base(
        income=[f"{value:.2f}".replace(".", ",") for value in INCOME], score=[f"{abs(value) / 100:.3f}" for value in SCORE]
    )
    draft = drafted(tmp_path, table.to_csv(index=False, sep=";"))
    assert draft.data_source.get("thousands") is None


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (text().encode(), "table.csv.gz", "is not a whole gzip file"),
        (gzip.compress(text().encode()), "table.csv", "is packed with gzip. Rename it: its name must end in .csv.gz"),
        (b"", "table.csv", "is empty (0 bytes)"),
        (b"\n\n", "table.csv", "has a header but no rows"),
        (text(base()[:0]), "table.csv", "has a header but no rows"),
        (text(base()[:5]), "table.csv", "The table has 5 rows: a model needs at least 20"),
        (text(base()[["y"]]), "table.csv", "The table has no column but y: there is nothing to learn from."),
        (text(header=False), "table.csv", "The first line looks like a row: write the names above it."),
        ("".join(f"{line}{',' * bool(i)}\n" for i, line in enumerate(text().splitlines())), "table.csv",
         "the header has 4 names, but every row has 5 cells"),
        (text() + "1,2,a\n", "table.csv", "1 row with too few or too many cells: row 121 has 3 instead of 4"),
        ("<html><table></table></html>", "table.csv", "it looks like HTML or XML"),
        (text(base(b=1).set_axis(["income", "score", "grade", "y", "y"], axis=1)), "table.csv", "2 columns have this name"),
        (text(base().rename(columns={"y": "Y"})), "table.csv", "There is no column y. Did you mean Y?"),
        (text(base(y="")), "table.csv", "every value is missing, so there is nothing to predict"),
        (text(words("Y", "")), "table.csv", "if they are the other class, write its name there"),
        (text(base(y=pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"))), "table.csv", "it cannot be predicted"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_table_is_refused_in_a_sentence(tmp_path, content, name, said):
    with pytest.raises((ConfigError, DataError), match=re.escape(said)) as refused:
        drafted(tmp_path, content, name=name)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_zip_archive_is_refused_with_the_names_that_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "table.zip", "w") as archive:
        archive.writestr("table.csv", text())
    with pytest.raises(DataError, match=re.escape("its name does not end in")):
        draft_use_case(tmp_path / "table.zip", "y")


def test_booleans_of_parquet_can_be_the_target(tmp_path):
    base(y=Y == 1).to_parquet(tmp_path / "table.parquet")
    draft = draft_use_case(tmp_path / "table.parquet", "y")
    assert (values_of(draft).y == Y).all()


# Columns


@pytest.mark.parametrize(
    ("form", "is_time"),
    [
        ("%Y%m%d", True),
        ("%d/%m/%Y %I:%M:%S %p", True),
        ("%A, %d %B %Y", True),
        ("%Y-%m-%dT%H:%M:%S+02:00", True),
        ("%b-%Y", False),
    ],
)
def test_dates_are_told_in_the_formats_of_other_programs(tmp_path, form, is_time):
    draft = drafted(tmp_path, days(form))
    assert (draft.use_case.get("time_column") == "booked") is is_time
    assert is_time or draft.use_case["features"]["booked"] == {"type": "date", "format": form}


DOUBTS = {
    "numbers written otherwise": (lambda: amounts(lambda v: f"{german(v)} €"), "income is left out: its numbers are written"),
    "dates in two formats": (
        lambda: base(seen=[f"2024-0{1 + i % 9}-11" if i % 2 else f"11.0{1 + i % 9}.2024" for i in range(N)]),
        "seen: dates in more than one format",
    ),
    "seconds since 1970": (lambda: base(created_at=1_700_000_000 + 7_201 * np.arange(N)), "created_at: seconds since 1970"),
    "years": (lambda: base(year=1990 + np.arange(N) % 30), "the newest rows are to be the test: time_column=year"),
    "nines for nothing": (lambda: base(score=np.where(np.arange(N) % 9, SCORE, -999)), "score: -999 stands in 14 rows, far"),
    "a date that sorts nothing": (
        lambda: base(built=[f"{1550 + i * 7 % 90}-01-01" for i in range(N)]), "built: is it when the row happened?"
    ),
    "a word for nobody knows": (
        lambda: base(y=np.where(np.arange(N) % 10, np.where(Y == 1, "yes", "no"), "unknown")), "y: unknown is taken as a class"
    ),
    "a target that numbers the rows": (lambda: base(y=range(N)), "y numbers the rows, each has its own: is it an id?"),
    "a line end in a name": (lambda: base().rename(columns={"income": "in\ncome"}), r"1 column is left out for the name"),
    "two numbers as classes": (lambda: words("1", "2"), "is taken as positive because it is rarer"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTS)
def test_what_is_unsure_is_said_and_not_decided_in_silence(tmp_path, name):
    make, said = DOUBTS[name]
    doubts = drafted(tmp_path, make()).doubts
    assert any(said in doubt for doubt in doubts), doubts


def test_years_split_by_time_when_asked(tmp_path):
    draft = drafted(tmp_path, base(year=np.sort(1990 + np.arange(N) % 30)), time_column="year")
    assert (draft.use_case["time_format"], draft.choices["data_split"]) == ("%Y", "temporal")
    assert len(values_of(draft)) == N


@pytest.mark.parametrize("client", [np.arange(1000, 1000 + N) * 1.0, np.arange(N)])
def test_a_column_that_counts_the_rows_is_no_feature_with_or_without_decimals(tmp_path, client):
    assert drafted(tmp_path, base(client=client)).left_out["client"].startswith("it numbers the rows")


# Two classes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("si", "no"), ("1 - bad", "0 - good"), ("Charged Off", "Fully Paid"), ("default", "no default"), ("1", "-1"),
        ("Attrited Customer", "Existing Customer"), ("TRUE", "FALSE"), ("1.0", "0.0"), ("ja", "nein"),
    ],
)  # fmt: skip
def test_the_class_to_find_is_told_by_its_name(tmp_path, one, other):
    draft = drafted(tmp_path, words(one, other))
    assert not draft.doubts
    assert (values_of(draft).y == Y).all()


def test_a_class_is_one_in_any_case_and_with_blanks_around(tmp_path):
    draft = drafted(tmp_path, base(y=np.where(Y == 1, np.resize(["Yes", "yes", "YES "], N), "no")))
    assert draft.use_case["task"] == "binary"
    assert (values_of(draft).y == Y).all()


def test_a_class_may_be_called_as_others_call_a_missing_value(tmp_path):
    draft = drafted(tmp_path, words("+", "-"), positive="+")
    assert (values_of(draft).y == Y).all()

"""Simulated rows as a library and as a file."""

import pandas as pd
import pytest

from bank_models import use_cases
from bank_models.data import file, sample, simulate
from bank_models.data.table import make_table
from bank_models.data.table_schema import schema_of
from bank_models.errors import ConfigError, DataError


def test_rows_are_drawn_by_the_name_of_a_use_case():
    data = simulate("card_fraud", rows=500, seed=1)
    pd.testing.assert_frame_equal(data.frame, simulate(sample.find("card_fraud"), 500, 1).frame)
    assert len(data.frame) == len(data.true_score) == 500


def test_without_a_number_as_many_rows_come_as_the_use_case_trains_on():
    use_case = sample.find("customer_journey")
    assert len(simulate(use_case).frame) == use_case.simulation.rows


def test_a_short_name_finds_its_use_case():
    assert sample.find("fraud").key == "transaction_fraud"


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_of_rows_is_one_that_the_use_case_trains_on(tmp_path, capsys, suffix):
    path = tmp_path / f"rows.{suffix}"
    assert use_cases.main(["sample", "mortgage_risk", "rows=2000", "seed=3", f"out={path}"]) == 0
    assert capsys.readouterr().out.startswith(f"{path} · 2,000 simulated rows of mortgage_risk, seed 3: One mortgage")
    use_case = sample.find("mortgage_risk")
    table = make_table(file.load(str(path), schema_of(use_case)), use_case)
    assert len(table.frame) == 2000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["card_froud", "out=x.csv"], "no use case is called card_froud. Did you mean card_fraud?"),
        (["credit_scoring", "out=x.csv"], "use_case=credit_scoring has real rows"),
        (["card_fraud"], "the rows need a file"),
        (["card_fraud", "out=x.xlsx"], "must end in .parquet or .csv"),
        (["card_fraud", "row=5", "out=x.csv"], "row=5 is not known here: give rows=, seed= and out="),
        (["card_fraud", "rows=1e3", "out=x.csv"], "rows=1e3 is not a whole number"),
        (["card_fraud", "rows=0", "out=x.csv"], "rows must be at least 1, but got 0"),
        (["card_fraud", f"out={__file__}.csv", "rows=x"], "rows=x is not a whole number"),
    ],
)
def test_what_cannot_be_drawn_is_explained(arguments, message):
    with pytest.raises(ConfigError) as refusal:
        sample.main(arguments)
    assert message in str(refusal.value)


def test_a_file_that_is_there_is_kept(tmp_path):
    (tmp_path / "x.csv").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        sample.main(["card_fraud", "rows=5", f"out={tmp_path}/x.csv"])
    assert (tmp_path / "x.csv").read_text() == "mine"


def test_a_use_case_without_a_simulation_draws_nothing():
    with pytest.raises(DataError, match="has no simulation"):
        simulate(sample.find("customer_journey").model_copy(update={"simulation": None}))


def test_a_use_case_of_the_users_own_is_found(tmp_path, capsys):
    (tmp_path / "use_case").mkdir()
    own = (sample.CONF / "use_case/customer_journey.yaml").read_text().replace("key: customer_journey", "key: ways")
    (tmp_path / "use_case/ways.yaml").write_text(own)
    assert sample.main(["--config-dir", str(tmp_path), "ways", "rows=20", f"out={tmp_path}/x.csv"]) == 0
    assert "20 simulated rows of ways" in capsys.readouterr().out

import numpy as np
import pandas as pd
import pytest

from bank_models.data import packaged
from bank_models.data.derived.cash import cash_months


@pytest.fixture(scope="module")
def series():
    names = {"month": "month", "currcir": "currency", "demdepns": "demand", "busloans": "loans", "fedfunds": "fed_funds"}
    table = pd.read_csv(packaged.VENDORED / "fed_series.csv.gz", parse_dates=["month"])
    return table[list(names)].rename(columns=names)


@pytest.fixture(scope="module")
def rows(series):
    return cash_months(series).set_index("month")


def test_cash_that_is_paid_out_in_december_and_comes_back_in_january_worked_by_hand():
    months = pd.date_range("2000-01-01", "2006-12-01", freq="MS")
    table = pd.DataFrame({"month": months, "currency": 100.0, "demand": 50.0, "loans": 30.0, "fed_funds": 2.0})
    table.loc[months.month == 12, "currency"] = 125.0
    rows = cash_months(table).set_index("month")
    assert rows.loc["2005-11-01", "net_cash_flow_eur"] == pytest.approx(2_500_000)
    assert rows.loc["2005-11-01", "same_month_flow_mean_5y_eur"] == pytest.approx(2_500_000)
    assert rows.loc["2005-12-01", "net_flow_eur"] == pytest.approx(2_500_000)
    assert rows.loc["2005-12-01", "net_cash_flow_eur"] == pytest.approx(-2_000_000)
    assert rows.loc["2005-12-01", "target_month"] == 1
    flows = rows.loc["2006-02-01", ["net_flow_eur", "net_flow_1m_ago_eur", "net_flow_2m_ago_eur"]]
    assert flows.to_list() == pytest.approx([0, -2_000_000, 2_500_000])
    assert rows.loc["2006-02-01", "net_flow_mean_3m_eur"] == pytest.approx(500_000 / 3)


@pytest.mark.parametrize("month", ["1964-02-01", "1991-07-01", "2022-08-01"])
def test_figures_equal_those_of_a_plain_loop(series, rows, month):
    row, cash = rows.loc[month], series["currency"].to_list()
    place = series["month"].to_list().index(pd.Timestamp(month))
    flow = {i: 1e7 * (cash[i] / cash[i - 1] - 1) for i in range(1, len(cash))}
    assert row["same_month_flow_1y_ago_eur"] == pytest.approx(flow[place - 11])
    assert row["same_month_flow_2y_ago_eur"] == pytest.approx(flow[place - 23])
    assert row["same_month_flow_mean_5y_eur"] == pytest.approx(np.mean([flow[place + 1 - 12 * y] for y in range(1, 6)]))
    last = [flow[i] for i in range(place - 11, place + 1)]
    assert row["net_flow_mean_12m_eur"] == pytest.approx(np.mean(last))
    assert row["net_flow_volatility_12m_eur"] == pytest.approx(np.std(last, ddof=1))
    assert row["loan_growth_12m_pct"] == pytest.approx(100 * (series["loans"][place] / series["loans"][place - 12] - 1))
    assert row["net_cash_flow_eur"] == pytest.approx(flow[place + 1])


def test_figures_after_a_month_change_no_feature_of_it(series, rows):
    month, figures = pd.Timestamp("1999-12-01"), series.columns.drop("month")
    changed, later = series.copy(), (series["month"] > month).to_numpy()
    changed.loc[later, figures] *= np.random.default_rng(0).uniform(0.9, 1.1, size=(later.sum(), len(figures)))
    before, after = (table.loc[:month] for table in (rows, cash_months(changed).set_index("month")))
    features = rows.columns.drop("net_cash_flow_eur")
    pd.testing.assert_frame_equal(before[features], after[features], check_exact=True)
    assert before.index[before["net_cash_flow_eur"] != after["net_cash_flow_eur"]].tolist() == [month]

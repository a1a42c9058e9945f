import numpy as np
import pandas as pd
import pytest

from bank_models.config import datasets
from bank_models.data import packaged
from bank_models.data.derived.rates import (
    CURVE_Y,
    DEPOSITS,
    EQUITY,
    PORTFOLIOS,
    deposit_margins,
    eve_changes,
    price_of_par_bond,
)

DERIVATIONS = {"deposit_margin_bp": deposit_margins, "eve_change_pct": eve_changes}


@pytest.fixture(scope="module")
def rates():
    names = datasets.entry_of("fed_margins").rename
    table = pd.read_csv(packaged.VENDORED / "fed_series.csv.gz", parse_dates=["month"])
    return table[list(names)].rename(columns=names)


def row_of(rows, month, entity):
    return rows[(rows["month"] == month) & (rows.iloc[:, 1] == entity)].iloc[0]


def test_the_margin_of_a_deposit_worked_by_hand():
    months = pd.date_range("1984-01-01", periods=8, freq="MS")
    table = pd.DataFrame({name: 3.0 for name in ["fed_funds", *DEPOSITS.values()]}, index=months).rename_axis("month")
    table["prime"] = [6.0, 6.0, 6.0, 6.5, 7.0, 7.0, 7.0, 7.0]
    table["yield_5y"] = [4.0, 4.0, 4.0, 4.25, 4.0, 4.0, 4.0, 4.0]
    rows = deposit_margins(table.reset_index())
    april = row_of(rows, "1984-04-01", "5y")
    assert april["margin_now_pp"] == 2.25  # 6.5 - 4.25
    assert april["deposit_margin_bp"] == pytest.approx(275)  # 7 - 4.25: the deposit's rate is fixed in April
    assert (april["prime_change_1m_pp"], april["prime_change_3m_pp"], april["deposit_rate_change_1m_pp"]) == (0.5, 0.5, 0.25)
    assert row_of(rows, "1984-04-01", "3m")["deposit_margin_bp"] == pytest.approx(400)
    assert rows["month"].unique().tolist() == [months[3], months[4]]


@pytest.mark.parametrize(("month", "product"), [("1987-10-01", "3m"), ("2008-11-01", "2y"), ("2022-06-01", "5y")])
def test_margins_equal_those_of_a_plain_computation(rates, month, product):
    row, by_month = row_of(deposit_margins(rates), month, product), rates.set_index("month")
    now, before = by_month.loc[month], by_month.loc[pd.Timestamp(month) - pd.DateOffset(months=3)]
    ahead = [by_month.loc[pd.Timestamp(month) + pd.DateOffset(months=n), "prime"] for n in (1, 2, 3)]
    assert row["deposit_margin_bp"] == pytest.approx(100 * (np.mean(ahead) - now[DEPOSITS[product]]))
    assert row["margin_now_pp"] == pytest.approx(now["prime"] - now[DEPOSITS[product]])
    assert row["fed_funds_change_3m_pp"] == pytest.approx(now["fed_funds"] - before["fed_funds"])
    assert row["bill_6m_over_fed_funds_pp"] == pytest.approx(now["bill_6m"] - now["fed_funds"])


@pytest.mark.parametrize(
    ("coupon_pct", "yield_pct", "maturity_y", "price"),
    [(4, 4, 10, 100), (4, 6, 0.25, 99.507389), (4, 6, 1, 98.086530), (4, 0, 2, 108)],
    ids=["at par", "one payment", "two payments", "no yield"],
)
def test_prices_of_bonds_worked_by_hand(coupon_pct, yield_pct, maturity_y, price):
    # (100 + 4 / 4) / (1 + 0.06 / 4); 2 / 1.03 + 102 / 1.03**2; 4 coupons of 2
    found = price_of_par_bond(pd.Series([coupon_pct]), pd.Series([yield_pct]), maturity_y)
    assert found.iloc[0] == pytest.approx(price, abs=1e-6)


def test_the_change_of_a_balance_sheet_worked_by_hand():
    months = pd.date_range("2000-01-01", periods=15, freq="MS")
    table = pd.DataFrame({tenor: [4.0, 6.0] * 7 + [4.0] for tenor in CURVE_Y}, index=months).rename_axis("month")
    rows = eve_changes(table.reset_index())
    row = row_of(rows, "2001-01-01", "matched_bank")  # at 4 %; it is 6 % a month later
    prices = [2 * sum(1.03**-n for n in range(1, last + 1)) + 100 / 1.03**last for last in (4, 10, 20)]  # 2, 5 and 10 years
    losses, loss_on_bills = [100 - price for price in prices], 100 - 101 / 1.015
    assert row["eve_change_pct"] == pytest.approx(-(0.05 * sum(losses) - 0.05 * loss_on_bills) / 0.10)
    assert row["yield_10y_change_pp"] == -2
    assert row["eve_change_1m_pct"] > 0 > row["eve_change_1m_ago_pct"]


def test_the_balance_sheets_add_up_to_their_equity_and_higher_rates_hurt_them():
    assert {name: round(sum(parts.values()), 9) for name, parts in PORTFOLIOS.items()} == dict.fromkeys(PORTFOLIOS, EQUITY)
    durations = [sum(part * CURVE_Y[tenor] for tenor, part in parts.items()) for parts in PORTFOLIOS.values()]
    assert min(durations) > 0


@pytest.mark.parametrize(("target", "derivation"), DERIVATIONS.items())
@pytest.mark.parametrize("month", ["1994-02-01", "2019-07-01"])
def test_rates_after_a_month_change_no_feature_of_it(rates, target, derivation, month):
    changed = rates.copy()
    later = (changed["month"] > month).to_numpy()
    figures = changed.columns.drop("month")
    changed.loc[later, figures] *= np.random.default_rng(0).uniform(0.9, 1.1, size=(later.sum(), len(figures)))
    before, after = (derivation(table) for table in (rates, changed))
    is_past = before["month"] <= month
    features = before.columns.drop(target)
    pd.testing.assert_frame_equal(before.loc[is_past, features], after.loc[is_past, features], check_exact=True)
    changed_targets = before.loc[is_past, "month"][before.loc[is_past, target] != after.loc[is_past, target]]
    n_months_ahead = {"deposit_margin_bp": 3, "eve_change_pct": 1}[target]
    assert sorted(set(changed_targets)) == sorted(set(before.loc[is_past, "month"]))[-n_months_ahead:]


def test_what_is_to_be_predicted_is_no_sum_of_features(rates):
    for target, derivation in DERIVATIONS.items():
        rows = derivation(rates)
        X = np.column_stack([np.ones(len(rows)), rows.select_dtypes("number").drop(columns=target)])
        fitted = X @ np.linalg.lstsq(X, rows[target], rcond=None)[0]
        assert 1 - np.var(rows[target] - fitted) / np.var(rows[target]) < 0.99

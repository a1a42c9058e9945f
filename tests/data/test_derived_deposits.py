import numpy as np
import pandas as pd
import pytest

from bank_models.config import datasets
from bank_models.data import packaged
from bank_models.data.derived.deposits import PRODUCTS, deposit_months

SERIES = [*PRODUCTS, "currency", "loans", "fed_funds", "bill_3m", "yield_10y"]


@pytest.fixture(scope="module")
def series():
    names = datasets.entry_of("fed_deposits").rename
    table = pd.read_csv(packaged.VENDORED / "fed_series.csv.gz", parse_dates=["month"])
    return table[list(names)].rename(columns=names)


@pytest.fixture(scope="module")
def rows(series):
    return deposit_months(series)


def row_of(rows, month, product):
    return rows[(rows["month"] == month) & (rows["product"] == product)].iloc[0]


def test_deposits_that_double_in_december_worked_by_hand():
    months = pd.date_range("1978-01-01", "1985-06-01", freq="MS")
    table = pd.DataFrame({name: 100.0 for name in SERIES}, index=months).rename_axis("month")
    table.loc[(months.month == 12), "demand"] = 200.0
    rows = deposit_months(table.reset_index())
    november, december = row_of(rows, "1984-11-01", "demand"), row_of(rows, "1984-12-01", "demand")
    assert november["deposit_volume_eur"] == 20_000_000
    assert november["target_month"] == 12
    assert november["same_month_growth_1y_ago_pct"] == november["same_month_growth_mean_5y_pct"] == 100
    assert december["volume_1m_ago_eur"] == december["deposit_volume_eur"] == 5_000_000
    assert december["target_month"] == 1
    assert december["same_month_growth_1y_ago_pct"] == -50
    assert december["all_products_growth_1m_pct"] == pytest.approx(100 / 7)
    assert row_of(rows, "1984-12-01", "time_bank")["deposit_volume_eur"] == 10_000_000


@pytest.mark.parametrize(
    ("month", "product"), [("1984-01-01", "demand"), ("1996-04-01", "savings_thrift"), ("2020-03-01", "time_bank")]
)
def test_figures_equal_those_of_a_plain_loop(series, rows, month, product):
    row, volume = row_of(rows, month, product), series[product].to_list()
    place = series["month"].to_list().index(pd.Timestamp(month))
    for n in (1, 2, 3, 6, 12):
        assert row[f"volume_{n}m_ago_eur"] == pytest.approx(1e7 * volume[place - n] / volume[place])
    growth = [100 * (volume[i] / volume[i - 1] - 1) for i in range(place - 11, place + 1)]
    assert row["growth_volatility_12m_pct"] == pytest.approx(np.std(growth, ddof=1))
    same_month = [100 * (volume[place + 1 - 12 * y] / volume[place - 12 * y] - 1) for y in range(1, 6)]
    assert row["same_month_growth_1y_ago_pct"] == pytest.approx(same_month[0])
    assert row["same_month_growth_mean_5y_pct"] == pytest.approx(np.mean(same_month))
    now, before = (sum(series[name][i] for name in PRODUCTS) for i in (place, place - 12))
    assert row["all_products_growth_12m_pct"] == pytest.approx(100 * (now / before - 1))
    assert row["fed_funds_change_3m_pp"] == pytest.approx(series["fed_funds"][place] - series["fed_funds"][place - 3])
    assert row["deposit_volume_eur"] == pytest.approx(1e7 * volume[place + 1] / volume[place])


@pytest.mark.parametrize("month", ["1990-07-01", "2012-12-01"])
def test_figures_after_a_month_change_no_feature_of_it(series, rows, month):
    changed = series.copy()
    later = (changed["month"] > month).to_numpy()
    changed.loc[later, SERIES] *= np.random.default_rng(0).uniform(0.9, 1.1, size=(later.sum(), len(SERIES)))
    after, is_past = deposit_months(changed), rows["month"] <= month
    features = rows.columns.drop("deposit_volume_eur")
    pd.testing.assert_frame_equal(rows.loc[is_past, features], after.loc[is_past, features], check_exact=True)
    target = rows.loc[is_past, "deposit_volume_eur"] != after.loc[is_past, "deposit_volume_eur"]
    assert set(rows.loc[is_past, "month"][target]) == {pd.Timestamp(month)}


def test_the_unit_of_a_series_does_not_matter(series, rows):
    in_millions = deposit_months(series.assign(**{name: 1024 * series[name] for name in PRODUCTS}))
    pd.testing.assert_frame_equal(in_millions, rows)


def test_every_product_has_every_month_from_1984_to_march_2020(rows):
    assert rows.groupby("product").size().to_dict() == dict.fromkeys(sorted(PRODUCTS), 36 * 12 + 3)
    assert (str(rows["month"].min().date()), str(rows["month"].max().date())) == ("1984-01-01", "2020-03-01")

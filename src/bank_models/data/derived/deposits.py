"""Monthly deposits by product, from series of the Federal Reserve Board."""

from __future__ import annotations

import pandas as pd

from bank_models.data.derived.panel import stack

VOLUME_NOW_EUR = 10_000_000
FIRST_MONTH = "1984-01"  # money market deposit accounts had come in December 1982 and moved a fifth of all deposits
LAST_MONTH = "2020-03"  # afterwards savings deposits may be drawn on freely and are not reported apart
PRODUCTS = ["demand", "checkable_bank", "checkable_thrift", "savings_bank", "savings_thrift", "time_bank", "time_thrift"]


def deposit_months(series: pd.DataFrame) -> pd.DataFrame:
    """Months of a branch's deposits in one product, and their volume a month later.

    The series are national and in billions of USD. Every row is scaled so that the product stands at 10 million EUR at the
    row's month: what a branch of that size would see if its deposits moved as the country's. So the target differs from
    10 million by next month's growth alone, and volumes of 1984 and 2020 can be compared.

    Parameters
    ----------
    series : DataFrame of shape (n_months, n_series)
        `month`; volumes in billions of USD, not seasonally adjusted, by product as in `PRODUCTS`, and `currency`, `loans`;
        rates in per cent a year `fed_funds`, `bill_3m`, `yield_10y`. In order of time, without gaps between the months.

    Returns
    -------
    DataFrame of shape (n_rows, 20)
        A row for each product and month from January 1984 to March 2020.

        - `month`, `product`
        - `volume_1m_ago_eur`, `_2m_`, `_3m_`, `_6m_`, `_12m_`
        - `growth_volatility_12m_pct`: sample standard deviation of the monthly growth.
        - `same_month_growth_1y_ago_pct`, `same_month_growth_mean_5y_pct`: growth into the month that is to be predicted, one
          year before, and its mean over five years.
        - `all_products_growth_1m_pct`, `_12m_`: of the sum of all products.
        - `currency_growth_12m_pct`: of banknotes in circulation. `loan_growth_12m_pct`: of business loans.
        - `fed_funds_pct`, `fed_funds_change_3m_pp`, `fed_funds_change_12m_pp`, `slope_10y_3m_pp`
        - `target_month`: calendar month that is to be predicted, 1 is January.
        - `deposit_volume_eur`: the target, volume a month later.
    """
    series = series.set_index("month")
    volumes = series[PRODUCTS]
    growth = 100 * volumes.pct_change(fill_method=None)
    total = volumes.sum(axis=1, min_count=len(PRODUCTS))
    next_growth_before = {years: growth.shift(12 * years - 1) for years in range(1, 6)}
    figures = {
        **{f"volume_{n}m_ago_eur": VOLUME_NOW_EUR * volumes.shift(n) / volumes for n in (1, 2, 3, 6, 12)},
        "growth_volatility_12m_pct": growth.rolling(12).std(),
        "same_month_growth_1y_ago_pct": next_growth_before[1],
        "same_month_growth_mean_5y_pct": sum(next_growth_before.values()) / 5,
        **{f"all_products_growth_{n}m_pct": 100 * total.pct_change(n, fill_method=None) for n in (1, 12)},
        "currency_growth_12m_pct": 100 * series["currency"].pct_change(12, fill_method=None),
        "loan_growth_12m_pct": 100 * series["loans"].pct_change(12, fill_method=None),
        "fed_funds_pct": series["fed_funds"],
        **{f"fed_funds_change_{n}m_pp": series["fed_funds"].diff(n) for n in (3, 12)},
        "slope_10y_3m_pp": series["yield_10y"] - series["bill_3m"],
        "target_month": pd.Series(series.index.month % 12 + 1, series.index),
        "deposit_volume_eur": VOLUME_NOW_EUR * volumes.shift(-1) / volumes,
    }
    rows = stack({name: figure.loc[FIRST_MONTH:LAST_MONTH] for name, figure in figures.items()}, "month", "product")
    return rows.astype({"target_month": "int64"})

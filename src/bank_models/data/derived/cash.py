"""Monthly cash in circulation, from series of the Federal Reserve Board."""

from __future__ import annotations

import pandas as pd

CASH_EUR = 10_000_000


def cash_months(series: pd.DataFrame) -> pd.DataFrame:
    """Months of the cash that a country uses, and how much of it is paid out, net, in the next month.

    The series is national and in billions of USD. A flow is scaled to what 10 million EUR of cash, in circulation at the
    month before the flow, would have grown by: so flows of 1964 and 2022 can be compared, and the unit does not matter. It
    is negative where more cash comes back than is paid out, as after Christmas.

    Parameters
    ----------
    series : DataFrame of shape (n_months, n_series)
        `month`; not seasonally adjusted `currency`, `demand` (deposits) and `loans` in billions of USD; `fed_funds` in per
        cent a year. In order of time, without gaps between the months.

    Returns
    -------
    DataFrame of shape (n_months - 62, 16)
        Rows from the month on with five years of flows behind it to the last but one.

        - `month`
        - `net_flow_eur`, `net_flow_1m_ago_eur`, `net_flow_2m_ago_eur`: into the row's month and the months before.
        - `net_flow_mean_3m_eur`, `net_flow_mean_12m_eur`, `net_flow_volatility_12m_eur`: the last is the sample standard
          deviation.
        - `same_month_flow_1y_ago_eur`, `same_month_flow_2y_ago_eur`, `same_month_flow_mean_5y_eur`: into the month that is
          to be predicted, one year and two years before, and the mean over five years.
        - `deposit_growth_12m_pct`, `loan_growth_12m_pct`, `fed_funds_pct`, `fed_funds_change_12m_pp`
        - `target_month`: calendar month that is to be predicted, 1 is January.
        - `net_cash_flow_eur`: the target, flow into the next month.
    """
    series = series.set_index("month")
    flow = CASH_EUR * series["currency"].pct_change(fill_method=None)
    next_flow_before = {years: flow.shift(12 * years - 1) for years in range(1, 6)}
    columns = {
        "net_flow_eur": flow,
        **{f"net_flow_{n}m_ago_eur": flow.shift(n) for n in (1, 2)},
        **{f"net_flow_mean_{n}m_eur": flow.rolling(n).mean() for n in (3, 12)},
        "net_flow_volatility_12m_eur": flow.rolling(12).std(),
        **{f"same_month_flow_{years}y_ago_eur": next_flow_before[years] for years in (1, 2)},
        "same_month_flow_mean_5y_eur": sum(next_flow_before.values()) / 5,
        "deposit_growth_12m_pct": 100 * series["demand"].pct_change(12, fill_method=None),
        "loan_growth_12m_pct": 100 * series["loans"].pct_change(12, fill_method=None),
        "fed_funds_pct": series["fed_funds"],
        "fed_funds_change_12m_pp": series["fed_funds"].diff(12),
        "target_month": series.index.month % 12 + 1,
        "net_cash_flow_eur": flow.shift(-1),
    }
    return pd.DataFrame(columns, index=series.index).dropna().reset_index()

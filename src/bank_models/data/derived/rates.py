"""Monthly interest rates, from averages of the Federal Reserve Board."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bank_models.data.derived.panel import stack

FIRST_MARGIN_MONTH = "1984-01"  # by then the Board steered the federal funds rate and no longer the amount of money
AHEAD_MONTHS = 3
DEPOSITS = {"3m": "bill_3m", "6m": "bill_6m", "1y": "yield_1y", "2y": "yield_2y", "3y": "yield_3y", "5y": "yield_5y"}
CURVE_Y = {  # maturity of each tenor, in years
    "bill_3m": 0.25,
    "bill_6m": 0.5,
    "yield_1y": 1.0,
    "yield_2y": 2.0,
    "yield_3y": 3.0,
    "yield_5y": 5.0,
    "yield_7y": 7.0,
    "yield_10y": 10.0,
    "yield_30y": 30.0,
}
# Balance sheets as bonds, in parts of the assets: what the bank holds is positive, what it owes is negative, and the rest
# is its equity, which is a tenth of the assets.
PORTFOLIOS = {
    "matched_bank": {"bill_3m": -0.05, "yield_2y": 0.05, "yield_5y": 0.05, "yield_10y": 0.05},
    "commercial_bank": {"yield_2y": -0.20, "yield_3y": 0.10, "yield_7y": 0.20},
    "retail_bank": {"bill_3m": -0.30, "yield_5y": 0.10, "yield_10y": 0.30},
    "mortgage_bank": {"bill_3m": -0.10, "yield_2y": -0.30, "yield_10y": 0.20, "yield_30y": 0.30},
}
EQUITY = 0.10


def deposit_margins(rates: pd.DataFrame) -> pd.DataFrame:
    """Months of a term deposit, and the margin that it earns over the next three months.

    No series of what banks pay for deposits is at hand. A product here pays the Treasury yield of its term, fixed at the
    row's month, and is lent at the prime rate, which floats. Features are in percentage points, the target in basis points.

    Parameters
    ----------
    rates : DataFrame of shape (n_months, 9 or more)
        `month`; in per cent a year `prime`, `fed_funds` and the columns that `DEPOSITS` names. In order of time, without
        gaps between the months.

    Returns
    -------
    DataFrame of shape (n_rows, 16)
        A row for each product and month from January 1984 to the fourth but last.

        - `month`, `product`: the term of the deposit.
        - `margin_now_pp`: prime rate minus the deposit's rate.
        - `deposit_rate_change_1m_pp`, `_3m_`, `prime_change_1m_pp`, `_3m_`, `fed_funds_change_1m_pp`, `_3m_`,
          `bill_3m_change_1m_pp`
        - `prime_over_fed_funds_pp`, `bill_3m_over_fed_funds_pp`, `bill_6m_over_fed_funds_pp`, `yield_1y_over_bill_3m_pp`
        - `yield_2y_change_1m_pp`
        - `deposit_margin_bp`: the target, mean prime rate of the next three months minus the deposit's rate.
    """
    rates = rates.set_index("month")
    prime, funds, bill = rates["prime"], rates["fed_funds"], rates["bill_3m"]
    paid = rates[list(DEPOSITS.values())].set_axis(list(DEPOSITS), axis=1)
    prime_ahead = sum(prime.shift(-n) for n in range(1, AHEAD_MONTHS + 1)) / AHEAD_MONTHS
    figures = {
        "margin_now_pp": paid.rsub(prime, axis=0),
        **{f"deposit_rate_change_{n}m_pp": paid.diff(n) for n in (1, 3)},
        **{f"prime_change_{n}m_pp": prime.diff(n) for n in (1, 3)},
        **{f"fed_funds_change_{n}m_pp": funds.diff(n) for n in (1, 3)},
        "bill_3m_change_1m_pp": bill.diff(),
        "prime_over_fed_funds_pp": prime - funds,
        "bill_3m_over_fed_funds_pp": bill - funds,
        "bill_6m_over_fed_funds_pp": rates["bill_6m"] - funds,
        "yield_1y_over_bill_3m_pp": rates["yield_1y"] - bill,
        "yield_2y_change_1m_pp": rates["yield_2y"].diff(),
        "deposit_margin_bp": 100 * paid.rsub(prime_ahead, axis=0),
    }
    return stack({name: figure.loc[FIRST_MARGIN_MONTH:] for name, figure in figures.items()}, "month", "product")


def eve_changes(rates: pd.DataFrame) -> pd.DataFrame:
    """Months of a bank's balance sheet, and how much its economic value of equity changes until the next month.

    The balance sheet stays as `PORTFOLIOS` states it: at every month all its bonds are replaced by bonds at par of the same
    maturity. Their value is taken again at the next month's yields, at once: time that passes and coupons earned are not
    part of the change. A change is in per cent of the equity.

    Parameters
    ----------
    rates : DataFrame of shape (n_months, 10 or more)
        `month`, and yields in per cent a year named as in `CURVE_Y`. In order of time, without gaps between the months.

    Returns
    -------
    DataFrame of shape (n_rows, 17)
        A row for each portfolio and month with 12 changes behind it, but the last month.

        - `month`, `portfolio`
        - `eve_change_1m_pct`, `eve_change_1m_ago_pct`, `eve_change_3m_pct`: into the row's month, into the month before,
          sum of three.
        - `eve_volatility_12m_pct`: sample standard deviation of the last twelve changes.
        - `curve_slope_pp`: yield of 10 years minus that of 3 months.
        - `bill_3m_change_pp` … `yield_30y_change_pp`: of each tenor into the row's month.
        - `eve_change_pct`: the target, change until the next month.
    """
    yields = rates.set_index("month")[list(CURVE_Y)].dropna()
    before = yields.shift(1)
    bonds = pd.DataFrame({tenor: price_of_par_bond(before[tenor], yields[tenor], CURVE_Y[tenor]) - 100 for tenor in yields})
    changes = pd.DataFrame({name: _change(bonds, parts) for name, parts in PORTFOLIOS.items()})
    figures = {
        "eve_change_1m_pct": changes,
        "eve_change_1m_ago_pct": changes.shift(1),
        "eve_change_3m_pct": changes.rolling(3).sum(),
        "eve_volatility_12m_pct": changes.rolling(12).std(),
        "curve_slope_pp": yields["yield_10y"] - yields["bill_3m"],
        **{f"{tenor}_change_pp": yields[tenor] - before[tenor] for tenor in yields},
        "eve_change_pct": changes.shift(-1),
    }
    return stack(figures, time="month", entity="portfolio")


def price_of_par_bond(coupon_pct: pd.Series, yield_pct: pd.Series, maturity_y: float) -> pd.Series:
    """Price, in per cent of the face value, of a bond that pays its coupon half-yearly, or once if it ends earlier.

    Parameters
    ----------
    coupon_pct, yield_pct : Series of shape (n_rows,)
        In per cent a year, both compounded at every payment.
    maturity_y : float
        In years, up to one half or a multiple of it.
    """
    n_payments = max(round(2 * maturity_y), 1)
    period_y = maturity_y / n_payments
    discount = 1 / (1 + yield_pct / 100 * period_y)
    annuity = sum(discount**n for n in range(1, n_payments + 1))
    return coupon_pct * period_y * annuity + 100 * discount**n_payments


def _change(bonds: pd.DataFrame, parts: Mapping[str, float]) -> pd.Series:
    return sum(part * bonds[tenor] for tenor, part in parts.items()) / EQUITY

"""Customer features and later purchases, from the orders of a shop."""

from __future__ import annotations

import pandas as pd

CUT_OFF = pd.Timestamp("1998-01-01")  # six months before the last order
END = pd.Timestamp("1998-07-01")
RECENT_DAYS = (90, 180)


def customer_spend(orders: pd.DataFrame) -> pd.DataFrame:
    """Customers at the cut-off, and what they spend in the six months from then on.

    Parameters
    ----------
    orders : DataFrame of shape (n_orders, 4)
        `customer_id`, `date`, `n_cds`, `spend_usd`.

    Returns
    -------
    DataFrame of shape (n_customers, 17)
        The features of `behaviour` before the cut-off, and the target `spend_next_6m_usd`: 0 for most.
    """
    return behaviour(orders, CUT_OFF).assign(spend_next_6m_usd=_spend_after(orders)).reset_index(drop=True)


def customer_inactivity(orders: pd.DataFrame) -> pd.DataFrame:
    """Customers at the cut-off, and whether they buy nothing in the six months from then on: `is_inactive` is 1."""
    customers = behaviour(orders, CUT_OFF)
    bought = customers.index.isin(_from(orders, CUT_OFF)["customer_id"])
    return customers.assign(is_inactive=(~bought).astype("int8")).reset_index(drop=True)


def customer_groups(orders: pd.DataFrame) -> pd.DataFrame:
    """Customers at the end of all orders, to be put into groups; without the gap between purchases, which most lack."""
    return behaviour(orders, END).drop(columns="mean_gap_days").reset_index(drop=True)


def behaviour(orders: pd.DataFrame, cut_off: pd.Timestamp) -> pd.DataFrame:
    """What customers bought before a day: recency, frequency and monetary value.

    Orders of one customer on one day are one purchase.

    Parameters
    ----------
    orders : DataFrame of shape (n_orders, 4)
        `customer_id`, `date`, `n_cds`, `spend_usd`.
    cut_off : Timestamp
        Nothing on this day or later is seen; days are counted back from it.

    Returns
    -------
    DataFrame of shape (n_customers, 16)
        By `customer_id`, in order.

        - `days_since_last_purchase`, `days_since_first_purchase`: at least 1.
        - `mean_gap_days`: between purchases; missing for a customer with one.
        - `n_purchases`, `n_purchases_90d`, `n_purchases_180d`: ever, and in the last days.
        - `spend_usd`, `spend_90d_usd`, `spend_180d_usd`; `mean_`, `highest_`, `first_` and `last_purchase_usd`.
        - `n_cds`, `cds_per_purchase`, `usd_per_cd`.

    References
    ----------
    Fader, Hardie and Lee (2005), RFM and CLV: using iso-value curves for customer base analysis, Journal of Marketing
    Research 42, 415-430.
    """
    past = orders[orders["date"] < cut_off]
    purchases = past.groupby(["customer_id", "date"], as_index=False)[["n_cds", "spend_usd"]].sum()
    customers = purchases.groupby("customer_id")  # each in order of time
    first, last, n_purchases = customers["date"].min(), customers["date"].max(), customers.size()
    spend, n_cds = customers["spend_usd"].sum(), customers["n_cds"].sum()
    columns = {
        "days_since_last_purchase": (cut_off - last).dt.days,
        "days_since_first_purchase": (cut_off - first).dt.days,
        "mean_gap_days": ((last - first).dt.days / (n_purchases - 1)).where(n_purchases > 1),
        "n_purchases": n_purchases,
        "spend_usd": spend,
        "mean_purchase_usd": spend / n_purchases,
        "highest_purchase_usd": customers["spend_usd"].max(),
        "first_purchase_usd": customers["spend_usd"].first(),
        "last_purchase_usd": customers["spend_usd"].last(),
        "n_cds": n_cds,
        "cds_per_purchase": n_cds / n_purchases,
        "usd_per_cd": spend / n_cds,
    }
    for n_days in RECENT_DAYS:
        recent = _from(purchases, cut_off - pd.Timedelta(days=n_days)).groupby("customer_id")
        columns[f"n_purchases_{n_days}d"] = recent.size().reindex(n_purchases.index, fill_value=0)
        columns[f"spend_{n_days}d_usd"] = recent["spend_usd"].sum().reindex(n_purchases.index, fill_value=0.0)
    return pd.DataFrame(columns)


def _spend_after(orders: pd.DataFrame) -> pd.Series:
    """By customer, 0 for those who bought nothing."""
    customers = orders.loc[orders["date"] < CUT_OFF, "customer_id"].unique()
    return _from(orders, CUT_OFF).groupby("customer_id")["spend_usd"].sum().reindex(customers, fill_value=0.0)


def _from(rows: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return rows[rows["date"] >= day]

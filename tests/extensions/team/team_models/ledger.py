"""Rows of the team's own system: here they are drawn."""

import numpy as np
import pandas as pd


def branch_ledger(rows, seed=0):
    """Loans of branches, with what their risk depends on."""
    rng = np.random.default_rng(seed)
    income, debt = rng.lognormal(7.8, 0.4, rows).round(2), rng.lognormal(6, 0.6, rows).round(2)
    region = rng.choice(["north", "south", "east", "west"], rows)
    opened = np.datetime64("2015-01-01") + rng.integers(0, 2000, rows)
    applied = np.datetime64("2021-01-01") + np.sort(rng.integers(0, 700, rows))
    risk = 14 * debt / income + 2.0 * (region == "west") - 0.0006 * (applied - opened).astype(int)
    defaulted = rng.random(rows) < 1 / (1 + np.exp(4.0 - risk))
    income[rng.random(rows) < 0.05] = np.nan
    return pd.DataFrame(
        {
            "income_eur": income,
            "monthly_debt_eur": debt,
            "region": region,
            "opened_on": opened.astype("datetime64[s]"),
            "applied_at": applied.astype("datetime64[s]"),
            "defaulted": defaulted.astype(int),
        }
    )

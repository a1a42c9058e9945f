"""Faults that simulated rows once had, counted.

    python bench/simulated_faults.py [--conf conf]

Each line is a fact that a banker checks at a glance. `--conf` draws rows by the facts of another version, to compare:
`git archive REVISION conf | tar x -C FOLDER`, then `--conf FOLDER/conf`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.data import simulate  # noqa: E402
from bank_models.data.sample import CONF, find  # noqa: E402

FEWEST_PAYMENTS = 20
EURO_SYSTEMS = ["target_t2", "tips", "t2s_cash", "euro1"]


def mortgages(rows: pd.DataFrame) -> dict[str, str]:
    """The loan over the value of the house, and how old the retired are."""
    ratio = 100 * rows["loan_amount_eur"].astype(float) / rows["property_value_eur"]
    stated = rows["loan_to_value_pct"].astype(float)
    ages = rows.loc[rows["employment_status"] == "retired", "age_of_eldest_years"]
    return {
        "correlation of the stated loan-to-value with loan over value": f"{np.corrcoef(stated, ratio)[0, 1]:.2f}",
        "rows where both are the same": f"{(abs(stated - ratio) <= 0.06).mean():.1%}",
        "retired people below 50": f"{(ages < 50).mean():.1%}",
    }


def onboarding(rows: pd.DataFrame) -> dict[str, str]:
    """Who may have owners."""
    person = rows["customer_type"] == "natural_person"
    company = ~rows["customer_type"].isin(["natural_person", "sole_trader"])
    return {
        "natural persons with ownership layers": f"{(rows.loc[person, 'n_ownership_layers'] > 0).mean():.1%}",
        "companies without a beneficial owner": f"{(rows.loc[company, 'n_beneficial_owners'] == 0).mean():.1%}",
    }


def card_payments(rows: pd.DataFrame) -> dict[str, str]:
    """What a merchant is, and where a card can be held to a terminal."""
    counts = rows["merchant"].value_counts()
    known = rows[rows["merchant"].isin(counts[counts >= FEWEST_PAYMENTS].index)].groupby("merchant", observed=True)
    digital = rows.loc[rows["merchant_category"] == "digital_goods", "entry_mode"]
    return {
        "merchants in several categories": f"{(known['merchant_category'].nunique() > 1).mean():.1%}",
        "merchants in several countries": f"{(known['merchant_country'].nunique() > 1).mean():.1%}",
        "contactless payments for digital goods": f"{(digital == 'contactless').mean():.1%}",
        "payments that are fraud": f"{rows['is_fraud'].mean():.2%}",
    }


def hedges(rows: pd.DataFrame) -> dict[str, str]:
    """One currency pair moves once in a week, for all exposures."""
    groups = rows.groupby(["currency_pair", "week_end"], observed=True)["spot_change_13w_pct"]
    moves, spread = groups.nunique()[groups.size() > 1], (groups.max() - groups.min())[groups.size() > 1]
    return {
        "weeks in which exposures to one pair saw different moves": f"{(moves > 1).mean():.1%}",
        "mean distance between these moves, in percentage points": f"{spread.mean():.2f}",
    }


def accounts(rows: pd.DataFrame) -> dict[str, str]:
    """Payment systems that settle in euro."""
    euro = rows.drop_duplicates("account_id").query("payment_system in @EURO_SYSTEMS")
    return {"accounts in euro systems that hold another currency": f"{(euro['currency'] != 'EUR').sum()} of {len(euro)}"}


def cash_machines(rows: pd.DataFrame) -> dict[str, str]:
    """Summers, and amounts that a machine can give."""
    days = rows.drop_duplicates("business_date")
    means = days.groupby(days["business_date"].dt.month)["temperature_forecast_celsius"].mean()
    return {
        "July minus January, in degrees Celsius": f"{means[7] - means[1]:.1f}",
        "withdrawals that are multiples of 10 EUR": f"{(rows['cash_withdrawn_eur'] % 10 == 0).mean():.1%}",
        "cash left that is a multiple of 10 EUR": f"{(rows['cash_left_eur'].dropna() % 10 == 0).mean():.1%}",
    }


FACTS: dict[str, Callable[[pd.DataFrame], dict[str, str]]] = {
    "mortgage_risk": mortgages,
    "kyc_verification": onboarding,
    "card_fraud": card_payments,
    "hedge_optimization": hedges,
    "liquidity_management": accounts,
    "atm_cash_optimization": cash_machines,
}


def main(argv: list[str]) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=CONF)
    args = parser.parse_args(argv)
    print("| use case | fact | found |\n|---|---|---|")
    for name, count in FACTS.items():
        for fact, found in count(simulate(find(name, [args.conf])).frame).items():
            print(f"| `{name}` | {fact} | {found} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

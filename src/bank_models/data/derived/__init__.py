"""Derived data sets: rows made from another table, with features known in time and a target that lies ahead."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# The module, beside this one, that holds the function of this name. It takes the columns of a table under our names.
DERIVATIONS = {
    "asset_months": "asset_months",
    "asset_years": "asset_years",
    "call_days": "calls",
    "cash_months": "cash",
    "currency_directions": "currencies",
    "currency_volatility": "currencies",
    "customer_groups": "customers",
    "customer_inactivity": "customers",
    "customer_spend": "customers",
    "deposit_margins": "rates",
    "deposit_months": "deposits",
    "eve_changes": "rates",
    "factor_months": "asset_months",
    "index_days": "index_days",
    "message_sentiment": "messages",
    "message_signals": "messages",
    "negative_messages": "messages",
    "portfolio_losses": "shares",
    "share_directions": "share_days",
}


def derive(name: str, table: pd.DataFrame, **others: pd.DataFrame) -> pd.DataFrame:
    """Make rows by a function that `DERIVATIONS` names; only the subject that is needed is imported."""
    return getattr(import_module(f"{__name__}.{DERIVATIONS[name]}"), name)(table, **others)

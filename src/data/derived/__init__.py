"""Rows made from the rows of another table: features known when the row happens, a target that is not known yet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# The module, beside this one, that holds the function of this name. It takes the columns of a table under our names.
DERIVATIONS = {
    "customer_groups": "customers",
    "customer_inactivity": "customers",
    "customer_spend": "customers",
    "message_sentiment": "messages",
    "message_signals": "messages",
    "negative_messages": "messages",
    "portfolio_losses": "shares",
}


def derive(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Make rows by a function that `DERIVATIONS` names; only the subject that is needed is imported."""
    return getattr(import_module(f"{__name__}.{DERIVATIONS[name]}"), name)(table)

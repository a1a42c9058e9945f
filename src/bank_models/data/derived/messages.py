"""Short messages with their mean rating from -4 (negative) to 4 (positive)."""

from __future__ import annotations

import numpy as np
import pandas as pd

NEUTRAL_BELOW = 0.5  # the mean of a message without a clear sentiment


def message_sentiment(rated: pd.DataFrame) -> pd.DataFrame:
    """Messages with three classes: `sentiment` is negative up to -0.5, positive from 0.5, and neutral between.

    Parameters
    ----------
    rated : DataFrame of shape (n_messages, 2)
        `text` and `mean_rating`, in [-4, 4].

    Returns
    -------
    DataFrame of shape (n_messages, 2)
    """
    return _in_classes(rated, "sentiment", ["negative", "neutral", "positive"])


def message_signals(rated: pd.DataFrame) -> pd.DataFrame:
    """The same classes, called as a trader would act on them: `signal` is sell, hold or buy."""
    return _in_classes(rated, "signal", ["sell", "hold", "buy"])


def negative_messages(rated: pd.DataFrame) -> pd.DataFrame:
    """Messages with `is_negative`: 1 where the mean rating is -0.5 or less."""
    return pd.DataFrame({"text": rated["text"], "is_negative": (rated["mean_rating"] <= -NEUTRAL_BELOW).astype("int8")})


def _in_classes(rated: pd.DataFrame, name: str, classes: list[str]) -> pd.DataFrame:
    rating = rated["mean_rating"]
    which = np.where(rating <= -NEUTRAL_BELOW, 0, np.where(rating >= NEUTRAL_BELOW, 2, 1))
    return pd.DataFrame({"text": rated["text"], name: np.array(classes)[which]})

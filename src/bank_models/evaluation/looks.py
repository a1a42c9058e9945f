"""Multiple looks at test rows: how many models were scored on them, and the optimism of the best."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from bank_models.metrics.headline import headline
from bank_models.metrics.scores import Prediction

N_KEPT = 64  # smallest hashes that stand for a set of rows: a share is known to about 6 points
MOSTLY = 0.5  # share of the test rows from which on another score was taken on the same ones
DIGITS = 6  # of an answer: what differs less is the same answer of another machine
CONFIDENCE = 0.95

Look = Mapping[str, Any]


def look(settings_sha256: str, source: str, positions, contents, y_true, decided: Prediction) -> dict[str, Any]:
    """What a run looked at, and with what.

    Parameters
    ----------
    settings_sha256 : str
        Of the settings and the code.
    source : str
        What the rows were read from, such as the hash of a file.
    positions : ndarray of int of shape (n_rows,)
        Of the test rows in their source.
    contents : ndarray of uint64 of shape (n_rows,)
        Hash of each test row's features.
    y_true : ndarray of shape (n_rows,)
    decided : Prediction
        The model's answers.

    Returns
    -------
    dict
        `settings` and `answers`, by which looks are told apart, and of the test `rows`, in whatever order they come: `n`
        different ones, the `smallest` of their hashes, and `place`, a hash of where in their source they stand and of their
        target: so rows are known again though a feature was left out.
    """
    row = pd.util.hash_array(np.asarray(contents) ^ pd.util.hash_array(np.asarray(y_true)))
    order = np.lexsort((np.asarray(positions), row))
    answers = np.column_stack([np.round(decided.score, DIGITS), decided.decision]).astype("float64")[order] + 0.0
    different = np.unique(row)
    placed = np.argsort(positions)
    where, target = np.asarray(positions, "<i8")[placed], np.asarray(y_true, "<f8")[placed]
    return {
        "settings": settings_sha256,
        "answers": hashlib.sha256(answers.tobytes()).hexdigest(),
        "rows": {
            "n": len(different),
            "place": hashlib.sha256(source.encode() + where.tobytes() + target.tobytes()).hexdigest(),
            "smallest": [f"{value:016x}" for value in different[:N_KEPT]],
        },
    }


def source_of(provenance: Mapping[str, Any]) -> str:
    """What names a source of rows: the hash of its bytes, or how they were simulated."""
    return provenance.get("sha256") or json.dumps(provenance, sort_keys=True, default=str)


def share_seen(mine: Look, other: Look) -> float:
    """Share of one look's test rows that another one was taken on too, from the smallest hashes of each.

    References
    ----------
    Broder (1997), On the resemblance and containment of documents, Compression and Complexity of Sequences, 21-29.
    """
    one, two = mine["rows"], other["rows"]
    if one["place"] == two["place"]:
        return 1.0
    of_one, of_two = set(one["smallest"]), set(two["smallest"])
    of_both = sorted(of_one | of_two)[:N_KEPT]
    resemblance = len(of_one & of_two & set(of_both)) / len(of_both)
    return min(1.0, resemblance / (1 + resemblance) * (one["n"] + two["n"]) / one["n"])


def at_same_rows(mine: Look, others: Iterable[Look]) -> list[Look]:
    """Looks that were taken on most of the same test rows."""
    return [other for other in others if share_seen(mine, other) >= MOSTLY]


def n_different(looks: Iterable[Look]) -> int:
    """How many looks at the same rows taught something new.

    Settings that are run again give the same answer, and so do other settings and other code that change none. Of DVC's runs,
    which know no code but their own, the answers alone count.
    """
    looks = list(looks)
    answers = {each["answers"] for each in looks}
    return min(len(answers), len({each.get("settings") or each["answers"] for each in looks}))


def expected_maximum(n: int) -> float:
    """Mean of the largest of `n` independent standard normal values."""
    at = np.linspace(-10, 10, 20_001)
    return float(np.trapezoid(at * n * norm.pdf(at) * norm.cdf(at) ** (n - 1), at))


def optimism(n_looks: int, metrics: Mapping[str, float], metric: str) -> float | None:
    """What the best of some equally good models gains at most, on average, because it was chosen on the test rows.

    So much it is where looks are independent. Models of one target are wrong about the same rows: what they differ by varies
    less, and chance gains less (Slepian's inequality).

    Returns
    -------
    float or None
        In the metric's unit; None where the metric has no interval.

    References
    ----------
    Cawley & Talbot (2010), On over-fitting in model selection and subsequent selection bias in performance evaluation, JMLR 11,
    2079-2107. Dwork et al. (2015), The reusable holdout: preserving validity in adaptive data analysis, Science 349, 636-638.
    """
    found = headline(metric, metrics)
    if found.low is None or found.high is None:
        return None
    error = (found.high - found.low) / (2 * norm.ppf((1 + CONFIDENCE) / 2))
    return expected_maximum(n_looks) * float(error)


def confidence(n_looks: int) -> float:
    """Level of an interval that holds for the best of some looks: Bonferroni's, however the looks depend on one another."""
    return 1 - (1 - CONFIDENCE) / n_looks


def said(found: Mapping[str, Any] | None) -> str:
    """A sentence about the looks at a run's test rows, empty if its own was the first."""
    if not found or found["n"] < 2:
        return ""
    begin = f"{found['n']:,} looks at these test rows so far, this one included: the best of them"
    if found["optimism"] is None:
        return f"{begin} owes some of its score to chance, and without an interval nobody can say how much."
    return f"{begin} gains up to about {found['optimism']:.2g} by chance alone."

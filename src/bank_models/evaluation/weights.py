"""Note on row weights: by what figures are weighted, how much test tells, and which metrics are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bank_models.metrics.names import title
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import metrics_for


def note_on_weights(facts: Mapping[str, Any], scorer: Scorer) -> list[str]:
    """What a reader of weighted figures must know.

    Parameters
    ----------
    facts : mapping
        Of `bank_models.data.weights.facts_of_weights`.
    scorer : Scorer
    """
    kept = metrics_for(scorer.task, scorer.kinds, is_weighted=True)
    left_out = [title(name) for name in metrics_for(scorer.task, scorer.kinds) if name not in kept]
    n_rows = f"{facts['effective_rows']['test']:,.0f}"
    said = f"Figures are weighted by {facts['column']}: test tells as much as {n_rows} rows of equal weight."
    return [f"{said} Left out, as it has no weighted form: {', '.join(left_out)}." if left_out else said]

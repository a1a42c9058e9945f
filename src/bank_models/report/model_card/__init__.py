"""Model card: the document for approval and validation."""

from __future__ import annotations

from pathlib import Path

from bank_models.report.model_card import differences, origin, performance, recipe, summary
from bank_models.report.model_card.recorded import read

PARTS = (
    origin.titled,
    summary.summary,
    origin.purpose,
    origin.data,
    origin.split,
    origin.features,
    performance.performance,
    differences.slices,
    performance.calibration,
    performance.decisions,
    differences.fairness,
    performance.explanations,
    differences.monitoring,
    recipe.parameters,
    recipe.versions,
    recipe.again,
)


def render(folder: Path, entry: dict | None = None) -> str:
    """A run's model card as GitHub Markdown, byte for byte the same for the same facts.

    Parameters
    ----------
    folder : Path
        Of a run or of a registered version.
    entry : dict, optional
        The registry's: `model_id`, `version`, `created_at`, `created_by` and `status`. None for a run that is no version.

    Returns
    -------
    str
        A fact that was not recorded is named as such.
    """
    run = read(Path(folder), entry)
    parts = [part(run) for part in PARTS]
    return "\n\n".join(piece for pieces in parts for piece in pieces if piece) + "\n"

"""Documents of a run: report and model card."""

from __future__ import annotations

from pathlib import Path

from bank_models import report
from bank_models.report import model_card


def write(folder: Path, registry: Path | None) -> None:
    """Add the model card and the report to a run's folder, and where it is going to be registered, how it stands to production.

    Parameters
    ----------
    folder : Path
        With everything else in it.
    registry : Path or None
        Root of the registry that the run goes to.
    """
    if registry is not None:
        from bank_models.registry import promotion

        promotion.write(folder, registry)
    (folder / "model_card.md").write_text(model_card.render(folder), encoding="utf-8")
    report.write(folder)

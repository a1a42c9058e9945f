"""HTML report of a run, in one file.

Charts are drawn in the browser by Chart.js (210 kB, MIT, vendored): it costs training no import and no drawing, lets values be
read by mouse and keyboard, follows light and dark, and prints. Vega weighs five times as much; Matplotlib costs 0.4 s a run.
"""

from __future__ import annotations

from pathlib import Path

NAME = "report.html"


def write(folder: Path) -> Path:
    """Write `report.html` into a run folder, from the files that are in it.

    Parameters
    ----------
    folder : Path
        Of a run, finished or about to be published.

    Returns
    -------
    Path
        The page.
    """
    path = folder / NAME
    path.write_text(render(folder), encoding="utf-8")
    return path


def render(folder: Path) -> str:
    """The page of a run, as HTML: equal files give equal bytes."""
    from bank_models.report import (
        appendix,
        cases,
        differences,
        explanation,
        fitting,
        own_sections,
        page,
        quality,
        rows,
        verdict,
    )
    from bank_models.report.run import read

    run = read(folder)
    makers = (
        verdict.verdict, explanation.explanation, quality.quality, cases.cases,
        differences.differences, rows.data,
        fitting.folds, fitting.training, fitting.tuning, appendix.limits, appendix.appendix,
    )  # fmt: skip
    sections = [section for section in (make(run) for make in makers) if section is not None]
    sections += own_sections.own_sections(run)
    at = run.fact("created_at")
    trained = f"trained {at[:16].replace('T', ' ')} UTC" if at else "when it was trained is not recorded"
    use_case, model = run.use_case("name") or run.facts["use_case_key"], run.facts["model"]
    return page.render(
        title=f"{use_case} · {model}",
        kicker=f"{run.facts['use_case_id']} · {(run.use_case('department') or '').replace('_', ' ')} · {run.task}",
        name=use_case,
        lead=f"{model} ({run.facts['algorithm']}), {trained}",
        footer="Every number stands in the run folder beside this page: in metrics.json, metadata.json or a table.",
        sections=sections,
    )

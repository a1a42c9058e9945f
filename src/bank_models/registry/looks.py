"""Earlier looks at a run's test rows: runs, versions and stages that scored them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bank_models.errors import TrainingError
from bank_models.evaluation import looks
from bank_models.registry.model_version import Version
from bank_models.registry.run import Look
from bank_models.registry.store import open_registry
from bank_models.runs import experiments as kept
from bank_models.runs.fingerprint import code_sha256, fingerprint

if TYPE_CHECKING:
    import numpy as np

    from bank_models.config.schema import TrainingConfig
    from bank_models.data.dataset import Dataset
    from bank_models.data.table import Table
    from bank_models.metrics.scores import Prediction

log = logging.getLogger(__name__)
PORTFOLIO = Path("portfolio")
MOST_NAMED = 20


def facts_of_looks(
    config: TrainingConfig,
    frame_sha256: str,
    data: Dataset,
    table: Table,
    test: np.ndarray,
    decided: Prediction,
    metrics: Mapping[str, float],
    root: Path | None,
) -> dict[str, Any]:
    """A run's `look` at its test rows, and the `looks` that others have taken at them: see `looks.look` and `found_of`."""
    use_case, experiments = config.use_case, config.tracking.experiments and Path(config.tracking.experiments)
    settings = fingerprint(config.model_dump(mode="json"), code_sha256(), rows=frame_sha256)
    at = table.valid.rows[test]
    mine = looks.look(settings, looks.source_of(data.provenance), at, table.contents[test], table.y[test], decided)
    return {"look": mine, "looks": found_of(mine, use_case.key, metrics, use_case.metric, experiments, root)}


def found_of(
    mine: looks.Look, use_case: str, metrics: Mapping[str, float], metric: str, experiments: Path | None, root: Path | None
) -> dict[str, Any]:
    """What is to be said of the looks at a run's test rows; places that cannot be read cost no run, but a warning.

    Parameters
    ----------
    mine : dict
        Of `bank_models.evaluation.looks.look`.
    use_case, metric : str
    metrics : dict of str to float
    experiments : Path or None
        File of the runs; without it the portfolio isn't asked either.
    root : Path or None
        Of the registry.

    Returns
    -------
    dict
        `n` looks, this one included, `optimism` (see `looks.optimism`), and which others there were, `of`: the newest of
        each answer, with `use_case`, `model`, `at` and `where`.
    """
    try:
        versions = open_registry(root).versions(use_case) if root else []
        others = others_of(mine, versions, experiments, PORTFOLIO if experiments else None)
    except (TrainingError, OSError, ValueError, KeyError) as error:
        log.warning(f"Earlier looks at these test rows cannot be counted: {' '.join(str(error).split())}")
        others = []
    n = looks.n_different([mine, *(one["look"] for one in others)])
    newest = {one["look"]["answers"]: one for one in others if one["look"]["answers"] != mine["answers"]}
    named = [{key: value for key, value in one.items() if key != "look"} for one in newest.values()]
    return {"n": n, "optimism": looks.optimism(n, metrics, metric), "of": named[-MOST_NAMED:]}


def n_looks(version: Version, versions: Iterable[Version], experiments: Path) -> int:
    """How many looks have been taken at a version's test rows up to now; 1 for a version that was tested on none."""
    mine = version.facts.get("look")
    if mine is None:
        return 1
    return looks.n_different([mine, *(one["look"] for one in others_of(mine, versions, experiments, PORTFOLIO))])


def others_of(
    mine: looks.Look, versions: Iterable[Version], experiments: Path | None, portfolio: Path | None
) -> list[dict[str, Any]]:
    """Every look at most of the same test rows that left a trace: the portfolio's, the versions', then those of the runs."""
    known = [*_of_portfolio(portfolio), *_of_versions(versions), *_of_experiments(experiments)]
    return [one for one in known if looks.at_same_rows(mine, [one["look"]])]


def _of_portfolio(portfolio: Path | None) -> Iterator[dict[str, Any]]:
    for path in sorted(portfolio.glob("*/run/metadata.json")) if portfolio else ():
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # DVC is at work there
            continue
        yield from _found(facts.get("look"), facts.get("use_case_key"), facts.get("model"), None, str(path.parent))


def _of_versions(versions: Iterable[Version]) -> Iterator[dict[str, Any]]:
    for version in versions:
        facts = version.facts
        yield from _found(facts.get("look"), version.use_case, facts["model"], facts.get("created_at"), version.name)


def _of_experiments(path: Path | None) -> Iterator[dict[str, Any]]:
    for line in kept.read(path) if path else ():
        yield from _found(line.get("look"), line.get("use_case"), line.get("model"), line.get("timestamp"), line.get("run_dir"))


def _found(look: Any, use_case: Any, model: Any, at: Any, where: Any) -> Iterator[dict[str, Any]]:
    """A look as it was left, if it is one: whoever writes into these files may have had another idea of it."""
    try:
        checked = Look.model_validate(look)
    except ValidationError:
        return
    about = {"use_case": use_case, "model": model, "at": at, "where": where}
    yield {"look": checked.model_dump(), **{key: None if value is None else str(value) for key, value in about.items()}}

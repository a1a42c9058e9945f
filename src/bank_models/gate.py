"""Regression gate for CI: `python -m src.gate --against HEAD~1 --max-drop roc_auc=0.005`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from bank_models.commands import as_typed
from bank_models.errors import ConfigError, GateError, unknown
from bank_models.metrics.headline import score_name
from bank_models.runtime import git
from bank_models.runtime.table import print_table
from bank_models.runtime.terminal import for_people

PORTFOLIO = "portfolio"
FILE = "metrics.json"
HELP = """\
Compare the metrics of the portfolio's test rows with those of a git revision.

  python -m src.gate --against HEAD~1 --max-drop roc_auc=0.005           by 0.005 at most
  python -m src.gate --against main --max-drop mae=1% f1_macro=0.01      by 1 % of what it was

A limit holds for every use case that has the metric. Where lower is better, a rise is a drop of the score.
Exit code 3 if a score fell further than its limit or is no longer there, 2 if what was asked cannot be compared, else 0."""


@dataclass(frozen=True)
class Limit:
    """How far a metric may fall: in its own unit, or as a share of what it was."""

    metric: str
    most: float
    is_share: bool


@dataclass(frozen=True)
class Comparison:
    """A metric of a use case, then and now.

    Attributes
    ----------
    use_case, metric : str
    before, now : float or None
        Natural sign; `now` is None if the use case or the metric is gone.
    drop : float or None
        How much worse it is; negative if it is better.
    limit : float
        In the metric's unit.
    is_worse : bool
        Whether it fell further than the limit.
    """

    use_case: str
    metric: str
    before: float
    now: float | None
    drop: float | None
    limit: float
    is_worse: bool


@for_people
def main(argv: list[str]) -> int:
    """Print the table; give the exit code."""
    args = _parser().parse_intermixed_args(argv)
    limits = [read_limit(text) for text in args.max_drop]
    before, now = metrics_at(args.against), metrics_here(Path(PORTFOLIO))
    found = compare(before, now, limits)
    fallen = [one for one in found if one.is_worse]
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return GateError.exit_code if fallen else 0
    if fallen:
        print_table([_line(one) for one in fallen])
    n_use_cases = len({one.use_case for one in found})
    print(f"{len(found)} scores of {n_use_cases} use cases compared with {args.against}: {len(fallen)} fell beyond the limit")
    return GateError.exit_code if fallen else 0


def read_limit(text: str) -> Limit:
    """Read `roc_auc=0.005` or `mae=1%`.

    Raises
    ------
    ConfigError
    """
    from bank_models.metrics.names import METRICS

    metric, _, given = text.partition("=")
    known = list(METRICS)
    METRICS.check(metric)
    if metric not in known:
        raise ConfigError(unknown("--max-drop", metric, known).replace("\nTo list them: python -m src.train --help", ""))
    is_share = given.endswith("%")
    try:
        most = float(given.removesuffix("%")) / (100 if is_share else 1)
    except ValueError:
        most = math.nan
    if not (0 <= most < math.inf):
        raise ConfigError(f"--max-drop {text}: `{metric}=number` or `{metric}=number%` is needed, not below 0")
    return Limit(metric, most, is_share)


def metrics_here(portfolio: Path) -> dict[str, dict[str, Any]]:
    """Metrics of each use case, as they stand in the working tree."""
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(portfolio.glob(f"*/{FILE}"))}


def metrics_at(revision: str) -> dict[str, dict[str, Any]]:
    """Metrics of each use case, as a git revision holds them.

    Raises
    ------
    ConfigError
        If there is no such revision, or it holds none.
    """
    if revision.startswith("-"):
        raise ConfigError(f"--against {revision} is not a revision of git")
    names = _git("ls-tree", "-r", "--name-only", revision, "--", f"{PORTFOLIO}/", fault=f"--against {revision}").splitlines()
    paths = [name for name in names if name.count("/") == 2 and name.endswith(f"/{FILE}")]
    if not paths:
        raise ConfigError(f"--against {revision}: there are no {PORTFOLIO}/<use_case>/{FILE} to compare with")
    return {
        Path(path).parent.name: json.loads(_git("cat-file", "blob", f"{revision}:./{path}", fault=f"--against {revision}"))
        for path in paths
    }


def compare(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]], limits: Iterable[Limit]) -> list[Comparison]:
    """Hold every limit against every use case that had its metric.

    Parameters
    ----------
    before, now : dict of str to dict
        Metrics by use case.
    limits : iterable of Limit

    Raises
    ------
    ConfigError
        If no use case had a metric: nothing would be checked.
    """
    found = []
    for limit in limits:
        had = {use_case: value for use_case, one in before.items() if (value := value_of(one, limit.metric)) is not None}
        if not had:
            raise ConfigError(f"--max-drop {limit.metric}: no use case had that metric, so nothing would be checked")
        for use_case, value in had.items():
            found.append(_compared(use_case, limit, value, value_of(now.get(use_case, {}), limit.metric)))
    return sorted(found, key=lambda one: (one.use_case, one.metric))


def value_of(metrics: dict[str, Any], metric: str) -> float | None:
    """A metric of the test rows; of clusters, which have none, of all rows."""
    return metrics.get(score_name(metric, metrics))


def _compared(use_case: str, limit: Limit, before: float, now: float | None) -> Comparison:
    from bank_models.metrics.names import as_score

    most = limit.most * abs(before) if limit.is_share else limit.most
    if now is None:
        return Comparison(use_case, limit.metric, before, None, None, most, True)
    drop = as_score(limit.metric, before) - as_score(limit.metric, now)
    return Comparison(use_case, limit.metric, before, now, drop, most, not (drop <= most))


def _git(*arguments: str, fault: str) -> str:
    try:
        ran = git.ask(Path(), *arguments)
    except FileNotFoundError as error:
        raise ConfigError(f"{fault}: {error.strerror}. Install git there.") from error
    if ran.returncode:
        raise ConfigError(f"{fault}: git says {ran.stderr.decode(errors='replace').strip().splitlines()[0]}")
    return ran.stdout.decode(errors="replace")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\nTo see how: python -m src.gate --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=as_typed("python -m src.gate"), description=as_typed(HELP), formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s --against REVISION --max-drop METRIC=NUMBER[%%] … [--json]",
    )  # fmt: skip
    parser.add_argument("--against", required=True, metavar="REVISION", help="a revision of git, such as HEAD~1 or main")
    parser.add_argument("--max-drop", required=True, nargs="+", action="extend", metavar="METRIC=NUMBER[%]")
    parser.add_argument("--json", action="store_true", help="print all that was compared as JSON")
    return parser


def _line(one: Comparison) -> dict[str, Any]:
    now = "gone" if one.now is None else one.now
    about = {"before": one.before, "now": now, "worse by": "gone" if one.drop is None else one.drop, "limit": one.limit}
    return {"use case": one.use_case, "metric": one.metric, **about}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

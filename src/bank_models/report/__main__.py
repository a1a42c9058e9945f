"""Commands of the report: `python -m src.report runs/credit_scoring/xgboost`, `python -m src.report compare RUN RUN`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bank_models import report
from bank_models.commands import as_typed
from bank_models.errors import ConfigError
from bank_models.files import writing
from bank_models.runtime.terminal import for_people

HELP = """\
Write the page of a finished run, report.html, from the files in its folder.

  python -m src.report runs/transaction_fraud/xgboost              prints it to a file beside the run: --out
  python -m src.report RUN_DIR --out page.html                     the run folder stays as it was written
  python -m src.report compare RUN_DIR RUN_DIR …                   one page for two to six runs of a use case

A run writes its own report.html, which its manifest.json covers; this one goes elsewhere."""


@for_people
def main(argv: list[str]) -> int:
    """Write the page; give the exit code."""
    return _compare(argv[1:]) if argv[:1] == ["compare"] else _report(argv)


def _report(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.report"), usage="%(prog)s RUN_DIR [--out FILE]", description=as_typed(HELP),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run's folder")
    parser.add_argument("--out", type=Path, help="where to write the page; by default <model>-report.html beside the folder")
    args = parser.parse_args(argv)
    check(args.run_dir)
    out = args.out or args.run_dir.with_name(f"{args.run_dir.resolve().name}-{report.NAME}")
    writing.replace_text(out, report.render(args.run_dir))
    print(os.path.relpath(out))
    return 0


def _compare(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.report compare"), usage="%(prog)s RUN_DIR RUN_DIR … [--out FILE]"
    )
    parser.add_argument("run_dirs", type=Path, nargs="*", metavar="RUN_DIR", help="folders of runs; others against the first")
    parser.add_argument("--out", type=Path, default=Path("comparison.html"), help="where to write the page")
    args = parser.parse_args(argv)
    for run_dir in args.run_dirs:
        check(run_dir)
    from bank_models.report import comparison

    writing.replace_text(args.out, comparison.render(args.run_dirs))
    print(os.path.relpath(args.out))
    return 0


def check(run_dir: Path) -> None:
    """Refuse a folder that holds no run.

    Raises
    ------
    ConfigError
    """
    for name in ("metadata.json", "metrics.json"):
        if not (run_dir / name).is_file():
            raise ConfigError(
                f"{run_dir} is not a run folder: it holds no {name}.\n"
                "Give the folder of a run, such as runs/transaction_fraud/xgboost."
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

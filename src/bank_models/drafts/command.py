"""`python -m src.use_cases new FILE target=COLUMN`: a use case for a table, and with `--train` a model at once."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bank_models.commands import as_typed, module_of
from bank_models.config import project
from bank_models.errors import ConfigError
from bank_models.files import writing
from bank_models.runtime.table import printable

if TYPE_CHECKING:
    from bank_models.drafts import Draft

KEYS = ("target", "key", "task", "positive", "metric", "time_column", "group_column", "weight_column", "sheet")
TASKS = ("binary", "multiclass", "regression")
MOST_SHOWN = 6
HELP = """\
Draft a use case for a table of your own: a file to read through, with what speaks for each line.

  python -m src.use_cases new loans.csv target=defaulted              writes my_conf/use_case/loans.yaml
  python -m src.use_cases new loans.csv target=defaulted --train      and trains a model at once

The file: CSV with any separator, decimal mark and encoding (.csv, .tsv, .txt, also .gz or .zst), Parquet or a folder of it,
.feather, .jsonl, .xlsx.

  target=COLUMN         what to predict
  key=NAME              name of the use case; else that of the file
  task=…                binary, multiclass or regression; else as the target looks
  positive=VALUE        the class to find, of two
  metric=…              see docs/reference/metrics.md
  time_column=COLUMN    when a row happened: the newest rows are the test
  group_column=COLUMN   whom a row belongs to: nobody is in two parts
  weight_column=COLUMN  how much a row counts: an exposure, a sampling weight
  sheet=NAME            of a spreadsheet; else its first

With --train every other setting goes to the training, such as model=lightgbm."""


def main(argv: list[str]) -> int:
    """Write the file, say what was understood, and train if asked; give the exit code."""
    args = parser().parse_intermixed_args(argv)
    given, others = read(args.words)
    if others and not args.train:
        raise ConfigError(f"{others[0]} is a setting of training: add --train.\nSettings of a draft: {', '.join(KEYS)}")
    project.confine({"FILE": args.file, "--config-dir": args.config_dir})
    from bank_models.drafts import draft_use_case

    draft = draft_use_case(args.file, **given)
    path = write(draft, args.config_dir, args.replace)
    for line in lines_of(draft):
        print(line)
    print(os.path.relpath(path))
    typed = ["--config-dir", str(args.config_dir), f"use_case={draft.key}", *others]
    if not args.train:
        print(as_typed(f"To train: python -m src.train {shlex.join(typed)}"))
        return 0
    return _train(typed)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog=as_typed("python -m src.use_cases new"),
        usage="%(prog)s FILE target=COLUMN [setting=value …] [--config-dir DIR] [--train]",
        description=as_typed(HELP), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    found.add_argument("file", help=argparse.SUPPRESS)
    found.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    found.add_argument("--config-dir", "-cd", type=Path, default=Path("my_conf"), help="the folder of your use cases (my_conf)")
    found.add_argument("--train", action="store_true", help="train a model at once")
    found.add_argument("--replace", action="store_true", help="write over a file of an earlier draft")
    return found


def read(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Settings of the draft, and those that are left for training.

    Raises
    ------
    ConfigError
    """
    given: dict[str, str] = {}
    others = []
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair:
            raise ConfigError(f"{word} is not a setting: one is written key=value, such as target=COLUMN.")
        if key in given:
            raise ConfigError(f"{key} is given twice: {given[key]} and {value}.")
        if key in KEYS:
            given[key] = value
        else:
            others.append(word)
    if not given.get("target"):
        raise ConfigError("Which column is to be predicted? Add target=COLUMN.")
    if given.get("task", "binary") not in TASKS:
        raise ConfigError(f"task={given['task']} is not known here: choose {', '.join(TASKS)}.")
    return given, others


def write(draft: Draft, config_dir: Path, may_replace: bool) -> Path:
    """Write the file, and refuse to write over another one unless asked."""
    path = config_dir / "use_case" / f"{draft.key}.yaml"
    if path.exists() and not may_replace:
        raise ConfigError(f"{path} is there already: add --replace to write it anew, or key=NAME for another one.")
    path.parent.mkdir(parents=True, exist_ok=True)
    writing.replace_text(path, draft.yaml)
    return path


def lines_of(draft: Draft) -> list[str]:
    """What was understood and what is unsure, for the terminal."""
    kinds = Counter(feature["type"] for feature in draft.use_case["features"].values())
    shown = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    lines = ["; ".join(draft.said[:2]), *draft.said[2:]]
    n_lags = len(draft.use_case.get("lags") or {})
    features = f"{sum(kinds.values()):,} features: {shown}" if kinds else f"{n_lags} features of earlier rows"
    lines.append(f"{features}; split {draft.choices['data_split']}, metric {draft.target.metric}")
    if draft.left_out:
        some = [f"{printable(name)} ({printable(why)})" for name, why in list(draft.left_out.items())[:MOST_SHOWN]]
        more = f" and {len(draft.left_out) - MOST_SHOWN} more" if len(draft.left_out) > MOST_SHOWN else ""
        lines.append(f"Left out: {', '.join(some)}{more}")
    doubts = [
        *draft.doubts[:MOST_SHOWN],
        *([f"and {len(draft.doubts) - MOST_SHOWN} more, in the file"] if draft.doubts[MOST_SHOWN:] else []),
    ]
    return [*lines, *(["Not sure:"] if doubts else []), *(f"  {doubt}" for doubt in doubts)]


def _train(typed: list[str]) -> NoReturn:
    """Become the training command: from here on this is one like any other."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module_of("train"), *typed])

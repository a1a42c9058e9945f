"""Samples of simulated rows: `python -m src.use_cases sample card_fraud rows=1000 out=card_fraud.parquet`."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path

from bank_models.commands import as_typed
from bank_models.config import CONF
from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError
from bank_models.files import yaml_file

USAGE = "python -m src.use_cases sample USE_CASE rows=1000 out=rows.parquet"
WRITERS = {".parquet": "to_parquet", ".csv": "to_csv"}
HELP = f"""\
Draw rows of a simulated use case into a file.

  {USAGE}

rows=  how many; unless given, as many as the use case trains on
seed=  42 unless given; the same seed gives the same rows
out=   a new file that ends in .parquet or .csv

No real customer is in the rows. What is true of them and what is not: docs/reference/simulation.md"""


def main(argv: list[str]) -> int:
    """Write the file and say what is in it; give the exit code."""
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.use_cases sample"),
        usage=as_typed(USAGE),
        description=as_typed(HELP),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("use_case", help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--config-dir", "-cd", type=Path, help="a folder with use cases of your own")
    args = parser.parse_intermixed_args(argv)
    folders = [CONF, *([args.config_dir] if args.config_dir else [])]
    given = _options(args.options)
    use_case = find(args.use_case, folders)
    path = _path(given)
    from bank_models.data import simulate

    seed = _whole("seed", given.get("seed", "42"))
    data = simulate(use_case, _whole("rows", given["rows"]) if "rows" in given else None, seed)
    getattr(data.frame, WRITERS[path.suffix])(path, index=False)
    print(f"{path} · {len(data.frame):,} simulated rows of {use_case.key}, seed {seed}: {use_case.row}")
    return 0


def find(name: str, config_dirs: Iterable[Path] = (CONF,)) -> UseCase:
    """A simulated use case by its name or its short name.

    Raises
    ------
    ConfigError
        If there is none, or it is not simulated.
    """
    paths = {path.stem: path for folder in config_dirs for path in (folder / "use_case").glob("*.yaml")}
    if name not in paths:
        near = difflib.get_close_matches(name, paths, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no use case is called {name}.{meant}\nTo list them: python -m src.use_cases data=simulated")
    values = yaml_file.read(paths[name])
    if "use_case" not in values:
        return find(next(entry for entry in values["defaults"] if entry != "_self_"), config_dirs)
    use_case = UseCase.model_validate(values["use_case"])
    if use_case.simulation is None:
        raise ConfigError(
            f"use_case={name} has real rows: no others are drawn.\nTo list those: python -m src.use_cases data=simulated"
        )
    return use_case


def _options(texts: list[str]) -> dict[str, str]:
    given = {}
    for text in texts:
        key, is_pair, value = text.partition("=")
        if not is_pair or key not in ("rows", "seed", "out"):
            raise ConfigError(f"{text} is not known here: give rows=, seed= and out=.\nFor example: {USAGE}")
        given[key] = value
    return given


def _path(given: dict[str, str]) -> Path:
    if "out" not in given:
        raise ConfigError(f"the rows need a file: out=rows.parquet or out=rows.csv.\nFor example: {USAGE}")
    path = Path(given["out"])
    if path.suffix not in WRITERS:
        raise ConfigError(f"out={path} must end in {' or '.join(WRITERS)}: that says how the rows are written")
    if path.exists():
        raise ConfigError(f"out={path} exists already: name another file, or move it away")
    return path


def _whole(key: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{key}={text} is not a whole number from 0 on")
    return int(text)

"""Score rows with a trained model: `python -m src.predict use_case=fraud input=payments.parquet output=scores.parquet`.

From Python: `load_model("fraud").predict(frame)`.
"""

from __future__ import annotations

import difflib
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.commands import as_typed
from bank_models.errors import ConfigError
from bank_models.files import folders
from bank_models.runtime.interrupt import answering
from bank_models.runtime.terminal import for_people, say_last

if TYPE_CHECKING:
    from bank_models.runtime.cluster import Cluster
    from bank_models.scoring.model import ScoringModel
    from bank_models.scoring.stream import Job

REGISTRY = Path("models")
KEYS = (
    "use_case", "version", "run_dir", "registry_dir", "input", "output", "on_bad_row", "rejects", "reasons", "batch_rows",
    "id_column", "escape_formulas", "launcher", "launcher.address", "n_threads",
)  # fmt: skip
PLACES = ("input", "output", "rejects", "run_dir", "registry_dir")
ON_BAD_ROW = ("fail", "reject")
LAUNCHERS = ("local", "ray")
YES_OR_NO = {"true": True, "false": False}
INTERRUPTED = "Interrupted: no scores were written, earlier ones are as they were."
HELP = """\
Score the rows of a table with a trained model.

  python -m src.predict use_case=fraud input=payments.parquet output=scores.parquet    the version in production
  python -m src.predict use_case=fraud version=1.2.0 input=… output=…                  another one
  python -m src.predict run_dir=runs/transaction_fraud/xgboost input=… output=…        a run that is not registered

Input and output are Parquet or CSV (also .csv.gz), as their names end. A CSV is UTF-8 with commas and a header line. The
columns are those of the use case; the target may be absent, other columns are left out. Memory does not grow with the number
of rows, except where the use case has lags: then the table must hold the rows to look back at, and is read whole.

  id_column=NAME       put this column beside each score; else the row's number
  reasons=0..4         the features that contribute most to each score, with value and contribution
  on_bad_row=fail      stop at a row that does not fit the use case's declaration (the default)
  on_bad_row=reject    leave such rows out and write them, with reasons, to rejects=FILE (<output>.rejects.<its end>)
  escape_formulas=true a text in CSV that a spreadsheet would take for a formula (=, +, -, @) gets an apostrophe in front; false
                       leaves it as it is, for programs
  batch_rows=100000    rows that are read and scored at once
  registry_dir=models  where the versions are
  launcher=ray         let the workers of a Ray cluster score a folder of Parquet files; what is written is the same
  launcher.address=…   auto or host:port of a cluster that runs; else Ray starts on this machine alone
  n_threads=8          with launcher=ray: cores to use of all machines together; else all of them

Exit codes: 0 good, 1 scoring failed, 2 bad settings or input, 4 a file of the model is not what was written."""


@for_people
def main(argv: list[str]) -> int:
    """Score a file; give the exit code."""
    if {"--help", "-h"} & set(argv):
        print(as_typed(HELP))
        return 0
    with answering(_leave):
        return _run(read(argv))


def read(argv: list[str]) -> dict[str, Any]:
    """Settings from key=value words, checked as far as words can be.

    Raises
    ------
    ConfigError
    """
    given: dict[str, str] = {}
    for word in argv:
        key, is_pair, value = word.partition("=")
        if not is_pair or key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{word} is not a setting.{meant}\nA setting is written key=value: {', '.join(KEYS)}")
        if key in given:
            raise ConfigError(f"{key} is given twice: {given[key]} and {value}.")
        if not value:
            raise ConfigError(f"{key}= has no value. To see what may be set: python -m src.predict --help")
        given[key] = value
    for key in ("input", "output"):
        if key not in given:
            raise ConfigError(f"{key}=FILE is missing. To see what must be set: python -m src.predict --help")
    if "use_case" not in given and "run_dir" not in given:
        raise ConfigError("Which model? Give use_case=NAME for the version in production, or run_dir=FOLDER for a run.")
    if "run_dir" in given and (other := {"version", "registry_dir"} & set(given)):
        raise ConfigError(f"run_dir={given['run_dir']} names a model, and so does {other.pop()}: give one of them.")
    settings = {"on_bad_row": "fail", "escape_formulas": "true", **given}
    if settings["on_bad_row"] not in ON_BAD_ROW:
        raise ConfigError(f"on_bad_row={settings['on_bad_row']} is not known: choose fail or reject.")
    if settings["escape_formulas"] not in YES_OR_NO:
        raise ConfigError(f"escape_formulas={settings['escape_formulas']} is not known: choose true or false.")
    if "rejects" in given and settings["on_bad_row"] == "fail":
        raise ConfigError("rejects=FILE goes with on_bad_row=reject: otherwise a bad row ends the scoring.")
    _check_launcher(settings)
    settings |= {"reasons": _whole(given, "reasons", 0, 4, 0), "batch_rows": _whole(given, "batch_rows", 1, 10**8, 100_000)}
    if "n_threads" in given:
        settings["n_threads"] = _whole(given, "n_threads", 1, 10**5, 1)
    return settings


def _check_launcher(settings: dict[str, str]) -> None:
    launcher = settings.get("launcher", "local")
    if launcher not in LAUNCHERS:
        raise ConfigError(f"launcher={launcher} is not known: choose local or ray.")
    if launcher == "local" and (other := {"launcher.address", "n_threads"} & set(settings)):
        raise ConfigError(f"{min(other)} goes with launcher=ray: add it, or leave {min(other)} out.")
    if launcher == "ray" and find_spec("ray") is None:
        raise ConfigError("launcher=ray needs Ray, which is not installed.\nType: make setup EXTRAS=ray")
    if "launcher.address" in settings:
        from bank_models.config.schema import cluster_address

        try:
            cluster_address(settings["launcher.address"])
        except ValueError as error:
            raise ConfigError(f"launcher.address={settings['launcher.address']}: {error}") from None


def _whole(given: dict[str, str], key: str, least: int, most: int, default: int) -> int:
    text = given.get(key, str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigError(f"{key}={text} is not a whole number from {least} to {most}.")
    return int(text)


def _run(settings: dict[str, Any]) -> int:
    from bank_models.config import project
    from bank_models.runtime.progress import Steps

    project.confine({key: settings.get(key) for key in PLACES})
    job = _job(settings)
    model = _model(settings)
    from bank_models.config.catalogue import full_name
    from bank_models.scoring.stream import score_file

    if "use_case" in settings and (key := full_name(settings["use_case"])) != model.use_case.key:
        raise ConfigError(f"use_case={key}, but {settings['run_dir']} holds a model of {model.use_case.key}.")
    with Steps(f"{model.use_case.key} · {model.version}") as steps, steps.step("score", total=100) as advance:
        tally = score_file(model, job, lambda share: advance(round(100 * share), 100, f"{job.input.name}"), _cluster(settings))
    for note in tally.notes(model.use_case.features):
        print(note, file=sys.stderr)
    if job.rejects:
        print(f"{tally.n_rejected:,} bad rows, with reasons: {os.path.relpath(job.rejects)}")
    print(f"{model.use_case.key} · {model.version}   {tally.n_scored:,} rows scored in {steps.durations_s['score']:.1f} s")
    print(os.path.relpath(job.output))
    return 0


def _job(settings: dict[str, Any]) -> Job:
    """Check the files before anything heavy is imported."""
    from bank_models.data.formats import check_output

    paths = {key: Path(settings[key]) for key in ("input", "output", "rejects") if key in settings}
    if settings["on_bad_row"] == "reject" and "rejects" not in paths:
        paths["rejects"] = _beside(paths["output"])
    for key in ("output", "rejects"):
        if key in paths:
            check_output(key, paths[key])
    if len({path.resolve() for path in paths.values()}) < len(paths):
        raise ConfigError("input, output and rejects must be different files.")
    from bank_models.scoring.stream import Job

    chosen = {key: settings.get(key) for key in ("reasons", "batch_rows", "id_column")}
    return Job(**paths, **chosen, escape_formulas=YES_OR_NO[settings["escape_formulas"]])


def _cluster(settings: dict[str, Any]) -> Cluster | None:
    if settings.get("launcher") != "ray":
        return None
    from bank_models.runtime.cluster import Cluster

    return Cluster(settings.get("launcher.address"), settings.get("n_threads"))


def _beside(output: Path) -> Path:
    stem, _, end = output.name.partition(".")
    return output.with_name(f"{stem}.rejects.{end}")


def _model(settings: dict[str, Any]) -> ScoringModel:
    if "run_dir" in settings:
        return load_model(Path(settings["run_dir"]))
    return load_model(settings["use_case"], settings.get("version"), Path(settings.get("registry_dir", REGISTRY)))


def load_model(model: str | Path, version: str | None = None, registry_dir: Path = REGISTRY) -> ScoringModel:
    """Load a model for scoring, every byte verified before it is used.

    Parameters
    ----------
    model : str or Path
        A use case (or a short name of one), or the folder of a run.
    version : str, optional
        Of the use case; None is the one in production.
    registry_dir : Path

    Returns
    -------
    ScoringModel
        Its `predict` takes a table and gives scores, decisions and, if asked, reasons.

    Raises
    ------
    ConfigError
        If there is no such model.
    IntegrityError
        If a file is not the one that was written.
    """
    from bank_models.scoring.model import load

    if isinstance(model, Path) or os.sep in model:
        return load(Path(model))
    from bank_models.config.catalogue import full_name
    from bank_models.registry.store import find

    found = find(full_name(model), version, registry_dir)
    return load(found.folder, found.entry["model_id"], found.manifest_sha256)


def _leave(number: int) -> None:
    """Say the last word, with nothing half-written left; the process ends at once."""
    folders.abandon()
    say_last(INTERRUPTED)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--help | head` is no error
    sys.exit(main(sys.argv[1:]))

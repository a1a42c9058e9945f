"""Stages of DVC: `python -m src.reproduce use_case=credit_scoring model=logistic_regression`.

`python -m src.reproduce use_case=credit_scoring model=logistic_regression` is a stage. Without settings it is `make repro`:
what DVC says is out of date is trained side by side first, and `dvc repro` then takes what is ready.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src import command_line
from src.errors import ConfigError, IntegrityError, TrainingError
from src.runs import record
from src.runtime.processes import end_with, end_with_parent
from src.runtime.terminal import for_people
from src.stages import outputs

if TYPE_CHECKING:
    from omegaconf import DictConfig

PORTFOLIO = Path("portfolio")
READY = Path("multirun/reproduce")  # run folders that no stage has taken yet
STAGE = "train@"
HELP = """\
Reproduce the portfolio of params.yaml with DVC.

  python -m src.reproduce                          train what is out of date on all cores, then dvc repro
  python -m src.reproduce use_case=… model=…       one stage of dvc.yaml, into portfolio/<use_case>/"""
EXPERIMENTS = "runs/experiments.jsonl"  # a stage looks at test rows as any run does
TOLD_TO_NOBODY = ("registry=none", "tracking=none", f"tracking.experiments={EXPERIMENTS}")
ONE_THREAD = "n_threads=1"  # XGBoost adds up in another order with more, which moved the last digits of one use case


@for_people
def main(argv: list[str]) -> int:
    """Run a stage, a sweep for stages to come, or everything; give the exit code."""
    if {"-h", "--help"} & set(argv):
        print(HELP)
        return 0
    if "--multirun" in argv:
        return command_line.run(train, argv, HELP)
    if not argv:
        return reproduce_all()
    given = dict(text.partition("=")[::2] for text in argv)
    if set(given) != {"use_case", "model"}:
        raise ConfigError(f"use_case=… and model=… are needed, and nothing else, but got {' '.join(argv)}")
    return reproduce(**given)


def train(cfg: DictConfig) -> float:
    """`src.train`, and beside its run folder the rows that it used."""
    from hydra.core.hydra_config import HydraConfig

    from src import train as entry
    from src.config import settings as config

    score = entry.main(cfg)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    frame_sha256 = record.read_verified(run_dir).fact("data", "frame_sha256")
    outputs.write_rows(outputs.rows_path(run_dir), config.read(cfg), frame_sha256)
    return score


def reproduce(use_case: str, model: str) -> int:
    """Fill `portfolio/<use_case>/` with what was trained beforehand, or train now.

    Raises
    ------
    ConfigError
        If `resolved/` does not know the pair.
    IntegrityError
        If what was trained is not what `resolved/` says.
    """
    end_with(os.getppid())  # a stage whose DVC was killed must not write into the folders of the next one
    settings = _resolved(use_case, model)
    run_dir = ready(use_case, model, settings)
    if run_dir is None:
        run_dir = READY / "alone" / use_case / model
        started = [f"use_case={use_case}", f"model={model}", ONE_THREAD, *TOLD_TO_NOBODY, f"hydra.run.dir={run_dir}"]
        if code := command_line.run(train, started, HELP):
            return code
        _check_trained(use_case, run_dir, settings)
    outputs.publish(run_dir, PORTFOLIO / use_case)
    for path in (run_dir.with_name(run_dir.name + ending) for ending in (".parquet", ".json", ".log")):
        path.unlink(missing_ok=True)
    shutil.rmtree(run_dir)
    return 0


def ready(use_case: str, model: str, settings: dict[str, Any]) -> Path | None:
    """The run folder of a sweep that has trained exactly this, with exactly the code that is here now."""
    from src.runs import fingerprint
    from src.sweeps import record as jobs

    for run_dir in READY.glob(f"*/{use_case}/{model}"):
        ended = jobs.read(run_dir)
        if not ended or ended["code"] != fingerprint.code_sha256() or not outputs.rows_path(run_dir).is_file():
            continue
        if jobs.is_finished(run_dir, ended["fingerprint"]) and _trained_with(run_dir) == settings:
            return run_dir
    return None


def reproduce_all() -> int:
    """Train what is out of date, as many use cases at once as there are cores, and let DVC take it; give DVC's exit code."""
    start = time.perf_counter()
    if code := _dvc("repro", "resolve"):
        return code
    waiting = {name: model for name, model in out_of_date().items() if not ready(name, model, _resolved(name, model))}
    for settings in sweeps(waiting):
        sweep_dir = READY / hashlib.sha256(" ".join(settings).encode()).hexdigest()[:12]
        sweep = [*settings, ONE_THREAD, *TOLD_TO_NOBODY, "hydra/launcher=joblib", f"hydra.sweep.dir={sweep_dir}", "resume=true"]
        _run("src.reproduce", "--multirun", *sweep)  # what failed, DVC will say
    trained = time.perf_counter()
    code = _dvc("repro", "--keep-going")
    if not code:
        shutil.rmtree(READY, ignore_errors=True)
    ended = time.perf_counter()
    print(f"{len(waiting)} trained in {trained - start:.0f} s, taken by DVC in {ended - trained:.0f} s")
    return code


def out_of_date() -> dict[str, str]:
    """Use cases whose stage would run, and the model of each."""
    from src.stages.resolve import models

    said = _run("dvc", "status", "--json", env=_environment(), stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if said.returncode:
        raise TrainingError("dvc status failed: see above")
    changed = {name.removeprefix(STAGE) for name in json.loads(said.stdout) if name.startswith(STAGE)}
    return {use_case: model for use_case, model in models().items() if use_case in changed}


def sweeps(models: dict[str, str]) -> list[list[str]]:
    """Settings of as few sweeps as possible: use cases with their own model share one, others go by model."""
    from src.config.catalogue import CONF, catalogue

    own = {entry["key"]: entry["model"] for entry in catalogue([CONF])}
    groups: dict[str | None, list[str]] = {}
    for use_case, model in models.items():
        groups.setdefault(None if own[use_case] == model else model, []).append(use_case)
    return [[f"use_case={','.join(use_cases)}", *([f"model={model}"] if model else [])] for model, use_cases in groups.items()]


def _resolved(use_case: str, model: str) -> dict[str, Any]:
    from src.stages.resolve import path_of

    try:
        settings = json.loads(path_of(use_case).read_text(encoding="utf-8"))["settings"]
        if settings["model"]["name"] == model:
            return settings
    except (OSError, ValueError):
        pass
    raise ConfigError(f"{path_of(use_case)} does not say use_case={use_case} model={model}: run dvc repro resolve")


def _trained_with(run_dir: Path) -> dict[str, Any]:
    from src.stages.resolve import determining

    return determining(record.read_verified(run_dir).facts["config"])


def _check_trained(use_case: str, run_dir: Path, settings: dict[str, Any]) -> None:
    from src.stages import lineage

    if _trained_with(run_dir) != settings:
        raise IntegrityError(f"{use_case} was not trained as resolved/ says: conf/ changed meanwhile. Run dvc repro again.")
    lineage.check_loaded(record.read_verified(run_dir).facts["config"], list(sys.modules))


def _dvc(*arguments: str) -> int:
    return _run("dvc", *arguments, env=_environment()).returncode


def _environment() -> dict[str, str]:
    from src.tracking import dvc_folders

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # dvc.yaml says python
    return dvc_folders.environment(Path()) | {"PATH": path}


def _run(module: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess:
    """Run a module in a process that does not outlive this one."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=False, preexec_fn=end_with_parent, **how)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Stages of DVC: `python -m src.reproduce fit use_case=credit_scoring model=logistic_regression`, and the same with `evaluate`.

Without arguments it is `make repro`: what DVC says is out of date is fitted and evaluated side by side first, and `dvc repro`
then takes what is ready.
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

from bank_models import command_line
from bank_models.commands import as_typed, module_of
from bank_models.errors import ConfigError, IntegrityError, TrainingError
from bank_models.files import folders, manifest, writing
from bank_models.runs.names import MODEL
from bank_models.runtime.processes import end_with, end_with_parent
from bank_models.runtime.terminal import for_people
from bank_models.stages import outputs

if TYPE_CHECKING:
    from omegaconf import DictConfig

PORTFOLIO = Path("portfolio")
READY = Path("multirun/reproduce")  # what no stage has taken yet
ALONE = Path("multirun/stages")  # where a stage works for which nothing is ready
MADE_FROM = "made_from.json"
HELP = """\
Reproduce the portfolio of params.yaml with DVC.

  python -m src.reproduce                                  do what is out of date on all cores, then dvc repro
  python -m src.reproduce fit use_case=… model=…           stages of dvc.yaml, into portfolio/<use_case>/
  python -m src.reproduce evaluate use_case=… model=…"""
EXPERIMENTS = "runs/experiments.jsonl"  # a stage looks at test rows as any run does
TOLD_TO_NOBODY = ("registry=none", "tracking=none", f"tracking.experiments={EXPERIMENTS}")
ONE_THREAD = "n_threads=1"  # XGBoost adds up in another order with more, which moved the last digits of one use case


@for_people
def main(argv: list[str]) -> int:
    """Run a stage, a sweep for stages to come, or everything; give the exit code."""
    if {"-h", "--help"} & set(argv):
        print(as_typed(HELP))
        return 0
    if not argv:
        return reproduce_all()
    stage, *settings = argv
    if "--multirun" in settings and stage in AHEAD:
        return command_line.run(AHEAD[stage], settings, HELP)
    given = dict(text.partition("=")[::2] for text in settings)
    if stage not in STAGES or set(given) != {"use_case", "model"}:
        raise ConfigError(f"fit or evaluate, use_case=… and model=… are needed, and nothing else, but got {' '.join(argv)}")
    return reproduce(stage, **given)


def fit(cfg: DictConfig) -> None:
    """Fit into a folder beside the job's own, with a note of what it was made from."""
    from hydra.core.hydra_config import HydraConfig

    from bank_models.config import settings as config
    from bank_models.pipeline.fit.stage import fit as fit_stage
    from bank_models.runs import fingerprint
    from bank_models.stages.resolve import withheld
    from bank_models.train import split_seed

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    checked = config.read(cfg, config_dirs=config.config_dirs_of(HydraConfig.get()))
    made = beside(run_dir)
    shutil.rmtree(made, ignore_errors=True)
    fit_stage(withheld(checked), made, split_seed())
    writing.write_json(made / MADE_FROM, {"config": checked.model_dump(mode="json"), "code": fingerprint.code_sha256()})
    folders.remove_empty(run_dir)


def evaluate(cfg: DictConfig) -> float:
    """Evaluate the fit that stands in the portfolio, into the job's folder."""
    return _evaluate(cfg, PORTFOLIO / cfg.use_case.key)


def train(cfg: DictConfig) -> float:
    """Fit, and evaluate that."""
    from hydra.core.hydra_config import HydraConfig

    fit(cfg)
    return _evaluate(cfg, beside(Path(HydraConfig.get().runtime.output_dir)))


STAGES = {"fit": fit, "evaluate": evaluate}
AHEAD = {"train": train, "evaluate": evaluate}


def _evaluate(cfg: DictConfig, home: Path) -> float:
    from hydra.core.hydra_config import HydraConfig

    from bank_models import tracking
    from bank_models.config import settings as config
    from bank_models.pipeline.evaluate.stage import evaluate as evaluate_stage

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    checked = config.read(cfg, config_dirs=config.config_dirs_of(HydraConfig.get()))
    score = evaluate_stage(checked, home, run_dir, config.hydra_files(cfg, HydraConfig.get()))
    tracking.track(run_dir, "none", None, None, checked.tracking.experiments)
    return score


def beside(run_dir: Path) -> Path:
    """Where the fit stands whose evaluation is this run."""
    return run_dir.with_name(run_dir.name + ".fit")


def reproduce(stage: str, use_case: str, model: str) -> int:
    """Fill `portfolio/<use_case>/` with what a stage gives: what was made beforehand, or now.

    Raises
    ------
    ConfigError
        If `resolved/` does not know the pair.
    IntegrityError
        If what was made is not what `resolved/` says.
    """
    end_with(os.getppid())  # a stage whose DVC was killed must not write into the folders of the next one
    settings, home = _resolved(use_case, model), PORTFOLIO / use_case
    made = ready_fit(use_case, model, settings) if stage == "fit" else ready_run(use_case, model, settings, home)
    if made is None:
        run_dir = ALONE / use_case / model
        started = [f"use_case={use_case}", f"model={model}", ONE_THREAD, *TOLD_TO_NOBODY, f"hydra.run.dir={run_dir}"]
        if code := command_line.run(STAGES[stage], started, HELP):
            return code
        made = beside(run_dir) if stage == "fit" else run_dir
        _check_made(stage, use_case, made, settings)
    if stage == "fit":
        outputs.publish_fit(made, home)
    else:
        outputs.publish(made, home)
        for path in (made.with_name(made.name + ending) for ending in (".json", ".log")):
            path.unlink(missing_ok=True)
    shutil.rmtree(made)
    return 0


def ready_fit(use_case: str, model: str, settings: dict[str, Any]) -> Path | None:
    """The fit of a sweep that was made from exactly these settings, with exactly the code that is here now."""
    from bank_models.runs import fingerprint

    for note in READY.glob(f"*/{use_case}/{model}.fit/{MADE_FROM}"):  # written last
        made_from = json.loads(note.read_text(encoding="utf-8"))
        if made_from["code"] == fingerprint.code_sha256() and _settings_of(note.parent) == settings:
            manifest.verify(note.parent / MODEL)
            return note.parent
    return None


def ready_run(use_case: str, model: str, settings: dict[str, Any], home: Path) -> Path | None:
    """The run folder of a sweep that has evaluated the fit in a folder, with these settings and the code that is here now."""
    from bank_models.runs import fingerprint
    from bank_models.sweeps import record as jobs

    for run_dir in READY.glob(f"*/{use_case}/{model}"):
        ended = jobs.read(run_dir)
        if not ended or ended["code"] != fingerprint.code_sha256() or not jobs.is_finished(run_dir, ended["fingerprint"]):
            continue
        if _settings_of(run_dir) == settings and _is_of_fit(run_dir, home):
            return run_dir
    return None


def _is_of_fit(run_dir: Path, home: Path) -> bool:
    """Whether a run has the model, the folds and so on of the fit in a folder, byte for byte."""
    of_run, of_fit = (manifest.read_manifest(folder) for folder in (run_dir, home / MODEL))
    return all(of_run[name] == of_fit[name] for name in of_run.keys() & of_fit.keys() - {manifest.MANIFEST})


def reproduce_all() -> int:
    """Do what is out of date, as many use cases at once as there are cores, and let DVC take it; give DVC's exit code."""
    start = time.perf_counter()
    if code := _dvc("repro", "resolve"):
        return code
    stale = out_of_date()
    waiting = to_do(stale)
    for stage, models in waiting.items():
        for settings in sweeps(models):
            sweep_dir = READY / hashlib.sha256(" ".join([stage, *settings]).encode()).hexdigest()[:12]
            how = [ONE_THREAD, *TOLD_TO_NOBODY, "hydra/launcher=joblib", f"hydra.sweep.dir={sweep_dir}", "resume=true"]
            _run(module_of("reproduce"), stage, "--multirun", *settings, *how)  # what failed, DVC will say
    made = time.perf_counter()
    if any(stale.values()) and set(stages_of_dvc()) == {"resolve", *STAGES}:  # others would be recorded though they did not run
        record_at_once(stale)
    code = _dvc("repro", "--keep-going")
    if not code:
        shutil.rmtree(READY, ignore_errors=True)
    ended = time.perf_counter()
    n_trained, n_evaluated = (len(models) for models in waiting.values())
    print(f"{n_trained} trained, {n_evaluated} evaluated in {made - start:.0f} s, taken by DVC in {ended - made:.0f} s")
    return code


def out_of_date() -> dict[str, set[str]]:
    """Use cases by the stage that would run."""
    said = _run("dvc", "status", "--json", env=_environment(), stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if said.returncode:
        raise TrainingError("dvc status failed: see above")
    names = [name.partition("@") for name in json.loads(said.stdout)]
    return {stage: {use_case for found, _, use_case in names if found == stage} for stage in STAGES}


def to_do(stale: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    """Models of the use cases to train, and of those of which only the evaluation is out of date, less what is ready."""
    from bank_models.stages.resolve import models

    trained, evaluated = {}, {}
    for use_case, model in models().items():
        settings, home = _resolved(use_case, model), PORTFOLIO / use_case
        if use_case in stale["fit"]:
            made = ready_fit(use_case, model, settings)
            if made is None or not ready_run(use_case, model, settings, made):
                trained[use_case] = model
        elif use_case in stale["evaluate"] and not ready_run(use_case, model, settings, home):
            evaluated[use_case] = model
    return {"train": trained, "evaluate": evaluated}


def record_at_once(stale: dict[str, set[str]]) -> None:
    """Lay out what is out of date and let DVC record it in one step, if all of it is ready.

    After each stage of a `dvc repro`, DVC writes its whole lock file anew. That takes two seconds for 129 stages, four minutes
    for all of them.
    """
    if _dvc("repro", "--quiet", "resolve"):
        return
    ready = what_is_ready(stale)
    if not all(run_dir for _, run_dir, _ in ready):
        return
    for made, run_dir, home in ready:
        if made:
            outputs.publish_fit(made, home)
        outputs.publish(run_dir, home)
    _dvc("commit", "--force", "--quiet", "dvc.yaml")


def what_is_ready(stale: dict[str, set[str]]) -> list[tuple[Path | None, Path | None, Path]]:
    """Fit, run and place of each use case that is out of date; the fit is None where it stands there already."""
    from bank_models.stages.resolve import models

    found = []
    for use_case, model in models().items():
        if use_case not in stale["fit"] | stale["evaluate"]:
            continue
        settings, home = _resolved(use_case, model), PORTFOLIO / use_case
        made = ready_fit(use_case, model, settings) if use_case in stale["fit"] else None
        has_fit = made is not None or use_case not in stale["fit"]
        found.append((made, ready_run(use_case, model, settings, made or home) if has_fit else None, home))
    return found


def stages_of_dvc() -> list[str]:
    """Names of the stages of dvc.yaml."""
    import yaml

    return list(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"])


def sweeps(models: dict[str, str]) -> list[list[str]]:
    """Settings of as few sweeps as possible: use cases with their own model share one, others go by model."""
    from bank_models.config import project
    from bank_models.config.catalogue import catalogue

    own = {entry["key"]: entry["model"] for entry in catalogue(project.config_dirs())}
    groups: dict[str | None, list[str]] = {}
    for use_case, model in models.items():
        groups.setdefault(None if own[use_case] == model else model, []).append(use_case)
    return [[f"use_case={','.join(use_cases)}", *([f"model={model}"] if model else [])] for model, use_cases in groups.items()]


def _resolved(use_case: str, model: str) -> dict[str, Any]:
    from bank_models.stages.resolve import path_of

    try:
        settings = json.loads(path_of(use_case).read_text(encoding="utf-8"))["settings"]
        if settings["model"]["name"] == model:
            return settings
    except (OSError, ValueError):
        pass
    raise ConfigError(f"{path_of(use_case)} does not say use_case={use_case} model={model}: run dvc repro resolve")


def _config_of(made: Path) -> dict[str, Any]:
    """The configuration that a fit or a run was made from."""
    if (made / MADE_FROM).is_file():
        return json.loads((made / MADE_FROM).read_text(encoding="utf-8"))["config"]
    from bank_models.runs import record

    return record.read_verified(made).facts["config"]


def _settings_of(made: Path) -> dict[str, Any]:
    from bank_models.stages.resolve import determining

    return determining(_config_of(made))


def _check_made(stage: str, use_case: str, made: Path, settings: dict[str, Any]) -> None:
    from bank_models.stages import lineage

    if _settings_of(made) != settings:
        raise IntegrityError(f"{use_case} was not made as resolved/ says: conf/ changed meanwhile. Run dvc repro again.")
    lineage.check_loaded(stage, _config_of(made), list(sys.modules))


def _dvc(*arguments: str) -> int:
    return _run("dvc", *arguments, env=_environment()).returncode


def _environment() -> dict[str, str]:
    from bank_models.tracking import dvc_folders

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # dvc.yaml says python
    return dvc_folders.environment(Path()) | {"PATH": path}


def _run(module: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess:
    """Run a module in a process that does not outlive this one."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=False, preexec_fn=end_with_parent, **how)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

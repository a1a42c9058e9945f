"""Train one model of one use case: `python -m src.train model=xgboost use_case=fraud`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models import command_line
from bank_models.commands import as_typed

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """\
Train one model of one use case: data, split, cross-validation, fit, test, artefacts.

  python -m src.train                                              the default use case, on real data
  python -m src.train model=xgboost use_case=fraud seed=1          choose options of groups, set any value
  python -m src.train --multirun model=xgboost,lightgbm            every combination

--cfg job prints all that can be set. More flags: --config-dir DIR (options of your own), --info, --hydra-help,
--shell-completion install=bash. Results go to runs/<use_case>/<model>; hydra.run.dir=… changes that."""


def main(cfg: DictConfig) -> float:
    """Train what the composed configuration says; Hydra's sweepers get the score on val, higher is better."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from bank_models.files import folders

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().job.chdir:  # settings name places as they are seen from where the command was typed
        os.chdir(HydraConfig.get().runtime.cwd)
    folders.check_replaceable(run_dir)  # first: Hydra has made the folder, and who leaves now takes it back
    from bank_models import tracking
    from bank_models.config import settings as config
    from bank_models.pipeline.run import train
    from bank_models.runs import history
    from bank_models.runtime.blas import one_thread_of_blas

    checked = config.read(cfg, config_dirs=config.config_dirs_of(HydraConfig.get()))
    conf = config.config_dirs_of(HydraConfig.get())[-1]
    registry = Path(checked.registry.path) if checked.registry.kind == "local" and _is_told_of("registry=local") else None
    is_single = OmegaConf.is_missing(HydraConfig.get().job, "num")
    with folders.keeps(
        run_dir, history.place_of if is_single else None
    ) as kept:  # a simultaneous run of the same folder waits until this one is registered
        try:
            with one_thread_of_blas():
                score = train(checked, run_dir, config.hydra_files(cfg, HydraConfig.get()), registry, split_seed(), conf)
        finally:
            folders.remove_empty(run_dir)
        chosen = checked.tracking
        kind = chosen.kind if _is_told_of(f"tracking={chosen.kind}") else "none"
        name = config.typed(HydraConfig.get(), "job.name")
        tracking.track(run_dir, kind, chosen.path, chosen.uri_env, chosen.experiments, name)
        if registry is not None:
            register(run_dir, registry, checked.use_case.key, kept.manifest_sha256)
    if is_single:
        print(next_steps(os.path.relpath(run_dir)), file=sys.stderr)
    return score


def next_steps(run_dir: str) -> str:
    """What a person may do with a finished run, as commands to type."""
    folder = shlex.quote(run_dir)
    return as_typed(
        f"Next: open {shlex.quote(f'{run_dir}/report.html')} in a browser\n"
        f"      score a table   python -m src.predict run_dir={folder} input=TABLE.csv output=scores.csv\n"
        "      compare runs    python -m src.runs list"
    )


def _is_told_of(setting: str) -> bool:
    """Whether others are told of this run: of one of its own they are, of a sweep's job, which has a number, only if asked."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    return OmegaConf.is_missing(HydraConfig.get().job, "num") or setting in HydraConfig.get().overrides.task


def split_seed() -> int | None:
    """The seed that the use case's own options split its rows by, whatever was typed."""
    from hydra.core.hydra_config import HydraConfig

    from bank_models.config import catalogue
    from bank_models.config.settings import config_dirs_of

    here = HydraConfig.get()
    chosen = here.runtime.choices
    return catalogue.split_seed(chosen["use_case"], chosen["data_split"], config_dirs_of(here))


def register(run_dir: Path, root: Path, use_case: str, manifest_sha256: str | None) -> None:
    """Make a run a version of its use case, if it isn't the newest one again, and say which.

    The hash is that of the run that this process has written.
    """
    from bank_models.registry.store import open_registry

    registry = open_registry(root)
    same = registry.unchanged(run_dir, use_case, manifest_sha256)
    version = same or registry.register(run_dir, use_case=use_case, manifest_sha256=manifest_sha256)
    again = " (the same model again: nothing new is registered)" if same else ""
    print(f"{os.path.relpath(version.folder)}   {version.entry['model_id']}, {version.status}{again}")


if __name__ == "__main__":
    sys.exit(command_line.run(main, sys.argv[1:], HELP))

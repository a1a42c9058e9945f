"""Preview of a sweep: `--multirun --cfg job` shows the configuration of every job and starts none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.config.compose import compose_job, composer, without_hydra
from bank_models.sweeps import display
from bank_models.sweeps.plan import plan

if TYPE_CHECKING:
    from omegaconf import DictConfig


def preview(texts: list[str], config_dirs: list[Path], root: str, resolve: bool) -> int:
    """Print a YAML document for each job that a command line means, below its folder and its overrides.

    Parameters
    ----------
    texts : list of str
        Overrides, as typed.
    config_dirs : list of Path
    root : str
        Name of the file where composition begins.
    resolve : bool
        Whether interpolations are replaced by what they mean.

    Returns
    -------
    int
        The exit code: 0.

    Raises
    ------
    ConfigError
        If the sweep would be refused.
    """
    with display.checking() as advance:
        planned = plan(texts, config_dirs, "", advance, root)
    if planned.jobs is None:
        print(_document("what all trials share", planned.cfg, resolve), end="")
        return 0
    hydras = [text for text in texts if text.lstrip("+~").startswith("hydra")]
    with composer(config_dirs, root) as compose:
        for job in planned.jobs:
            about = f"{job.subdir}: {' '.join(job.overrides)}"
            if job.refusal is not None:
                print(f"---\n# refused: {' '.join(job.overrides)}: {' '.join(job.refusal.split())}")
            else:
                print(_document(about, compose_job(compose, [*hydras, *job.overrides], config_dirs), resolve), end="")
    return 0


def _document(about: str, cfg: DictConfig, resolve: bool) -> str:
    from omegaconf import OmegaConf

    return f"---\n# {about}\n{OmegaConf.to_yaml(without_hydra(cfg), resolve=resolve)}"

"""Search space of `hydra/sweeper=optuna`: only what leaves the scores of its trials comparable."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.config.compose import check_job, compose_job
from bank_models.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

SPLIT_SEED = "data_split.random_state"
NOT_SEARCHED = {
    "use_case": "each has its own metric and rows, and the best of them is the easiest one",
    "data_source": "each gives other rows, and the best of them is the easiest source",
    "data_split": "each gives other val and test rows, and the best of them is the luckiest split",
    "experiment": "each may choose other rows and another metric",
    SPLIT_SEED: "each value gives other val and test rows, and the best of them is the luckiest split",
}


def check(
    compose: Callable[[list[str]], DictConfig],
    settings: DictConfig,
    hydras: list[str],
    own: list[Override],
    config_dirs: list[Path],
) -> DictConfig:
    """The configuration that the trials of a search share, after one trial of every searched option was composed.

    Raises
    ------
    ConfigError
        If the scores of its trials could not be compared, or an option has not got what is searched.
    """
    if any(one.lstrip("+") == "hydra.sweeper.direction=minimize" for one in hydras):
        raise ConfigError(
            "hydra.sweeper.direction=minimize: a job's score is higher where its metric is better, losses too.\n"
            "Leave it out, or type hydra.sweeper.direction=maximize."
        )
    swept = [one for one in own if one.is_sweep_override()]
    for name in [one.key_or_group for one in swept] + list(settings.hydra.sweeper.get("params") or {}):
        if name in NOT_SEARCHED:
            raise ConfigError(
                f"{name} cannot be searched: {NOT_SEARCHED[name]}.\n"
                "To see how far scores depend on it, leave hydra/sweeper out and compare none by its best."
            )
    fixed = [one.input_line for one in own if not one.is_sweep_override()]
    choices = [_options(one) if "." not in one.key_or_group else _options(one)[:1] for one in swept]
    for trial in itertools.product(*choices):
        check_job(compose_job(compose, [*hydras, *fixed, *trial], config_dirs))
    cfg = compose_job(compose, [*hydras, *fixed], config_dirs)
    check_job(cfg)
    return cfg


def _options(override: Override) -> list[str]:
    """What a sweep may set, as overrides; of an interval its start."""
    from hydra.core.override_parser.types import Transformer

    if override.is_interval_sweep():
        return [f"{override.get_key_element()}={override.value().start}"]
    return [f"{override.get_key_element()}={one}" for one in override.sweep_iterator(transformer=Transformer.encode)]

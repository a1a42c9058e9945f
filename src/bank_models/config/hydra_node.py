"""Safety of Hydra's own node: it names code to import, so only the keys listed here may differ from ours.

The rule looks at what was composed, not at what was typed: how a setting found its way into the node does not matter.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bank_models.config import CONF, interpolations
from bank_models.errors import ConfigError, ForbiddenError

if TYPE_CHECKING:
    from omegaconf import DictConfig

Key = tuple[str, ...]
LAUNCHERS = {
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher": "basic",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher": "joblib",
    "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher": "ray",
}
SWEEPERS = {
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper": "basic",
    "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper": "optuna",
    "hydra_plugins.portfolio.PortfolioSweeper": "portfolio",
}
SAMPLERS = {
    "hydra_plugins.hydra_optuna_sweeper._impl.create_nsgaii_sampler": "nsgaii",  # of the sweeper 1.4, as are the next ones
    "hydra_plugins.hydra_optuna_sweeper._impl.create_nsgaiii_sampler": "nsgaiii",
    "optuna.samplers.GPSampler": "gp",
    "optuna.samplers.QMCSampler": "qmc",
    "optuna.samplers.CmaEsSampler": "cmaes",
    "optuna.samplers.GridSampler": "grid",
    "optuna.samplers.MOTPESampler": "motpe",
    "optuna.samplers.NSGAIISampler": "nsgaii",
    "optuna.samplers.RandomSampler": "random",
    "optuna.samplers.TPESampler": "tpe",
}
LOGS = {"job_logging": ("disabled", "none", "stdout"), "hydra_logging": ("default", "disabled", "none")}
ANY = re.compile(r".*", re.DOTALL)
PLAIN = re.compile(r"[\w. -]*")
LEVEL = re.compile("NOTSET|DEBUG|INFO|WARNING|ERROR|CRITICAL")
FREE = {
    "mode": PLAIN,
    "verbose": ANY,
    "output_subdir": re.compile(r"None|\.?\w[\w-]*"),
    "run.dir": ANY,
    "sweep.dir": ANY,
    "sweep.subdir": ANY,
    "job.chdir": PLAIN,
    "job.name": PLAIN,
    "job_logging.root.level": LEVEL,
    "hydra_logging.root.level": LEVEL,
    "job.config.override_dirname.exclude_keys": ANY,
    "job.config.override_dirname.item_sep": ANY,
    "job.config.override_dirname.kv_sep": ANY,
}
FREE_OF = {
    "joblib": {
        **{f"launcher.{name}": PLAIN for name in ("backend", "batch_size", "max_nbytes", "mmap_mode", "n_jobs", "prefer")},
        **{f"launcher.{name}": PLAIN for name in ("require", "timeout", "verbose")},
        "launcher.pre_dispatch": re.compile(r"all|\d+|(\d+ ?\* ?)?n_jobs"),  # joblib evaluates it
        "launcher.temp_folder": ANY,
    },
    "ray": {
        **{f"launcher.ray.init.{name}": PLAIN for name in ("num_cpus", "num_gpus", "object_store_memory", "dashboard_port")},
        **{f"launcher.ray.init.{name}": PLAIN for name in ("ignore_reinit_error", "include_dashboard", "local_mode")},
        **{f"launcher.ray.init.{name}": PLAIN for name in ("log_to_driver", "logging_level", "namespace")},
        **{f"launcher.ray.remote.{name}": PLAIN for name in ("accelerator_type", "max_calls", "max_retries", "memory")},
        **{f"launcher.ray.remote.{name}": PLAIN for name in ("num_cpus", "num_gpus", "scheduling_strategy")},
        "launcher.ray.init.address": ANY,
        "launcher.ray.init.resources.*": PLAIN,
        "launcher.ray.remote.resources.*": PLAIN,
    },
    "portfolio": {"sweeper.max_batch_size": PLAIN, "sweeper.params.*": ANY},
    "optuna": {
        **{f"sweeper.{name}": PLAIN for name in ("direction", "max_failure_rate", "n_jobs", "n_trials", "study_name")},
        **{f"sweeper.{name}": ANY for name in ("params.*", "storage")},
        "sweeper.sampler.x0.*": PLAIN,
        "sweeper.sampler.*": PLAIN,
    },
}
FREE_OF["basic"] = FREE_OF["portfolio"]
MADE_BY_HYDRA = ("runtime.", "overrides.", "searchpath", "job.override_dirname", "job.config_name")
WHY = {
    "callbacks": "names code to run",
    "job_logging": "names code to run",
    "hydra_logging": "names code to run",
    "sweeper.custom_search_space": "names code to run",
    "sweeper.search_space": "is deprecated: use hydra.sweeper.params, or type the ranges",
    "launcher": "is not a setting of the launcher that may be chosen here",
    "sweeper": "is not a setting of the sweeper that may be chosen here",
    "searchpath": "brings in configuration from elsewhere; use --config-dir",
    "job.env_set": "would change the environment of a run; export the variable before the command",
    "job.env_copy": "would write environment variables into saved files",
}
CODE = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_", "()", "class")


def check_override(override: Any, typed: str) -> None:
    """Refuse an override that no configuration may hold, before anything is composed.

    Parameters
    ----------
    override : Override
        As Hydra's parser reads it.
    typed : str
        For the message.

    Raises
    ------
    ForbiddenError
    """
    keys = re.split(r"[.@:/]", override.get_key_element().lstrip("+~"))
    value = override._value
    if any(key in CODE for key in keys) or any(_names_code(one) for one in _mappings(value)):
        raise ForbiddenError(f"{typed!r} is refused: a setting may not name code to run.")
    for text in interpolations.strings([override.key_or_group, override.package or "", value]):
        interpolations.check(text, repr(typed))
    if keys[0] == "hydra" and "/" not in override.key_or_group:
        for key in _keys_set(override.key_or_group, value):
            if not _may_be_set(key):
                raise _refusal(key)


def _keys_set(key_or_group: str, value: Any) -> list[str]:
    """Keys below `hydra` that an override sets."""
    at = key_or_group.partition(".")[2]
    if isinstance(value, dict):
        return [".".join(filter(None, [at, *key])) for key, _ in leaves(value)]
    return [at]


def _may_be_set(key: str) -> bool:
    return any(_matches(key, pattern) for free in (FREE, *FREE_OF.values()) for pattern in free)


def _mappings(value: Any) -> Iterator[Mapping]:
    if isinstance(value, Mapping):
        yield value
        for one in value.values():
            yield from _mappings(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _mappings(one)
    elif is_dataclass(value):
        yield from _mappings(list(vars(value).values()))


def _names_code(values: Mapping) -> bool:
    return any(str(key) in CODE for key in values)


def check(cfg: DictConfig, overrides: Sequence[str], searchpath: Sequence[str]) -> None:
    """Compare Hydra's node of a composed configuration with that of our own composition.

    Parameters
    ----------
    cfg : DictConfig
        Composed by Hydra, its own node included.
    overrides : sequence of str
        What it was composed of.
    searchpath : sequence of str
        Folders beside our own that took part.

    Raises
    ------
    ForbiddenError
        If a key differs that may not, or a value is not what its key may have.
    """
    from omegaconf import OmegaConf

    node = dict(leaves(OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True)))
    kinds = _kinds(node)
    choices = cfg.hydra.runtime.choices
    for name, options in LOGS.items():
        if choices.get(f"hydra/{name}") not in options:
            raise ForbiddenError(f"hydra/{name}={choices.get(f'hydra/{name}')} is refused: choose {' or '.join(options)}.")
    ours = _ours(*kinds, *(choices[f"hydra/{name}"] for name in LOGS))
    free = FREE | {key: of for kind in kinds for key, of in FREE_OF.get(kind or "", {}).items()}
    for key in {**node, **ours}:
        name = ".".join(key)
        if name.startswith(MADE_BY_HYDRA) or (key in node and key in ours and _equal(node[key], ours[key])):
            continue
        if key not in node and ours[key] == {} and any(longer[: len(key)] == key for longer in node):
            continue  # a mapping of nothing got keys, which are looked at one by one
        allowed = next((of for pattern, of in free.items() if _matches(name, pattern)), None)
        if allowed is None or key[-1] in CODE:
            raise _refusal(name)
        if key in node:
            _check_value(cfg, name, node[key], allowed)
    _check_made_by_hydra(cfg, overrides, searchpath)


def _kinds(node: Mapping[Key, Any]) -> tuple[str, str, str | None]:
    """Launcher, sweeper and sampler by the names of their options: what runs is told by exact targets."""
    found = []
    for place, known in (("launcher", LAUNCHERS), ("sweeper", SWEEPERS), ("sweeper.sampler", SAMPLERS)):
        target = node.get((*place.split("."), "_target_"))
        if place == "sweeper.sampler" and found[-1] != "optuna":
            found.append(None)
        elif target not in known:
            options = ", ".join(sorted(set(known.values())))
            raise ForbiddenError(f"hydra.{place}._target_={target} is refused: it names code to run. Choose one of {options}.")
        else:
            found.append(known[target])
    return tuple(found)


@cache
def _ours(launcher: str, sweeper: str, sampler: str | None, job_logging: str, hydra_logging: str) -> dict[Key, Any]:
    """Leaves of our own composition with the same options, in which no file of anybody else takes part."""
    from hydra import compose
    from omegaconf import OmegaConf

    chosen = {"launcher": launcher, "sweeper": sweeper, "job_logging": job_logging, "hydra_logging": hydra_logging}
    overrides = [f"hydra/{group}={option}" for group, option in chosen.items()]
    overrides += [f"hydra/sweeper/sampler={sampler}"] if sampler else []
    with _our_files_alone():
        cfg = compose("config", overrides=overrides, return_hydra_config=True)
    return dict(leaves(OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True)))


@contextlib.contextmanager
def _our_files_alone() -> Iterator[None]:
    """Hydra without the folder of anybody else, in which a root file may stand."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = before


def _check_value(cfg: DictConfig, name: str, value: Any, allowed: re.Pattern) -> None:
    from omegaconf import OmegaConf

    if name.startswith(("launcher.", "sweeper.")) and any("${" in text for text in interpolations.strings(value)):
        try:
            value = OmegaConf.to_object(OmegaConf.create({"": OmegaConf.select(cfg, f"hydra.{name}")}))[""]
        except Exception as error:
            raise ConfigError(f"hydra.{name} has an interpolation that cannot be resolved: write its value.") from error
    values = value if isinstance(value, list) else [value]
    if not all(_is_scalar(one) and allowed.fullmatch(str(one)) for one in values):
        raise ForbiddenError(f"hydra.{name} is refused: it cannot have this value.")
    if name.startswith("sweeper.params."):
        _check_param(name.removeprefix("sweeper.params."), str(value))


def _check_param(key: str, value: str) -> None:
    """Parameters of a sweep are overrides of its jobs, which Hydra composes by itself."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    place = f"hydra.sweeper.params.{key}"
    if key.lstrip("+~").startswith("hydra"):
        raise ForbiddenError(f"{place} is refused: a sweep varies the pipeline's settings, not Hydra's.")
    try:
        override = OverridesParser.create().parse_override(f"{key}={value}")
    except HydraException as error:
        raise ConfigError(f"{place} cannot be read: {str(error).splitlines()[0]}.") from error
    check_override(override, place)


def _check_made_by_hydra(cfg: DictConfig, overrides: Sequence[str], searchpath: Sequence[str]) -> None:
    """What Hydra writes itself must be what it writes: jobs of a sweep are composed of the overrides that stand there."""
    from omegaconf import OmegaConf

    written = OmegaConf.to_container(cfg.hydra.overrides, resolve=False)
    if sorted(written["hydra"] + written["task"]) != sorted(overrides):
        raise _refusal("overrides")
    if OmegaConf.to_container(cfg.hydra.searchpath, resolve=False) != list(searchpath):
        raise _refusal("searchpath")
    runtime = OmegaConf.to_container(cfg.hydra.runtime, resolve=False)
    if runtime["output_dir"] != "???" or not all(map(_is_scalar, runtime["choices"].values())):
        raise _refusal("runtime")


def leaves(node: Any, at: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Place and value of everything in nested mappings; a list is one value, and so is a mapping of nothing."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, (*at, str(key)))
    else:
        yield at, node


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _matches(name: str, pattern: str) -> bool:
    """Whether a key is the one that a pattern names; a star stands for one more part."""
    stem, star = pattern.removesuffix(".*"), pattern.endswith(".*")
    if not star:
        return name == pattern
    return name == stem or (name.startswith(f"{stem}.") and (stem == "sweeper.params" or "." not in name[len(stem) + 1 :]))


def _refusal(name: str) -> ForbiddenError:
    why = next((reason for place, reason in WHY.items() if f"{name}.".startswith(f"{place}.")), None)
    settable = "run.dir, sweep.dir, sweep.subdir, launcher, sweeper, verbose, job.name, job_logging.root.level"
    return ForbiddenError(f"hydra.{name} is refused: it {why or f'may not be changed. What may: hydra.{settable}'}.")

"""Plan of a sweep: jobs composed, checked and named before the first one starts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.config.compose import check_job, compose_job, composer, parse, plain_path, without_hydra
from bank_models.config.datasets import declared_rows
from bank_models.config.root_file import ROOT
from bank_models.errors import ConfigError, ForbiddenError, UserError
from bank_models.runs import fingerprint
from bank_models.sweeps import record, search
from bank_models.sweeps.results import short_names
from bank_models.sweeps.search import SPLIT_SEED

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

OUR_SUBDIR = "${use_case.key}/${model.name}"  # in conf/config.yaml: anything else is a wish
LONGEST_NAME = 100
BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
OPTUNA = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
TIMES_A_BOOSTER = {
    "catboost": 2,
    "ensemble": 30,
    "gradient_boosting": 3,
    "neural_network": 15,
    "random_forest": 8,
}  # roughly, bench/models.py
OTHER_SPLITS = (
    f"{SPLIT_SEED} differs between jobs: each is scored on other test rows. Test scores of different splits show how far "
    "chance moves them, and must not be compared by their best; only a run with the use case's own seed can be promoted."
)


@dataclass(frozen=True)
class Planned:
    """A job that is known before it starts.

    Attributes
    ----------
    number : int
        Its place among the jobs that the command line means, from 0.
    overrides : tuple of str
        What the command line means for this job.
    differs : dict of str to str
        Those of them that are not the same in every job, use case and model apart.
    department, use_case, model : str
        As configured; as typed, or empty, if it could not be composed.
    subdir : str
        Its run folder inside the sweep folder.
    fingerprint : str
        See `fingerprint.fingerprint`.
    n_cells : int
        Values in its table, as far as they are known beforehand: a guess at which jobs take long.
    refusal : str or None
        Why it cannot be run.
    is_finished : bool
        Whether an earlier attempt at this sweep has done it.
    """

    number: int
    overrides: tuple[str, ...]
    differs: dict[str, str]
    department: str = ""
    use_case: str = ""
    model: str = ""
    subdir: str = ""
    fingerprint: str = ""
    n_cells: int = 0
    refusal: str | None = None
    is_finished: bool = False

    @property
    def launched_as(self) -> tuple[str, ...]:
        """Its overrides, and the one that sets its folder."""
        return (*self.overrides, f"hydra.sweep.subdir='{self.subdir}'")

    @property
    def title(self) -> str:
        parts = (self.use_case, self.model, *(f"{key}={value}" for key, value in self.differs.items()))
        return " · ".join(filter(None, parts))

    def has_begun(self, sweep_dir: Path) -> bool:
        """Whether it was started; jobs that are waiting and had begun are those that were cut off."""
        return record.log_path(sweep_dir / self.subdir).exists()

    def is_waiting(self, sweep_dir: Path) -> bool:
        """Whether it is to be run, and nothing is known yet of what became of it."""
        return self.refusal is None and not self.is_finished and not record.record_path(sweep_dir / self.subdir).exists()


@dataclass(frozen=True)
class Plan:
    """A sweep before it starts.

    Attributes
    ----------
    jobs : list of Planned, or None
        None where the sweeper finds its jobs as it goes, as Optuna's does.
    same : list of (str, str)
        Jobs that were left out, and the jobs that are the same.
    cfg : DictConfig
        The first job's whole configuration: where the settings of Hydra itself stand.
    """

    jobs: list[Planned] | None
    same: list[tuple[str, str]] = field(default_factory=list)
    cfg: DictConfig | None = None


def plan(texts: list[str], config_dirs: list[Path], code: str, advance: Callable[[int, int], None], root: str = ROOT) -> Plan:
    """Compose, check and name every job that a command line means.

    Parameters
    ----------
    texts : list of str
        Overrides, as typed.
    config_dirs : list of Path
    code : str
        Of `fingerprint.code_sha256`.
    advance : callable
        Is told how many jobs of how many were checked.
    root : str
        Name of the file where composition begins.

    Raises
    ------
    ConfigError
        If an option is unknown, none of the jobs can be run, or two would write to one folder.
    """
    overrides = parse(texts, config_dirs)
    hydras = [one.input_line for one in overrides if one.key_or_group.partition("/")[0].partition(".")[0] == "hydra"]
    own = [one for one in overrides if one.input_line not in hydras]
    experiments = [one.input_line for one in own if one.key_or_group == "experiment" and not one.is_sweep_override()]
    with composer(config_dirs, root) as compose:
        settings = compose_job(compose, [*hydras, *experiments], config_dirs)  # a file of an experiment may sweep, too
        if settings.hydra.sweeper._target_ == OPTUNA:
            return Plan(None, cfg=search.check(compose, settings, hydras, own, config_dirs))
        jobs, first = [], None
        meant = _expand(own, settings.hydra.sweeper.get("params") or {})
        swept = _swept(meant)
        for number, job in enumerate(meant):
            planned = Planned(number, tuple(job), {key: value for key, value in map(_split, job) if key in swept})
            planned = _as_typed(planned)
            try:
                cfg = compose_job(compose, [*hydras, *job], config_dirs)
                planned = replace(planned, department=cfg.use_case.department, use_case=cfg.use_case.key, model=cfg.model.name)
                planned = _checked(planned, cfg, code)
            except ForbiddenError:  # not a matter of this job alone
                raise
            except UserError as error:
                planned = replace(planned, refusal=str(error))
            else:
                first = first or cfg
            jobs.append(planned)
            advance(number + 1, len(meant))
    if first is None:
        raise ConfigError(_all_refused(jobs))
    jobs, same = _without_same(jobs)
    return Plan(_named(jobs, is_free=first.hydra.sweep._get_node("subdir")._value() == OUR_SUBDIR), same, first)


def _expand(overrides: list[Override], params: dict[str, str]) -> list[list[str]]:
    """Every combination, in Hydra's order."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    texts = [f"{key}={value}" for key, value in params.items()] + [one.input_line for one in overrides]
    try:
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides(texts), None)
    except HydraException as error:
        searched = " ".join(one.input_line for one in overrides if one.is_sweep_override() and not one.is_discrete_sweep())
        raise ConfigError(
            f"{searched or str(error).splitlines()[0]} is to be searched, not a list of jobs.\n"
            "Write choices (key=1,2) or a range (key=range(1,9)), or choose hydra/sweeper=optuna."
        ) from error
    if not jobs:
        raise ConfigError(f"There is no job in {' '.join(texts)}: a choice or a pattern matches nothing")
    return jobs


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value


def _swept(jobs: list[list[str]]) -> list[str]:
    """Keys that have several values, use case and model apart."""
    values: dict[str, set[str]] = {}
    for key, value in (pair for job in jobs for pair in map(_split, job)):
        values.setdefault(key, set()).add(value)
    return [key for key, given in values.items() if len(given) > 1 and key not in ("use_case", "model")]


def _as_typed(planned: Planned) -> Planned:
    typed = dict(map(_split, planned.overrides))
    return replace(planned, use_case=typed.get("use_case", ""), model=typed.get("model", ""))


def _checked(planned: Planned, cfg: DictConfig, code: str) -> Planned:
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict

    check_job(cfg)
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = planned.number, str(planned.number)
    HydraConfig.instance().set_config(cfg)
    settings = OmegaConf.to_container(without_hydra(cfg), resolve=True)
    subdir = plain_path("hydra.sweep.subdir", str(OmegaConf.select(cfg, "hydra.sweep.subdir")))
    about = {"fingerprint": fingerprint.fingerprint(settings, code), "n_cells": _n_cells(settings)}
    return replace(planned, subdir=subdir, **about)


def _n_cells(settings: dict[str, Any]) -> int:
    """Cells of the table, times what the model takes for each: the longest job should start first."""
    source = settings["data_source"]
    if source["kind"] == "file":
        return Path(source["path"]).stat().st_size // 8 if Path(source["path"]).is_file() else 0
    if source["kind"] == "sql":
        return 0  # a guess at the size of a table is not worth another query
    rows = source["rows"] if source["kind"] == "simulated" else declared_rows(source["name"])
    weight = TIMES_A_BOOSTER.get(settings["model"]["name"], 1)
    return (rows or 0) * len(settings["use_case"]["features"]) * weight


def _all_refused(jobs: list[Planned]) -> str:
    reasons = Counter(job.refusal for job in jobs)
    (reason, count), *others = reasons.most_common()
    if not others:
        return reason
    return f"None of the {len(jobs)} jobs can be run; {count} of them because:\n" + "\n".join(reason.splitlines()[:2])


def _without_same(jobs: list[Planned]) -> tuple[list[Planned], list[tuple[str, str]]]:
    """Keep the last of jobs that are the same, such as those of a use case and of its short name."""
    kept: dict[Any, Planned] = {}
    same = []
    for job in jobs:
        key = job.fingerprint or job.number
        if key in kept:
            same.append((" ".join(kept[key].overrides), " ".join(job.overrides)))
        kept[key] = job
    return sorted(kept.values(), key=lambda job: job.number), same


def _named(jobs: list[Planned], is_free: bool) -> list[Planned]:
    """Give each job its folder, and make sure that no two share one."""
    if is_free:
        jobs = [replace(job, subdir=_folder(job)) for job in jobs]
        shared = {subdir for subdir, count in Counter(job.subdir for job in jobs).items() if count > 1}
        jobs = [replace(job, subdir=f"{job.subdir}/{job.number}") if job.subdir in shared else job for job in jobs]
    writers: dict[str, Planned] = {}
    for job in jobs:
        if job.refusal is not None:
            continue
        subdir = Path(job.subdir)
        if subdir.is_absolute() or ".." in subdir.parts or "'" in job.subdir or subdir == Path():
            raise ConfigError(f"hydra.sweep.subdir={job.subdir} is not a folder inside the sweep folder")
        if subdir.as_posix() in writers:
            both = f"{writers[subdir.as_posix()].title} and {job.title}"
            raise ConfigError(f"hydra.sweep.subdir={job.subdir} is one folder for two jobs: {both}.\nLeave it out.")
        writers[subdir.as_posix()] = job
    return jobs


def _folder(job: Planned) -> str:
    """`<use_case>/<model>`, and what else differs: `credit_scoring/xgboost/max_depth=3,seed=1`."""
    if not job.differs:
        return f"{job.use_case}/{job.model}"
    keys = short_names(list(job.differs))
    name = ",".join(f"{key}={value}" for key, value in zip(keys, job.differs.values(), strict=True))
    name = re.sub(r"[^\w.,=+-]+", "_", name)
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}…{job.number}"
    return f"{job.use_case}/{job.model}/{name}"

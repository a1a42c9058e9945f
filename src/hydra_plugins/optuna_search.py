"""The loop behind `hydra/sweeper=optuna`: every trial is a job of its own, proposed by a sampler of Optuna.

The settings are hydra-optuna-sweeper's. Its own loop ends with the first failed job, counts `n_trials` anew when it resumes,
and after a kill repeats suggestions and overwrites run folders. Here finished trials are the only state: what a trial tries
depends on the seed, its number and the trials before its batch, and its folder is its number.
"""

from __future__ import annotations

import math
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from bank_models.config.settings import typed
from bank_models.errors import ConfigError
from bank_models.files import writing
from bank_models.sweeps import record

SQLITE = "sqlite:///"
GRID = "optuna.samplers.GridSampler"
SEED = 42


class OptunaSearch(Sweeper):
    """See `hydra_plugins.hydra_optuna_sweeper.config.OptunaSweeperConf`.

    `n_trials` is a total, those of an interrupted sweep included; `n_jobs` is the size of a batch, whose trials do not know
    one another's results; `storage` is a file in the sweep folder unless another is named, and a study of its own stands for
    each state of our code. A job's score is higher where its
    metric is better, so `direction` is always to maximize; a failure rate ends the sweep only where one was typed.
    """

    def __init__(
        self,
        sampler: Any,
        n_trials: int,
        n_jobs: int,
        storage: str | None,
        study_name: str | None,
        params: dict | None,
        direction: Any,
        max_failure_rate: float,
        search_space: Any = None,
        custom_search_space: Any = None,
    ):
        if n_trials < 1 or n_jobs < 1:
            raise ConfigError("hydra.sweeper.n_trials and hydra.sweeper.n_jobs must be at least 1")
        self.n_trials, self.n_jobs = n_trials, n_jobs
        self.storage, self.study_name, self.params = storage, study_name, params or {}
        self.max_failure_rate: float | None = max_failure_rate

    def setup(self, *, hydra_context, task_function, config: DictConfig) -> None:
        self.config, self.hydra_context, self.code = config, hydra_context, task_function.code
        if typed(config.hydra, "sweeper.max_failure_rate") is None:
            self.max_failure_rate = None
        self.sampler = OmegaConf.to_container(config.hydra.sweeper.sampler)  # as configured: each trial has its own seed
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from bank_models.tuning.storage import open_study

        self.sweep_dir = Path(self.config.hydra.sweep.dir)
        OmegaConf.save(self.config, self.sweep_dir / "multirun.yaml")
        fixed, space = self._read(arguments)
        n_trials = self._n_trials(space)
        study = open_study(
            "hydra.sweeper.storage",
            self.storage or f"{SQLITE}{self.sweep_dir}/optuna.db",
            self.study_name or f"trials of code {self.code[:12]}",  # other code, other trials
            "maximize",  # a job's score, which is higher where the metric is better, losses too
        )
        memory = Memory(self.sampler, space)
        for start in range(0, n_trials, self.n_jobs):
            batch = range(start, min(start + self.n_jobs, n_trials))
            proposed = [memory.ask(number) for number in batch]
            new = batch[len(study.trials[start : batch.stop]) :]  # of a sweep that goes on, others have finished already
            scores = self._launch(fixed, proposed[len(batch) - len(new) :], new)
            for number, score in zip(new, scores, strict=True):
                study.add_trial(_finished(proposed[number - start], space, score))
                self._tell(number, n_trials, proposed[number - start], study)
            memory.tell(study.trials[start : batch.stop])
            if self._fail_too_often(scores):
                break
        self._write_best(study)

    def _fail_too_often(self, scores: list[float | None]) -> bool:
        """Whether more of a batch failed than the rate that was typed; without one a failed trial ends nothing."""
        n_failed = scores.count(None)
        if self.max_failure_rate is None or n_failed <= self.max_failure_rate * len(scores):
            return False
        said = f"{n_failed} of {len(scores)} trials of a batch failed, more than hydra.sweeper.max_failure_rate"
        print(f"{said}={self.max_failure_rate}: the search ends here.", file=sys.stderr)
        return True

    def _n_trials(self, space: dict[str, Any]) -> int:
        """How many trials there will be: of a grid, no more than it has points."""
        if self.sampler["_target_"] != GRID:
            return self.n_trials
        n_points = math.prod(len(values_of(key, one)) for key, one in space.items())
        if n_points > self.n_trials:
            print(f"The grid has {n_points} points; {self.n_trials} of them are tried. All: hydra.sweeper.n_trials={n_points}")
        return min(self.n_trials, n_points)

    def _read(self, arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Overrides that every trial has, and what is searched: the ranges that were typed, or those of the model's file."""
        from hydra_plugins.hydra_optuna_sweeper import _impl

        typed = [f"{key}={value}" for key, value in self.params.items()] + arguments
        overrides = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(typed)
        fixed = [one.input_line for one in overrides if not one.is_sweep_override()]
        swept = [one for one in overrides if one.is_sweep_override()]
        is_grid = self.sampler["_target_"] == GRID
        make = _listed if is_grid else _impl.create_optuna_distribution_from_override
        space = {one.key_or_group: make(one) for one in swept}
        return fixed, space or declared_space(
            fixed, self.hydra_context.config_loader, self.config.hydra.job.config_name, is_grid
        )

    def _launch(self, fixed: list[str], proposed: list[dict], batch: range) -> list[float | None]:
        """Scores of the trials of a batch; None of one that failed."""
        waiting = {}
        for number, params in zip(batch, proposed, strict=True):
            overrides = [*fixed, *(f"{key}={_typed(value)}" for key, value in params.items())]
            ended = record.read(self.sweep_dir / str(number))
            if ended is None or (ended["status"], ended["overrides"], ended["code"]) != ("ok", overrides, self.code):
                record.record_path(self.sweep_dir / str(number)).unlink(missing_ok=True)
                waiting[number] = [*overrides, f"hydra.sweep.subdir='{number}'"]
        try:
            if waiting:
                self.launcher.launch(list(waiting.values()), initial_job_idx=min(waiting))
        except BrokenExecutor:  # loky stops all jobs when a worker dies: each alone, so that no other is its victim
            for number, overrides in waiting.items():
                if record.read(self.sweep_dir / str(number)) is None:
                    try:
                        self.launcher.launch([overrides], initial_job_idx=number)
                    except BrokenExecutor:
                        continue
        ended = [record.read(self.sweep_dir / str(number)) for number in batch]
        return [found and found["score"] for found in ended]

    def _tell(self, number: int, n_trials: int, params: dict[str, Any], study) -> None:
        from bank_models.sweeps import display
        from bank_models.sweeps.results import short

        ended = record.read(self.sweep_dir / str(number))
        tried = ", ".join(f"{key.rpartition('.')[2]}={short(_typed(value))}" for key, value in params.items())
        display.trial(number + 1, n_trials, tried, ended, _best(study) == number)

    def _write_best(self, study) -> None:
        number = _best(study)
        if number is None:
            return
        ended = record.read(self.sweep_dir / str(number))
        facts = {
            "name": "optuna",
            "best_trial": number,
            "best_params": dict(study.trials[number].params),
            "best_value": study.trials[number].value,
            "metric": ended and ended["metric"],
        }
        writing.replace_text(self.sweep_dir / "optimization_results.yaml", OmegaConf.to_yaml(OmegaConf.create(facts)))
        best = " ".join(f"{key}={_typed(value)}" for key, value in facts["best_params"].items())
        print(f"Best on val: trial {number}, {best}")


class Memory:
    """What the sampler has proposed and been told.

    Samplers such as CMA-ES keep a state of their own beside the trials, as a pickle. Here it stands in this process only: a
    search that goes on asks the sampler for the finished trials once more, which brings it to where it was.
    """

    def __init__(self, sampler: dict[str, Any], space: dict[str, Any]):
        import optuna

        self.sampler, self.space = sampler, space
        self.study = optuna.create_study(direction="maximize")
        self.asked = []

    def ask(self, number: int) -> dict[str, Any]:
        """What a trial shall try: it depends on the seed, its number and the trials that were told."""
        import numpy as np

        if self.sampler["_target_"] == GRID:
            return grid_point(self.space, number)
        base = SEED if self.sampler.get("seed") is None else self.sampler["seed"]
        seed = int(np.random.SeedSequence([base, number]).generate_state(1)[0])
        self.study.sampler = instantiate({**self.sampler, "seed": seed})
        self.asked.append(self.study.ask(self.space))
        return self.asked[-1].params

    def tell(self, trials: list) -> None:
        """What became of the trials that were asked for; of one that differs the sampler learns as of any other's."""
        from optuna.trial import TrialState

        for asked, trial in zip(self.asked, trials, strict=False):
            is_same = asked.params == trial.params
            value = trial.value if is_same else None
            self.study.tell(asked, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)
            if not is_same:
                self.study.add_trial(trial)
        self.asked = []


def declared_space(fixed: list[str], config_loader, root: str, is_grid: bool = False) -> dict[str, Any]:
    """Distributions of the search space, or of the grid, in the file of the model that the overrides choose, by setting."""
    from hydra.types import RunMode
    from optuna.distributions import CategoricalDistribution

    from bank_models.config.schema import SearchRange
    from bank_models.tuning.space import distributions

    own = [one for one in fixed if not one.startswith("hydra")]
    cfg = config_loader.load_configuration(config_name=root, overrides=own, run_mode=RunMode.RUN)
    model = {"grid": {}, "search_space": {}} | OmegaConf.to_container(cfg.model)  # a file of somebody's may leave them out
    if is_grid and model["grid"]:
        return {f"model.params.{name}": CategoricalDistribution(list(values)) for name, values in model["grid"].items()}
    space = {name: SearchRange(**facts) for name, facts in model["search_space"].items()}
    if not space:
        raise ConfigError(f"model={cfg.model.name} declares no search space: write ranges, as model.params.x='interval(0,1)'")
    return {f"model.params.{name}": one for name, one in distributions(space).items()}


def _listed(override: Any) -> Any:
    """The values of a choice or of a range as Hydra lists them; what cannot be listed as the plugin makes it."""
    from hydra.core.override_parser.types import Transformer
    from hydra_plugins.hydra_optuna_sweeper import _impl
    from optuna.distributions import CategoricalDistribution

    if override.is_interval_sweep():
        return _impl.create_optuna_distribution_from_override(override)
    return CategoricalDistribution(list(override.sweep_iterator(transformer=Transformer.encode)))


def values_of(key: str, distribution: Any) -> list[Any]:
    """Every value of a choice or of a range with steps, its end included.

    Raises
    ------
    ConfigError
        Of a range without steps, which has no end of values.
    """
    if (choices := getattr(distribution, "choices", None)) is not None:
        return list(choices)
    step = getattr(distribution, "q", None) or getattr(distribution, "step", None)
    if step is None or getattr(distribution, "log", False):
        raise ConfigError(
            f"{key} is a range without steps, and hydra/sweeper/sampler=grid tries every value.\n"
            f"Write its values, such as {key}=0.1,0.2, or choose another sampler."
        )
    n_steps = int((distribution.high - distribution.low) / step + 1e-9)
    return [distribution.low + i * step for i in range(n_steps + 1)]


def grid_point(space: dict[str, Any], number: int) -> dict[str, Any]:
    """A point of the grid; all of them come once, in an order drawn at random but always the same."""
    import numpy as np

    values = {key: values_of(key, one) for key, one in space.items()}
    shape = tuple(map(len, values.values()))
    place = np.random.default_rng(SEED).permutation(math.prod(shape))[number]
    return {key: values[key][at] for key, at in zip(values, np.unravel_index(place, shape), strict=True)}


def _typed(value: Any) -> str:
    """A value as an override says it."""
    return "null" if value is None else str(value)


def _finished(params: dict[str, Any], space: dict[str, Any], score: float | None):
    from optuna.trial import TrialState, create_trial

    state = TrialState.FAIL if score is None else TrialState.COMPLETE
    return create_trial(state=state, params=params, distributions=space, value=score)


def _best(study) -> int | None:
    """Number of the best trial; of equally good ones the first."""
    scored = [(trial.value, -number) for number, trial in enumerate(study.trials) if trial.value is not None]
    return -max(scored)[1] if scored else None

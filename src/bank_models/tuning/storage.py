"""Storage of trials."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config import secrets
from bank_models.errors import ConfigError, IntegrityError

SQLITE = "sqlite:///"
FINISHED = ("COMPLETE", "PRUNED", "FAIL")
LOCK = 0x7472_6961_6C73  # of PostgreSQL, by number: "trials"
STORED_IN: list[str] = []  # addresses that searches of this process keep their trials at


def quiet_optuna():
    """Optuna, which is heavy to import, without its log and its warnings that what we use is experimental."""
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")  # before SQLAlchemy's first import
    logging.getLogger("alembic").setLevel(logging.WARNING)  # before its import, too, at which it lists its plugins
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", message="Samplers and other components in Optuna", category=FutureWarning)
    return optuna


@dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes
    ----------
    number : int
        From 0, in the order of proposal.
    proposal : int
        Trials of one proposal were answered by one fit.
    model : str
    params : dict
        With the number of rounds or trees, where it was searched.
    setting : dict
        What was proposed.
    share : float
        Of the training rows that it was fitted on.
    state : {"COMPLETE", "PRUNED", "FAIL"}
        Optuna's words; pruned is a trial that was given up after a fold.
    value, score : float or None
        Mean of the metric over its folds, and the same with higher better.
    fold_values : list of float
    best_iterations : list of int
    dropped_at : int or None
    seconds : float
    reason : str
        Why it failed.
    """

    number: int
    proposal: int
    model: str
    params: dict[str, Any]
    setting: dict[str, Any]
    share: float
    state: str
    value: float | None
    score: float | None
    fold_values: list[float]
    best_iterations: list[int]
    dropped_at: int | None
    seconds: float
    reason: str = ""

    def as_optuna(self, distributions: Mapping[str, Any]):
        """As a sampler of Optuna knows it: the searched parameters and the value."""
        from optuna.trial import TrialState, create_trial

        is_pruned = self.state == "PRUNED"
        return create_trial(
            state=TrialState.PRUNED if is_pruned else TrialState.COMPLETE,
            params={name: self.setting[name] for name in distributions},
            distributions=dict(distributions),
            value=None if is_pruned else self.value,
            intermediate_values={len(self.fold_values): self.value} if is_pruned else {},
        )


class Memory:
    """Trials of this process."""

    def __init__(self):
        self.trials: list[Trial] = []

    def load(self) -> list[Trial]:
        return list(self.trials)

    def save(self, trials: Sequence[Trial]) -> None:
        self.trials += trials


class Storage:
    """Trials in a database of Optuna's: a search that was cut off goes on where it was.

    A trial is written once, when it is finished and all before it are; what was running at the time of an end is run again
    and comes to the same.

    Parameters
    ----------
    url : str
        As SQLAlchemy has them: ``sqlite:///studies/fraud.db``, ``postgresql://host/database``; or the environment variable
        that holds one.
    study : str
        Name that stands for all that decides the trials.
    distributions : mapping of str to mapping of str to optuna distribution
        Of every parameter that a trial may have, by model.
    is_loss : bool
        Whether Optuna is to call the lowest value the best.

    Raises
    ------
    ConfigError
        If there is no such database.
    """

    def __init__(self, url: str, study: str, distributions: Mapping[str, Mapping[str, Any]], is_loss: bool):
        self.distributions = distributions
        self._study = open_study("tuning.storage", url, study, "minimize" if is_loss else "maximize")
        STORED_IN.append(url)

    def load(self) -> list[Trial]:
        """Trials that were saved, in order.

        Raises
        ------
        IntegrityError
            If one of them is not as this class writes them.
        """
        from pydantic import TypeAdapter
        from sqlalchemy.exc import SQLAlchemyError

        known = TypeAdapter(Trial)
        try:
            kept = self._study.get_trials(deepcopy=False)
            trials = [known.validate_python({**one.user_attrs, "number": one.number, "state": one.state.name}) for one in kept]
            for place, trial in enumerate(trials):
                self._check(trial, place)
        except (SQLAlchemyError, ValueError, LookupError, TypeError) as error:
            said = next(iter(str(error).splitlines()), "")
            raise IntegrityError(
                f"A trial that the database of this search keeps is not as it was written: {said}.\n"
                "Give another address with tuning.storage, or remove this one."
            ) from error
        return trials

    def _check(self, trial: Trial, place: int) -> None:
        if trial.number != place:
            raise ValueError(f"number {trial.number} stands where {place} was expected")
        if trial.state not in FINISHED:
            raise ValueError(f"number {place} is {trial.state}, and only finished ones are kept")
        if trial.model not in self.distributions:
            raise ValueError(f"number {place} is of model {trial.model[:80]!a}, which is not searched")
        of_model = self.distributions[trial.model]
        if unknown := sorted(set(trial.params) - set(of_model)):
            raise ValueError(f"number {place} has {unknown[0][:80]!a}, which is not searched")
        if trial.state == "COMPLETE" and (trial.score is None or trial.value is None):
            raise ValueError(f"number {place} has no score")
        numbers = [trial.value, trial.score, trial.seconds, trial.share, *trial.fold_values]
        if not all(math.isfinite(one) for one in numbers if one is not None):
            raise ValueError(f"number {place} has a score that is not a number")
        if trial.state == "COMPLETE" and not math.isclose(abs(trial.score), abs(trial.value), rel_tol=1e-9):
            raise ValueError(f"number {place} has a score of {trial.score:.6g}, and its metric is {trial.value:.6g}")

    def save(self, trials: Sequence[Trial]) -> None:
        from optuna.trial import TrialState, create_trial

        for trial in trials:
            prefix = f"{trial.model}." if len(self.distributions) > 1 else ""  # a name means one range in a study of Optuna's
            tried = self.distributions[trial.model]
            self._study.add_trial(
                create_trial(
                    state=TrialState[trial.state],
                    params={prefix + name: value for name, value in trial.params.items()},
                    distributions={prefix + name: tried[name] for name in trial.params},
                    value=trial.value if trial.state == "COMPLETE" else None,
                    user_attrs={name: value for name, value in vars(trial).items() if name not in ("number", "state")},
                )
            )


def open_study(setting: str, storage: str, name: str, direction: str):
    """A study of Optuna's in a database, made there if it is new.

    Parameters
    ----------
    setting : str
        That says where, for messages.
    storage : str
        An address, or the environment variable that holds it.
    name : str
    direction : {"minimize", "maximize"}

    Raises
    ------
    ConfigError
        If there is no such database; the message never holds what the environment does.
    """
    optuna = quiet_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    url = secrets.read(setting, storage) if secrets.is_variable(storage) else storage
    options = {"connect_args": {"timeout": 60}} if url.startswith(SQLITE) else {}
    try:
        with _created_by_one(url):
            kept = optuna.storages.RDBStorage(url, engine_kwargs=options)
            return optuna.create_study(storage=kept, study_name=name, direction=direction, load_if_exists=True)
    except (SQLAlchemyError, ImportError, OSError) as error:
        said = secrets.without_secrets(str(error).splitlines()[0], url)
        advice = f"Give another address, or null for {'no trials to be kept' if setting.startswith('tuning') else 'a file'}."
        if isinstance(error, ImportError) and error.name == "psycopg2":
            advice = "Install its driver: make setup EXTRAS=postgresql"
        raise ConfigError(f"{setting}={storage} cannot be opened: {said}\n{advice}") from None


@contextlib.contextmanager
def _created_by_one(url: str) -> Iterator[None]:
    """Let one process at a time make the tables, and a file for them: two at once fail."""
    if url.startswith("postgresql"):
        import sqlalchemy

        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
        with engine.connect() as connection:  # whose end gives the lock back
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({LOCK})"))
            yield
        return
    if not url.startswith(SQLITE):
        yield
        return
    path = Path(url.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{path}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def table(trials: Sequence[Trial]) -> pd.DataFrame:
    """A row for each trial: number, state, value, parameters, each fold, rounds, seconds."""
    rows = []
    for trial in trials:
        folds = {f"fold_{number}": value for number, value in enumerate(trial.fold_values, start=1)}
        rounds = float(np.mean(trial.best_iterations)) if trial.best_iterations else None
        rows.append(
            {"number": trial.number, "model": trial.model, "state": trial.state, "value": trial.value, **trial.params, **folds}
            | {"rounds": rounds}
            | {"share": trial.share, "dropped_at": trial.dropped_at, "seconds": round(trial.seconds, 3), "reason": trial.reason}
        )
    return pd.DataFrame(rows)

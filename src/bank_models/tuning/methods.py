"""Search methods: grid, random, Bayesian, halving.

A trial knows the results of all trials but the newest few, as many as may run at the same time: so the number of processes,
their speed and an interruption change no trial.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bank_models.tuning.storage import quiet_optuna

if TYPE_CHECKING:
    from bank_models.tuning.storage import Trial

N_STARTUP = 10  # trials at random, or at the starting points, before the first that learns from others
N_SHORT = 40  # trials that train at most half as long: a search that learns finds where to look before it pays for the rest


@dataclass(frozen=True)
class Proposal:
    """A setting to try.

    Attributes
    ----------
    model : str
    params : dict
    lengths : tuple of int
        Numbers of rounds or trees that one fit answers for; none where the setting says how many.
    share : float
        Of the training rows.
    """

    model: str
    params: dict[str, Any]
    lengths: tuple[int, ...] = ()
    share: float = 1.0


class Method(Protocol):
    """A way to search.

    Attributes
    ----------
    n_proposals : int
        How many settings it tries in all.
    can_drop : bool
        Whether a setting may be given up after a fold.
    is_grid : bool
        Whether every length of a proposal is a trial of its own; else the best length is.
    is_averaged : bool
        Whether the result is an average of trials; else it is the best one.
    """

    n_proposals: int
    can_drop: bool
    is_grid: bool
    is_averaged: bool

    def known_to(self, number: int) -> int:
        """How many of the first proposals must be finished, and are all that is known, when this one is made."""

    def propose(self, number: int, known: Sequence[Trial]) -> Proposal:
        """Make a proposal from the trials it may know."""

    def remember(self, models: Sequence[str]) -> None:
        """Which models the first proposals were for, when a search goes on."""


class _OneModel:
    is_averaged = False

    def remember(self, models: Sequence[str]) -> None:
        """There is nothing to remember: all are for the same."""


class GridSearch(_OneModel):
    """Every point of a grid, points that differ only in length together.

    Parameters
    ----------
    model : str
    grid : mapping of str to list
    length : str or None
        The parameter that one fit answers several values of.
    n_points : int, optional
        How many points to draw from the grid instead of taking all.
    seed : int
    """

    can_drop = False
    is_grid = True

    def __init__(self, model: str, grid: Mapping[str, Sequence[Any]], length: str | None, n_points: int | None, seed: int):
        points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        if n_points is not None and n_points < len(points):
            drawn = np.random.default_rng(seed).choice(len(points), n_points, replace=False)
            points = [points[i] for i in np.sort(drawn)]
        groups: dict[tuple, Proposal] = {}
        for point in points:
            length_of_point = (point.pop(length),) if length in point else ()
            key = tuple(point.items())
            earlier = groups[key].lengths if key in groups else ()
            groups[key] = Proposal(model, point, tuple(sorted({*earlier, *length_of_point})))
        self.proposals = list(groups.values())
        self.n_proposals = len(self.proposals)

    def known_to(self, number: int) -> int:
        return 0

    def propose(self, number: int, known: Sequence[Trial]) -> Proposal:
        return self.proposals[number]


@dataclass
class SamplerSearch(_OneModel):
    """Settings drawn from a search space by an Optuna sampler, after the starting points.

    Parameters
    ----------
    model : str
    distributions : mapping of str to optuna distribution
    starting_points : sequence of dict
        Settings that are tried first, in this order; what they lack is the model's own.
    n_proposals : int
    n_pending : int
        How many of the newest trials a proposal does not know.
    seed : int
    metric_is_loss : bool
    lengths : tuple of int
        Numbers of rounds or trees that every trial answers for; the first ones of a search that learns, for the shorter half.
    learns : bool
        From earlier trials, by a tree-structured Parzen estimator (Bergstra et al. 2011, Algorithms for hyper-parameter
        optimization, NIPS), as Optuna has it; else it draws at random.
    """

    model: str
    distributions: Mapping[str, Any]
    starting_points: Sequence[dict[str, Any]]
    n_proposals: int
    n_pending: int
    seed: int
    metric_is_loss: bool = False
    lengths: tuple[int, ...] = ()
    learns: bool = True
    can_drop: bool = True
    is_grid: bool = False
    _study: Any = field(default=None, init=False, repr=False)
    _n_known: int = field(default=0, init=False, repr=False)

    def known_to(self, number: int) -> int:
        return max(0, number - self.n_pending + 1) if self.learns else 0

    def propose(self, number: int, known: Sequence[Trial]) -> Proposal:
        if number < len(self.starting_points):
            return Proposal(self.model, _within(self.starting_points[number], self.distributions), self._lengths(number))
        optuna = quiet_optuna()
        if self._study is None:
            self._study = optuna.create_study(direction="minimize" if self.metric_is_loss else "maximize")
        for trial in known[self._n_known :]:
            if trial.state != "FAIL":
                self._study.add_trial(trial.as_optuna(self.distributions))
        self._n_known = len(known)
        self._study.sampler = self._sampler(number)
        asked = self._study.ask(dict(self.distributions))
        self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return Proposal(self.model, asked.params, self._lengths(number))

    def _lengths(self, number: int) -> tuple[int, ...]:
        is_short = self.learns and number < N_SHORT
        return self.lengths[: ceil(len(self.lengths) / 2)] if is_short else self.lengths

    def _sampler(self, number: int):
        samplers = quiet_optuna().samplers
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        if not self.learns:
            return samplers.RandomSampler(seed=seed)
        return samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=N_STARTUP)


class Halving(_OneModel):
    """Many settings on few rows, the best third of them on three times as many, and so on (successive halving).

    Jamieson & Talwalkar (2016), Non-stochastic best arm identification and hyperparameter optimization, AISTATS.

    Parameters
    ----------
    candidates : SamplerSearch
        Where the settings come from.
    factor : int
        How many times fewer settings, and more rows, each round has.
    """

    can_drop = False
    is_grid = False

    def __init__(self, candidates: SamplerSearch, factor: int = 3):
        self.candidates, self.factor = candidates, factor
        sizes = [candidates.n_proposals]
        while sizes[-1] > factor:
            sizes.append(ceil(sizes[-1] / factor))
        self.sizes = sizes
        self.starts = [0, *itertools.accumulate(sizes)]
        self.n_proposals = self.starts[-1]

    def _round(self, number: int) -> int:
        return next(i for i, start in enumerate(self.starts[1:]) if number < start)

    def known_to(self, number: int) -> int:
        return self.starts[self._round(number)]

    def propose(self, number: int, known: Sequence[Trial]) -> Proposal:
        place = self._round(number)
        share = float(self.factor) ** (place + 1 - len(self.sizes))
        if place == 0:
            drawn = self.candidates.propose(number, [])
            return Proposal(drawn.model, drawn.params, drawn.lengths, share)
        before = sorted(known[self.starts[place - 1] : self.starts[place]], key=lambda trial: (-_score(trial), trial.number))
        best = before[number - self.starts[place]]
        return Proposal(best.model, best.setting, self.candidates.lengths, share)


class MultiModelSearch:
    """Several models, each searched by its own sampler: first their own parameters, then the better ones more often.

    The second best model is given half as many trials as the best, the third half as many as the second, and so on.

    Parameters
    ----------
    samplers : dict of str to SamplerSearch
    n_proposals : int
    n_pending : int
        How many of the newest trials a proposal does not know.
    """

    can_drop = True
    is_grid = False
    is_averaged = True

    def __init__(self, samplers: Mapping[str, SamplerSearch], n_proposals: int, n_pending: int):
        self.samplers, self.n_proposals, self.n_pending = samplers, n_proposals, n_pending
        self.models: list[str] = []  # of the proposals so far

    def remember(self, models: Sequence[str]) -> None:
        self.models = list(models)

    def known_to(self, number: int) -> int:
        return max(0, number - self.n_pending + 1)

    def propose(self, number: int, known: Sequence[Trial]) -> Proposal:
        if number >= len(self.models):
            self.models.append(self._next_model(number, known))
        model = self.models[number]
        place = self.models[:number].count(model)
        return self.samplers[model].propose(place, [trial for trial in known if trial.model == model])

    def _next_model(self, number: int, known: Sequence[Trial]) -> str:
        names = list(self.samplers)
        if number < len(names):
            return names[number]
        best = {name: max((_score(trial) for trial in known if trial.model == name), default=-np.inf) for name in names}
        ranked = sorted(names, key=lambda name: (-best[name], names.index(name)))
        shares = 0.5 ** np.arange(1, len(names) + 1)
        wanted = dict(zip(ranked, shares / shares.sum() * (number + 1), strict=True))
        return max(ranked, key=lambda name: wanted[name] - self.models.count(name))


def _score(trial: Trial) -> float:
    return -np.inf if trial.score is None else trial.score


def _within(params: Mapping[str, Any], distributions: Mapping[str, Any]) -> dict[str, Any]:
    """The searched parameters of a setting, moved to the nearest value that the space has."""
    moved = {}
    for name, distribution in distributions.items():
        value = params[name]
        if hasattr(distribution, "choices"):
            value = value if value in distribution.choices else distribution.choices[0]
        elif value is None or not distribution.low <= value <= distribution.high:
            value = distribution.high if value is None or value > distribution.high else distribution.low
        moved[name] = value
    return moved

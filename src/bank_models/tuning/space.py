"""Search spaces, converted to Optuna's distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bank_models.metrics.names import is_loss
from bank_models.training.fit import Recipe
from bank_models.tuning.fold_fits import length_parameter
from bank_models.tuning.methods import GridSearch, Halving, Method, MultiModelSearch, SamplerSearch
from bank_models.tuning.storage import quiet_optuna

if TYPE_CHECKING:
    from bank_models.config.schema import SearchRange

N_LENGTHS = 20  # numbers of rounds that a search without early stopping compares


@dataclass(frozen=True)
class Space:
    """Where the parameters of a model are looked for.

    Attributes
    ----------
    recipe : Recipe
        Without early stopping, a model that trains in rounds also has the number of its rounds searched, up to its own:
        that costs nothing, for a long fit holds the shorter ones.
    grid : mapping of str to list
    distributions : mapping of str to optuna distribution
    starting_points : sequence of dict
        Settings to try first, after the recipe's own; what they lack is the recipe's.
    """

    recipe: Recipe
    grid: Mapping[str, Sequence[Any]]
    distributions: Mapping[str, Any]
    starting_points: Sequence[dict[str, Any]]

    @property
    def length(self) -> str | None:
        """The parameter that one fit tries several values of."""
        found = length_parameter(self.recipe.estimator) if self.recipe.patience is None else None
        return found if found in self.recipe.params else None

    def lengths(self) -> tuple[int, ...]:
        """What is tried of it where there is no grid."""
        if self.length is None:
            return ()
        longest = self.recipe.params[self.length]
        return tuple(sorted({max(1, longest * part // N_LENGTHS) for part in range(1, N_LENGTHS + 1)}))

    def of_every_parameter(self, is_grid: bool) -> dict[str, Any]:
        """Distributions of all that a trial may have, its number of rounds included."""
        from optuna.distributions import CategoricalDistribution

        if is_grid:
            return {name: CategoricalDistribution(values) for name, values in self.grid.items()}
        lengths = self.lengths()
        return {**self.distributions, **({self.length: CategoricalDistribution(lengths)} if lengths else {})}


def distributions(search_space: Mapping[str, SearchRange]) -> dict[str, Any]:
    """Optuna's distributions of a search space: those that its trials would suggest values from."""
    optuna = quiet_optuna()

    lows = {name: space.ends()[0] for name, space in search_space.items()}
    trial = optuna.trial.FixedTrial(lows)
    for name, space in search_space.items():
        _suggest(trial, name, space)
    return trial.distributions


def _suggest(trial: Any, name: str, space: SearchRange) -> None:
    if space.choices is not None:
        trial.suggest_categorical(name, space.choices)
    elif space.type == "float":
        trial.suggest_float(name, space.low, space.high, step=space.step, log=space.log)
    else:
        steps = {} if space.step is None else {"step": int(space.step)}
        trial.suggest_int(name, int(space.low), int(space.high), log=space.log, **steps)


def make_method(name: str, spaces: Mapping[str, Space], metric: str, n_iter: int | None, n_pending: int) -> Method:
    """The method of a name, for the spaces of one model or, for "auto", of several: see `tuning.tune.run_search`."""
    model, space = next(iter(spaces.items()))
    recipe = space.recipe
    if name == "grid_search":
        grid = dict(space.grid)
        if recipe.patience is not None:  # it finds the number of rounds
            grid.pop(length_parameter(recipe.estimator), None)
        return GridSearch(model, grid, space.length, n_iter, recipe.random_state)
    sampled = {
        model: SamplerSearch(
            model,
            space.distributions,
            [{**space.recipe.params, **point} for point in ({}, *space.starting_points)][:n_iter],
            n_iter,
            n_pending,
            space.recipe.random_state,
            is_loss(metric),
            space.lengths(),
            learns=name in ("bayesian", "auto"),
        )
        for model, space in spaces.items()
    }
    if name == "auto":
        return MultiModelSearch(sampled, n_iter, n_pending)
    return Halving(sampled[model]) if name == "halving" else sampled[model]

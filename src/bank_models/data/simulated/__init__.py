"""Simulator: rows drawn from a use case's facts, with the best achievable prediction for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit

from bank_models.config.feature import Feature
from bank_models.config.simulation import Interaction, Simulate, Simulation
from bank_models.config.simulation.agreement import SUPERVISED, is_unordered
from bank_models.config.simulation.feature import CALENDAR
from bank_models.config.simulation.order import draw_order, read_by
from bank_models.config.use_case import UseCase
from bank_models.data.dataset import Dataset
from bank_models.data.expressions import Value
from bank_models.data.simulated import classes
from bank_models.data.simulated.columns import Shown, as_column, interaction_score, show, term
from bank_models.data.simulated.computed import as_value, compute, is_computed
from bank_models.data.simulated.latent import LARGEST, Latents, category_shares
from bank_models.data.simulated.moments import DAY_S, season
from bank_models.data.simulated.movement import in_regimes, moved, passed
from bank_models.data.simulated.outcome import draw_outcome
from bank_models.data.simulated.rows import Rows, draw_rows, stream
from bank_models.errors import ConfigError, DataError

MISSING_SLOPE = 1.0  # log-odds of going missing per standard deviation of the column it goes with


def simulate(use_case: UseCase, n_rows: int, seed: int) -> Dataset:
    """Draw rows from a Gaussian copula, and a target from what the rows show.

    A feature has the latent value ``z = sum(loading * factor) + sqrt(1 - sum(loading^2)) * noise``, which is standard
    normal, and shows the quantile of its distribution at ``Phi(z)``, rounded and clipped to its `min` and `max`. The index
    of a row is the sum of the features' effects and interactions, of season, trend, regime and of its entity's effect. An
    effect acts on the value that is shown: where rounding, clipping, categories or words hide part of z, it acts on the
    normal score of the middle of the probability that the shown value stands for. Of a text, it acts on the mean of z given
    its words; of a feature that looks at others, on the normal score of the value's rank among all rows. So a model that sees
    the complete columns can in principle reach the true score.

    Two classes: the index is the log-odds, with one intercept found so that the mean true probability over the drawn rows is
    `positive_rate`. Ordered classes: proportional odds. Unordered ones: a softmax of an index for each class. A number:
    see `bank_models.data.simulated.outcome.draw_outcome`. Clusters and anomalies: each row belongs to a component of a mixture,
    whose latent values are ``shift + spread * z``.

    Values go missing after the target is drawn. The true score therefore knows what missing values hide, and an entity's
    effect, and its metrics are an upper bound on what any model can reach.

    Every feature, factor and hidden cell has a random stream of its own, made of the seed and the name: adding a
    feature leaves the other columns as they are. The same arguments give the same bytes.

    Parameters
    ----------
    use_case : UseCase
        With a simulation.
    n_rows : int
        Rows to draw, at least 1.
    seed : int
        Not negative.

    Returns
    -------
    Dataset
        `frame` of shape (n_rows, n_features and up to 3 more): float32, int32 (float32 where values are missing), bool,
        categorical and str features, timestamps as datetime64[s] in ascending order, entities as categories, the target as
        int8, categories or float64. `true_score`: the probability, label noise included, that drew each label, of shape
        (n_rows,) or (n_rows, n_classes); the best prediction for the use case's metric; or the probability of an anomaly
        given the latent values of the row. `true_groups`: the components of a clustering.

    Raises
    ------
    ConfigError
        If `n_rows` or `seed` is out of range, or the rows don't fit into the period.
    DataError
        If the use case has no simulation.

    References
    ----------
    Nelsen (2006), An Introduction to Copulas, 2nd edition, Springer, section 2.9 on drawing from a copula.
    Cario and Nelson (1997), Modeling and generating random vectors with arbitrary marginal distributions and
    correlation matrix, Northwestern University.
    """
    _check(use_case, n_rows, seed)
    simulation, features = use_case.simulation, use_case.features
    rows = draw_rows(simulation, use_case.time_column, n_rows, seed)
    latents = Latents(rows, simulation, seed, category_shares({name: feature.simulate for name, feature in features.items()}))
    index = {output: np.zeros(n_rows) for output in (use_case.classes if is_unordered(use_case) else [None])}
    partners = {name for interaction in simulation.interactions for name in interaction.features}
    partners |= {feature.simulate.missing_with for feature in features.values()} - {None}
    read = {name for feature in features.values() for name in read_by(feature.simulate, simulation)}
    seen = {use_case.time_column: rows.times.astype(np.int64) / DAY_S} if use_case.time_column in read else {}

    columns, kept, latent_values, log_scale = dict.fromkeys(features), {}, {}, np.zeros(n_rows)
    for name in draw_order(features, simulation):
        feature, spec = features[name], features[name].simulate
        needs_score = spec.has_effect or spec.volatility != 0 or name in partners
        columns[name], z = _draw(name, feature, latents, simulation, seen, needs_score)
        if z is not None and use_case.task == "anomaly":
            latent_values[name] = z
        for output, effect in _effects(spec).items():
            index[output] += term(name, spec, columns[name], effect, output, seed)
        if spec.volatility:
            log_scale += spec.volatility * columns[name].score
        if name in partners:
            kept[name] = columns[name]
        if name in read:
            seen[name] = as_value(columns[name], feature)
        columns[name] = replace(columns[name], score=None)

    _add_interactions(index, simulation, features, kept)
    for output, total in index.items():
        _add_time_and_entity(total, output, simulation, rows, seed)

    target, true_score = _target(use_case, index, log_scale, latents, latent_values, rows, seed)
    for name, feature in features.items():
        hidden = _hidden(feature.simulate, kept, n_rows, stream(seed, "missing", name))
        columns[name] = as_column(columns[name], feature, hidden)
    return Dataset(
        frame=_frame(use_case, columns, rows, target),
        provenance={"kind": "simulated", "source": "simulated", "seed": seed, "rows": n_rows},
        true_score=true_score,
        true_groups=latents.groups if use_case.task == "clustering" else None,
    )


def _add_interactions(index: dict, simulation: Simulation, features: Mapping[str, Feature], kept: Mapping[str, Shown]) -> None:
    """Add the products of the scores of two features to the index of each output."""
    for interaction in simulation.interactions:
        first, second = (interaction_score(features[name].simulate, kept[name]) for name in interaction.features)
        for output, effect in _effects(interaction).items():
            index[output] += effect * first * second


def _frame(use_case: UseCase, columns: dict[str, Any], rows: Rows, target) -> pd.DataFrame:
    """The features with timestamps, entities and the target."""
    if use_case.time_column is not None:
        columns[use_case.time_column] = rows.times
    if use_case.group_column is not None:
        columns[use_case.group_column] = pd.Categorical.from_codes(rows.entities, _entity_names(use_case, rows))
    if target is not None:
        columns[use_case.target] = target
    return pd.DataFrame(columns)


def _check(use_case: UseCase, n_rows: int, seed: int) -> None:
    if use_case.simulation is None:
        raise DataError(f"no rows can be drawn: use_case={use_case.key} has no simulation")
    if n_rows < 1:
        raise ConfigError(f"rows must be at least 1, but got {n_rows}")
    if seed < 0:
        raise ConfigError(f"seed must not be negative, but got {seed}")


def _draw(
    name: str, feature: Feature, latents: Latents, simulation: Simulation, seen: Mapping[str, Value], needs_score: bool
) -> tuple[Shown, np.ndarray | None]:
    """What a feature shows, and the latent values behind it if it has any."""
    spec, rows, seed, drawn, z = feature.simulate, latents.rows, latents.seed, None, None
    if spec.distribution not in (None, *CALENDAR):
        drawn = z = latents.draw(name, spec, seen)
        if simulation.components is not None:
            z = np.clip(z, -LARGEST, LARGEST)
        if spec.moves:
            z = moved(z, name, spec, rows, simulation, seed)
    if is_computed(spec):
        leaning = latents.uniform(name, spec, seen) if spec.heaps else None
        return compute(feature, z, leaning, seen, rows.n_rows), drawn
    return show(name, feature, z, rows, simulation, seed, needs_score, seen), drawn


def _effects(spec: Simulate | Interaction) -> dict:
    """Effects that are not 0, by output: a class, or None where there is one index."""
    effects = {None: spec.effect} if spec.effects is None else spec.effects
    return {output: effect for output, effect in effects.items() if isinstance(effect, list) or effect}


def _add_time_and_entity(index: np.ndarray, output: str | None, simulation: Simulation, rows: Rows, seed: int) -> None:
    of_class = "" if output is None else f":{output}"
    for name, amount in simulation.season.given().items():
        index += season(name, amount, rows.times, simulation, stream(seed, "season", name + of_class))
    if simulation.trend:
        index += simulation.trend * passed(rows.times, simulation)
    if simulation.regimes:
        index += in_regimes(simulation.regimes, rows.times, 0.0, "effect")
    if simulation.panel is not None and simulation.panel.effect:
        effects = stream(seed, "entity effect", simulation.panel.entity + of_class).standard_normal(rows.n_entities)
        index += simulation.panel.effect * effects[rows.entities]


def _target(use_case: UseCase, index: dict, log_scale: np.ndarray, latents: Latents, latent_values, rows: Rows, seed: int):
    """The column to predict, or None, and the true score, or None."""
    simulation = use_case.simulation
    if use_case.task not in SUPERVISED:
        if use_case.task == "clustering":
            return None, None
        anomalous = np.array([component.is_anomaly for component in simulation.components])
        specs = {name: use_case.features[name].simulate for name in latent_values}
        return anomalous[latents.groups].astype(np.int8), latents.anomaly_probability(latent_values, specs)
    if use_case.task == "regression":
        scale = np.exp(log_scale)
        scale /= np.sqrt(np.mean(scale**2))
        if simulation.regimes:
            scale *= in_regimes(simulation.regimes, rows.times, 1.0, "volatility")
        rng = stream(seed, "outcome", use_case.target)
        facts = use_case.metric, use_case.quantile, use_case.target_min, use_case.target_max
        return draw_outcome(index[None], scale, simulation.outcome, rows, rng, *facts)
    rng, noise = stream(seed, "label", use_case.target), simulation.label_noise
    if use_case.task == "binary":
        true_score = classes.binary(index[None], simulation.positive_rate, noise)
        return classes.draw_labels(true_score, rng), true_score
    if use_case.is_ordered:
        true_score = classes.ordered(index[None], simulation.class_rates, noise)
    else:
        true_score = classes.unordered(np.stack(list(index.values()), axis=1), simulation.class_rates, noise)
    return pd.Categorical.from_codes(classes.draw_labels(true_score, rng), use_case.classes), true_score


def _hidden(spec: Simulate, shown: Mapping[str, Shown], n_rows: int, rng: np.random.Generator) -> np.ndarray | None:
    """Which values go missing, as bools of shape (n_rows,)."""
    if not spec.missing_rate:
        return None
    slope = np.zeros(n_rows) if spec.missing_with is None else MISSING_SLOPE * shown[spec.missing_with].score
    middle = logit(spec.missing_rate)
    ends = middle - slope.max() - 1, middle - slope.min() + 1
    intercept = brentq(lambda intercept: expit(slope + intercept).mean() - spec.missing_rate, *ends)
    return rng.random(n_rows) < expit(slope + intercept)


def _entity_names(use_case: UseCase, rows: Rows) -> list[str]:
    digits = max(4, len(str(rows.n_entities)))
    return [f"{use_case.group_column.removesuffix('_id')}_{number:0{digits}d}" for number in range(1, rows.n_entities + 1)]

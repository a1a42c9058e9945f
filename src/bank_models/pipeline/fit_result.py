"""Result of a fit: the model, its decision rule, scores on val, folds, rounds and trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bank_models.models.early_stopping import NO_ROUNDS
from bank_models.models.layers import Layers, take_apart
from bank_models.runs import fitted, model_file
from bank_models.runs.names import MEASURED

if TYPE_CHECKING:
    import numpy as np

    from bank_models.training.fit import Recipe
    from bank_models.tuning.tune import SearchResult


@dataclass(frozen=True)
class FitResult:
    """A fitted model with what val decided, and how its training went. No test row had a part in what is measured.

    Attributes
    ----------
    recipe : Recipe
        With the parameters that a search found.
    model : object
        Decides as it was decided: at a threshold, for the class of least expected cost, or as it predicts. It is the one that
        the test rows score.
    val_score : ndarray of shape (n_val,) or (n_val, n_classes), optional
        The model's; None for what needs no val.
    unseen : ndarray, optional
        The same, by a calibrator that did not see the row.
    best_iteration : int or None
        Rounds in the model, when it trains in rounds.
    history : DataFrame
        Of each round: see `bank_models.training.fit.Fitted`.
    cv_results : DataFrame
        A row for each fold.
    search : SearchResult or None
    stability : float or None
        Of a clustering: see `bank_models.metrics.clusters.stability`.
    deployed : object, optional
        The model that is used later, where that is another one: it has learnt from the test rows too.
    n_fitted_rows : int or None
        Rows that the model learnt from that is used later.
    """

    recipe: Recipe
    model: Any
    val_score: np.ndarray | None = None
    unseen: np.ndarray | None = None
    best_iteration: int | None = None
    history: pd.DataFrame = field(default_factory=NO_ROUNDS.copy)
    cv_results: pd.DataFrame = field(default_factory=pd.DataFrame)
    search: SearchResult | None = None
    stability: float | None = None
    deployed: Any = None
    n_fitted_rows: int | None = None

    @property
    def kept(self) -> Any:
        """The model that is used later."""
        return self.model if self.deployed is None else self.deployed

    @property
    def layers(self) -> Layers:
        return take_apart(self.model)

    @property
    def core(self) -> Any:
        """The fitted model below its calibration and its decisions."""
        return self.layers.core

    @property
    def uncalibrated(self) -> Any:
        """The model before its probabilities were calibrated, if they were."""
        return self.core if self.layers.is_calibrated else None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that it was fitted with, and what the fit chose where they left it open."""
        members = {name: dict(member.params) for name, member in self.recipe.members.items()}
        chosen = getattr(getattr(self.core, "named_steps", {}).get("estimator"), "chosen_params", dict)
        return members or {**self.recipe.params, **chosen()}


def write(folder: Path, fit_result: FitResult, artifacts: str) -> None:
    """Write a fit's files into a run's folder: see `bank_models.runs.fitted.write`."""
    tables = {"history": fit_result.history}
    tables |= {"cv_results": fit_result.cv_results} if len(fit_result.cv_results.columns) else {}
    tables |= {"trials": fit_result.search.table} if fit_result.search else {}
    fitted.write(folder, fit_result.kept, take_apart(fit_result.kept).core, tables, artifacts)
    if fit_result.deployed is not None:
        model_file.dump(folder / MEASURED, fit_result.model)

"""CatBoost as scikit-learn estimators; CatBoost itself is imported when one is fitted or scores rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from bank_models.errors import ConfigError
from bank_models.models.catboost import text
from bank_models.models.early_stopping import OnRound, Part, Patience
from bank_models.models.estimators import check_arguments

PARAMETERS = (  # that CatBoost takes under the same name
    "iterations", "learning_rate", "depth", "l2_leaf_reg", "random_strength", "subsample", "colsample_bylevel",
    "leaf_estimation_iterations", "border_count", "one_hot_max_size", "max_ctr_complexity", "model_size_reg",
)  # fmt: skip
FIXED = {
    "allow_writing_files": False,
    "logging_level": "Silent",
    "boosting_type": "Plain",
    "bootstrap_type": "Bernoulli",
    "grow_policy": "SymmetricTree",
    "model_shrink_rate": 0,  # with directions CatBoost would shrink earlier trees, so that a longer fit held no shorter one
    "use_best_model": False,  # the rounds are counted here, as for every library
}
NAMES = {"train": "learn", "val": "validation"}  # of parts, as CatBoost calls them
NOTHING_TO_SPLIT = "All features are either constant or ignored"


class _CatBoost(BaseEstimator):
    """Gradient boosting of symmetric trees, which reads categories by ordered target statistics.

    Parameters
    ----------
    iterations : int
        Trees at most.
    learning_rate : float
    depth : int
        Of every tree; a level splits all its nodes in one way.
    l2_leaf_reg : float
        Penalty on leaf values.
    random_strength : float
        Noise on the score of a split, which shrinks as the model grows.
    subsample : float
        Share of the rows that a tree is grown on, drawn anew for each.
    colsample_bylevel : float
        Share of the columns that a level may choose from.
    leaf_estimation_iterations : int
        Newton steps for the values of the leaves; those of a quantile are exact, and take none.
    border_count : int
        Most bins of a number.
    one_hot_max_size : int
        Categories with at most so many values are split by single values; others by their target statistics.
    max_ctr_complexity : int
        Most categories whose combination gets statistics of its own; with directions none is combined, for CatBoost would not
        keep them (github.com/catboost/catboost/issues/2272).
    model_size_reg : float
        Penalty on statistics of many values.
    random_state : int
    n_jobs : int, optional
        Threads; the answers do not depend on it.

    Attributes
    ----------
    trees_ : bytes
        CatBoost's JSON of what was fitted; numbers come before categories in it.
    is_category_ : list of bool
    n_features_in_ : int

    References
    ----------
    Prokhorenkova et al. (2018), CatBoost: unbiased boosting with categorical features, NeurIPS.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "iterations": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "depth": [Interval(Integral, 1, text.DEEPEST, closed="both")],
        "l2_leaf_reg": [Interval(Real, 0, None, closed="left")],
        "random_strength": [Interval(Real, 0, None, closed="left")],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "colsample_bylevel": [Interval(Real, 0, 1, closed="right")],
        "leaf_estimation_iterations": [Interval(Integral, 1, None, closed="left")],
        "border_count": [Interval(Integral, 1, 65535, closed="both")],
        "one_hot_max_size": [Interval(Integral, 1, None, closed="left")],
        "max_ctr_complexity": [Interval(Integral, 1, 15, closed="both")],
        "model_size_reg": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        iterations: int = 1000,
        learning_rate: float = 0.08,
        depth: int = 6,
        l2_leaf_reg: float = 3.0,
        random_strength: float = 1.0,
        subsample: float = 0.9,
        colsample_bylevel: float = 1.0,
        leaf_estimation_iterations: int = 1,
        border_count: int = 254,
        one_hot_max_size: int = 15,
        max_ctr_complexity: int = 4,
        model_size_reg: float = 0.5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ):
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.depth = depth
        self.l2_leaf_reg = l2_leaf_reg
        self.random_strength = random_strength
        self.subsample = subsample
        self.colsample_bylevel = colsample_bylevel
        self.leaf_estimation_iterations = leaf_estimation_iterations
        self.border_count = border_count
        self.one_hot_max_size = one_hot_max_size
        self.max_ctr_complexity = max_ctr_complexity
        self.model_size_reg = model_size_reg
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_booster"}

    def train(
        self, rows: Part, parts: Sequence[Part], patience: Patience | None, is_category, monotone, on_round: OnRound | None
    ) -> tuple[dict[str, list[float]], int]:
        """Fit in place and give the losses of the parts, round by round, and how many rounds the model holds.

        Parameters
        ----------
        rows : Part
        parts : sequence of Part
            Whose losses are recorded; the last is watched where there is patience.
        patience : Patience, optional
        is_category : list of bool
        monotone : list of {-1, 0, 1}
        on_round : callable, optional

        Raises
        ------
        ConfigError
            If CatBoost is not installed, or no column has two values.
        """
        check_arguments(type(self).__name__, {})
        from catboost import CatBoost, CatBoostError

        self.is_category_, self.n_features_in_ = [bool(flag) for flag in is_category], len(is_category)
        self.__dict__.pop("_booster", None)
        told = {name: getattr(self, name) for name in PARAMETERS} | FIXED | self._objective()
        told |= {"random_seed": self.random_state, "thread_count": self.n_jobs or -1}
        if any(monotone):
            told["monotone_constraints"] = [monotone[column] for column in self._order()]
            told["max_ctr_complexity"] = 1  # combined with a category, a number would be split without its direction
        names = [part.name for part in parts]
        watch = _Watch(names, patience, on_round) if on_round or (patience and patience.min_delta) else None
        if patience and not watch:
            told |= {"od_type": "Iter", "od_wait": patience.rounds}
        booster = CatBoost(told)
        try:
            watched = [self._pool(part) for part in parts if part.name != "train"]
            booster.fit(self._pool(rows), eval_set=watched or None, callbacks=[watch] if watch else None)
        except CatBoostError as error:
            if NOTHING_TO_SPLIT not in str(error):
                raise
            raise ConfigError("CatBoost has nothing to learn from: no column has two values. Choose another model.") from error
        losses = {part: next(iter(booster.get_evals_result()[NAMES[part]].values())) for part in names}
        n_rounds = booster.tree_count_
        if patience and patience.restore_best_weights:
            n_rounds = 1 + (watch.best if watch else int(np.argmin(losses[names[-1]])))
            booster.shrink(ntree_end=n_rounds)
        self.trees_ = text.written(booster)
        return losses, n_rounds

    def _fit(self, X, y, sample_weight):
        X = np.asarray(X, dtype=np.float32)
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        rows = Part("train", X, np.asarray(y), weight)
        self.train(rows, [], None, [False] * X.shape[1], [0] * X.shape[1], None)
        return self

    @property
    def booster(self):
        """CatBoost's own object, read from the text."""
        check_is_fitted(self, "trees_")
        if "_booster" not in vars(self):
            check_arguments(type(self).__name__, {})
            self._booster = text.read(self.trees_)
        return self._booster

    def raw_score(self, X, n_rounds: int = 0) -> np.ndarray:
        """What the first trees add up to, or all: a number of each row; of each row and class where there are more than two."""
        return self.booster.predict(self._table(X), ntree_end=n_rounds, thread_count=self.n_jobs or -1)

    def contributions(self, X) -> np.ndarray:
        """Shapley values of each column of the matrix and, last, their base; by class where there are more than two."""
        from catboost import Pool

        found = self._importance(data=Pool(self._table(X)), type="ShapValues")
        place = np.append(np.argsort(self._order()), self.n_features_in_)
        return found[..., place]

    def gains(self) -> np.ndarray:
        """How much each column of the matrix changes what is predicted; 0 where no split uses it."""
        check_is_fitted(self, "trees_")
        facts, of_order = json.loads(self.trees_), np.zeros(self.n_features_in_)
        splits = {split["split_index"] for tree in facts["oblivious_trees"] for split in tree["splits"]}
        columns = text.columns_of_splits(facts["features_info"])
        used = sorted({column for split in splits for column in columns[split]})
        of_order[used] = np.maximum(self._importance()[used], np.finfo(float).tiny)
        found = np.empty(self.n_features_in_)
        found[self._order()] = of_order
        return found

    def _importance(self, **of) -> np.ndarray:
        """What CatBoost finds; it writes to the terminal that the text says no loss, on which none of this depends."""
        said = StringIO()
        return np.asarray(
            self.booster.get_feature_importance(**of, thread_count=self.n_jobs or -1, log_cout=said, log_cerr=said)
        )

    def _order(self) -> np.ndarray:
        """Columns of the matrix in the order that CatBoost sees: numbers first."""
        return np.argsort(self.is_category_, kind="stable")

    def _pool(self, part: Part):
        from catboost import Pool

        return Pool(self._table(part.X), label=self._label(part.y), weight=part.weight)

    def _table(self, X):
        from catboost import FeaturesData

        X, is_category = np.asarray(X, dtype=np.float32), np.array(self.is_category_, dtype=bool)
        if X.shape[1:] != is_category.shape:
            raise ValueError(f"X has {X.shape[1]} columns, but the model was fitted on {len(is_category)}")
        numbers = np.ascontiguousarray(X[:, ~is_category]) if not is_category.all() else None
        if not is_category.any():
            return FeaturesData(num_feature_data=numbers)
        codes = np.nan_to_num(X[:, is_category], nan=-1.0).astype(np.int64)  # a missing value is a category of its own
        names = np.array([b"%d" % code for code in range(-1, codes.max(initial=-1) + 1)], dtype=object)
        return FeaturesData(num_feature_data=numbers, cat_feature_data=names[codes + 1])


class CatBoostClassifier(ClassifierMixin, _CatBoost):
    """CatBoost that estimates the probability of two or more classes; its parameters are those of its base."""

    def fit(self, X, y, sample_weight=None):
        """Fit all rounds to codes of classes."""
        return self._fit(X, y, sample_weight)

    def train(self, rows, parts, patience, is_category, monotone, on_round):
        """Fit in place: see the base."""
        self.classes_ = np.unique(rows.y)
        return super().train(rows, parts, patience, is_category, monotone, on_round)

    def _objective(self) -> dict[str, Any]:
        return {"loss_function": "Logloss" if len(self.classes_) == 2 else "MultiClass"}

    def _label(self, y) -> np.ndarray:
        codes = np.searchsorted(self.classes_, np.asarray(y)).clip(max=len(self.classes_) - 1)
        if (self.classes_[codes] != np.asarray(y)).any():
            raise ValueError("the rows that stop training hold a class that the training rows do not")
        return codes

    def predict_proba(self, X, n_rounds: int = 0) -> np.ndarray:
        """Probability of each class, in the order of `classes_`, by the first trees or all."""
        raw = self.raw_score(X, n_rounds)
        if raw.ndim == 2:
            return softmax(raw, axis=1)
        positive = expit(raw)
        return np.column_stack([1 - positive, positive])

    def predict(self, X) -> np.ndarray:
        """The most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class CatBoostRegressor(RegressorMixin, _CatBoost):
    """CatBoost that estimates the mean or a quantile.

    Parameters
    ----------
    iterations, learning_rate, …, n_jobs
        Those of the classifier.
    loss : {"squared_error", "quantile"}
    quantile : float
        In (0, 1); for the loss "quantile" only.
    """

    def __init__(
        self,
        iterations: int = 1000,
        learning_rate: float = 0.08,
        depth: int = 6,
        l2_leaf_reg: float = 3.0,
        random_strength: float = 1.0,
        subsample: float = 0.9,
        colsample_bylevel: float = 1.0,
        leaf_estimation_iterations: int = 1,
        border_count: int = 254,
        one_hot_max_size: int = 15,
        max_ctr_complexity: int = 4,
        model_size_reg: float = 0.5,
        random_state: int = 0,
        n_jobs: int | None = None,
        loss: str = "squared_error",
        quantile: float = 0.5,
    ):
        super().__init__(
            iterations, learning_rate, depth, l2_leaf_reg, random_strength, subsample, colsample_bylevel,
            leaf_estimation_iterations, border_count, one_hot_max_size, max_ctr_complexity, model_size_reg, random_state,
            n_jobs,
        )  # fmt: skip
        self.loss = loss
        self.quantile = quantile

    def fit(self, X, y, sample_weight=None):
        """Fit all rounds to numbers."""
        return self._fit(X, y, sample_weight)

    def _objective(self) -> dict[str, Any]:
        if self.loss == "quantile":
            return {"loss_function": f"Quantile:alpha={self.quantile}", "leaf_estimation_iterations": 1}
        return {"loss_function": "RMSE"}

    def _label(self, y) -> np.ndarray:
        return np.asarray(y, dtype=float)

    def predict(self, X, n_rounds: int = 0) -> np.ndarray:
        """The estimate for each row, by the first trees or all."""
        return self.raw_score(X, n_rounds)


class _Watch:
    """CatBoost's callback: tells the losses of a round, and has patience in Keras' sense.

    CatBoost copies all losses so far for each call, so thousands of rounds take long: where nobody listens and every fall of
    the loss counts, its own detector stops the training at the same round.
    """

    def __init__(self, parts: list[str], patience: Patience | None, on_round: OnRound | None):
        self.parts, self.patience, self.on_round = parts, patience, on_round
        self.least, self.best = np.inf, 0

    def after_iteration(self, info) -> bool:
        """Whether to go on."""
        losses = {part: next(iter(info.metrics[NAMES[part]].values())) for part in self.parts}
        if self.on_round:
            self.on_round({part: values[-1] for part, values in losses.items()})
        if not self.patience:
            return True
        watched = losses[self.parts[-1]]
        if watched[-1] < self.least - self.patience.min_delta:
            self.least, self.best = watched[-1], len(watched) - 1
        return len(watched) - 1 - self.best < self.patience.rounds

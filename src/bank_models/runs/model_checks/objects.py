"""Checks of fitted objects before they score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bank_models.runs.model_checks import estimators, preprocessing, sklearn_trees, wrappers
from bank_models.runs.model_checks.attributes import is_integer, name_of
from bank_models.runs.model_checks.fault import need

MOST_THREADS = 1024
PLAIN = (bool, int, float, str, bytes, bytearray, type(None), slice, np.generic, np.dtype, type)
CHECKS: dict[str, Callable[[Any], None]] = {
    "lightgbm.sklearn.LGBMClassifier": estimators.check_boosted,
    "lightgbm.sklearn.LGBMRegressor": estimators.check_boosted,
    "sklearn.calibration.CalibratedClassifierCV": wrappers.check_calibrated,
    "sklearn.calibration._SigmoidCalibration": wrappers.check_sigmoid,
    "sklearn.compose._column_transformer.ColumnTransformer": preprocessing.check_columns,
    "sklearn.dummy.DummyClassifier": estimators.check_dummy,
    "sklearn.dummy.DummyRegressor": estimators.check_dummy,
    "sklearn.ensemble._bagging.BaggingClassifier": sklearn_trees.check_votes,
    "sklearn.ensemble._bagging.BaggingRegressor": sklearn_trees.check_votes,
    "sklearn.ensemble._forest.ExtraTreesClassifier": sklearn_trees.check_forest,
    "sklearn.ensemble._forest.ExtraTreesRegressor": sklearn_trees.check_forest,
    "sklearn.ensemble._weight_boosting.AdaBoostClassifier": sklearn_trees.check_votes,
    "sklearn.ensemble._weight_boosting.AdaBoostRegressor": sklearn_trees.check_votes,
    "sklearn.ensemble._forest.RandomForestClassifier": sklearn_trees.check_forest,
    "sklearn.ensemble._forest.RandomForestRegressor": sklearn_trees.check_forest,
    "sklearn.ensemble._gb.GradientBoostingClassifier": sklearn_trees.check_gradient_boosting,
    "sklearn.ensemble._gb.GradientBoostingRegressor": sklearn_trees.check_gradient_boosting,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier": lambda one: (
        sklearn_trees.check_histograms(one, check)
    ),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor": lambda one: (
        sklearn_trees.check_histograms(one, check)
    ),
    "sklearn.feature_extraction.text.TfidfVectorizer": preprocessing.check_vectorizer,
    "sklearn.frozen._frozen.FrozenEstimator": wrappers.check_frozen,
    "sklearn.impute._base.MissingIndicator": preprocessing.check_indicator,
    "sklearn.impute._base.SimpleImputer": preprocessing.check_imputer,
    "sklearn.isotonic.IsotonicRegression": wrappers.check_isotonic,
    "sklearn.linear_model._base.LinearRegression": estimators.check_linear,
    "sklearn.linear_model._logistic.LogisticRegression": estimators.check_linear,
    "sklearn.linear_model._quantile.QuantileRegressor": estimators.check_linear,
    "sklearn.linear_model._ridge.Ridge": estimators.check_linear,
    "sklearn.model_selection._classification_threshold.FixedThresholdClassifier": wrappers.check_threshold,
    "sklearn.pipeline.Pipeline": wrappers.check_pipeline,
    "sklearn.preprocessing._data.PowerTransformer": preprocessing.check_power,
    "sklearn.preprocessing._data.QuantileTransformer": preprocessing.check_quantiles,
    "sklearn.preprocessing._data.StandardScaler": preprocessing.check_scaler,
    "sklearn.preprocessing._encoders.OneHotEncoder": preprocessing.check_one_hot,
    "sklearn.preprocessing._encoders.OrdinalEncoder": preprocessing.check_categories,
    "sklearn.preprocessing._function_transformer.FunctionTransformer": preprocessing.check_function,
    "sklearn.preprocessing._target_encoder.TargetEncoder": preprocessing.check_mean_targets,
    "bank_models.models.catboost.estimator.CatBoostClassifier": estimators.check_catboost,
    "bank_models.models.catboost.estimator.CatBoostRegressor": estimators.check_catboost,
    "bank_models.models.clustering.estimators.DBSCANClustering": estimators.check_clustering,
    "bank_models.models.clustering.estimators.HierarchicalClustering": estimators.check_clustering,
    "bank_models.models.clustering.estimators.KMeansClustering": estimators.check_clustering,
    "bank_models.models.ensemble.EnsembleClassifier": wrappers.check_ensemble,
    "bank_models.models.ensemble.EnsembleRegressor": wrappers.check_ensemble,
    "bank_models.models.wrappers.OnTargetScale": wrappers.check_on_target_scale,
    "bank_models.models.neural.estimator.NeuralNetworkClassifier": estimators.check_network,
    "bank_models.models.neural.estimator.NeuralNetworkRegressor": estimators.check_network,
    "bank_models.models.wrappers.CheapestClass": wrappers.check_cheapest,
    "bank_models.features.transformers.categories.CategoryCodes": preprocessing.check_categories,
    "bank_models.features.transformers.dates.DateParts": preprocessing.check_dtype,
    "bank_models.features.transformers.numbers.AsNumbers": preprocessing.check_dtype,
    "bank_models.features.transformers.own.OwnColumns": preprocessing.check_own,
    "bank_models.features.transformers.texts.TextTerms": preprocessing.check_terms,
    "xgboost.sklearn.XGBClassifier": estimators.check_boosted,
    "xgboost.sklearn.XGBRegressor": estimators.check_boosted,
}


def check(model: Any) -> None:
    """Refuse an object, or one that it is made of, which training cannot have made.

    Parameters
    ----------
    model : object

    Raises
    ------
    Malformed
    """
    for one in _parts(model):
        _check_attributes(one)
        if check_one := CHECKS.get(name_of(type(one))):
            check_one(one)


def _parts(model: Any) -> Iterator[Any]:
    """Every object with attributes once, from the outside in."""
    seen, stack = set(), [model]
    while stack:
        one = stack.pop()
        if isinstance(one, PLAIN) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list | tuple):
            stack.extend(one)
        elif isinstance(one, np.ndarray):
            stack.extend(one.ravel() if one.dtype == object else ())
        elif hasattr(one, "__dict__"):
            yield one
            stack.extend(vars(one).values())


def _check_attributes(one: Any) -> None:
    """Attributes hide no method, and name a number of threads that a machine can have."""
    kind = type(one)
    for name in vars(one):
        need(isinstance(name, str) and not name.startswith("__"), "an object has an attribute of an unusual name")
        hidden = getattr(kind, name, None)
        need(not callable(hidden) and not isinstance(hidden, property), f"an attribute hides {kind.__name__}.{name[:40]}")
    for name in ("n_jobs", "n_threads"):
        n = vars(one).get(name)
        is_usual = n is None or (is_integer(n) and -1 <= n <= MOST_THREADS)
        need(is_usual, f"a {kind.__name__} asks for an unusual number of threads")

"""Model files in the skops format: equal models give equal bytes, and only trusted types are read."""

from __future__ import annotations

import io
import json
import logging
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

from bank_models.errors import IntegrityError
from bank_models.extensions import packages
from bank_models.extensions.features import TRANSFORMERS
from bank_models.files import manifest, reading
from bank_models.models.estimators import ESTIMATORS
from bank_models.models.scikit_learn import SCIKIT_LEARN

log = logging.getLogger(__name__)
PICKLES = {"joblib": ".joblib", "pickle": ".pkl"}  # endings, by the setting `artifacts`
TRUSTED = [  # every type that a model file may hold beside numbers, texts and containers; never asked of the file itself
    "collections.OrderedDict",
    "functools.partial",  # of the function that stands below
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss._loss.CyPinballLoss",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.PinballLoss",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.decomposition._truncated_svd.TruncatedSVD",
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.frozen._frozen.FrozenEstimator",
    "sklearn.impute._base.MissingIndicator",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.isotonic.IsotonicRegression",
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.model_selection._classification_threshold.FixedThresholdClassifier",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.PowerTransformer",
    "sklearn.preprocessing._data.QuantileTransformer",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.preprocessing._target_encoder.TargetEncoder",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "bank_models.models.catboost.estimator.CatBoostClassifier",
    "bank_models.models.catboost.estimator.CatBoostRegressor",
    "bank_models.models.clustering.estimators.DBSCANClustering",
    "bank_models.models.clustering.estimators.HierarchicalClustering",
    "bank_models.models.clustering.estimators.KMeansClustering",
    "bank_models.models.ensemble.EnsembleClassifier",
    "bank_models.models.ensemble.EnsembleRegressor",
    "bank_models.models.wrappers.OnTargetScale",
    "bank_models.models.neural.estimator.NeuralNetworkClassifier",
    "bank_models.models.neural.estimator.NeuralNetworkRegressor",
    "bank_models.models.wrappers.CheapestClass",
    "bank_models.features.transformers.categories.CategoryCodes",
    "bank_models.features.transformers.categories.CategoryEncoder",
    "bank_models.features.transformers.dates.DateParts",
    "bank_models.features.transformers.matrix.NoColumns",
    "bank_models.features.transformers.numbers.AsNumbers",
    "bank_models.features.transformers.own.OwnColumns",
    "bank_models.features.transformers.texts.TextTerms",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]


def dump(path: Path, model: Any) -> None:
    """Save a fitted object in the skops format: equal objects give equal bytes."""
    from bank_models.runs.skops_io import skops

    path.write_bytes(_normal_form(skops.io.dumps(model)))


def dump_pickle(path: Path, model: Any) -> None:
    """Save a fitted object as a pickle, joblib's or Python's own as the path ends, and warn of it."""
    log.warning(f"{path.name} is a pickle: whoever opens it runs the code in it. The .skops file beside it holds the same.")
    if path.suffix == PICKLES["pickle"]:
        path.write_bytes(pickle.dumps(model))
    else:
        import joblib

        joblib.dump(model, path)


def load(run_dir: Path, name: str = "model.skops", manifest_sha256: str | None = None) -> Any:
    """Read a fitted object from a run folder.

    Parameters
    ----------
    run_dir : Path
    name : str
        A `.skops` file of the folder; or a `.joblib` or `.pkl` file, which is a pickle, and is opened with a warning.
    manifest_sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Returns
    -------
    object
        From skops, built only of types that this module trusts.

    Raises
    ------
    IntegrityError
        If the file is not the one that was written, or is one that no training writes: see `bank_models.runs.model_checks`.
    """
    data, path, types = manifest.read_verified(run_dir, name, manifest_sha256), Path(run_dir, name), trusted()
    is_pickle = name.endswith(tuple(PICKLES.values()))
    if is_pickle:
        warnings.warn(f"{path} is a pickle: opening it runs the code in it", stacklevel=2)
    try:
        return _unpickled(data) if is_pickle else _loads(data, types)
    except (
        Exception
    ) as error:  # whatever the readers of zip files, JSON, arrays and boosters raise of bytes that they do not like
        raise IntegrityError(f"{reading.shown(path)} is refused: {_told(error)}") from error


def loads(data: bytes) -> Any:
    """Build an object from the bytes of a `.skops` file, of types that this project trusts."""
    return _loads(data, trusted())


def _unpickled(data: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))


def _loads(data: bytes, types: frozenset[str]) -> Any:
    from bank_models.runs import model_checks, skops_io  # noqa: F401  skops is imported there first

    return model_checks.loads(data, types)


def trusted() -> frozenset[str]:
    """What a model file may hold: our list, scikit-learn's estimators that a model may name, and what enabled extensions say.

    Raises
    ------
    ConfigError
        If an extension that is enabled cannot be loaded.
    """
    enabled = packages.enabled()
    models = [name for extension in enabled for name in extension.entries["models"]]
    transformers = [name for extension in enabled for name in extension.entries["features"]]
    declared = [ESTIMATORS[name] for name in [*SCIKIT_LEARN, "QuantileRegressor", *models]]
    return frozenset(TRUSTED).union(*(one.types for one in [*declared, *(TRANSFORMERS[name] for name in transformers)]))


def _told(error: Exception) -> str:
    """An error in one line, though its text may come from the file."""
    from bank_models.runs.model_checks.fault import Malformed

    text = " ".join("".join(character if character.isprintable() else " " for character in str(error)).split())[:200]
    return text if isinstance(error, Malformed) else f"{type(error).__name__}: {text}"


def _normal_form(data: bytes) -> bytes:
    """Rewrite a skops archive without what differs between two dumps of one object: memory addresses and clock times."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(contents.pop("schema.json"))
    numbers: dict[Any, int] = {}
    files: dict[str, bytes] = {}

    def renumber(node: Any) -> Any:
        if isinstance(node, list):
            return [renumber(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = dict(node)
        if "__id__" in node:
            # plain values are told apart by value: whether two of them share an address is chance
            key = node["content"] if node.get("__loader__") == "JsonNode" else node["__id__"]
            node["__id__"] = numbers.setdefault((node.get("__loader__"), key), len(numbers) + 1)
        if node.get("file") in contents:
            name = f"{node['__id__']}{Path(node['file']).suffix}"
            files[name] = contents[node["file"]]
            node["file"] = name
        return {key: renumber(value) for key, value in node.items()}

    files["schema.json"] = json.dumps(renumber(schema), separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()

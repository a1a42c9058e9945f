"""Checks across settings: values that are each valid but cannot work together."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bank_models.config import CONF, launcher, secrets
from bank_models.config.schema import (
    UNSUPERVISED,
    CrossValidation,
    DataSource,
    DataSplit,
    EarlyStopping,
    Model,
    Tracking,
    TrainingConfig,
)
from bank_models.config.transform import check_transforms
from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError, unknown
from bank_models.files import yaml_file
from bank_models.metrics.names import METRICS, takes_weights
from bank_models.models import library_parameters
from bank_models.models.estimators import ESTIMATORS, check_arguments
from bank_models.runtime.device import cuda_devices

SOURCE_SETTINGS = {
    "packaged": ("name",),
    "simulated": ("rows", "seed"),
    "file": ("path", "separator", "decimal", "thousands", "encoding", "na_values", "symbols", "strip", "sheet", "skip_lines"),
    "sql": ("query", "url_env", "order_by"),
    "extension": ("source", "settings"),
}
SAFE_CV = {"temporal": ("time_series",), "group": ("group_kfold", "stratified_group_kfold")}


def check(config: TrainingConfig) -> None:
    """Refuse settings that are each fine but cannot work together.

    Raises
    ------
    ConfigError
    """
    _check_budget(config)
    _check_model(config.model, config.use_case, config.early_stopping)
    for model in (config.model, *config.members.values()):
        _check_quantile(model, config.use_case)
    check_transforms(config.use_case.transformers, config.use_case.inputs(), config.use_case.task)
    _check_device(config)
    launcher.check(config)
    _check_data_source(config.data_source, config.use_case)
    _check_data_split(config.data_split, config.use_case)
    _check_cv(config.cv, config.data_split, config.use_case)
    _check_metrics(config.use_case, config.cv)
    _check_tuning(config)
    _check_tracking(config.tracking)
    if config.calibration != "none" and config.use_case.task != "binary":
        raise ConfigError(f"calibration is for task binary, but use_case={config.use_case.key} is {config.use_case.task}")
    if config.class_weight != "none" and config.use_case.task not in ("binary", "multiclass"):
        raise ConfigError(f"class_weight is for classes, but use_case={config.use_case.key} is {config.use_case.task}")
    for model in (config.model, *config.members.values()):
        if config.class_weight != "none" and not ESTIMATORS[model.estimator[config.use_case.task]].takes_weights:
            raise ConfigError(
                f"class_weight={config.class_weight}, but model={model.name} cannot weigh rows.\nChoose class_weight=none."
            )
        _check_weights(model, config.use_case, config.cv)


def _check_weights(model: Model, use_case: UseCase, cv: CrossValidation) -> None:
    """Refuse weights that the model, or a metric that was asked for, does not take."""
    if use_case.weight_column is None:
        return
    task = use_case.task
    if not ESTIMATORS[model.estimator[task]].takes_weights:
        able = [name for name, known in _estimators().items() if task in known and ESTIMATORS[known[task]].takes_weights]
        raise ConfigError(
            f"use_case={use_case.key} weighs rows by {use_case.weight_column}, which model={model.name} cannot.\n"
            f"Choose a model that can: {', '.join(able)}."
        )
    for name in cv.scoring or ():
        if not takes_weights(name):
            raise ConfigError(
                f"cv.scoring: {name} has no weighted form, but rows are weighed by {use_case.weight_column}: leave it out."
            )


def _check_model(model: Model, use_case: UseCase, early_stopping: EarlyStopping) -> None:
    if use_case.task not in model.estimator:
        fits = " and ".join(model.estimator)
        raise ConfigError(
            f"model={model.name} fits {fits}, but use_case={use_case.key} is {use_case.task}.\n"
            f"Choose a model that fits {use_case.task}: {', '.join(models_for(use_case.task))}."
        )
    if early_stopping.patience is None and (early_stopping.min_delta or early_stopping.restore_best_weights):
        raise ConfigError("early_stopping without patience has nothing to stop at: choose early_stopping=patience or none")
    if early_stopping.patience is not None and not model.trains_in_rounds:
        raise ConfigError(
            f"early_stopping.patience={early_stopping.patience}, but model={model.name} does not train in rounds.\n"
            "Leave it out, or type early_stopping=none."
        )
    if use_case.requires_monotone and not model.keeps_monotone:
        able = [name for name in models_for(use_case.task) if model_facts(CONF / f"model/{name}.yaml")["keeps_monotone"]]
        raise ConfigError(
            f"use_case={use_case.key} requires the directions of its features, which model={model.name} cannot keep.\n"
            f"Choose a model that can: {', '.join(able)}."
        )
    library_parameters.check(model.name, model.estimator[use_case.task], model.params, set(model.constraints))
    check_arguments(model.estimator[use_case.task], model.params)


def _check_quantile(model: Model, use_case: UseCase) -> None:
    if use_case.quantile is None or ESTIMATORS[model.estimator[use_case.task]].can_predict(use_case.quantile):
        return
    able = [name for name, tasks in _estimators().items() if "regression" in tasks]
    able = [name for name in able if ESTIMATORS[_estimators()[name]["regression"]].can_predict(use_case.quantile)]
    raise ConfigError(
        f"use_case={use_case.key} predicts the quantile {use_case.quantile}, which model={model.name} cannot.\n"
        f"Choose a model that can: {', '.join(able)}."
    )


def _check_budget(config: TrainingConfig) -> None:
    if config.budget is None:
        return
    if config.use_case.task in UNSUPERVISED:
        raise ConfigError(
            f"budget={config.budget} is for a search, which needs labels, but use_case={config.use_case.key} is "
            f"{config.use_case.task}: leave it out."
        )
    if config.tuning.method != "auto":
        raise ConfigError(f"budget={config.budget} is for tuning=auto, but tuning={config.tuning.method}: type tuning=auto.")
    if config.tuning.timeout_s is not None:
        raise ConfigError(
            f"budget={config.budget} already says when the search ends: leave tuning.timeout_s={config.tuning.timeout_s:g} out."
        )


def _check_tuning(config: TrainingConfig) -> None:
    tuning, model, use_case = config.tuning, config.model, config.use_case
    if tuning.method == "none":
        given = [name for name, value in tuning.model_dump(exclude={"method"}).items() if value is not None]
        if given or config.save_tuned:
            name = f"tuning.{given[0]}" if given else "save_tuned"
            raise ConfigError(f"{name} is for a search: choose tuning=bayesian, grid_search, random_search or halving")
        return
    if use_case.task in UNSUPERVISED:
        raise ConfigError(f"tuning={tuning.method} needs labels, but use_case={use_case.key} is {use_case.task}: leave it out")
    if (tuning.method == "auto") != bool(config.members):
        raise ConfigError(
            f"tuning={tuning.method} does not go with model={model.name}: tuning=auto searches the models that model=ensemble "
            "averages, and nothing else does.\nType model=ensemble tuning=auto, or choose another search for a single model."
        )
    for member in config.members.values():
        _check_search(member, use_case.task)
    if tuning.method != "auto":
        _check_search(model, use_case.task)
    if tuning.cv is None and tuning.n_iter is None:
        raise ConfigError(
            f"tuning.method={tuning.method} alone says neither how many folds nor how many trials.\n"
            f"Type tuning={tuning.method}."
        )
    where = model.grid if tuning.method == "grid_search" else model.search_space
    if not where and tuning.method != "auto":
        raise ConfigError(f"tuning={tuning.method}, but model={model.name} has nothing to tune: choose tuning=none")
    if tuning.cv is None or tuning.max_concurrent_trials is None or (tuning.n_iter is None and tuning.method != "grid_search"):
        raise ConfigError(f"tuning={tuning.method} needs tuning.cv, tuning.max_concurrent_trials and tuning.n_iter")
    if tuning.storage and secrets.holds_password(tuning.storage):
        raise ConfigError(secrets.NAME_IT.format("tuning.storage"))
    if tuning.storage and "://" not in tuning.storage and not secrets.is_variable(tuning.storage):
        raise ConfigError(
            f"tuning.storage={tuning.storage} is not an address.\n"
            "Of a file it is sqlite:///folder/file.db, or sqlite:////folder/file.db from the root.\n"
            "An address with a password belongs into an environment variable, whose name is given instead."
        )


def _check_tracking(tracking: Tracking) -> None:
    if tracking.kind != "mlflow":
        return
    if not secrets.is_variable(tracking.uri_env):
        raise ConfigError("tracking.uri_env names an environment variable, such as MLFLOW_TRACKING_URI, and holds no address")
    secrets.of_mlflow("tracking.uri_env", tracking.uri_env)
    if find_spec("mlflow") is None:
        raise ConfigError("tracking=mlflow needs MLflow's client, which is not installed.\nType: make setup EXTRAS=mlflow")


def _check_search(model: Model, task: str) -> None:
    """Refuse a grid, a space or a starting point that has what a parameter cannot be, by the file or by the estimator."""
    known = model.constraints
    tried = {f"grid.{name}": (name, values) for name, values in model.grid.items()}
    tried |= {f"search_space.{name}": (name, space.ends()) for name, space in model.search_space.items()}
    tried |= {f"starting_points.{name}": (name, [value]) for point in model.starting_points for name, value in point.items()}
    for place, (name, values) in tried.items():
        if name not in known and name not in model.params:
            raise ConfigError(unknown(f"model.{place.split('.')[0]}", name, [*known, *model.params]))
        if name == "normalize":
            raise ConfigError("normalize belongs to preprocessing, which is done once for all trials: it cannot be searched")
        for value in values:
            if name not in known:
                library_parameters.check(model.name, model.estimator[task], model.params | {name: value}, set(known))
                continue
            try:
                TypeAdapter(known[name].annotation()).validate_python(value)
            except ValidationError:
                raise ConfigError(f"model.{place} tries {value}, which model.params.{name} cannot be") from None
    if len(model.grid) and any(not values for values in model.grid.values()):
        raise ConfigError("model.grid has a parameter without values")


def _check_device(config: TrainingConfig) -> None:
    """Refuse a device that is absent, or that neither the model nor a member of it could use."""
    if config.device == "cpu":
        return
    task = config.use_case.task
    names = [config.model.estimator[task], *(member.estimator[task] for member in config.members.values())]
    if not any(ESTIMATORS[name].takes_device for name in names):
        able = [name for name, tasks in _estimators().items() if task in tasks and ESTIMATORS[tasks[task]].takes_device]
        raise ConfigError(
            f"device={config.device}, but model={config.model.name} trains on the CPU only.\n"
            f"Choose device=cpu, or a model that can use it: {', '.join(able) or 'there is none for ' + task}."
        )
    if not cuda_devices():
        raise ConfigError("device=cuda, but NVIDIA's driver shows no CUDA device to this process.\nChoose device=cpu.")


def models_for(task: str) -> list[str]:
    """Names of the models in `conf/model` that fit a task."""
    return [name for name, estimators in _estimators().items() if task in estimators]


def _estimators() -> dict[str, dict[str, str]]:
    return {path.stem: yaml_file.read(path)["estimator"] for path in sorted((CONF / "model").glob("*.yaml"))}


def model_facts(path: Path) -> dict:
    return {key: value for key, value in yaml_file.read(path).items() if key != "defaults"}


def _check_data_source(source: DataSource, use_case: UseCase) -> None:
    understood = SOURCE_SETTINGS[source.kind]
    given = {key for keys in SOURCE_SETTINGS.values() for key in keys if getattr(source, key) is not None}
    if extra := sorted(given - set(understood)):
        raise ConfigError(f"data_source={source.kind} does not understand data_source.{extra[0]}: leave it out")
    if source.kind == "simulated" and use_case.simulation is None:
        raise ConfigError(f"use_case={use_case.key} declares no simulation. Choose data_source=packaged or data_source=file.")
    fits = [name for name in (use_case.packaged, *use_case.proxies) if name]
    if source.kind == "packaged" and source.name not in fits:
        given = f"data_source.name={source.name}" if source.name else "data_source=packaged without data_source.name"
        choices = f"data_source.name={' or '.join(fits)}, or " if fits else ""
        raise ConfigError(
            f"{given} does not fit use_case={use_case.key}.\n"
            f"Choose {choices}data_source={'simulated' if use_case.simulation else 'file data_source.path=…'}."
        )
    if source.kind == "extension" and source.source is None:
        raise ConfigError("data_source.kind=extension needs data_source.source, which an extension declares")
    if source.kind == "sql" and not (source.query and source.url_env):
        raise ConfigError("data_source=sql needs data_source.query and data_source.url_env")
    if source.url_env is not None and not secrets.is_variable(source.url_env):
        raise ConfigError(secrets.NAME_IT.format("data_source.url_env"))
    if source.kind == "simulated" and source.rows is not None and source.seed is None:
        raise ConfigError("data_source=simulated needs data_source.seed, for example 42")


def _check_data_split(split: DataSplit, use_case: UseCase) -> None:
    total = split.train_ratio + split.val_ratio + split.test_ratio
    if abs(total - 1) > 1e-9:
        raise ConfigError(
            f"data_split ratios must sum to 1, but {split.train_ratio} + {split.val_ratio} + {split.test_ratio} = {total:.6g}"
        )
    has_no_test = use_case.task == "clustering"
    if (split.method == "none") != has_no_test:
        choice = "none" if has_no_test else "stratified, random, temporal, group or hashed"
        raise ConfigError(f"use_case={use_case.key} is {use_case.task}: choose data_split={choice}")
    _check_stratify(split)
    if split.method == "none":
        if split.train_ratio != 1:
            raise ConfigError("data_split=none fits on every row: leave its ratios alone")
        return _check_random_state("data_split", split.random_state, is_random=False)
    for part in ("val_ratio", "test_ratio"):
        if not getattr(split, part):
            raise ConfigError(f"data_split.{part}=0: must be greater than 0: early stopping, thresholds and the test need rows")
    if split.method == "stratified" and use_case.task == "regression":
        raise ConfigError(
            f"data_split=stratified keeps classes in proportion, but use_case={use_case.key} predicts a number.\n"
            "Choose data_split=random, temporal, group or hashed."
        )
    if looks_at_targets(use_case) and split.method != "temporal":
        raise ConfigError(
            f"use_case={use_case.key} has lags of its target: rows of train would hold labels of test.\n"
            "Choose data_split=temporal."
        )
    _check_time_column("data_split", split.method == "temporal", use_case)
    _check_group_column("data_split", split.method == "group", use_case)
    return _check_random_state("data_split", split.random_state, is_random=split.method != "temporal")


def _check_stratify(split: DataSplit) -> None:
    if split.stratify is False and split.method == "stratified":
        raise ConfigError(
            "data_split=stratified keeps classes in proportion, so data_split.stratify=false contradicts it.\n"
            "Type data_split=random data_split.stratify=false."
        )
    if split.stratify and split.method not in ("stratified", "random"):
        raise ConfigError(
            f"data_split={split.method} decides by itself where a row goes, so data_split.stratify=true cannot work.\n"
            "Leave it out, or type data_split=random data_split.stratify=true."
        )


def looks_at_targets(use_case: UseCase) -> bool:
    """Whether a feature of a row holds the target of an earlier row."""
    return any(lag.column == use_case.target for lag in use_case.lags.values())


def _check_cv(cv: CrossValidation, split: DataSplit, use_case: UseCase) -> None:
    if use_case.task in UNSUPERVISED and cv.method != "none":
        raise ConfigError(f"use_case={use_case.key} is {use_case.task}, which has no folds to score: choose cv=none")
    if cv.method == "none":
        if cv.n_folds or cv.n_repeats or cv.scoring:
            raise ConfigError(
                "cv=none has no folds to score: leave cv.n_folds, cv.n_repeats and cv.scoring alone, or choose another cv"
            )
        return
    if cv.n_folds < 2:
        raise ConfigError(f"cv.n_folds must be at least 2, but got {cv.n_folds}. To skip cross-validation choose cv=none.")
    if looks_at_targets(use_case) and cv.method != "time_series":
        raise ConfigError(
            f"use_case={use_case.key} has lags of its target, which other folds would give away: choose cv=time_series"
        )
    if cv.method not in SAFE_CV.get(split.method, (cv.method,)):
        kept = "newer rows" if split.method == "temporal" else "rows of one group"
        raise ConfigError(
            f"cv={cv.method} mixes into the training folds {kept} that data_split={split.method} keeps apart.\n"
            f"Choose cv={' or cv='.join(SAFE_CV[split.method])}."
        )
    if cv.method.startswith("stratified") and use_case.task == "regression":
        raise ConfigError(
            f"cv={cv.method} keeps classes in proportion, but use_case={use_case.key} predicts a number.\n"
            "Choose cv=kfold, group_kfold or time_series."
        )
    if cv.method == "time_series" and cv.shuffle:
        raise ConfigError("cv=time_series keeps rows in time order: leave cv.shuffle at false")
    if cv.n_repeats is not None and cv.n_repeats > 1 and not cv.shuffle:
        raise ConfigError(
            f"cv.n_repeats={cv.n_repeats}, but cv={cv.method} without cv.shuffle draws the same folds every time: leave it null"
        )
    _check_time_column("cv", cv.method == "time_series", use_case)
    _check_group_column("cv", "group" in cv.method, use_case)
    _check_random_state("cv", cv.random_state, is_random=cv.shuffle)


def _check_metrics(use_case: UseCase, cv: CrossValidation) -> None:
    for place, name in [("use_case.metric", use_case.metric), *(("cv.scoring", name) for name in cv.scoring or ())]:
        if use_case.task not in METRICS[name].tasks:
            fits = [one for one in METRICS.ours if use_case.task in METRICS[one].tasks]
            raise ConfigError(
                f"{place}: {name} measures {' and '.join(METRICS[name].tasks)}, but use_case={use_case.key} is "
                f"{use_case.task}.\nChoose one of {', '.join(fits)}."
            )


def _check_group_column(group: str, is_needed: bool, use_case: UseCase) -> None:
    if is_needed and use_case.group_column is None:
        raise ConfigError(
            f"{group} keeps groups together, but use_case={use_case.key} names no group_column.\nChoose another {group}."
        )


def _check_time_column(group: str, is_needed: bool, use_case: UseCase) -> None:
    if is_needed and use_case.time_column is None:
        raise ConfigError(
            f"{group} orders rows by time, but use_case={use_case.key} names no time_column.\n"
            f"Choose another {group}, for example {'stratified' if group == 'data_split' else 'stratified_kfold'}."
        )


def _check_random_state(group: str, random_state: int | None, is_random: bool) -> None:
    if is_random and random_state is None:
        raise ConfigError(f"{group}.random_state must be a number, for example 42: rows are shuffled by it")
    if not is_random and random_state is not None:
        raise ConfigError(f"{group} shuffles nothing, so {group}.random_state={random_state} has no effect: leave it null")

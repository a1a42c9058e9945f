"""Resolved configurations: `resolved/<use_case>.json`, and the plots and models that DVC shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bank_models.commands import as_typed
from bank_models.config import project
from bank_models.config.compose import check_job, compose_job, composer, parse
from bank_models.config.effects import AFTERWARDS, HOW
from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError
from bank_models.files import writing, yaml_file
from bank_models.stages import lineage

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig

PARAMS = Path("params.yaml")


RESOLVED = Path("resolved")


PORTFOLIO = Path("portfolio")


ONLY_EVALUATED = ("benchmarks", "favourable", "known_in_time", "margin", "minimum_reason", "minimum_score")
"""Facts of a use case that no fit reads: `reproduce.fit` withholds them."""


ABOUT_SEARCHES = ("constraints", "grid", "search_space", "starting_points")


PLOTS = {  # by what a run's plots/ holds: template, x, y, and what the axes and the plot are called
    "roc": ("simple", "false_positive_rate", "true_positive_rate", "ROC"),
    "precision_recall": ("simple", "recall", "precision", "Precision and recall"),
    "confusion": ("confusion_counts", "predicted", "actual", "Decisions"),
    "calibration": ("linear", "mean_predicted", "observed_rate", "Calibration"),
    "learning_curve": ("simple", "round", ["train_loss", "val_loss"], "Learning curve"),
    "predictions": ("scatter", "predicted", "actual", "Predicted and actual"),
    "residuals": ("simple", "mean_predicted", ["low", "median", "high"], "Residuals: tenths of rows, 10 %, median, 90 %"),
    "cluster_sizes": ("bar_horizontal", "size", "cluster", "Rows of each cluster"),
}


PLOTS_OF_TASK = {
    "binary": ["roc", "precision_recall", "confusion", "calibration"],
    "multiclass": ["confusion"],
    "regression": ["predictions", "residuals"],
    "anomaly": ["roc", "precision_recall", "cluster_sizes"],
    "clustering": ["cluster_sizes"],
}


def models() -> dict[str, str]:
    """The use cases to reproduce, and the model of each, as `params.yaml` says.

    Raises
    ------
    ConfigError
    """
    try:
        named = yaml_file.read(PARAMS)["use_cases"]
        return {str(use_case): str(model) for use_case, model in named.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{PARAMS} must name models by use case, below use_cases: {error}") from error


def resolve(models: dict[str, str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Bring `resolved/` up to date.

    Parameters
    ----------
    models : dict of str to str
        By use case.

    Returns
    -------
    changed : list of str
        Use cases whose file was written anew, or removed.
    settings : dict of str to dict
        Of every use case.
    """
    RESOLVED.mkdir(exist_ok=True)
    changed, found = [], {}
    folders = project.config_dirs()
    with composer(folders) as compose:
        for use_case, model in models.items():
            try:
                chosen = [f"use_case={use_case}", f"model={model}"]
                parse(chosen, folders)
                job = compose_job(compose, chosen, folders)
                settings = check_job(job).model_dump(mode="json")
            except ConfigError as error:
                raise ConfigError(f"{PARAMS}: {use_case}: {model}\n{error}") from error
            found[use_case] = settings
            values = with_digests({"settings": determining(settings), **lineage.depends_on(settings)})
            if write_if_new(path_of(use_case), json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"):
                changed.append(use_case)
    for path in RESOLVED.glob("*.json"):
        if path.stem not in models:
            path.unlink()
            changed.append(path.stem)
    return changed, found


def check_stage(path: Path = Path("dvc.yaml")) -> None:
    """Refuse a stage that DVC runs only when our own files change, where a project has files or packages of its own.

    Raises
    ------
    ConfigError
    """
    own = project.read()
    if (own.config_dir is None and not own.extensions) or not path.is_file():
        return
    stage = (yaml_file.read(path) or {}).get("stages", {}).get("resolve", {})
    if not stage.get("always_changed"):
        raise ConfigError(
            f"{path}: DVC would not notice a change of the folder or the packages that {project.FILE} names.\n"
            "Add to its stage resolve:  always_changed: true"
        )


def with_digests(values: dict[str, Any]) -> dict[str, Any]:
    """Add a hash of what determines the fit, and one of what determines the evaluation of its outputs.

    The stages of DVC depend on these alone. So `dvc.lock` holds two short texts for each use case, and not every setting.

    Parameters
    ----------
    values : dict
        `settings`, `code`, `packages` and `data`.
    """
    settings, code, packages = values["settings"], values["code"], values["packages"]
    use_case = {key: value for key, value in settings["use_case"].items() if key not in ONLY_EVALUATED}
    fit = [settings | {"use_case": use_case}, code["both"], code["fit"], packages, values["data"]]
    return {"fit": _digest(fit), "evaluate": _digest([settings, code["both"], code["evaluate"], packages]), **values}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def orphans(use_cases: Collection[str]) -> list[str]:
    """Folders of the portfolio whose use case is not to be reproduced any more: DVC leaves what its stages wrote."""
    return sorted(str(path.parent) for path in PORTFOLIO.glob("*/metrics.json") if path.parent.name not in use_cases)


def path_of(use_case: str) -> Path:
    """Where the resolved configuration of a use case stands."""
    return RESOLVED / f"{use_case}.json"


def determining(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that a result depends on: not how a run is carried out, and not where a search would look without one."""
    kept = {key: value for key, value in settings.items() if key not in (*HOW, *AFTERWARDS)}
    if settings["tuning"]["method"] != "none":
        return _without_none(kept)

    def of_fit(model: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in model.items() if key not in ABOUT_SEARCHES}

    members = {name: of_fit(model) for name, model in settings["members"].items()}
    return _without_none(kept | {"model": of_fit(settings["model"]), "members": members})


def withheld(config: TrainingConfig) -> TrainingConfig:
    """A configuration without what no fit reads, so that none can."""
    left = {name: UseCase.model_fields[name].get_default(call_default_factory=True) for name in ONLY_EVALUATED}
    return config.model_copy(update={"use_case": config.use_case.model_copy(update=left)})


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value


def shown_by_dvc(settings: dict[str, dict[str, Any]]) -> str:
    """Text of `portfolio/dvc.yaml`: no stages, but the parameters, plots and models of each use case."""
    artifacts_of, plots = {}, []
    for use_case, one in settings.items():
        artifacts_of[use_case.replace("_", "-")] = {  # DVC allows no underscore here
            "path": f"{use_case}/run/model.skops",
            "type": "model",
            "desc": f"{one['use_case']['id']} {one['use_case']['name']}, {one['model']['name']}",
            "labels": [one["use_case"]["department"], one["use_case"]["task"]],
        }
        for name in _plots_of(one):
            template, x, y, title = PLOTS[name]
            shown = {"template": template, "x": x, "y": y, "title": f"{use_case}: {title}"}
            plots.append({f"{use_case}/plots/{name}.csv": shown})
    params = [f"../{path_of(use_case)}" for use_case in settings]
    values = {"params": params, "artifacts": artifacts_of, "plots": plots}
    head = as_typed("# Written by python -m src.resolve, for the use cases of params.yaml.\n")
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def _plots_of(settings: dict[str, Any]) -> list[str]:
    learns_in_rounds = settings["model"]["trains_in_rounds"] and settings["use_case"]["task"] != "clustering"
    return [*PLOTS_OF_TASK[settings["use_case"]["task"]], *(["learning_curve"] if learns_in_rounds else [])]


def write_if_new(path: Path, text: str) -> bool:
    """Write a file unless it holds this text already; says whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    writing.replace_text(path, text)
    return True

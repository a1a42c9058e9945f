"""MLflow: parameters, metrics, curves, files and the model of a finished run.

Everything goes through one client of our own, so that no state which other users of MLflow share is changed. What MLflow takes
from the environment is set while we talk to it, and only where nobody has set it: it prints nothing, tells nobody of its use,
and does not wait minutes for a server that is down.
"""

from __future__ import annotations

import contextlib
import csv
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bank_models.config.effects import NO_NUMBER
from bank_models.errors import TrainingError
from bank_models.files import folders, manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read when it is imported, once
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
AT_FIRST = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
ONCE_IT_ANSWERED = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
LOADER = "bank_models.tracking.mlflow_model"
LONGEST_KEY, LONGEST_PARAM = 250, 6000
NO_CHOICE = {"use_case", "model", "members", *NO_NUMBER} - {"n_threads"}  # of settings
RESOURCES = {  # MLflow's own names where the whole device is meant, as MLflow means it
    "cpu_percent": "system/process_cpu_utilization_percentage",
    "memory_mb": "system/process_memory_usage_megabytes",
    "gpu_percent": "system/gpu_0_utilization_percentage",
    "gpu_memory_mb": "system/gpu_0_memory_usage_megabytes",
}


def log(run_dir: Path, uri: str, name: str | None = None) -> str:
    """Send a run to a server, as a run of the experiment and a version of the registered model that its use case names.

    Parameters
    ----------
    run_dir : Path
        Finished.
    uri : str
        Address of the server, http or https, or of a database in a file, such as sqlite:///mlflow.db. A user and a password
        in it are used and never shown.
    name : str, optional
        Of the run; its model's name if None.

    Returns
    -------
    str
        Where the run can be seen.

    Raises
    ------
    TrainingError
        If the server does not answer.
    """
    facts, metrics = (json.loads(manifest.read_verified(run_dir, f"{name}.json")) for name in ("metadata", "metrics"))
    server, credentials = _take_apart(uri)
    with _quiet(), _environment(ENVIRONMENT, credentials):
        from mlflow import MlflowClient

        client = MlflowClient(server)
        with _environment(AT_FIRST):
            experiment_id = _experiment(client, server, facts["use_case_key"])
            started, ended = _times(facts)
            run = client.create_run(experiment_id, start_time=started, tags=_tags(facts), run_name=name or facts["model"])
        run_id = run.info.run_id
        try:
            with _environment(ONCE_IT_ANSWERED):
                params = _params(facts)
                model = client.create_logged_model(experiment_id, facts["model"], run_id, _tags(facts), params)
                _log_values(client, run_id, params, _metrics(run_dir, metrics, model.model_id, started, ended))
                client.log_artifacts(run_id, str(run_dir))
                _log_model(client, run_dir, facts, run_id, model)
                client.set_terminated(run_id, "FINISHED", ended)
        except BaseException:
            with contextlib.suppress(Exception), _environment(AT_FIRST):
                client.set_terminated(run_id, "FAILED", ended)
            raise
    if server.startswith("sqlite:"):
        return f"{server}, run {run_id}. To see it: mlflow ui --backend-store-uri {server}"
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}"


def _take_apart(uri: str) -> tuple[str, dict[str, str]]:
    """An address without user and password, which no message can show then, and where MLflow looks for these."""
    parts = urlsplit(uri.rstrip("/"))
    if parts.username is None:
        return uri.rstrip("/"), {}
    credentials = {
        "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
        "MLFLOW_TRACKING_PASSWORD": unquote(parts.password or ""),
    }
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), credentials


@contextlib.contextmanager
def _environment(defaults: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Set variables until the block ends; of those with a default, the ones that nobody has set."""
    settings = {name: value for name, value in defaults.items() if name not in os.environ} | (settings or {})
    earlier = {name: os.environ[name] for name in settings if name in os.environ}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in settings:
            os.environ.pop(name, None)
        os.environ.update(earlier)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither log lines nor warnings: what goes wrong is raised, and the caller says it."""
    earlier = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(earlier)


def _experiment(client: MlflowClient, server: str, name: str) -> str:
    """Find or make an experiment; the first request, which finds out whether there is a server.

    Raises
    ------
    TrainingError
    """
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_experiment_by_name(name)
    except MlflowException as error:
        cause: BaseException = error
        while cause.__context__ is not None:
            cause = cause.__context__
        raise TrainingError(f"{server} does not answer as an MLflow server does: {cause}") from error
    if found is None:
        with _unless_it_exists():  # another job may have made it meanwhile
            return client.create_experiment(name)
        found = client.get_experiment_by_name(name)
    return found.experiment_id


@contextlib.contextmanager
def _unless_it_exists() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _times(facts: dict[str, Any]) -> tuple[int, int]:
    """Milliseconds since 1970 when a run began and when its results were there."""
    ended = datetime.fromisoformat(facts["created_at"]).timestamp()
    return round(1000 * (ended - sum(facts["durations_s"].values()))), round(1000 * ended)


def _tags(facts: dict[str, Any]) -> dict[str, str]:
    use_case, data, environment = facts["config"]["use_case"], facts["data"], facts["environment"]
    git = environment["git"] or {}
    tags = {
        "mlflow.source.name": "bank_models.train",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git.get("revision"),
        "mlflow.source.git.dirty": git.get("is_edited"),
        "use_case_id": facts["use_case_id"],
        "department": use_case["department"],
        "task": use_case["task"],
        "metric": facts["metric"],
        "algorithm": facts["algorithm"],
        "data.kind": data["kind"],
        "data.source": data.get("source"),
        "data.frame_sha256": data["frame_sha256"],
        "code_sha256": environment.get("code_sha256"),
    }
    return {name: _text(value) for name, value in tags.items() if value is not None}


def _params(facts: dict[str, Any]) -> dict[str, str]:
    """What was chosen, by the names that the command line knows."""
    chosen = {name: value for name, value in facts["config"].items() if name not in NO_CHOICE}
    chosen |= {"use_case": facts["use_case_key"], "model": facts["model"], "model.params": facts["params"]}
    return {_key(name): _text(value)[:LONGEST_PARAM] for name, value in _flat(chosen)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """A name of which MLflow takes every sign."""
    return re.sub(r"[^\w./: -]", "_", name)[:LONGEST_KEY]


def _metrics(run_dir: Path, metrics: dict[str, float], model_id: str, started: int, ended: int) -> list[Metric]:
    """Results, which are the model's too; the curves by round; and what the run took of the machine, by time."""
    from mlflow.entities import Metric

    found = [Metric(_key(name), value, ended, 0, model_id) for name, value in metrics.items() if value is not None]
    for row in _rows(run_dir / "history.csv"):
        step, member = int(row.pop("round")), row.pop("member", None)
        prefix = f"{member}/" if member else ""
        found += [Metric(_key(prefix + name), float(value), ended, step) for name, value in row.items() if value]
    for step, row in enumerate(_rows(run_dir / "resources.csv")):
        at = started + round(1000 * float(row["at_s"]))
        found += [Metric(name, float(row[column]), at, step) for column, name in RESOURCES.items() if row[column]]
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _log_values(client: MlflowClient, run_id: str, params: dict[str, str], metrics: list[Metric]) -> None:
    """The client sends at most 1,000 metrics and 100 parameters at once."""
    from mlflow.entities import Param

    client.log_batch(run_id, metrics, [Param(name, value) for name, value in params.items()])


def _log_model(client: MlflowClient, run_dir: Path, facts: dict[str, Any], run_id: str, model: LoggedModel) -> None:
    """Save the run folder as a model that MLflow can load, and make it a version; it holds neither code nor a pickle."""
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    from bank_models.config.use_case import UseCase
    from bank_models.scoring.row_checks import history_columns

    use_case = UseCase.model_validate(facts["config"]["use_case"])
    needed = {name: feature.type for name, feature in use_case.features.items()} | history_columns(use_case)
    packages = {"mlflow-skinny": version("mlflow-skinny"), **facts["environment"]["packages"]}
    with folders.scratch("mlflow-") as folder:
        pyfunc.save_model(
            folder / "model",
            loader_module=LOADER,
            data_path=str(run_dir),
            mlflow_model=Model(model.artifact_location, run_id, model_uuid=model.model_id, model_id=model.model_id),
            signature=_signature(needed),
            metadata={"columns": needed},
            pip_requirements=[f"{name}=={number}" for name, number in packages.items()],
        )
        client.log_model_artifacts(model.model_id, str(folder / "model"))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, "READY")
    with _unless_it_exists():
        client.create_registered_model(use_case.key, {"department": use_case.department})
    source = f"models:/{model.model_id}"
    client.create_model_version(use_case.key, source, run_id, _tags(facts), await_creation_for=0, model_id=model.model_id)


def _signature(needed: Mapping[str, str]):
    """Which columns must be there. Of what type is our own loader's to check: MLflow refuses whole numbers for a float."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    return ModelSignature(Schema([ColSpec(AnyType(), name) for name in needed]))

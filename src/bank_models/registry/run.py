"""Schema of a run folder that is registered; nothing is trusted before it is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, TypeAdapter, ValidationError, model_validator

from bank_models.config.effects import NO_NUMBER
from bank_models.config.schema import TrainingConfig
from bank_models.config.strict_model import Name
from bank_models.errors import IntegrityError
from bank_models.files import manifest, reading
from bank_models.registry.lines import Count, Finite, Moment, Sha256, what_is_wrong
from bank_models.runs import extensions

NEEDED = ("metadata.json", "metrics.json", "model.skops")
MOST_HASHES = 1024  # of a look that is read
RowHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
METRICS = TypeAdapter(dict[str, Finite | None], config=ConfigDict(strict=True))


class _Recorded(BaseModel):
    """StrictModel that the registry reads; there may be others."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Data(_Recorded):
    kind: str
    frame_sha256: Sha256
    n_valid_rows: Count
    proxy_for: str | None = None


class RowCounts(_Recorded):
    train: Count
    val: Count
    test: Count


class Overlap(_Recorded):
    n_copies: Count | None = None
    n_groups: Count | None = None
    n_groups_known: Count | None = None
    newest_train: str | None = None
    oldest_test: str | None = None


class Split(_Recorded):
    sha256: Sha256
    n_rows: RowCounts
    overlap: Overlap | None = None
    random_state: Count | None = None
    declared_random_state: Count | None = None


class Rows(_Recorded):
    n: PositiveInt
    place: Sha256
    smallest: Annotated[list[RowHash], Field(min_length=1, max_length=MOST_HASHES)]


class Look(_Recorded):
    """See `evaluation.looks`; without the hash of the settings where DVC keeps it, which knows no code but the run's own."""

    settings: Sha256 | None = None
    answers: Sha256
    rows: Rows


class Looks(_Recorded):
    n: PositiveInt
    optimism: Finite | None = None


class Leak(_Recorded):
    columns: list[str]
    metric: Literal["roc_auc", "r2"]
    value: Finite


class Sample(_Recorded):
    horizon: PositiveInt = 1
    lacks: str | None = None


class Recorded(_Recorded):
    """What `metadata.json` says of a run; without clock times where DVC keeps it, without a split where nothing is tested."""

    use_case_id: str
    use_case_key: Name
    model: Name
    algorithm: str
    metric: str
    created_at: Moment | None = None
    config: TrainingConfig
    data: Data
    split: Split | None = None
    leaks: list[Leak] = []
    interval_of: Sample | None = None
    look: Look | None = None
    looks: Looks | None = None
    feature_count: Count
    params: dict[str, Any]

    @model_validator(mode="after")
    def _facts_agree(self):
        use_case = self.config.use_case
        said = {
            "use_case_id": use_case.id,
            "use_case_key": use_case.key,
            "metric": use_case.metric,
            "model": self.config.model.name,
        }
        for name, expected in said.items():
            if getattr(self, name) != expected:
                raise ValueError(f"{name} is {getattr(self, name)}, but its config says {expected}")
        return self


def facts_of(data: bytes, path: Path) -> dict[str, Any]:
    """StrictModel of a run's `metadata.json`.

    Raises
    ------
    ConfigError
        If an extension that it was made with is missing.
    IntegrityError
        If they aren't what a run of this system records.
    """
    values = reading.parse_json(data, path)
    if isinstance(values, dict):
        extensions.check(values)
    return _checked(values, Recorded.model_validate, path)


def metrics_of(data: bytes, path: Path) -> dict[str, float | None]:
    """Metrics of a run's `metrics.json`.

    Raises
    ------
    IntegrityError
        If they aren't names with finite numbers.
    """
    return _checked(reading.parse_json(data, path), METRICS.validate_python, path)


def _checked(values: Any, validate, path: Path) -> Any:
    try:
        validate(values)
    except ValidationError as error:
        raise IntegrityError(f"{path} is not what a run of this system records: {what_is_wrong(error)}") from error
    return values


def read(run_dir: Path, manifest_sha256: str | None = None) -> tuple[dict[str, Any], dict[str, float | None], str]:
    """StrictModel and metrics of a run folder, and the hash of its manifest, after every byte of it was checked.

    Parameters
    ----------
    run_dir : Path
    manifest_sha256 : str, optional
        As the process remembers it that has just written the run.

    Raises
    ------
    IntegrityError
        If files aren't those of the manifest, or facts and metrics aren't what a run of this system records.
    """
    manifest_sha256 = manifest_sha256 or manifest.manifest_sha256(run_dir)
    manifest.verify(run_dir, manifest_sha256)
    if lacking := [name for name in NEEDED if name not in manifest.read_manifest(run_dir, manifest_sha256)]:
        raise IntegrityError(f"{run_dir} is not a run: it has no {lacking[0]}")
    facts, metrics = (manifest.read_verified(run_dir, name, manifest_sha256) for name in NEEDED[:2])
    return facts_of(facts, run_dir / NEEDED[0]), metrics_of(metrics, run_dir / NEEDED[1]), manifest_sha256


def identity(folder: Path, found: tuple[dict[str, Any], dict[str, float | None], str]) -> tuple[Any, ...]:
    """What two runs share that are one: settings that a number depends on, rows, and the bytes of model and answers.

    Parameters
    ----------
    folder : Path
        Of a run or a version.
    found : tuple
        Of `read`.
    """
    facts, _, manifest_sha256 = found
    settings = {name: value for name, value in facts["config"].items() if name not in NO_NUMBER}
    written = manifest.read_manifest(folder, manifest_sha256)
    files = {name: one.sha256 for name, one in written.items() if name.endswith((".skops", ".parquet"))}
    return settings, facts["data"].get("frame_sha256"), files

"""Schema and order of a ledger's lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from bank_models.config.strict_model import Name, StrictModel
from bank_models.errors import IntegrityError
from bank_models.registry.versions import newest, parse

Line = dict[str, Any]
Count = Annotated[int, Field(ge=0, le=2**53)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[str, StringConstraints(pattern=r"^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}$")]


def _is_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), AfterValidator(_is_moment)]


class Entry(StrictModel):
    """The specification's entry of a version."""

    model_id: str
    use_case_key: Name
    algorithm: str
    version: Number
    created_at: Moment
    created_by: str
    metrics: dict[str, Finite | None]
    hyperparameters: dict[str, Any]
    feature_count: Count
    training_samples: Count
    file_path: str
    status: Literal["staging"]


class Judged(StrictModel):
    """A gate, as a promotion records it."""

    name: str
    is_met: bool
    reason: str


class Happened(StrictModel):
    """What every line says."""

    n: Annotated[int, Field(ge=1)]
    previous: Sha256
    sha256: Sha256
    signature: str | None = None
    at: Moment
    by: str
    reason: str
    version: Number


class Registered(Happened):
    action: Literal["register"]
    entry: Entry
    manifest_sha256: Sha256
    inputs_sha256: Sha256
    configuration_sha256: Sha256


class Promoted(Happened):
    action: Literal["promote"]
    replaces: Number | None
    gates: list[Judged]
    forced: bool


class RolledBack(Happened):
    action: Literal["rollback"]
    replaces: Number


class Archived(Happened):
    action: Literal["archive"]


LINE = TypeAdapter(Annotated[Registered | Promoted | RolledBack | Archived, Field(discriminator="action")])


def check_line(line: Any, use_case: str, name: str) -> None:
    """Refuse a line that isn't one of ours, or is of another use case.

    Every line follows on the first one, which registers a version. So a ledger belongs to one use case, signed or not, and
    does not count in the folder of another.

    Parameters
    ----------
    line : object
        As it was read.
    use_case : str
        Whose folder the ledger stands in.
    name : str
        Of the line, for a person.

    Raises
    ------
    IntegrityError
    """
    try:
        found = LINE.validate_python(line)
    except ValidationError as error:
        raise IntegrityError(f"{name} is not a line of a ledger: {what_is_wrong(error)}") from error
    if not isinstance(found, Registered):
        return
    entry = found.entry
    if entry.use_case_key != use_case:
        raise IntegrityError(f"{name} is of {entry.use_case_key}, not of {use_case}: a ledger belongs to one use case.")
    is_own = entry.version == found.version and entry.model_id.endswith(f"-v{found.version}")
    if not is_own or not f"/{entry.file_path}".endswith(f"/{use_case}/v{found.version}/model.skops"):
        raise IntegrityError(f"{name} contradicts itself: it registers {found.version}, and its entry is of another version.")


def what_is_wrong(error: ValidationError) -> str:
    """The first fault that a schema found, and how many more there are."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    place = ".".join(str(part) for part in faults[0]["loc"])[:200]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    said = f"{place}: {faults[0]['msg']}" if place else faults[0]["msg"]
    return f"{said}{more}".encode("ascii", "backslashreplace").decode()


def check_order(lines: Sequence[Line], path: str) -> None:
    """Refuse lines that could not have followed on each other.

    A version is registered once, with a higher number than those before it; only registered versions are promoted, put back
    or archived; what is replaced is what was in production.

    Raises
    ------
    IntegrityError
    """
    status: dict[str, str] = {}
    highest, production = (0, 0, 0), None
    for number, line in enumerate(lines, start=1):
        version, action = line["version"], line["action"]
        follows = parse(version) > highest if action == "register" else version in status
        if not follows or ("replaces" in line and line["replaces"] != production):
            raise IntegrityError(f"{path}, line {number}: {action} {version} cannot follow on the lines before it.")
        _apply(line, status)
        highest = parse(version) if action == "register" else highest
        production = version if status[version] == "production" else None if production == version else production


def statuses(lines: Sequence[Line]) -> dict[str, str]:
    """Status of each version after some lines."""
    status: dict[str, str] = {}
    for line in lines:
        _apply(line, status)
    return status


def _apply(line: Line, status: dict[str, str]) -> None:
    if line.get("replaces"):
        status[line["replaces"]] = "archived"
    become = {"register": "staging", "archive": "archived"}
    status[line["version"]] = become.get(line["action"], "production")


def until(lines: Sequence[Line], moment: str) -> list[Line]:
    """Lines up to the last one whose time isn't after a moment (ISO 8601 in UTC).

    The order of lines is what counts, because the chain of hashes vouches for it; times are what clocks said. Where a clock
    went backwards, a line with a later time than its successor happened before that successor all the same.
    """
    last = max((i for i, line in enumerate(lines) if line["at"] <= moment), default=-1)
    return list(lines[: last + 1])


def set_back(lines: Sequence[Line]) -> list[Line]:
    """Lines whose time is before that of the line before them."""
    return [line for before, line in pairwise(lines) if line["at"] < before["at"]]


def newest_registered(lines: Sequence[Line]) -> Line | None:
    """The line of the highest version."""
    registered = {line["version"]: line for line in lines if line["action"] == "register"}
    version = newest(registered)
    return version and registered[version]


def before_in_production(lines: Sequence[Line]) -> str | None:
    """The version to go back to: each rollback takes one promotion back."""
    stack: list[str] = []
    for line in lines:
        if line["action"] == "promote":
            stack.append(line["version"])
        elif line["action"] == "rollback" and stack:
            stack.pop()
    return stack[-2] if len(stack) > 1 else None

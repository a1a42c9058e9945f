"""The catalogue of use cases: their files, short names and facts, without composing a run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bank_models.config import CONF, DATASETS
from bank_models.errors import ConfigError
from bank_models.files import yaml_file

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
FACTS = ("id", "department", "task", "metric", "name", "row", "target")
UNNAMED = {
    "id": "UC-NONE-000",
    "department": "unassigned",
    "row": "a row of the table",
}  # as bank_models.config.use_case fills in


def catalogue(config_dirs: Iterable[Path], broken: list[str] | None = None) -> list[dict[str, Any]]:
    """Facts of every use case, sorted by department and id; short names (such as fraud) are listed with their use case.

    Parameters
    ----------
    config_dirs : iterable of Path
        Folders that hold `use_case/`.
    broken : list of str, optional
        Gets what is wrong with files that cannot be read, which are left out; without it the first one is an error.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`, and `name`, `row`, `target` and `short_names`.
    """
    defaults = _defaults(yaml_file.read(CONF / "config.yaml"))
    entries, short_names = {}, {}
    for path in sorted(path for folder in config_dirs for path in (folder / "use_case").glob("*.yaml")):
        try:
            values = _load_use_case(path)
            entry = _facts(path.stem, values["use_case"], defaults | _defaults(values)) if "use_case" in values else None
        except ConfigError as error:
            if broken is None:
                raise
            broken.append(str(error))
            continue
        if entry is not None:
            entries[path.stem] = entry
        else:
            short_names[path.stem] = next(entry for entry in values["defaults"] if entry != "_self_")
    for short, key in short_names.items():
        if key in entries:
            entries[key]["short_names"].append(short)
    return sorted(entries.values(), key=lambda entry: (entry["department"], entry["id"]))


def option_names() -> list[str]:
    """What may stand behind `use_case=`, short names included."""
    return sorted(path.stem for path in (CONF / "use_case").glob("*.yaml"))


def full_name(name: str) -> str:
    """Key of the use case that a short name (such as fraud) stands for; any other name as it is."""
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"use_case={name!r} is not a name: names match {NAME} in full.\nTo list them: python -m src.use_cases"
        )
    path = CONF / "use_case" / f"{name}.yaml"
    values = _load_use_case(path) if path.is_file() else {"use_case": None}
    return name if "use_case" in values else next(entry for entry in values["defaults"] if entry != "_self_")


def split_seed(use_case: str, option: str, config_dirs: Iterable[Path]) -> int | None:
    """The seed by which the rows of a use case are split, whatever the command line says.

    Parameters
    ----------
    use_case : str
        As it stands behind `use_case=`.
    option : str
        Of `data_split`, chosen for the run: its seed counts where the use case says none and its own split draws nothing.
    config_dirs : iterable of Path
        In the order in which they are searched.

    Returns
    -------
    int or None
        None where rows aren't drawn.
    """
    folders = list(config_dirs)
    own, chosen = _split_of(use_case, folders)
    for name in () if own is not None else (chosen or _defaults(yaml_file.read(CONF / "config.yaml"))["data_split"], option):
        own = yaml_file.read(_option_file("data_split", name, folders)).get("random_state") if own is None else own
    return own


def _split_of(use_case: str, folders: list[Path]) -> tuple[int | None, str | None]:
    """Seed and `data_split` that a use case's file names, or the file that it takes its facts from."""
    values = _load_use_case(_option_file("use_case", use_case, folders))
    own, chosen = (values.get("data_split") or {}).get("random_state"), _defaults(values).get("data_split")
    for base in (entry for entry in values.get("defaults", []) if isinstance(entry, str) and entry != "_self_"):
        of_base = _split_of(base.rpartition("/")[2], folders)
        own, chosen = of_base[0] if own is None else own, chosen or of_base[1]
    return own, chosen


def _option_file(group: str, name: str, folders: list[Path]) -> Path:
    return next(path for folder in folders if (path := folder / group / f"{name}.yaml").is_file())


def _load_use_case(path: Path) -> dict[str, Any]:
    values = yaml_file.read(path)
    if not isinstance(values, dict) or not {"use_case", "defaults"} & set(values):
        raise ConfigError(f"{path} is not a use case: it names neither use_case nor defaults.")
    return values


def _defaults(values: dict[str, Any]) -> dict[str, str]:
    """Options that a defaults list chooses, by group."""
    pairs = (entry.popitem() for entry in values.get("defaults", []) if isinstance(entry, dict))
    return {key.removeprefix("override ").strip().removeprefix("/"): value for key, value in pairs}


def _facts(option: str, use_case: dict[str, Any], choices: dict[str, str]) -> dict[str, Any]:
    filled = {"name": option.replace("_", " ").capitalize()} | UNNAMED
    use_case = filled | use_case if isinstance(use_case, dict) else use_case
    if lacking := [key for key in FACTS if not isinstance(use_case, dict) or key not in use_case]:
        raise ConfigError(f"use_case/{option}.yaml: use_case.{lacking[0]} is missing.")
    kind, simulation = choices["data_source"], use_case.get("simulation") or {}
    rows = {"packaged": _rows_of(use_case.get("packaged")), "simulated": simulation.get("rows")}.get(kind)
    return {
        "id": use_case["id"],
        "key": option,
        "department": use_case["department"],
        "task": use_case["task"],
        "metric": use_case["metric"],
        "model": choices["model"],
        "data": {"packaged": "real", "simulated": "simulated"}.get(kind, "file"),
        "rows": rows,
        "name": use_case["name"],
        "row": " ".join(use_case["row"].split()),
        "target": use_case["target"],
        "short_names": [],
    }


def _rows_of(packaged: str | None) -> int | None:
    return yaml_file.read(DATASETS / f"{packaged}.yaml")["shape"][0] if packaged else None

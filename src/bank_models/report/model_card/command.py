"""Command that reproduces a run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bank_models.commands import as_typed
from bank_models.config.effects import AFTERWARDS, HOW

BARE = re.compile(r"[A-Za-z_./-][\w./-]*")
WORDS = ("null", "true", "false", "nan", "inf", "on", "off", "yes", "no")


def command(metadata: Mapping[str, Any], typed: Sequence[str], choices: Mapping[str, Any], config_dirs: Sequence[str]) -> str:
    """The shell command, a setting a line.

    Groups, seeds, data source and model parameters are written out, so that neither defaults nor tuned parameters that
    change later matter; other settings are repeated as they were typed. The result goes to a folder of its own, and is not
    registered.

    Parameters
    ----------
    metadata : mapping
        With the resolved `config` and the number of threads.
    typed : sequence of str
        Hydra's overrides.
    choices : mapping of str to object
        The option that was chosen of each group.
    config_dirs : sequence of str
        Folders with options of one's own, as given by `--config-dir`.
    """
    config = metadata["config"]
    pinned = {"use_case": config["use_case"]["key"], "model": config["model"]["name"]}
    pinned |= {"data_source": config["data_source"]["kind"], "data_split": config["data_split"]["method"]}
    pinned |= {"cv": config["cv"]["method"], "tuning": config["tuning"]["method"]}
    pinned |= {group: choices[group] for group in (*pinned, "early_stopping") if choices.get(group)}
    source = {name: config["data_source"][name] for name in ("name", "path", "rows", "seed")} | config["data_source"]
    pinned |= {f"data_source.{name}": value for name, value in source.items() if name != "kind" and value is not None}
    listed = config["model"].get("constraints", config["model"]["params"])  # another stands in what was typed, with its plus
    params = {name: value for name, value in config["model"]["params"].items() if name in listed}
    pinned |= {f"model.params.{name}": value for name, value in params.items()}
    pinned |= {name: config[name] for name in ("calibration", "class_weight", "device", "seed")}
    pinned |= {"n_threads": metadata["n_threads"]} if "n_threads" in metadata else {}
    arguments = [f"{name}={_written(value)}" for name, value in pinned.items()]
    arguments += [override for override in typed if not _is_covered(override, pinned)]
    arguments += ["registry=none"] if "registry" in config else []
    arguments += [f"hydra.run.dir=reproduced/{config['use_case']['key']}/{config['model']['name']}"]
    start = [as_typed("python -m src.train"), *(f"--config-dir {shlex.quote(folder)}" for folder in config_dirs)]
    return " \\\n  ".join([" ".join(start), *map(shlex.quote, arguments)])


def _is_covered(override: str, pinned: Mapping[str, Any]) -> bool:
    key = override.partition("=")[0].lstrip("+~")
    return key in pinned or key.partition(".")[0].partition("/")[0] in ("hydra", *HOW, *AFTERWARDS)


def _written(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    if not isinstance(value, str):
        return repr(value)
    if BARE.fullmatch(value) and value.lower() not in WORDS:
        return value
    escaped = re.sub(r'(\\+)(?="|$)', r"\1\1", value).replace('"', '\\"')  # Hydra: a backslash counts before a quote only
    return f'"{escaped}"'

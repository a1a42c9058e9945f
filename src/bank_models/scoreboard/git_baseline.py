"""Metrics of the last commit."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

from bank_models.runtime import git


def metrics_at_head(run_dirs: list[Path]) -> dict[Path, dict[str, Any]]:
    """Committed metrics of runs, by folder; those that git does not have are left out.

    Parameters
    ----------
    run_dirs : list of Path
        The metrics of a run are its `metrics.json`, or (where DVC keeps the folder) the one beside the folder.

    Returns
    -------
    dict
    """
    places = {path: run_dir for run_dir in run_dirs for path in _places(run_dir) if path.is_file() and "\n" not in str(path)}
    found: dict[Path, dict[str, Any]] = {}
    by_repository: dict[Path, list[Path]] = {}
    for path in places:
        if repository := _repository(path.parent):
            by_repository.setdefault(repository, []).append(path)
    for repository, paths in by_repository.items():
        for path, text in _at_head(repository, paths).items():
            with contextlib.suppress(ValueError):
                found.setdefault(places[path], json.loads(text))
    return {run_dir: values for run_dir, values in found.items() if isinstance(values, dict)}


def _places(run_dir: Path) -> list[Path]:
    own = [run_dir / "metrics.json"]
    return [path.resolve() for path in ([*own, run_dir.parent / "metrics.json"] if run_dir.name == "run" else own)]


def _repository(folder: Path) -> Path | None:
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def _at_head(repository: Path, paths: list[Path]) -> dict[Path, str]:
    asked = "".join(f"HEAD:{path.relative_to(repository).as_posix()}\n" for path in paths)
    try:
        answered = git.ask(repository, "cat-file", "--batch", given=asked.encode())
        answered.check_returncode()
    except (OSError, subprocess.SubprocessError):
        return {}
    found, said = {}, answered.stdout
    for path in paths:
        header, _, said = said.partition(b"\n")
        if header.endswith(b" missing"):
            continue
        size = int(header.split()[-1])
        found[path] = said[:size].decode(errors="replace")
        said = said[size + 1 :]
    return found

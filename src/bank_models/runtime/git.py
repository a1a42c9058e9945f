"""Git revision, read without running what a repository names."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

PLACES = os.pathsep.join((*os.defpath.split(os.pathsep), "/usr/local/bin"))  # not PATH, which says what others want to run
SAFE = ("--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
KEPT = ("HOME", "XDG_CONFIG_HOME", "SUDO_UID")  # what tells git which folders of other users may be trusted: safe.directory
OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
LONGEST_S = 20


def ask(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a git command that only reads.

    Parameters
    ----------
    folder : Path
        Somewhere in a repository.
    *arguments : str
        The command.
    given : bytes
        Its standard input.

    Returns
    -------
    CompletedProcess
        With what it said, and its exit code.

    Raises
    ------
    OSError
        If there is no git, or it cannot be started.
    SubprocessError
        If it takes too long.
    """
    program = shutil.which("git", path=PLACES)
    if program is None:
        raise FileNotFoundError(errno.ENOENT, f"git is in none of {PLACES}")
    environment = {"PATH": PLACES, "LC_ALL": "C", **OFFLINE} | {name: os.environ[name] for name in KEPT if name in os.environ}
    command = [program, *SAFE, "-C", str(folder), *arguments]
    return subprocess.run(command, input=given, capture_output=True, env=environment, timeout=LONGEST_S, check=False)


def revision(folder: Path) -> dict | None:
    """Commit of a folder and whether it was edited since; None outside a git checkout."""
    try:
        return {
            "revision": _said(folder, "rev-parse", "HEAD"),
            "is_edited": bool(_said(folder, *_without_filters(folder), "status", "--porcelain", "--ignore-submodules=dirty")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _said(folder: Path, *arguments: str) -> str:
    ran = ask(folder, *arguments)
    ran.check_returncode()
    return ran.stdout.decode(errors="replace").strip()


def _without_filters(folder: Path) -> list[str]:
    """Options that keep `git status` from running the filters that a repository wants for its files."""
    keys = ask(folder, "config", "-z", "--name-only", "--get-regexp", r"^filter\.").stdout.decode(errors="replace").split("\0")
    filters = {key.rpartition(".")[0] for key in keys if key}
    if any("=" in name for name in filters):  # which cannot be told to git in an option
        raise subprocess.SubprocessError("a filter with = in its name")
    off = [f"{name}.{value}" for name in sorted(filters) for value in ("clean=", "process=", "required=false")]
    return [word for setting in off for word in ("-c", setting)]

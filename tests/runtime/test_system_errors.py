"""What people are told when the system has no room, no right or no memory to give; and what stays of a killed command."""

import contextlib
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT

from bank_models.errors import ConfigError, DataError, IntegrityError, TrainingError, UserError
from bank_models.runtime import git
from bank_models.runtime.system_errors import explained
from bank_models.sweeps.job import said

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def no_memory() -> Exception:
    try:
        np.empty(1 << 55)
    except MemoryError as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "No space is left on the disk of /data/x.\nFree some"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space is left on the disk of the results, of what is printed"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/data/x"), "No space is left on the disk of /data/x."),
        (OSError(errno.EFBIG, "File too large"), "A file would be larger than this user may write. Allow more: ulimit -f"),
        (OSError(errno.EROFS, "Read-only file system", "/data/x"), "/data is on a disk that can only be read."),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data may not be read or written by this user."),
        (OSError(errno.EMFILE, "Too many open files"), "More files are needed at once than may be open"),
        (OSError(errno.EIO, "Input/output error", "/data/x"), "/data/x cannot be read or written: the disk reports an error."),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/data/x"), "/data/x is a longer name than the disk allows."),
        (OSError(errno.ELOOP, "Too many levels of symbolic links", "/data/x"), "/data/x is a link that leads back to itself."),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "There is not enough memory for this"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "No further process or thread may be started"),
        (RuntimeError("can't start new thread"), "No further process or thread may be started"),
        (no_memory(), "There is not enough memory for this (could not allocate 256. PiB)"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "There is not enough memory for this"),
        (RuntimeError("[16:02:11] std::bad_alloc"), "There is not enough memory for this"),
        (ImportError("libx.so: failed to map segment from shared object"), "There is not enough memory for this"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "No space is left on the disk of the database"),
        (raised_from(RuntimeError("Hydra: error in job"), MemoryError()), "There is not enough memory for this"),
        (
            raised_from(IntegrityError("cannot be verified"), OSError(errno.EMFILE, "Too many open files")),
            "More files are needed",
        ),
    ],
    ids=lambda case: type(case).__name__ + str(case)[:30] if isinstance(case, Exception) else "",
)
def test_what_the_system_says_is_told_in_a_sentence_with_exit_code_1(error, told):
    failure = explained(error)
    assert str(failure).startswith(told)
    assert failure.exit_code == 1
    assert len(str(failure).splitlines()) <= 3


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), FileNotFoundError(errno.ENOENT, "No such file", "/data/x")])
def test_what_may_be_a_fault_of_ours_is_not_explained_away(error):
    assert explained(error) is None
    assert said(error).startswith(type(error).__name__)


def test_a_job_of_a_sweep_that_wants_memory_says_so_in_the_table():
    assert said(MemoryError()).startswith("There is not enough memory for this. Give it more")


def test_a_path_that_was_typed_and_cannot_be_read_is_bad_input(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(link)
    error = OSError(errno.ELOOP, "Too many levels of symbolic links", str(link))
    assert isinstance(explained(error, [f"input={link}"]), DataError)
    assert type(explained(error, ["input=/elsewhere"])) is TrainingError
    error = OSError(errno.EROFS, "Read-only file system", str(tmp_path / "absent"))
    assert type(explained(error, [f"output={tmp_path}/absent"])) is TrainingError


def test_a_name_that_is_no_text_is_bad_input():
    with pytest.raises(UnicodeEncodeError, match="surrogates") as caught:
        "scores\udcff.csv".encode()
    assert isinstance(explained(caught.value), UserError)


def shell(command: str, **env: str) -> subprocess.CompletedProcess:
    """Run a command line in which `python` is ours."""
    line = command.replace("python", sys.executable)
    return subprocess.run(["bash", "-c", line], cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("python -m src.use_cases > /dev/full", 1, "No space is left on the disk of "),
        ("python -m src.use_cases > /dev/full 2> /dev/full", 1, ""),
        ("python -m src.use_cases >&-", 0, ""),
        ("python -m src.use_cases data=nowhere >&- 2>&-", 2, ""),
        ("python -m src.use_cases | true; exit ${PIPESTATUS[0]}", 141, ""),
        ("ulimit -n 6; python -m src.gate --against HEAD --max-drop mae=1", 1, "More files are needed at once"),
        ("ulimit -v 400000; python -m src.report runs/x", 1, "There is not enough memory: 390 MB are allowed"),
    ],
    ids=["no room", "no room for the complaint either", "closed", "all closed", "nobody reads", "no more files", "no memory"],
)  # fmt: skip
def test_a_command_ends_in_a_sentence_wherever_it_prints(command, code, told):
    ended = shell(command, PYTHONUNBUFFERED="")
    assert ended.returncode == code
    assert ended.stderr.startswith(told)
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr


def test_a_locale_that_knows_ascii_only_changes_nothing(run_of, tmp_path):
    ended = shell(f"python -m src.report {run_of('binary')} --out {tmp_path}/Zürich.html", **ASCII)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith("/Zürich.html\n")
    assert (tmp_path / "Zürich.html").read_bytes() == (run_of("binary") / "report.html").read_bytes()


def test_a_terminal_without_our_characters_gets_plain_ones():
    ended = shell("python -m src.use_cases --help", PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "usage: python -m src.use_cases [filter=value ...]" in ended.stdout


def test_a_page_that_may_not_be_written_leaves_nothing_behind(run_of, tmp_path):
    ended = shell(f"ulimit -f 1; python -m src.report {run_of('binary')} --out {tmp_path}/page.html")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "would be larger than this user may write" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_search_imports_ends_with_the_search():
    code = "import time; from bank_models.runtime import process_pool; process_pool.warm_up()"
    code += "; print('started', flush=True); time.sleep(60)"
    mark = f"MARK={os.getpid()}"
    search = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"MARK": mark[5:]}, stdout=-1)
    assert search.stdout.readline() == b"started\n"
    wait_until(lambda: servers(mark), "it does not start")
    search.kill()
    search.wait()
    wait_until(lambda: not servers(mark), "it goes on")


def wait_until(holds: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + 3
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def servers(variable: str) -> list[Path]:
    """Servers that processes are forked from, with a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_ours = variable.encode() in (folder / "environ").read_bytes().split(b"\0")
            if is_ours and b"forkserver" in (folder / "cmdline").read_bytes():
                found.append(folder)
    return found


def test_git_runs_nothing_that_a_repository_or_the_path_names(tmp_path, monkeypatch):
    mark, evil, repository = tmp_path / "ran", tmp_path / "bin/git", tmp_path / "repository"
    evil.parent.mkdir()
    evil.write_text(f"#!/bin/sh\necho $0 $* >> {mark}\nexec cat\n")
    evil.chmod(0o755)
    repository.mkdir()

    def run(*arguments: str) -> None:
        identity = ("-c", "user.name=git", "-c", "user.email=git@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True)

    run("init", "-q")
    (repository / "rows.txt").write_text("1\n")
    run("add", "-A")
    run("commit", "-qm", "first")
    (repository / ".git/info/attributes").write_text("* filter=evil diff=evil\n")
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.evil.textconv", "filter.evil.clean"):
        run("config", key, str(evil))
    run("config", "filter.evil.required", "true")
    monkeypatch.setenv("PATH", f"{evil.parent}:{os.environ['PATH']}")
    for text, is_edited in (("2\n", True), ("1\n", False)):
        (repository / "rows.txt").write_text(text)
        os.utime(repository / "rows.txt", (1, 1))
        found = git.revision(repository)
        assert (len(found["revision"]), found["is_edited"]) == (40, is_edited)
    assert git.ask(repository, "cat-file", "blob", "HEAD:rows.txt").stdout == b"1\n"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("model", "value", "said"),
    [
        ("xgboost", {"max_leaves": -1}, "value -1 for Parameter max_leaves should be greater equal to 0"),
        ("xgboost", {"grow_policy": "abc"}, "Invalid Input: 'abc', valid values are: {'depthwise', 'lossguide'}"),
        ("lightgbm", {"num_leaves": 1}, "Check failed: (num_leaves) >"),
    ],
)
def test_a_value_that_a_booster_refuses_is_a_setting_that_cannot_be_used(model, value, said):
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[model]
    estimator = getattr(pytest.importorskip(model), name)(n_estimators=1, **value)
    with pytest.raises(Exception) as refused:  # noqa: PT011  each library has an exception of its own
        estimator.fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5)
    told = explained(refused.value)
    assert isinstance(told, ConfigError)
    assert str(told).startswith(f"The library refuses a value of model.params: {said}")

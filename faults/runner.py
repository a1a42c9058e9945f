"""Make attempts side by side, each in a process of its own that has imported the libraries and done nothing else."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults import groups
from faults.case import Attempt, Broken, NotTried, Promise

ROOT = Path(__file__).resolve().parents[1]
SHARED = "FAULTS_SHARED"  # folder of what attempts prepare once for all
HELD, FAILED, NOT_TRIED = "held", "failed", "not tried"
FORKSERVER = multiprocessing.get_context("forkserver")
WARM = [
    "bank_models.train", "bank_models.pipeline.run", "bank_models.pipeline.fit.supervised",
    "bank_models.pipeline.evaluate.supervised", "bank_models.predict", "bank_models.scoring.stream",
    "bank_models.registry.__main__", "bank_models.data.file", "bank_models.data.packaged", "bank_models.data.simulated",
    "bank_models.data.batches", "bank_models.report.page", "bank_models.report.model_card.markdown", "hydra._internal.hydra",
    "hydra._internal.utils", "hydra.core.hydra_config", "skops.io", "xgboost.callback", "lightgbm", "sklearn.ensemble",
    "sklearn.linear_model", "threadpoolctl", "scipy.linalg", "pandera.pandas", "joblib.externals.loky",
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How an attempt ended: `held`, `failed` or `not tried`, and what was said of it."""

    promise: Promise
    number: int
    outcome: str
    said: str
    seconds: float


def jobs(promises: Sequence[Promise], n: int, case: str = "") -> list[tuple[Promise, int]]:
    """Promises and numbers of the attempts that N asks for; only of cases that hold some words, if they are given."""
    longest_first = sorted(promises, key=lambda promise: -promise.limit_s)
    return [(one, number) for one in longest_first for number in range(one.count(n)) if case in one.case(number)]


def run(
    chosen: Sequence[tuple[Promise, int]], seed: int, on_result: Callable[[Result], None], cores: Sequence[int]
) -> list[Result]:
    """Make attempts.

    Parameters
    ----------
    chosen : sequence of (Promise, int)
        As `jobs` gives them.
    seed : int
    on_result : callable
        Told of each attempt that ended; from one thread at a time.
    cores : sequence of int
        As many attempts are made side by side.

    Returns
    -------
    list of Result
    """
    FORKSERVER.set_forkserver_preload([*WARM, *(f"faults.{group}" for group in groups.NAMES)])
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in cores:
        free.put(core)
    told = threading.Lock()

    def one(promise: Promise, number: int) -> Result:
        core = free.get()
        try:
            result = attempt(promise, number, seed, core)
        finally:
            free.put(core)
        with told:
            on_result(result)
        return result

    with _shared(), ThreadPoolExecutor(len(cores)) as pool:
        return list(pool.map(lambda job: one(*job), chosen))


@contextlib.contextmanager
def _shared():
    """A folder for what attempts prepare once, unless a suite around this one gives its own."""
    if SHARED in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # some attempts are another user's
        os.environ[SHARED] = folder
        try:
            yield
        finally:
            del os.environ[SHARED]


def attempt(promise: Promise, number: int, seed: int, core: int) -> Result:
    """Make one attempt; whatever it started ends with it."""
    start = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="attempt-", dir=os.environ[SHARED]))
    reader, writer = FORKSERVER.Pipe(duplex=False)
    process = FORKSERVER.Process(target=_life, args=(writer, promise.group, promise.name, number, seed, str(folder), core))
    process.start()
    writer.close()
    try:
        outcome, said = FAILED, f"it took more than {promise.limit_s:g} s"
        if reader.poll(promise.limit_s):
            outcome, said = reader.recv()
    except EOFError:
        process.join()
        outcome, said = FAILED, f"its own process ended with exit code {process.exitcode}"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        _remove(folder)
    return Result(promise, number, outcome, said, time.perf_counter() - start)


def _remove(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _life(writer, group: str, name: str, number: int, seed: int, folder: str, core: int) -> None:
    """The whole life of an attempt's process."""
    os.setsid()
    promise = groups.find(group, name)
    os.sched_setaffinity(0, {core} if promise.is_pinned else os.sched_getaffinity(os.getppid()))
    _furnish(Path(folder))
    try:
        promise.attempt(Attempt(Path(folder), number, promise.case(number), promise.seed(seed, number)))
        writer.send((HELD, ""))
    except NotTried as reason:
        writer.send((NOT_TRIED, str(reason)))
    except Broken as broken:
        writer.send((FAILED, str(broken)))
    except BaseException as error:
        writer.send((FAILED, f"{type(error).__name__}: {error}\n{''.join(traceback.format_exc(limit=-4))}"))


def _furnish(folder: Path) -> None:
    """Give an attempt a home, a folder for temporary files and an environment of its own."""
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    tempfile.tempdir = None
    for name in [name for name in os.environ if name.startswith(("REGISTRY_", "MLFLOW_", "DATABASE_", "DVC_"))]:
        del os.environ[name]
    os.environ |= {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "COLUMNS": "200",
        "PYTHONPATH": f"{ROOT}:{ROOT}/src",
    }
    os.chdir(folder / "work")
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115

"""Child processes: none outlives the one that started it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from functools import cache
from multiprocessing import forkserver, resource_tracker, set_forkserver_preload
from multiprocessing.process import BaseProcess

from bank_models.errors import TrainingError
from bank_models.files import folders

SET_DEATH_SIGNAL = 1
STARTED_BY = "FORKSERVER_OF"  # in the server's environment
GUARD = "bank_models.runtime.forkserver"  # what the server imports first
EVERY_S = 0.2


def start_server(preload: list[str]) -> None:
    """Start the server that processes of sweeps and searches are forked from, where there is none yet.

    It imports some modules while this process does something else. Ctrl-C reaches every process of a terminal. The server
    ignores it, but only when its imports are done: until then it would print a traceback. So it never hears of it, nor do the
    processes that are forked from it: whoever started them ends them.

    Parameters
    ----------
    preload : list of str
        Names of modules; one that is absent only costs time.
    """
    set_forkserver_preload([GUARD, *preload])
    resource_tracker.ensure_running()  # now, because starting it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a new process inherits
    os.environ[STARTED_BY] = str(os.getpid())
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[STARTED_BY]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start(process: BaseProcess) -> None:
    """Start a process that is forked from the server.

    Raises
    ------
    TrainingError
        If the server has ended.
    """
    try:
        process.start()
    except (EOFError, ConnectionError) as error:
        raise TrainingError(
            "No further process could be started, for want of memory (ulimit -v) or of files that may be open (ulimit -n).\n"
            "Allow more, or set n_threads=1."
        ) from error


def end_with_parent() -> None:
    """Let the kernel end this process with the one that it was forked from or started by, deep inside a library as well."""
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    starter, server_of = multiprocessing.parent_process(), os.environ.pop(STARTED_BY, None)
    is_late = server_of is not None and os.getppid() != int(server_of)
    if is_late or (starter is not None and not starter.is_alive()):  # it ended before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


@cache
def end_with(parent: int) -> None:
    """Watch the process that started this one, and end when it has ended.

    For where that process starts others from threads: the kernel takes the end of a thread for its own.

    Parameters
    ----------
    parent : int
        Its number.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY_S)
    folders.abandon()
    os._exit(1)

"""The server that processes of sweeps and searches are forked from."""

from __future__ import annotations

import signal
from multiprocessing import forkserver, resource_tracker, set_forkserver_preload


def start_server(preload: list[str]) -> None:
    """Start it, where there is none yet; it then imports some modules while this process does something else.

    Ctrl-C reaches every process of a terminal. The server ignores it, but only when its imports are done: until then it would
    print a traceback. So it never hears of it, nor do the processes that are forked from it: whoever started them ends them.

    Parameters
    ----------
    preload : list of str
        Names of modules; one that is absent only costs time.
    """
    set_forkserver_preload(preload)
    resource_tracker.ensure_running()  # now, because starting it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a new process inherits
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

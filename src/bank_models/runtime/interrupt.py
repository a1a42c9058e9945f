"""Signals in compiled code: Ctrl-C, SIGTERM and a closed terminal end a run at once.

Python runs a signal's handler between two steps of the main thread, so that one long call of a compiled library puts it off
until the call returns: half a minute of fitting without an answer. The interpreter notes the signal at once, though, in a pipe
if it is given one. A thread of ours waits at the other end. It lets the main thread do what there is to do, and does it itself
where the main thread does not come to it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

from bank_models.runtime.terminal import TO_LEAVE, leaving

GRACE_S = 0.2  # for the main thread to answer by itself
PATIENCE_S = 1.0  # for whoever answers: then the process ends without


@contextlib.contextmanager
def answering(leave: Callable[[int], None]) -> Iterator[None]:
    """Call a function as soon as a signal says to leave, once, in whichever thread can, for as long as the block runs.

    Parameters
    ----------
    leave : callable
        Takes the signal's number and cleans up; then the process ends, with 128 and the signal's number as exit code, also
        if it raises or takes more than a second. Where another thread than the main one calls it, the main thread is inside
        a compiled function, and stands still as soon as it comes out.
    """
    answer = _Answer(leave)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    earlier_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _watched.add(writer)
    watcher = threading.Thread(target=_watch, args=(reader, answer), name="interrupt", daemon=True)
    watcher.start()
    try:
        with leaving(answer):
            yield
    finally:
        signal.set_wakeup_fd(earlier_fd)
        _watched.discard(writer)
        os.close(writer)  # which ends the watcher
        watcher.join()
        os.close(reader)


class _Answer:
    """Leaves once. Who comes second, in another thread, waits for the end of the process, and brings it about at last."""

    def __init__(self, leave: Callable[[int], None]):
        self._leave, self._turn, self._is_leaving, self._pid = leave, threading.RLock(), False, os.getpid()

    def __call__(self, number: int, frame=None) -> None:
        is_mine = self._turn.acquire(timeout=PATIENCE_S)  # and is never given back
        if is_mine and self._is_leaving:
            return  # the thread that leaves was interrupted once more
        self._is_leaving = True
        try:
            if is_mine and os.getpid() == self._pid:  # what this process has made is no forked child's to take back
                self._leave(number)
        finally:
            os._exit(128 + number)


def _watch(reader: int, answer: _Answer) -> None:
    while noted := os.read(reader, 1):
        if noted[0] in TO_LEAVE and signal.getsignal(noted[0]) is answer:
            time.sleep(GRACE_S)
            answer(noted[0])


_watched: set[int] = set()


def _stop_telling() -> None:
    """In a forked child: its parent must not take the child's signals for its own."""
    if _watched:
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_stop_telling)

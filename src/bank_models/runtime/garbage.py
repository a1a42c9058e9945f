"""Garbage collection of a command: seldom while it runs, and none when it ends."""

from __future__ import annotations

import atexit
import gc

OBJECTS = 20_000  # made and not yet freed before cycles are looked for; Python's own 700 looks hundreds of times during imports


def collect_seldom() -> None:
    """Look for cycles of objects less often, and not at the interpreter's end: that took 0.6 s."""
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)

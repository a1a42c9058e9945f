"""The last word of a process that ends at once."""

from __future__ import annotations

import sys

END_OF_BAR = "\r\033[2K\033[?25h"  # an empty line instead of a progress bar, and the cursor, which it hides


def say_last(text: str) -> None:
    """Say something past a progress bar, which stands in the place of `sys.stderr` and would draw itself again below."""
    terminal = sys.__stderr__
    terminal.write((END_OF_BAR if terminal.isatty() else "") + text + "\n")
    terminal.flush()

"""Garbage collection of a command."""

import subprocess
import sys

ENDS = """
import gc, sys
from bank_models.runtime.terminal import for_people

class Ring:
    def __init__(self):
        self.itself = self
    def __del__(self):
        sys.stdout.write("freed ")

@for_people
def command():
    Ring()
    sys.stdout.write("ran ")
    return 0

usual = gc.get_threshold()[0]
command()
print("seldom" if gc.get_threshold()[0] > usual else "as often", end=" ", flush=True)
{last}
"""


def said(last: str = "") -> list[str]:
    return subprocess.run([sys.executable, "-c", ENDS.format(last=last)], capture_output=True, text=True).stdout.split()


def test_a_command_looks_for_cycles_seldom_and_not_at_its_end():
    assert said() == ["ran", "seldom"]


def test_cycles_are_still_found_while_a_command_runs():
    assert said("rows = [[] for _ in range(100_000)]") == ["ran", "seldom", "freed"]

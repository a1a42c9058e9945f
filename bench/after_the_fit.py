"""Time after the fit, in per cent of a run, for each use case: evaluation, explanation, report and files.

    python bench/after_the_fit.py [--use-cases fraud credit_scoring …] [--overrides model=ensemble …]

Each run is a process of its own. Seconds of processor time are shown, as other work on the machine hardly changes them; imports
that a step needs count for that step. `fit` is search, cross-validation, fit, decisions and refit; `before` is reading,
validation and split, without the start of the command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
BEFORE, AFTER = ("load", "validate", "split"), ("evaluate", "write")
LONG_S, MOST_SHARE, MOST_S = (
    30,
    0.1,
    3.0,
)  # a longer run may spend a tenth of its time after the fit, a shorter one three seconds


def measure(overrides: list[str]) -> dict[str, float]:
    """Processor seconds of each step of a run in this process."""
    import logging

    from bank_models import load_config
    from bank_models.pipeline import run
    from bank_models.runtime.blas import one_thread_of_blas
    from bank_models.runtime.progress import Steps

    used: dict[str, float] = {}

    class Timed(Steps):
        @contextlib.contextmanager
        def step(self, name, total=1):
            start = time.process_time()
            with super().step(name, total) as advance:
                yield advance
            used[name] = time.process_time() - start

    run.Steps = Timed
    logging.disable(logging.CRITICAL)
    config = load_config(*overrides, "tracking=none", "registry=none")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr), one_thread_of_blas():
        run.train(config, Path(folder) / "run", {})
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = sorted(path.stem for path in (ROOT / "conf/use_case").glob("*.yaml"))
    parser.add_argument("--use-cases", nargs="+", default=keys, choices=keys)
    parser.add_argument("--overrides", nargs="*", default=[])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure([f"use_case={args.use_cases[0]}", *args.overrides])))
        return
    print(f"{'use case':28}{'before':>8}{'fit':>8}{'after':>8}{'share':>8}", flush=True)
    n_over = 0
    for key in args.use_cases:
        command = [sys.executable, __file__, "--measure", "--use-cases", key, "--overrides", *args.overrides]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            print(f"{key:28}  {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        used = json.loads(done.stdout.strip().splitlines()[-1])
        before, after = (sum(used.get(name, 0) for name in names) for names in (BEFORE, AFTER))
        in_all = sum(used.values())
        is_over = after > MOST_SHARE * in_all if in_all > LONG_S else after > MOST_S
        n_over += is_over
        shown = f"{key:28}{before:8.2f}{in_all - before - after:8.2f}{after:8.2f}{after / in_all:8.0%}"
        print(shown + (" over" if is_over else ""), flush=True)
    print(f"{n_over} of {len(args.use_cases)} over {MOST_S:g} s, or {MOST_SHARE:.0%} of a run above {LONG_S} s")


if __name__ == "__main__":
    main()

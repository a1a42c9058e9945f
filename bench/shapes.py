"""Wide and tall CSV files, from the file to a trained model by the one command that a person types first.

    python bench/shapes.py [--shapes 600x2000 50000x500 2000000x30] [--limit-gib 8]

Each table goes through `python -m src.use_cases new rows.csv target=target --train` with nothing else set. Printed are the size
of the file, the seconds, the peak memory of all processes together, and the closing line. A peak above the limit is a failure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from wide import make_rows

ROOT = Path(__file__).resolve().parents[1]
GIB = 1 << 30
PERIOD_S = 0.2


def resident(process: psutil.Process) -> int:
    """Bytes in memory of a process and of all that it has started."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            total += one.memory_info().rss
    return total


def watch(command: list[str], folder: Path) -> tuple[float, int, int, str]:
    """Wall seconds, peak bytes, exit code and what was said last."""
    start, peak = time.perf_counter(), 0
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        process = psutil.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            with suppress(psutil.Error):
                peak = max(peak, resident(process))
            time.sleep(PERIOD_S)
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
    scored = [line for line in lines if " test rows" in line and "·" in line]
    return time.perf_counter() - start, peak, process.returncode, (scored or lines or [""])[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=["600x2000", "50000x500", "2000000x30"])
    parser.add_argument("--limit-gib", type=float, default=8)
    args = parser.parse_args()
    too_large = []
    print(f"{'rows x columns':<16}{'CSV MB':>8}{'s':>8}{'peak GiB':>10}  exit  said last", flush=True)
    for shape in args.shapes:
        n_rows, n_columns = map(int, shape.split("x"))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder / "rows.csv"
            make_rows(n_rows, n_columns).to_csv(path, index=False)
            command = [
                sys.executable,
                "-m",
                "src.use_cases",
                "new",
                str(path),
                "target=target",
                f"--config-dir={folder}/my_conf",
            ]
            command += ["--train", f"hydra.run.dir={folder}/run", "registry=none", "tracking=none"]
            seconds, peak, code, said = watch(command, folder)
            print(
                f"{shape:<16}{path.stat().st_size / 1e6:>8.0f}{seconds:>8.1f}{peak / GIB:>10.2f}  {code:>4}  {said[:150]}",
                flush=True,
            )
        too_large += [shape] * (code != 0 or peak > args.limit_gib * GIB)
    sys.exit(f"Above the limit, or failed: {', '.join(too_large)}" if too_large else 0)


if __name__ == "__main__":
    main()

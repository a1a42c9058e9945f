"""Sweep: plan, resume, launch through Hydra, report."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.commands import as_typed, command_of
from bank_models.config import project
from bank_models.config.compose import plain_path, quoted, without_hydra
from bank_models.config.root_file import ROOT
from bank_models.errors import ConfigError
from bank_models.files import folders
from bank_models.runs import fingerprint
from bank_models.runtime.cluster import stay_on_loopback
from bank_models.sweeps import display, record, results
from bank_models.sweeps.job import Job
from bank_models.sweeps.plan import BASIC, OPTUNA, OTHER_SPLITS, Plan, Planned, plan
from bank_models.sweeps.search import SPLIT_SEED

if TYPE_CHECKING:
    from hydra.types import TaskFunction

SOME_FAILED = 5
INTERRUPTED = 128 + signal.SIGINT  # as a shell reports it
FILE = "sweep.json"
OURS = {  # what runs the jobs of a sweeper of Hydra
    BASIC: "hydra_plugins.portfolio.PortfolioSweeper",
    OPTUNA: "hydra_plugins.optuna_search.OptunaSearch",
}
LOCAL_WORKERS = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
RAY_TASKS = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
ONE_AT_A_TIME = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def sweep(
    task: TaskFunction,
    overrides: list[str],
    flags: list[str],
    config_dirs: list[Path],
    hand_over: Callable[[Job, list[str]], int],
    root: str = ROOT,
) -> int:
    """Run all jobs that a command line means; one that fails stops no other.

    Parameters
    ----------
    task : callable
        Takes a composed configuration and returns a score, higher is better. It must stand in a module, by its name.
    overrides, flags : list of str
        The command line, settings and flags apart.
    config_dirs : list of Path
    hand_over : callable
        Lets Hydra run a job function with a command line.
    root : str
        Name of the file where composition begins.

    Returns
    -------
    int
        0 if every job ended well, 5 if not, 130 after Ctrl-C.

    Raises
    ------
    ConfigError
        Before anything is started or written.
    """
    command = Command(task, overrides, flags)
    code = fingerprint.code_sha256()
    with display.checking() as advance:
        planned = plan(command.settings, config_dirs, code, advance, root)
    if planned.cfg.hydra.sweeper._target_ == OPTUNA:
        code = _with_data(planned, code)
    launcher = planned.cfg.hydra.launcher._target_
    launching, n_threads = cores_for(planned)
    if launcher == RAY_TASKS and planned.cfg.hydra.launcher.ray.init.get("address") is None:
        stay_on_loopback()
    sweep_dir, is_continued = _choose_folder(command, planned)
    with _only_one(sweep_dir):
        if planned.jobs is not None:
            jobs = _prepare(planned.jobs, sweep_dir, is_continued)
            if launcher != ONE_AT_A_TIME:  # the long ones first: one left for the end would find the other cores idle
                jobs = sorted(jobs, key=lambda job: -job.n_cells)
            planned = replace(planned, jobs=jobs)
        if not is_continued:
            record.write(sweep_dir / FILE, command.facts())
        for left_out, kept in planned.same:
            print(f"{left_out} is the same job as {kept}: it runs once.", file=sys.stderr)
        if any(SPLIT_SEED in job.differs for job in planned.jobs or []):
            print(OTHER_SPLITS, file=sys.stderr)
        job = Job(command.module, task.__name__, code, n_threads, planned.jobs or [], launcher == LOCAL_WORKERS)
        argv = [*flags, *command.settings, f"hydra.sweep.dir={quoted(str(sweep_dir))}", *launching]
        if ours := OURS.get(planned.cfg.hydra.sweeper._target_):
            argv.append(f"hydra.sweeper._target_={ours}")
        try:
            with display.watching(planned.jobs, sweep_dir):
                hand_over(job, argv)
        except (KeyboardInterrupt, SystemExit) as stop:
            _take_back(sweep_dir)
            print(f"Interrupted. To run what is left:\n  {command.again('resume=true', sweep_dir)}", file=sys.stderr)
            if isinstance(stop, SystemExit):
                raise
            return INTERRUPTED
        return _report(command, planned.jobs, sweep_dir)


class Command:
    """What was typed, and how to type it again.

    Attributes
    ----------
    settings : list of str
        Overrides without those that say where or whether to continue.
    """

    def __init__(self, task: TaskFunction, overrides: list[str], flags: list[str]):
        main = sys.modules["__main__"].__spec__
        self.module = main.name if task.__module__ == "__main__" and main else task.__module__
        self.flags = flags
        words = {"resume=true": True, "resume=false": False}
        typed = [one for one in overrides if one.partition("=")[0] == "resume"]
        if bad := [one for one in typed if one.lower() not in words]:
            raise ConfigError(f"{bad[0]}: must be true or false")
        self.is_resuming = bool(typed) and words[typed[-1].lower()]
        self.typed_dir = next((one for one in overrides if one.startswith("hydra.sweep.dir=")), None)
        self.settings = [one for one in overrides if one not in typed and one != self.typed_dir]

    @property
    def start(self) -> str:
        flags = self.flags if "--multirun" in self.flags or "-m" in self.flags else [*self.flags, "--multirun"]
        return f"{command_of(self.module)} {shlex.join(flags)}"

    def facts(self) -> dict:
        """What `resume=true` compares: the settings of the jobs, in whatever order, and where they come from."""
        hydras = [one for one in self.settings if re.match(r"\+*hydra[./]", one)]
        return {
            "command": self.start + " " + shlex.join(self.settings),
            "jobs_from": sorted(set(self.settings) - set(hydras)) + [f for f in self.flags if f not in ("--multirun", "-m")],
        }

    def again(self, last: str, sweep_dir: Path) -> str:
        where = [] if self.typed_dir is None else [f"hydra.sweep.dir={_relative(sweep_dir)}"]
        return " ".join([self.start, *map(shlex.quote, [*self.settings, *where, last])])

    def only(self, jobs: list[list[str]]) -> list[str]:
        """Commands that run only these jobs."""
        return results.commands(jobs, self.start, [one for one in self.settings if re.match(r"\+*hydra[./]", one)])


def cores_for(planned: Plan) -> tuple[list[str], int | None]:
    """Share the cores: overrides for the launcher, and the threads of each job; jobs times threads are at most the cores."""
    from bank_models.runtime.device import usable_cores

    launcher, cores = planned.cfg.hydra.launcher, usable_cores()
    if launcher._target_ == ONE_AT_A_TIME:
        return [], cores
    if launcher._target_ == RAY_TASKS:
        n_threads = max(1, int(launcher.ray.remote.get("num_cpus") or 1))  # what Ray sets aside for a task, on any machine
        # without this the launcher says how large the store of a running cluster shall be, at which Ray refuses to join it
        sizes = [] if "object_store_memory" in launcher.ray.init else ["+hydra.launcher.ray.init.object_store_memory=null"]
        return sizes, n_threads
    if launcher._target_ != LOCAL_WORKERS:
        return [], None  # of other machines only the job itself can ask
    workers = launcher.n_jobs if launcher.n_jobs > 0 else max(1, cores + 1 + launcher.n_jobs)
    if planned.jobs is not None:
        workers = max(1, min(workers, sum(job.refusal is None and not job.is_finished for job in planned.jobs)))
    overrides = [f"hydra.launcher.n_jobs={workers}"]
    if launcher.batch_size == "auto":
        overrides.append("hydra.launcher.batch_size=1")  # joblib would hand a worker several short jobs at once
    return overrides, max(1, cores // workers)


def _with_data(planned: Plan, code: str) -> str:
    """What the trials of a search are kept under: our code, and the settings and the data that they share."""
    from omegaconf import OmegaConf

    return fingerprint.fingerprint(OmegaConf.to_container(without_hydra(planned.cfg), resolve=True), code)


def _choose_folder(command: Command, planned: Plan) -> tuple[Path, bool]:
    """The sweep folder, and whether it holds an earlier attempt that is to be continued."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    if command.typed_dir is None:
        template = str(planned.cfg.hydra.sweep._get_node("dir")._value())
        HydraConfig.instance().set_config(planned.cfg)
        chosen = Path(OmegaConf.select(planned.cfg, "hydra.sweep.dir"))
    else:
        template = command.typed_dir.partition("=")[2].strip("'\"")
        chosen = Path(OmegaConf.select(OmegaConf.create({"dir": template}), "dir"))
    chosen = Path(plain_path("hydra.sweep.dir", str(chosen.absolute())))
    project.confine({"hydra.sweep.dir": chosen})
    if command.is_resuming:
        pattern = re.sub(r"\$\{now:[^}]*\}", "*", template)
        earlier = _earlier(pattern, command.facts())
        if earlier is not None:
            return earlier, True
        if "*" not in pattern and (chosen / FILE).is_file():
            was = json.loads((chosen / FILE).read_text(encoding="utf-8"))["command"]
            raise ConfigError(f"{_relative(chosen)} holds another sweep, so it cannot be continued:\n{was}")
        print(f"Nothing to resume: no sweep in {pattern} has these settings. Starting anew.", file=sys.stderr)
    if chosen.exists() and (not chosen.is_dir() or (any(chosen.iterdir()) and not (chosen / FILE).is_file())):
        raise ConfigError(f"{_relative(chosen)} exists and is not a sweep folder: choose another with hydra.sweep.dir=…")
    if command.typed_dir is None:
        chosen = _new(chosen)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen, False


def _earlier(pattern: str, facts: dict) -> Path | None:
    """The newest sweep folder whose jobs came from the same settings."""
    root, _, rest = pattern.partition("*")
    anchor = Path(root if not rest or root.endswith("/") else str(Path(root).parent))
    glob = str(Path(pattern).relative_to(anchor)) if rest or "*" in pattern else "."
    places = anchor.glob(f"{glob}/{FILE}") if anchor.is_dir() else ()
    for path in sorted(places, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        with contextlib.suppress(OSError, ValueError, KeyError):
            if json.loads(path.read_text(encoding="utf-8"))["jobs_from"] == facts["jobs_from"]:
                return path.parent.absolute()
    return None


def _new(folder: Path) -> Path:
    """A folder that did not exist: two sweeps may begin within one second."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 100):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate
    raise ConfigError(f"{folder} exists: choose another with hydra.sweep.dir=…")


@contextlib.contextmanager
def _only_one(sweep_dir: Path) -> Iterator[None]:
    """Hold the folder, so that no second process runs the same jobs."""
    with (sweep_dir / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{_relative(sweep_dir)} is in use: its sweep is still running") from None
        yield


def _take_back(sweep_dir: Path) -> None:
    """Remove what jobs that were cut off had made: a folder with something in it is a run."""
    for log in sweep_dir.rglob("*.log"):
        run_dir = log.with_suffix("")
        folders.remove_abandoned(run_dir.parent, run_dir.name)
        if run_dir.is_dir() and not any(run_dir.iterdir()):
            run_dir.rmdir()


def _prepare(jobs: list[Planned], sweep_dir: Path, is_continued: bool) -> list[Planned]:
    """Note which jobs are finished, and forget what became of the others."""
    prepared = []
    for job in jobs:
        run_dir = sweep_dir / job.subdir
        if is_continued and job.refusal is None and record.is_finished(run_dir, job.fingerprint):
            job = replace(job, is_finished=True)
        elif job.refusal is None:
            record.record_path(run_dir).unlink(missing_ok=True)
            record.log_path(run_dir).unlink(missing_ok=True)
        prepared.append(job)
    return prepared


def _report(command: Command, jobs: list[Planned] | None, sweep_dir: Path) -> int:
    rows = results.rows_found(sweep_dir) if jobs is None else [results.row(job, sweep_dir) for job in jobs]
    rows = results.in_order(rows)
    results.write(sweep_dir, rows)
    display.table(rows)
    refused = [row for row in rows if row["status"] == "refused"]
    failed = [row for row in rows if row["status"] == "failed"]
    for row in [*refused, *failed]:
        print(f"{row['status']}: {row['use_case']} · {row['model']}{_of(row['differs'])}: {row['reason']}", file=sys.stderr)
    if refused:
        others = "all others are finished" if not failed else f"{len(failed)} failed"
        print(f"{len(refused)} of {len(rows)} jobs cannot work and were left out; {others}.", file=sys.stderr)
    if failed:
        again = "\n".join(f"  {line}" for line in command.only([row["overrides"] for row in failed]))
        said = f"{len(failed)} of {len(rows)} jobs failed; what they printed is in the .log files. To run only these again:"
        print(f"{said}\n{again}", file=sys.stderr)
    print(as_typed(f"As one page: python -m src.scoreboard --sweep {shlex.quote(_relative(sweep_dir))}"))
    print(f"{_relative(sweep_dir)}/results.md")
    return SOME_FAILED if failed or refused else 0


def _of(differs: dict[str, str]) -> str:
    return "".join(f" · {key}={value}" for key, value in differs.items())


def _relative(path: Path) -> str:
    return os.path.relpath(path)

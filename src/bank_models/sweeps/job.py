"""Job of a sweep, in a process of its own.

Launchers reuse their processes, and one that dies takes the batch along (loky) or the sweep (Hydra's own launcher). So a
job runs in a child of the process that the launcher gives it. Children are forked from a server that has imported the
libraries and done nothing else: a fork takes milliseconds where a start takes seconds, and what the system reports as a
child's peak memory is the job's own.
"""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.errors import ConfigError
from bank_models.files import folders
from bank_models.runs import fingerprint
from bank_models.runtime.processes import end_with, end_with_parent, start, start_server
from bank_models.runtime.system_errors import explained
from bank_models.runtime.terminal import complain
from bank_models.sweeps import record

if TYPE_CHECKING:
    from omegaconf import DictConfig

PRELOADED = {  # what nearly every job of an entry imports; a name that is absent only costs time
    "bank_models.train": [
        "bank_models.pipeline.run", "bank_models.pipeline.fit.supervised", "bank_models.pipeline.evaluate.supervised",
        "bank_models.data.file", "bank_models.data.packaged", "bank_models.data.simulated", "lightgbm",
        "bank_models.runs.skops_io", "sklearn.ensemble", "sklearn.linear_model", "xgboost",
    ],
}  # fmt: skip
PRELOADED["bank_models.reproduce"] = PRELOADED["bank_models.train"]
FOR_EVERY_ENTRY = [
    "bank_models.sweeps.job", "hydra.core.hydra_config", "threadpoolctl",
    "joblib.externals.loky",  # whose workers tell their children a start method that only it knows
]  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MB = 1_000_000
GRACE_S = 2


class Job:
    """What Hydra calls for each job of a sweep: a function of its configuration that never raises.

    Parameters
    ----------
    module, name : str
        Where the entry stands: a function that takes the composed configuration and returns a score, higher is better.
    code : str
        Of `fingerprint.code_sha256`, taken when the sweep began.
    n_threads : int, optional
        Threads of each job that does not say `n_threads` itself; None leaves it the machine's cores.
    planned : list of Planned
        The jobs, where they are known beforehand: see `bank_models.sweeps.plan`.
    workers_are_children : bool
        Whether the launcher's processes, if it has any, are children of this one and should not outlive it.
    """

    def __init__(self, module: str, name: str, code: str, n_threads: int | None, planned: list, workers_are_children: bool):
        self.module, self.name, self.code, self.n_threads, self.planned = module, name, code, n_threads, planned
        self.workers_are_children = workers_are_children
        self.sweep_pid = os.getpid()
        self.__module__ = module  # Hydra names the job after the module of its function

    def __call__(self, cfg: DictConfig) -> float | None:
        """Run the job, leave its record, give its score; None if it failed."""
        from hydra.core.hydra_config import HydraConfig

        run_dir = Path(HydraConfig.get().runtime.output_dir)
        facts = {"overrides": list(HydraConfig.get().overrides.task), "score": None}
        record.record_path(run_dir).unlink(missing_ok=True)
        if self.workers_are_children and os.getpid() != self.sweep_pid:
            end_with(self.sweep_pid)
        start = time.perf_counter()
        try:
            facts |= self._prepared(cfg)
            died = why_it_died(self._run_in_child(cfg, HydraConfig.instance().cfg, facts, run_dir))
        except Exception as error:  # no memory for another process, a full disk: still no reason to stop the others
            died = said(error)
        ended = record.read(run_dir)
        if ended is None:
            ended = facts | {"status": "failed", "reason": died, "seconds": round(time.perf_counter() - start, 3)}
            try:
                record.write(record.record_path(run_dir), ended)
            finally:
                folders.remove_empty(run_dir)
        return ended["score"]

    def _prepared(self, cfg: DictConfig) -> dict[str, Any]:
        """Set what this job's place in the sweep decides, in Hydra's configuration and in its own; give its facts."""
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf, open_dict, read_write

        from bank_models.runtime.device import usable_cores

        number = next((job.number for job in self.planned if job.subdir == HydraConfig.get().sweep.subdir), None)
        if number is not None:  # Hydra counts what it launches, which is less than what was planned when a sweep goes on
            with read_write(HydraConfig.get().job), open_dict(HydraConfig.get().job):
                HydraConfig.get().job.num, HydraConfig.get().job.id = number, str(number)
        settings = OmegaConf.to_container(cfg, resolve=True)
        if cfg.n_threads is None and self.n_threads:
            cfg.n_threads = self.n_threads
        return {
            "code": self.code,
            "fingerprint": fingerprint.fingerprint(settings, self.code),
            "department": settings["use_case"]["department"],
            "use_case": settings["use_case"]["key"],
            "model": settings["model"]["name"],
            "n_threads": cfg.n_threads or usable_cores(),
        }

    def _run_in_child(self, cfg: DictConfig, hydra_cfg: DictConfig, base: dict[str, Any], run_dir: Path) -> int:
        """Wait for the child's end; if this process is told to stop, the child ends first."""
        from omegaconf import OmegaConf

        _start_server(self.module)
        parts = (cfg, hydra_cfg)  # plugins' own types cannot travel
        plain = [OmegaConf.to_container(part, resolve=False, enum_to_str=True) for part in parts]
        arguments = self.module, self.name, *plain, base, run_dir
        child = multiprocessing.get_context("forkserver").Process(target=work, args=arguments)
        start(child)
        try:
            child.join()
        finally:
            if child.exitcode is None:
                child.terminate()
                child.join(GRACE_S)
                child.kill()  # deep inside a library it hears nothing else
                child.join()
        return child.exitcode


def _start_server(module: str) -> None:
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process that forks should have no threads; each child sets its own number
    try:
        start_server([*FOR_EVERY_ENTRY, *PRELOADED.get(module, [])])
    finally:
        os.environ.pop("OPENBLAS_NUM_THREADS") if before is None else os.environ.update(OPENBLAS_NUM_THREADS=before)


def why_it_died(exit_code: int) -> str:
    """One line about a process that ended without a word."""
    if exit_code >= 0:
        return f"its process ended with exit code {exit_code} and without a result"
    name = signal.Signals(-exit_code).name
    return f"its process was killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def said(error: Exception) -> str:
    """One line about an exception."""
    if told := explained(error):
        return " ".join(str(told).split())
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}".removesuffix(": ")


def work(*job: Any) -> None:
    """The child's whole life, which does not end in a traceback if the system denies it something."""
    end_with_parent()  # the next run removes what this one was writing
    try:
        _work(*job)
    except Exception as error:
        if (told := explained(error)) is None:
            raise
        complain(str(told))
        sys.exit(told.exit_code)


def _work(module: str, name: str, cfg: dict, hydra_cfg: dict, base: dict[str, Any], run_dir: Path) -> None:
    """Run the entry, write the record; everything it prints goes to the log beside it."""
    from omegaconf import OmegaConf

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with record.log_path(run_dir).open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        _limit_threads(base["n_threads"])
        _be_the_job(OmegaConf.create(hydra_cfg))
        start = time.perf_counter()
        outcome = _outcome(module, name, OmegaConf.create(cfg), run_dir)
        outcome["seconds"] = round(time.perf_counter() - start, 3)
        outcome["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB)
        record.write(record.record_path(run_dir), base | outcome)


def _limit_threads(n_threads: int) -> None:
    """For the libraries that are loaded, and for those that will be."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREADS, str(n_threads)))
    threadpool_limits(n_threads)


def _be_the_job(hydra_cfg: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import configure_log, setup_globals

    setup_globals()
    HydraConfig.instance().cfg = hydra_cfg
    configure_log(hydra_cfg.hydra.job_logging, hydra_cfg.hydra.verbose)


def _outcome(module: str, name: str, cfg: DictConfig, run_dir: Path) -> dict[str, Any]:
    try:
        score = getattr(import_module(module), name)(cfg)
        score = float(score) if score is not None and math.isfinite(score) else None
        return {"status": "ok", "reason": None, "score": score} | record.facts_of_run(run_dir)
    except Exception as error:  # of whatever kind: the other jobs must not suffer from it
        if told := explained(error):
            complain(str(told))
        else:
            traceback.print_exc()
        status = "refused" if isinstance(told, ConfigError) else "failed"
        return {"status": status, "reason": said(error), "score": None}
    finally:
        logging.shutdown()
        with contextlib.suppress(OSError):
            sys.stdout.flush()

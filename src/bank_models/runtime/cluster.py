"""Ray cluster: joined by its address, or started on this machine alone, with its ports on the loopback and behind a token."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bank_models.errors import ConfigError, TrainingError
from bank_models.runtime.device import usable_cores

ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # off: Ray takes 127.0.0.1 for the address of this machine, on any system
EVERY_S = 1.0  # between two looks at whether the cluster still answers
ANSWER_S, MOST_SILENT = 5.0, 3  # for one answer, and how many in a row that are missed
MOST_AGAIN = 3  # times that a call is made again whose process has ended
START_S = 300.0  # for the workers to begin
DEAD = "{} no longer answers: its head has ended, or the network. Nothing was written.\n{}"
AGAIN = "Start the cluster again (ray start --head), then type the command again; a search with tuning.storage goes on."
_joined: list[Connection] = []
_held: dict[Any, Any] = {}


@dataclass(frozen=True)
class Cluster:
    """Where a Ray cluster is.

    Attributes
    ----------
    address : str, optional
        `auto` for the one that runs on this machine, or host:port of its head. None starts one on this machine alone, which
        ends with the connection.
    n_threads : int, optional
        Cores to use of all machines together; None is every one.
    n_workers : int
        That must run at once; of this machine alone, more than it has cores if need be.
    """

    address: str | None = None
    n_threads: int | None = None
    n_workers: int = 1

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection, the one that this process has where there is one.

        Raises
        ------
        ConfigError
            If no cluster answers, or it cannot be joined.
        """
        if _joined:
            yield _joined[-1]
            return
        connection = self._join()
        _joined.append(connection)
        try:
            yield connection
        finally:
            _joined.clear()
            connection.close()

    def _join(self) -> Connection:
        if self.address is None:
            stay_on_loopback()
        elif self.address != "auto":
            _check_answers(self.address)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        here = {} if self.address else {"num_cpus": max(usable_cores(), self.n_workers), "include_dashboard": False}
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(self.address or "local", log_to_driver=False, logging_level="ERROR", configure_logging=False, **here)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise self._cannot_be_used(error) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray sets one of its own
        return Connection(self, ray)

    def _cannot_be_used(self, error: Exception) -> TrainingError:
        if self.address is None:
            return TrainingError(
                f"Ray could not be started on this machine: {_first_line(error)}\nType launcher=local instead."
            )
        return ConfigError(
            f"launcher.address={self.address} cannot be joined: {_first_line(error)}\n"
            "Start a cluster there (ray start --head), or leave launcher.address out to use this machine."
        )


def stay_on_loopback() -> None:
    """Let a cluster that this process is about to start listen on 127.0.0.1 only, and answer to nobody without its token."""
    os.environ.setdefault("RAY_worker_niceness", "0")  # as our own workers: at Ray's 15 they would starve beside other work
    os.environ[ON_LOOPBACK] = "0"
    if "ray" in sys.modules:  # it has read its settings
        sys.modules["ray"]._private.ray_constants.ENABLE_RAY_CLUSTER = False
        return
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token" and not os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


class Connection:
    """A connection to a cluster.

    Attributes
    ----------
    ray : module
    n_threads : int
        Cores to use of all machines together.
    has_all : bool
        Whether these are all cores there are.
    """

    def __init__(self, cluster: Cluster, ray):
        self.ray, self._cluster, self._looked_at = ray, cluster, time.monotonic()
        self._remote: dict[Callable, Any] = {}
        alive = [node for node in ray.nodes() if node["Alive"]]
        self._cores = [int(node["Resources"].get("CPU", 0)) for node in alive]
        mine = ray.get_runtime_context().get_node_id()
        self._doors = [ray.get_runtime_context().gcs_address] + [
            f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}" for node in alive if node["NodeID"] == mine
        ]
        self.n_threads = min(cluster.n_threads or sum(self._cores), sum(self._cores))
        self.has_all = self.n_threads == sum(self._cores)

    def threads_of(self, n_workers: int) -> int:
        """Cores that each of so many workers may have, so that all of them find room.

        Raises
        ------
        ConfigError
            If they find none.
        """
        most = max(1, self.n_threads // n_workers)
        for n_threads in range(most, 0, -1):
            if sum(cores // n_threads for cores in self._cores) >= n_workers:
                return n_threads
        raise ConfigError(
            f"{n_workers} workers need {n_workers} cores, but the cluster has {sum(self._cores)}.\n"
            "Add machines to it (ray start --address=…), or ask for fewer workers."
        )

    def start(self, kind: type, n_workers: int, n_threads: int, *arguments: Any) -> list[Any]:
        """Workers of a class, of whose methods each waits for the one before."""
        make = self.ray.remote(num_cpus=n_threads, max_restarts=0)(kind)
        return [make.remote(*arguments) for _ in range(n_workers)]

    def call(self, function: Callable, *arguments: Any) -> Any:
        """A reference to what a function gives on one core of the cluster; again from the start if its process ends."""
        if function not in self._remote:
            self._remote[function] = self.ray.remote(num_cpus=1, max_retries=MOST_AGAIN)(function)
        return self._remote[function].remote(*arguments)

    def put(self, value: Any) -> Any:
        """A reference to a value that is sent to each machine at most once."""
        return self.ray.put(value)

    def wait(self, references: Sequence[Any], timeout_s: float | None = None) -> list[Any]:
        """The first of some references to be ready, or to have failed; none if none is within so many seconds.

        Raises
        ------
        TrainingError
            If the cluster no longer answers.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = EVERY_S if until is None else min(EVERY_S, max(0.0, until - time.monotonic()))
            ready, _ = self.ray.wait(list(references), num_returns=1, timeout=left)
            if time.monotonic() - self._looked_at >= EVERY_S:  # workers go on for a while when the rest has ended
                self._check_alive()
            if ready or (until is not None and time.monotonic() >= until):
                return ready

    def check_begun(self, references: Sequence[Any], n_needed: int = 1) -> None:
        """Wait until so many workers have answered.

        Raises
        ------
        TrainingError
            If they have not after five minutes, or the cluster no longer answers.
        """
        waiting, until = list(references), time.monotonic() + START_S
        while len(references) - len(waiting) < n_needed:
            ready = self.wait(waiting, max(0.0, until - time.monotonic()))
            if not ready:
                raise TrainingError(
                    f"The workers did not begin within {START_S:.0f} s: the cores of the cluster are busy with other work.\n"
                    "Wait until it is done, or ask for fewer workers."
                )
            waiting.remove(ready[0])

    def get(self, reference: Any) -> Any:
        """The value of a reference; an error of ours that a worker met with is raised as here.

        Raises
        ------
        TrainingError
            If the cluster no longer answers.
        """
        self.wait([reference])
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TrainingError | MemoryError | OSError):
                raise error.cause from None
            raise
        except self.died():
            self._check_alive()  # a worker may have ended because all has: Ray would end this process at the next call
            raise

    def failed(self) -> tuple[type[Exception], ...]:
        """What `get` raises for a call that has failed, in the worker or with it."""
        return self.ray.exceptions.RayError, TrainingError, MemoryError, OSError

    def died(self) -> tuple[type[Exception], ...]:
        """What is raised for a worker that has ended in the middle of its work."""
        known = self.ray.exceptions
        return known.RayActorError, known.WorkerCrashedError, known.OutOfMemoryError, known.NodeDiedError

    def kill(self, workers: Sequence[Any]) -> None:
        """End workers, whatever they are doing."""
        for worker in workers:
            with contextlib.suppress(Exception):  # it has ended
                self.ray.kill(worker, no_restart=True)

    def close(self) -> None:
        """Leave; a cluster that was started for this connection ends."""
        self.ray.shutdown()

    def _check_alive(self) -> None:
        for silent in range(MOST_SILENT):
            self._looked_at = time.monotonic()
            if all(map(_answers, self._doors)):
                return
            time.sleep(EVERY_S if silent < MOST_SILENT - 1 else 0)
        where = f"The Ray cluster at {self._cluster.address}" if self._cluster.address else "Ray on this machine"
        raise TrainingError(DEAD.format(where, AGAIN if self._cluster.address else "Type the command again."))


def held(references: list[Any]) -> Any:
    """In a worker: the value of a reference that calls have in common, fetched for the first of them and then kept."""
    import ray

    (reference,) = references
    if reference not in _held:
        _held.clear()
        _held[reference] = ray.get(reference)
    return _held[reference]


def reason_of(error: Exception) -> str:
    """Why a worker ended, in a few words."""
    said = str(error)
    if "running low on memory" in said or "OutOfMemory" in type(error).__name__:
        return "its machine ran out of memory"
    if "node" in type(error).__name__.lower() or "node died" in said or "owner's node has crashed" in said:
        return "its machine ended"
    return "its process ended"


def _check_answers(address: str) -> None:
    if not _answers(address):
        raise ConfigError(
            f"No Ray cluster answers at launcher.address={address}.\n"
            "Start one there (ray start --head), or leave launcher.address out to use this machine."
        )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

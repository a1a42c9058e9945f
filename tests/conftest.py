import fcntl
import multiprocessing
import os
import pty
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from browser import ALL_ARE_MADE, ARGUMENTS, CHROMIUM, DESKTOP
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300
WARM = [
    "bank_models.train",
    "bank_models.pipeline.run",
    "bank_models.pipeline.fit.supervised",
    "bank_models.pipeline.evaluate.supervised",
]
WARM += [
    "bank_models.pipeline.fit.unsupervised",
    "bank_models.pipeline.evaluate.anomalies",
    "bank_models.data.file",
    "bank_models.data.simulated",
]
WARM += ["bank_models.models.clustering.estimators", "bank_models.models.neural.network", "bank_models.training.ensemble"]
WARM += ["hydra._internal.hydra", "hydra._internal.utils", "skops.io", "xgboost.callback", "lightgbm", "sklearn.ensemble"]
FEW_FOLDS = ["cv.n_folds=2", "cv.n_repeats=1"]  # a small table would have 5 folds drawn 5 times
KINDS = {  # a small run of each kind of task
    "binary": ["use_case=fair_lending", *FEW_FOLDS],
    "tuned": ["use_case=credit_scoring", "model=xgboost", "tuning=random_search", "tuning.n_iter=4", *FEW_FOLDS],
    "multiclass": ["use_case=sentiment_analysis", "data_source=packaged", "data_source.name=vader_tweets", *FEW_FOLDS],
    "regression": ["use_case=atm_cash_optimization", "data_source.rows=1500", "model.params.n_estimators=40", "cv.n_folds=2"],
    "quantile": ["use_case=market_risk_var", "cv=none"],
    "clustering": ["use_case=risk_parity"],
    "anomaly": ["use_case=synthetic_identity", "data_source.rows=1000"],
}
FORKSERVER = multiprocessing.get_context("forkserver")


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def pytest_configure(config):
    """Give each of several workers a core of its own: two threads on a busy core wait for one another."""
    os.environ["PYTHONPATH"] = str(ROOT / "src")  # of processes that tests start: what `make setup` gives a user
    worker, cores = os.environ.get("PYTEST_XDIST_WORKER"), sorted(os.sched_getaffinity(0))
    if worker:
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
    FORKSERVER.set_forkserver_preload(WARM)


@pytest.fixture
def compose():
    """Compose and check a configuration as the command line would: compose("use_case=fraud").model.name."""
    from bank_models.config import settings as config

    def composed(*overrides: str):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return config.read(hydra_compose("config", overrides=list(overrides)), overrides=overrides)

    return composed


@pytest.fixture
def python():
    """Run Python from the repository's root, as a user would: python("-m", "src.train", "--help")."""

    def run(*arguments: str, **kwargs) -> subprocess.CompletedProcess:
        kwargs = {"timeout": TIMEOUT_S, "env": {}, **kwargs}
        env = os.environ | {"COLUMNS": "200"} | kwargs.pop("env")
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            **kwargs,
        )

    return run


@pytest.fixture
def train(tmp_path):
    """Run `python -m src.train` into a folder of its own."""

    def run(*overrides: str) -> subprocess.CompletedProcess:
        return run_warm(f"hydra.run.dir={tmp_path}/run", *overrides)

    return run


@pytest.fixture(scope="session")
def run_of(tmp_path_factory):
    """Folder of a finished run of a kind of task, for reading only; trained once for all tests and all of pytest's workers."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "runs"

    def run(kind: str) -> Path:
        root.mkdir(exist_ok=True)
        with (root / f"{kind}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / kind).exists():
                result = run_warm(f"hydra.run.dir={root / kind}", *KINDS[kind])
                assert result.returncode == 0, result.stderr
        return root / kind

    return run


@pytest.fixture(scope="module")
def chromium():
    """A browser; each test opens windows of its own in it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make setup installs it")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def browser(chromium):
    """Open a page with charts: browser(path, **screen) gives it and what went wrong on it; to ask for another file is wrong."""
    contexts = []

    def opened(path: Path, **screen):
        contexts.append(chromium.new_context(**(screen or DESKTOP)))
        page, faults = contexts[-1].new_page(), []
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        is_other = lambda url: url != path.as_uri() and not url.startswith("data:")  # noqa: E731
        page.on("request", lambda request: faults.append(request.url) if is_other(request.url) else None)
        page.goto(path.as_uri())
        page.wait_for_function(ALL_ARE_MADE)
        return page, faults

    yield opened
    for context in contexts:
        context.close()


def at_terminal(*arguments: str, ctrl_c_after: str | None = None) -> tuple[int, str]:
    """Run `python -m …` as at a terminal where Ctrl-C is pressed once some word is shown; exit code and all output."""
    pid, us = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", *arguments], os.environ | {"COLUMNS": "220", "TERM": "xterm"})
    shown = b""
    while True:
        try:
            shown += os.read(us, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if ctrl_c_after and ctrl_c_after.encode() in shown:
            os.write(us, b"\x03")
            ctrl_c_after = None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def run_warm(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """`python -m src.train` in a new process that need not import the libraries first; it tells nobody unless asked."""
    arguments = [str(argument) for argument in arguments]
    for group in ("tracking",) if "--multirun" in arguments else ("registry", "tracking"):
        if not any(argument.startswith(group) for argument in arguments):
            arguments.append(f"{group}=none")
    return subprocess.CompletedProcess(arguments, *elsewhere(_train, arguments, env or {}))


def elsewhere(function, *arguments):
    """What a function gives in a new process, forked from one that has imported the libraries and done nothing else."""
    reader, writer = FORKSERVER.Pipe(duplex=False)
    process = FORKSERVER.Process(target=_answer, args=(writer, function, arguments))
    process.start()
    writer.close()
    if not reader.poll(TIMEOUT_S):
        process.kill()
        raise TimeoutError(f"{function.__name__}{arguments} took more than {TIMEOUT_S} s")
    try:
        return reader.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"{function.__name__}{arguments} ended with exit code {process.exitcode}") from None


def _answer(writer, function, arguments) -> None:
    os.chdir(ROOT)
    writer.send(function(*arguments))


def _train(arguments: list[str], env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    from bank_models import command_line, train

    os.environ |= {"COLUMNS": "200"} | env
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (1, 2))
        try:
            code = command_line.run(train.main, arguments, train.HELP)
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        return code or 0, *(file.seek(0) or file.read() for file in (out, err))

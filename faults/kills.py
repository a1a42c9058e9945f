"""Kills: of a run, a registration, a promotion, a search, a sweep and a reproduction, at named and at random moments."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from faults import command, crash, prepared, watch
from faults.case import Attempt, Group, NotTried, expect
from faults.runner import ROOT

GROUP = Group("kills")
KEY = "credit_scoring"
REGISTRY = Path("models")
STEPS = ("register", "promote", "rollback", "archive")


def _manifest(folder: Path) -> bytes:
    return (folder / "manifest.json").read_bytes()


def _check_run(run: Path, earlier: bytes | None) -> None:
    """Expect the earlier run, or the new one, in one piece."""
    from bank_models.files import manifest

    if earlier is None and (not run.exists() or not any(run.iterdir())):
        return
    expect(run.is_dir(), f"{run.name} is gone")
    manifest.verify(run)


def _check_next_run_cleans_up(run: Path) -> None:
    from bank_models.files import folders, manifest
    from bank_models.runs import history

    with folders.published(run) as folder:
        (folder / "note.txt").write_text("next")
    for earlier in (run.parent / history.FOLDER).glob("*"):
        manifest.verify(earlier)
    beside = [path.name for path in run.parent.iterdir() if path.name not in (run.name, history.FOLDER)]
    expect(not beside, f"a killed run left {beside[:3]}, and the next one did not remove it")


@GROUP.promise(
    "a run killed at a random moment",
    "The run folder is the earlier run or the new one, whole; the next run removes what was left beside it.",
)
def run_at_random(attempt: Attempt) -> None:
    run = prepared.copy_of("credit", Path("runs/it").absolute())
    earlier = _manifest(run)
    process = command.start("src.train", *command.SMALL, "registry=none", f"hydra.run.dir={run}", "seed=1")
    time.sleep(attempt.draw.uniform(0, 3))
    process.send(signal.SIGKILL)
    process.wait()
    _check_run(run, earlier)
    _check_next_run_cleans_up(run)


@GROUP.promise(
    "a run killed at a named moment",
    "The same, just before any call that creates, synchronises or renames a file; an earlier run is there or not.",
)
def run_at_call(attempt: Attempt) -> None:
    run = Path("runs/it").absolute()
    earlier = _manifest(prepared.copy_of("credit", run)) if attempt.number % 2 else None
    k = attempt.draw.randrange(150)
    run.parent.mkdir(exist_ok=True)
    plan = crash.Die(run.parent, k)
    arguments = *command.SMALL, "registry=none", f"hydra.run.dir={run}", "seed=1"
    answer = command.run("src.train", *arguments, before=plan.install)
    if answer.code != -signal.SIGKILL:
        answer.check_is_good()
    _check_run(run, earlier)
    _check_next_run_cleans_up(run)


@GROUP.promise(
    "a run interrupted",
    "Ctrl-C and SIGTERM end a run within two seconds, with exit code 130 or 143 and a word, and leave no folder behind.",
    cases=("SIGINT", "SIGTERM"),
    share=0.5,
)
def run_interrupted(attempt: Attempt) -> None:
    process = command.start(
        "src.train", *command.SMALL, "registry=none", "model=random_forest", "model.params.n_estimators=2000"
    )
    time.sleep(attempt.draw.uniform(0.8, 2.5))
    number, sent = signal.Signals[attempt.case], time.monotonic()
    process.send(number)
    answer = process.wait(limit_s=30)
    expect(time.monotonic() - sent < 2, f"it took {time.monotonic() - sent:.1f} s to end")
    expect(answer.code == 128 + number, f"exit code {answer.code} instead of {128 + number}")
    expect("Traceback" not in answer.err and answer.err.strip(), "a traceback, or not a word")
    expect(not Path("runs").exists() or not list(Path("runs").rglob("*")), f"it left {list(Path('runs').rglob('*'))[:3]}")


def _work(step: str, root: Path) -> Callable[[], object]:
    """What a registry with three versions is asked to do, two of which were in production."""
    from bank_models.registry.store import Registry

    registry = Registry(root)
    if step == "register":
        run = prepared.run_folder("credit")
        return lambda: registry.register(run)
    *_, third = registry.versions(KEY)
    if step == "promote":
        return lambda: registry.promote(third, registry.find(KEY), "faults", "third", [], False)
    if step == "rollback":
        return lambda: registry.rollback(KEY, "faults", "back")
    return lambda: registry.archive(third, "faults", "old")


def _three_versions(root: Path) -> None:
    shutil.copytree(prepared.registry_of_three(), root)


def _states(root: Path) -> tuple[dict[str, str], int]:
    """Status of each version, and the number of lines, after everything was verified."""
    from bank_models.registry.store import Registry

    registry = Registry(root)
    facts = registry.verify(KEY)
    return {one.version: one.status for one in registry.versions(KEY)}, facts["n_lines"]


def _check_before_or_after(step: str, root: Path, before, must_be_done: bool, work) -> None:
    """Expect the registry as it was or with the step done, and ready for more: the next one finishes or takes back."""
    from bank_models.registry.store import Registry

    now = _states(root)
    expect(now[1] in (before[1], before[1] + 1), f"{now[1]} lines after {before[1]}")
    expect(now[1] > before[1] or now[0] == before[0], "a status changed without a line")
    expect(not must_be_done or now[1] == before[1] + 1, f"a {step} that had ended was lost")
    newest = Registry(root).register(prepared.run_folder("credit")).version
    expect(newest not in now[0], f"version {newest} was given twice")
    expect(not list((root / KEY).glob(".new-*")), "a half-written version is still there")
    if _states(root)[1] == before[1] + 1:
        work()
    expect(_states(root)[1] == before[1] + 2, f"the {step} and the next registration are not two lines")


def _moment(attempt: Attempt, n_calls: int) -> int:
    """One call after the other where they are few; of a registration's many the last, which publish it, more often."""
    turn = attempt.number // len(STEPS)
    if attempt.case == "register" and turn % 3 == 2:
        return attempt.draw.randrange(n_calls)
    return n_calls - 1 - turn % min(n_calls, 16)


@GROUP.promise(
    "the registry killed at a named moment",
    "Whatever call a registration, promotion, rollback or archiving dies at, it happened or did not; the next one goes on.",
    cases=STEPS,
    share=3,
)
def registry_at_call(attempt: Attempt) -> None:
    _three_versions(REGISTRY)
    before = _states(REGISTRY)
    work = _work(attempt.case, REGISTRY)
    calls = crash.moments(work, REGISTRY)
    k = _moment(attempt, len(calls))
    code = crash.happen(work, crash.Die(REGISTRY, k))
    expect(code == -signal.SIGKILL, f"it should have died at {calls[k]}, but ended with {code}")
    _check_before_or_after(attempt.case, REGISTRY, before, False, work)


@GROUP.promise(
    "the registry without electricity at a named moment",
    "The same where only what was synchronised is still on the disk; what had been confirmed is never lost.",
    cases=STEPS,
    share=3,
)
def registry_cut(attempt: Attempt) -> None:
    _three_versions(REGISTRY)
    before = _states(REGISTRY)
    work = _work(attempt.case, REGISTRY)
    calls = crash.moments(work, REGISTRY)
    k = _moment(attempt, len(calls) + 1)
    after = Path("after").absolute()
    code = crash.happen(work, crash.Cut(REGISTRY.absolute(), k, after, attempt.draw))
    expect(code == crash.DONE, f"the work itself ended with {code}")
    shutil.rmtree(REGISTRY)
    after.rename(REGISTRY)
    _check_before_or_after(attempt.case, REGISTRY, before, k == len(calls), work)


def _publish(run: Path, files: dict[str, bytes]) -> None:
    from bank_models.files import folders

    with folders.published(run) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)


@GROUP.promise(
    "a run folder without electricity at a named moment",
    "The earlier run or the new one is there, every byte as its manifest says; once the command has ended it is the new one.",
    share=2,
)
def run_cut(attempt: Attempt) -> None:
    from bank_models.files import manifest

    place = Path("runs").absolute()
    run = place / "it"
    _publish(run, {"a.txt": b"earlier", "b.txt": attempt.draw.randbytes(2000)})
    new = {"a.txt": b"new" * 999, "c.txt": attempt.draw.randbytes(3000)}
    work = lambda: _publish(run, new)  # noqa: E731
    calls = crash.moments(work, place)
    k, after = attempt.number % (len(calls) + 1), Path("after").absolute()
    expect(crash.happen(work, crash.Cut(place, k, after, attempt.draw)) == crash.DONE, "publishing itself failed")
    manifest.verify(after / "it")
    text = (after / "it/a.txt").read_bytes()
    expect(k < len(calls) or text == new["a.txt"], "the run that had ended was lost")


def _trials(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "trials.csv").drop(columns="seconds")


@GROUP.promise(
    "a search killed at a random moment",
    "The same command goes on from the trials that had finished, and ends as one search that was never killed would have.",
    share=0.2,
    limit_s=150,
    is_pinned=False,
)
def search(attempt: Attempt) -> None:
    expected = _trials(prepared.run_folder("searched"))
    arguments = *prepared.KINDS["searched"], "registry=none", "tracking=none", f"hydra.run.dir={Path('it').absolute()}"
    process = command.start("src.train", *arguments)
    time.sleep(attempt.draw.uniform(1, 5))
    process.send(signal.SIGKILL)
    process.wait()
    watch.check_all_end(within_s=8)
    command.run("src.train", *arguments, limit_s=90).check_is_good()
    pd.testing.assert_frame_equal(_trials(Path("it")), expected, check_exact=True)


SWEEP = (
    "--multirun",
    "use_case=credit_scoring",
    "model=dummy,logistic_regression",
    "seed=1,2",
    "cv=none",
    "hydra.sweep.dir=sweep",
)


def _statuses() -> list[str]:
    return sorted(row["status"] for row in json.loads(Path("sweep/results.json").read_text(encoding="utf-8")))


def _wait_for(files: str, limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not list(Path().glob(files)):
        expect(time.monotonic() < deadline, f"{files} did not come")
        time.sleep(0.02)


@GROUP.promise(
    "the parent of a sweep killed",
    "Its jobs end within eight seconds, and `resume=true` runs what is left: the table is whole.",
    cases=("basic", "joblib"),
    share=0.1,
    limit_s=240,
)
def sweep_parent(attempt: Attempt) -> None:
    launcher = () if attempt.case == "basic" else ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process = command.start("src.train", *SWEEP, *launcher)
    _wait_for("sweep/**/*.log")
    time.sleep(attempt.draw.uniform(0, 2))
    process.send(signal.SIGKILL)
    process.wait()
    watch.check_all_end(within_s=8)
    command.run("src.train", *SWEEP, *launcher, "resume=true", limit_s=90).check_is_good()
    expect(_statuses() == ["ok"] * 4, f"the table says {_statuses()}")


@GROUP.promise(
    "a worker of a sweep killed",
    "One job failed, by name and with the signal; the others ended well, and the exit code is 5.",
    share=0.1,
    limit_s=120,
)
def sweep_worker(attempt: Attempt) -> None:
    slow = (
        "use_case=credit_scoring",
        "model=random_forest",
        "cv=none",
        "model.params.n_estimators=200,210",
        "hydra.sweep.dir=sweep",
    )
    process = command.start("src.train", "--multirun", *slow)
    _wait_for("sweep/**/*.log")
    time.sleep(attempt.draw.uniform(0, 0.5))
    jobs = [pid for pid in watch.session_of_this() if _writes_a_log(pid)]
    if not jobs:
        process.wait(limit_s=90)
        raise NotTried("the job had ended before it could be killed")
    os.kill(jobs[0], signal.SIGKILL)
    answer = process.wait(limit_s=90)
    expect(answer.code == 5, f"exit code {answer.code}")
    expect(_statuses() == ["failed", "ok"], f"the table says {_statuses()}")
    expect("SIGKILL" in answer.err, "the signal is not named")


def _writes_a_log(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/fd/1").readlink().suffix == ".log"
    except OSError:
        return False


@GROUP.promise(
    "scores of a file killed at a random moment",
    "The output is the earlier file or the new one, whole; nothing is left beside it once the next command has ended.",
    share=0.5,
)
def scoring(attempt: Attempt) -> None:
    run = prepared.run_folder("credit")
    rows = pd.concat([prepared.german_credit().drop(columns="bad")] * 40)
    rows.to_csv("rows.csv", index=False)
    Path("out").mkdir()
    arguments = f"run_dir={run}", "input=rows.csv", "output=out/scores.csv", "batch_rows=2000"
    if attempt.number % 2:
        Path("out/scores.csv").write_text("earlier\n", encoding="utf-8")
    process = command.start("src.predict", *arguments)
    time.sleep(attempt.draw.uniform(0, 1.2))
    process.send(signal.SIGKILL)
    process.wait()
    output = Path("out/scores.csv")
    expect(
        not output.exists() or output.read_text(encoding="utf-8") == "earlier\n" or len(pd.read_csv(output)) == len(rows),
        "half a file",
    )
    command.run("src.predict", *arguments).check_is_good()
    expect(watch.names(Path("out")) == ["scores.csv"], f"left: {watch.names(Path('out'))}")
    expect(len(pd.read_csv(output)) == len(rows), "the scores are not whole")


@GROUP.promise(
    "`dvc repro` killed at a random moment",
    "The same command then ends well, and a second one finds nothing to do: no half-written output was taken for a whole one.",
    share=0.05,
    limit_s=240,
    is_pinned=False,
)
def reproduction(attempt: Attempt) -> None:
    folder = _repository()
    process = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"], cwd=folder, stdout=-3, stderr=-3)
    time.sleep(attempt.draw.uniform(2, 14))
    for pid in watch.session_of_this():
        os.kill(pid, signal.SIGKILL)
    process.wait()
    again = _dvc(folder, "repro")
    expect(again.returncode == 0, f"the next one failed: {again.stderr[-300:]}")
    from bank_models.files import manifest

    manifest.verify(folder / "portfolio/credit_scoring/run")
    status = _dvc(folder, "status", "--json")
    expect(json.loads(status.stdout or "{}") == {}, f"it then finds to do: {status.stdout[:200]}")


def _dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def _repository() -> Path:
    """A git repository with our code and a portfolio of one use case."""
    folder = Path("repository").absolute()
    for part in ("conf", "src"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("tuned"))
    for part in (".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "requirements.lock"):
        (folder / part).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / part, folder / part)
    (folder / "params.yaml").write_text("use_cases:\n  credit_scoring: logistic_regression\n")
    os.environ |= {"PYTHONPATH": f"{folder}:{folder}/src", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "start"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder

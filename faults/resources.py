"""Too little of something: disk, memory, descriptors, rights, letters."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import json
import os
import pwd
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from faults import command, crash, prepared, watch
from faults.case import Attempt, Broken, Group, NotTried, expect
from faults.runner import SHARED

GROUP = Group("resources")
MB = 1 << 20
KEY = "credit_scoring"
BY_A_LIBRARY = (-6, 127)  # C++ and glibc end the process where they get no memory, and ask nobody
CODES = {
    "no space": errno.ENOSPC,
    "read-only": errno.EROFS,
    "a broken disk": errno.EIO,
    "quota": errno.EDQUOT,
    "no rights": errno.EACCES,
}


def _train() -> tuple:
    return "src.train", *command.SMALL, "registry=none", "hydra.run.dir=out/it", "seed=1"


def _register() -> tuple:
    return "src.registry", "register", prepared.run_folder("credit"), "--registry", "out"


def _predict() -> tuple:
    prepared.german_credit().drop(columns="bad").to_csv("rows.csv", index=False)
    return "src.predict", f"run_dir={prepared.run_folder('credit')}", "input=rows.csv", "output=out/scores.csv"


def _search() -> tuple:
    kept = "tuning=random_search", "tuning.n_iter=2", "tuning.cv=2", "tuning.storage=sqlite:///out/study.db", "n_threads=1"
    return "src.train", *command.SMALL, *kept, "registry=none", "hydra.run.dir=out/it"


COMMANDS: dict[str, Callable[[], tuple]] = {"train": _train, "register": _register, "predict": _predict, "search": _search}


def _earlier(kind: str) -> None:
    """What stands in the folder before a command begins."""
    Path("out").mkdir(exist_ok=True)
    if kind == "train":
        prepared.copy_of("credit", Path("out/it"))
    if kind == "register":
        prepared.registry_with(1, Path("out"))
    if kind == "predict":
        Path("out/scores.csv").write_text("earlier\n", encoding="utf-8")


def _check_whole(kind: str, answer: command.Answer) -> None:
    """Expect what stood there, or the new, whole."""
    from bank_models.files import manifest
    from bank_models.registry.store import Registry

    if kind == "train":
        manifest.verify(Path("out/it"))
    if kind == "register":
        registry = Registry(Path("out"))
        registry.verify(KEY)
        n_versions = len(registry.versions(KEY))
        expect(n_versions == 2 or (answer.code and n_versions == 1), f"{n_versions} versions after exit code {answer.code}")
    if kind == "predict":
        lines = Path("out/scores.csv").read_text(encoding="utf-8").splitlines()
        expect(len(lines) == 1001 or (answer.code and lines == ["earlier"]), f"{len(lines)} lines of scores")


def _try(
    attempt: Attempt, kind: str, before: Callable[[], None] | None = None, codes: tuple[int, ...] = (0, 1, 2)
) -> command.Answer:
    answer = command.run(*COMMANDS[kind](), before=before, limit_s=60)
    try:
        answer.check_is_a_sentence(*codes)
    except Broken as broken:
        raise Broken(f"{kind}: {broken}") from None
    return answer


@GROUP.promise(
    "a call that fails",
    "From a named moment on each call that needs space or rights fails: one sentence, and all is as it was or whole.",
    cases=tuple(f"{kind}: {code}" for kind in COMMANDS for code in CODES),
    share=3,
)
def failing_call(attempt: Attempt) -> None:
    kind, _, code = attempt.case.partition(": ")
    _earlier(kind)
    most = {"train": 120, "register": 120, "predict": 12, "search": 100}[kind]
    plan = crash.Fail(Path("out").absolute(), attempt.draw.randrange(most), CODES[code])
    answer = _try(attempt, kind, plan.install)
    _check_whole(kind, answer)


@GROUP.promise(
    "a full disk",
    "On a disk with too little space a command says so in a sentence and leaves what stood there.",
    cases=tuple(COMMANDS),
    share=0.6,
)
def full_disk(attempt: Attempt) -> None:
    if os.geteuid():
        raise NotTried("a small disk is mounted for it, which needs root")
    Path("out").mkdir()
    size = {"train": 2500, "register": 4500, "predict": 120, "search": 900}[attempt.case]
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={attempt.draw.randrange(size // 2, size)}k", "none", "out"])
    if mounted.returncode:
        raise NotTried("no disk can be mounted here")
    try:
        try:
            _earlier(attempt.case)
        except OSError:
            raise NotTried("what should stand there before did not fit") from None
        _check_whole(attempt.case, _try(attempt, attempt.case))
    finally:
        subprocess.run(["umount", "-l", "out"])


@GROUP.promise(
    "a file that may not grow",
    "The same where the system limits the size of a file.",
    cases=tuple(COMMANDS),
    share=0.6,
)
def file_size(attempt: Attempt) -> None:
    _earlier(attempt.case)
    most = attempt.draw.choice([0, 100, 3000, 20_000, 100_000, 300_000])
    before = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # noqa: E731
    process = command.start(*COMMANDS[attempt.case](), before=before)
    answer = process.wait()
    if max(path.stat().st_size for path in process.files) < most:  # else what it said met the limit, too
        answer.check_is_a_sentence(0, 1)
    _check_whole(attempt.case, answer)


@GROUP.promise(
    "too little memory",
    "A command that gets no more memory says so in a sentence, or a compiled library ends it; nothing is half-written.",
    cases=tuple(COMMANDS),
    share=0.8,
)
def memory(attempt: Attempt) -> None:
    _earlier(attempt.case)
    used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = used + attempt.draw.randrange(0, 400) * MB
    before = lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most))  # noqa: E731
    answer = command.run(*COMMANDS[attempt.case](), before=before)
    if answer.code not in BY_A_LIBRARY:
        answer.check_is_a_sentence(0, 1, 2)
    _check_whole(attempt.case, answer)


@GROUP.promise(
    "too few descriptors",
    "A command that may open no more files says so in a sentence with exit code 1.",
    cases=tuple(COMMANDS),
    share=0.6,
)
def descriptors(attempt: Attempt) -> None:
    _earlier(attempt.case)
    more = attempt.draw.randrange(0, 25)

    def before() -> None:
        most = max(int(name) for name in watch.names(Path("/proc/self/fd"))) + 1 + more
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    _check_whole(attempt.case, _try(attempt, attempt.case, before))


def _modules_of(kind: str) -> list[str]:
    """Names of all modules that a command imports, found out once: another user may not read where Python is installed."""
    known = Path(os.environ[SHARED]) / f"modules-of-{kind}.json"
    with known.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            (Path("rehearsal") / "out").mkdir(parents=True)
            shutil.copyfile("rows.csv", "rehearsal/rows.csv") if kind == "predict" else None
            env = {command.MODULES: str(known)}
            command.run(*COMMANDS[kind](), env=env, folder=Path("rehearsal")).check_is_good()
            shutil.rmtree("rehearsal")
    return json.loads(known.read_text())


def _import(names: list[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _become_nobody(modules: list[str]) -> None:
    _import(modules)
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


RIGHTS: dict[str, Callable[[str], object]] = {
    "the folder is another's": lambda kind: None,
    "the folder may not be entered": lambda kind: Path("out").chmod(0o700),
    "what is in it may not be read": lambda kind: [path.chmod(0o000) for path in Path("out").rglob("*") if path.is_file()],
    "it is mine": lambda kind: subprocess.run(["chown", "-R", "nobody", "."], check=True),
}


@GROUP.promise(
    "another user without rights",
    "As `nobody` a command is refused in a sentence where it may not read or write, and works where it may.",
    cases=tuple(f"{kind}: {rights}" for kind in COMMANDS for rights in RIGHTS),
    share=0.8,
)
def another_user(attempt: Attempt) -> None:
    if os.geteuid():
        raise NotTried("it needs root to become another user")
    kind, _, rights = attempt.case.partition(": ")
    _earlier(kind)
    COMMANDS[kind]()
    modules = _modules_of(kind)
    RIGHTS[rights](kind)
    before = watch.tree(Path("out"))
    codes = (0,) if rights == "it is mine" else (1, 2, 4)
    _try(attempt, kind, lambda: _become_nobody(modules), codes)
    if rights != "it is mine":
        watch.check_unchanged(before, Path("out"))


LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "POSIX": {"LC_ALL": "POSIX", "LANG": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "ASCII output": {"PYTHONIOENCODING": "ascii"},
    "an unknown one": {"LC_ALL": "xx_YY.KOI8-R", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


@GROUP.promise(
    "a pure ASCII locale",
    "Training, scoring and the registry do the same there as elsewhere, with names that are not ASCII, too.",
    cases=tuple(LOCALES),
    share=0.2,
    limit_s=180,
)
def locale(attempt: Attempt) -> None:
    env = {**os.environ, **LOCALES[attempt.case]}
    frame = prepared.german_credit()
    Path("Zürich").mkdir()
    frame.to_csv("Zürich/rows.csv", index=False)

    def run(*arguments: object) -> command.Answer:
        words = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(words, env=env, capture_output=True)
        return command.Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    settings = *command.SMALL, "data_source=file", "data_source.path='Zürich/rows.csv'", "hydra.run.dir='Zürich/it'"
    run("src.train", *settings, "registry.path='Zürich/models'").check_is_good()
    scored = run("src.predict", "run_dir=Zürich/it", "input=Zürich/rows.csv", "output=Zürich/scores.csv")
    scored.check_is_good()
    shown = run("src.registry", "show", KEY, "--registry", "Zürich/models")
    shown.check_is_good()
    expected = prepared.run_folder("credit")
    same = (Path("Zürich/it/model.skops").read_bytes()) == (expected / "model.skops").read_bytes()
    expect(same, "another model than elsewhere")


@GROUP.promise(
    "a home that is not there",
    "Without a home, without a place for temporary files of its own, and without a user's name, a run ends as ever.",
    cases=("no HOME", "HOME is a file", "no user", "no PATH"),
    share=0.2,
)
def home(attempt: Attempt) -> None:
    modules = _modules_of("train")
    shutil.rmtree(os.environ["HOME"])
    if attempt.case == "HOME is a file":
        Path(os.environ["HOME"]).write_text("x", encoding="utf-8")

    def before() -> None:
        for name in ("USER", "LOGNAME", "USERNAME", "LNAME"):
            os.environ.pop(name, None)
        if attempt.case == "no HOME":
            del os.environ["HOME"]
        if attempt.case == "no PATH":
            del os.environ["PATH"]
        if attempt.case == "no user" and os.geteuid() == 0:
            _import(modules)
            os.setuid(54321)

    if attempt.case == "no user":
        Path().chmod(0o777)
    command.run(*_train()[:-2], "hydra.run.dir=it", "registry=local", before=before).check_is_good()

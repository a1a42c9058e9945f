"""Races: several processes that do the same thing at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from faults import command, prepared, watch
from faults.case import Attempt, Group, expect

GROUP = Group("races")
KEY = "credit_scoring"
REGISTRY = Path("models")


def at_once(*works: Callable[[], object]) -> list[int]:
    """Exit codes of processes that do some works at the same moment: 0, or 1 after an exception."""
    start = time.monotonic() + 0.05
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                time.sleep(max(0, start - time.monotonic()))
                work()
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


@GROUP.promise(
    "eight registrations at once",
    "Each gives a version of its own, numbered without a gap; whoever reads meanwhile sees whole versions only.",
    share=0.3,
    is_pinned=False,
)
def registrations(attempt: Attempt) -> None:
    from bank_models.registry.store import Registry

    registry, run = Registry(REGISTRY), prepared.run_folder("credit")
    registry.register(run)

    def read() -> None:
        for _ in range(5):
            registry.verify(KEY)

    codes = at_once(*[lambda: registry.register(run)] * 8, read, read)
    expect(codes == [0] * 10, f"exit codes {codes}")
    found = [one.version for one in registry.versions(KEY)]
    expect(found == [f"1.0.{i}" for i in range(9)], f"versions {found}")
    registry.verify(KEY)


@GROUP.promise(
    "promotions at once",
    "One version is in production afterwards, and each promotion stands in the ledger or was refused.",
    share=0.5,
    is_pinned=False,
)
def promotions(attempt: Attempt) -> None:
    from bank_models.registry.store import Registry

    registry = Registry(REGISTRY)
    for _ in range(4):
        registry.register(prepared.run_folder("credit"))
    known = registry.versions(KEY)
    works = [lambda one=one: registry.promote(one, None, "faults", "race", [], False) for one in known]
    codes = at_once(*works)
    lines = [line for line in registry.history(KEY) if line["action"] == "promote"]
    expect(codes.count(0) == len(lines) == 1, f"{codes.count(0)} promotions ended well, {len(lines)} stand in the ledger")
    statuses = [one.status for one in registry.versions(KEY)]
    expect(statuses.count("production") == 1, f"statuses {statuses}")


@GROUP.promise(
    "simultaneous runs of one folder",
    "Each run that registers a version registers its own model, or is refused; the folder holds one of them, whole.",
    share=0.2,
    limit_s=120,
    is_pinned=False,
)
def same_folder(attempt: Attempt) -> None:
    from bank_models.files import manifest
    from bank_models.registry.store import Registry

    seeds = [1, 2, 3]
    arguments = *command.SMALL, "model=random_forest", "model.params.n_estimators=5", f"registry.path={REGISTRY}"
    started = [command.start("src.train", *arguments, f"seed={seed}", "hydra.run.dir=it") for seed in seeds]
    answers = [one.wait(limit_s=100) for one in started]
    for seed, answer in zip(seeds, answers, strict=True):
        if answer.code:
            answer.check_is_a_sentence(1, 2)
            continue
        version = next(word for line in answer.out.splitlines() for word in line.split() if "/v" in word)
        trained = json.loads((Path(version) / "metadata.json").read_text())["config"]["seed"]
        expect(trained == seed, f"the run with seed {seed} registered the model with seed {trained}")
    expect(any(answer.code == 0 for answer in answers), "none of the three ended well")
    manifest.verify(Path("it"))
    Registry(REGISTRY).verify(KEY)


@GROUP.promise(
    "a reader while a run is replaced",
    "Whoever opens the run folder finds a whole run at every moment.",
    share=0.3,
    is_pinned=False,
)
def reader(attempt: Attempt) -> None:
    from bank_models.files import folders

    run = Path("runs/it").absolute()

    def write(n: int = 40) -> None:
        for i in range(n):
            with folders.published(run) as folder:
                (folder / "note.txt").write_text(f"{i} " * 5000)

    def read() -> None:
        for _ in range(3000):
            words = (run / "note.txt").read_text().split()
            assert (len(words), len(set(words))) == (5000, 1)

    write(1)
    codes = at_once(write, read, read)
    expect(codes == [0, 0, 0], f"exit codes of one writer and two readers: {codes}")
    expect(watch.names(run.parent) == ["it"], f"left: {watch.names(run.parent)}")


@GROUP.promise(
    "two sweeps in one folder",
    "The second is refused in a sentence, and the first ends as if alone.",
    share=0.1,
    limit_s=120,
)
def sweeps(attempt: Attempt) -> None:
    arguments = "--multirun", "use_case=credit_scoring", "model=dummy", "seed=1,2", "cv=none", "hydra.sweep.dir=sweep"
    first = command.start("src.train", *arguments)
    while not Path("sweep/sweep.json").exists():
        expect(not first.has_ended(), "the first sweep did not begin")
        time.sleep(0.02)
    command.run("src.train", *arguments, limit_s=100).check_is_a_sentence(2)
    first.wait(limit_s=100).check_is_good()


@GROUP.promise(
    "two searches that share a study",
    "Both end with the trials that one alone would have found.",
    share=0.1,
    limit_s=180,
    is_pinned=False,
)
def searches(attempt: Attempt) -> None:
    from faults.kills import _trials

    expected = _trials(prepared.run_folder("searched"))
    arguments = *prepared.KINDS["searched"], "registry=none", "tracking=none"
    started = [command.start("src.train", *arguments, f"hydra.run.dir=it{i}") for i in range(2)]
    for one in started:
        one.wait(limit_s=150).check_is_good()
    for i in range(2):
        expect(_trials(Path(f"it{i}")).equals(expected), f"search {i} found other trials")


@GROUP.promise(
    "keys made twice at once",
    "One pair is made, and its two halves fit.",
    share=0.5,
    is_pinned=False,
)
def keys(attempt: Attempt) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    from bank_models.registry import signing

    folder = Path("keys")
    codes = at_once(*[lambda: signing.make_keys(folder)] * 4)
    expect(codes.count(0) == 1, f"{codes.count(0)} of 4 made keys")
    private = load_pem_private_key((folder / signing.PRIVATE_NAME).read_bytes(), None)
    public = load_pem_public_key((folder / signing.PUBLIC_NAME).read_bytes())
    public.verify(private.sign(b"x"), b"x")


@GROUP.promise(
    "runs that tell of themselves at once",
    "`runs/experiments.jsonl` has a whole line for each.",
    share=0.3,
    is_pinned=False,
)
def experiments(attempt: Attempt) -> None:
    from bank_models.runs import experiments as kept

    record, path = kept.experiment(prepared.run_folder("credit")), Path("experiments.jsonl")

    def tell() -> None:
        for _ in range(200):
            kept.append(path, record)

    expect(at_once(*[tell] * 6) == [0] * 6, "one could not tell")
    lines = path.read_text(encoding="utf-8").splitlines()
    expect(len(lines) == 1200, f"{len(lines)} lines of 1,200")
    expect(all(json.loads(line)["use_case"] == KEY for line in lines), "a line is not whole")

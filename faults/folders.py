"""Hostile run folders, versions and ledgers: names, links, structure, and single flipped bits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults import command, prepared, watch
from faults.case import Attempt, Group, expect

GROUP = Group("folders")
KEY = "credit_scoring"
MODELS = Path("models")
LEDGER, HEAD = f"{KEY}/registry.jsonl", f"{KEY}/registry.head.json"


def _facts(**changes) -> Callable[[Path], None]:
    """Change metadata.json of a run, and its manifest so that it fits."""

    def make(run: Path) -> None:
        prepared.edit_json(run / "metadata.json", lambda facts: facts.update(changes))
        prepared.seal(run)

    return make


def _use_case(key: str) -> Callable[[Path], None]:
    """Let all facts of a run say that it is of another use case."""

    def make(run: Path) -> None:
        def change(facts: dict) -> None:
            facts["use_case_key"] = facts["config"]["use_case"]["key"] = key

        prepared.edit_json(run / "metadata.json", change)
        prepared.seal(run)

    return make


def _manifest_names(name: str, data: bytes = b"x") -> Callable[[Path], None]:
    """Let the manifest of a run name a file that stands elsewhere; it is put there, too, where that can be done."""

    def make(run: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            if not (run / name).exists():
                (run / name).write_bytes(data)
        entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        prepared.edit_json(run / "manifest.json", lambda values: values["files"].update({name: entry}))

    return make


def _without(name: str) -> Callable[[Path], None]:
    def make(run: Path) -> None:
        (run / name).unlink()
        prepared.seal(run)

    return make


def _text(name: str, text: str) -> Callable[[Path], None]:
    def make(run: Path) -> None:
        (run / name).write_text(text)
        prepared.seal(run)

    return make


def _replaced(name: str, place: Callable[[Path], object]) -> Callable[[Path], None]:
    """Put something else than a file where a file was; the manifest still names it."""

    def make(run: Path) -> None:
        kept = run / name
        kept.rename(run.parent / f"kept-{Path(name).name}")
        place(kept)

    return make


RUNS: dict[str, Callable[[Path], None]] = {
    "a key that climbs": _facts(use_case_key="../../escaped"),
    "a key that is a path": _facts(use_case_key="/tmp/escaped"),
    "a key of a hidden folder": _facts(use_case_key=".escaped"),
    "a key of another use case": _facts(use_case_key="churn_prediction"),
    "a key that is a list": _facts(use_case_key=["credit_scoring"]),
    "an empty key": _facts(use_case_key=""),
    "a key with a zero byte": _facts(use_case_key="a\0b"),
    "a key with a line end": _facts(use_case_key="credit_scoring\n"),
    "a key too long": _facts(use_case_key="x" * 300),
    "an unknown key": _facts(use_case_key="no_such_use_case"),
    "an unknown use case": _use_case("no_such_use_case"),
    "another use case": _use_case("churn_prediction"),
    "an id with markup": _facts(use_case_id="<script>alert(1)</script>"),
    "an id that climbs": _facts(use_case_id="../../x"),
    "an algorithm with a terminal's orders": _facts(algorithm="\x1b]0;x\x07\x1b[2J"),
    "parameters that are a text": _facts(params="x"),
    "parameters a hundred levels deep": _facts(params=json.loads('{"a":' * 100 + "1" + "}" * 100)),
    "a number of features below zero": _facts(feature_count=-1),
    "a number of features that is none": _facts(feature_count="many"),
    "a date that is none": _facts(created_at="yesterday"),
    "no configuration": _facts(config=None),
    "a configuration that is a list": _facts(config=[]),
    "a configuration without a use case": _facts(config={"seed": 1}),
    "metadata that is a list": _text("metadata.json", "[]"),
    "metadata that is nothing": _text("metadata.json", ""),
    "metadata with not-a-numbers": _text("metadata.json", '{"use_case_key": "credit_scoring", "x": NaN}'),
    "metadata in deep brackets": _text("metadata.json", "[" * 100_000),
    "metrics that are a list": _text("metrics.json", "[1]"),
    "metrics that are words": _text("metrics.json", '{"test_roc_auc": "high"}'),
    "metrics with an infinity": _text("metrics.json", '{"test_roc_auc": Infinity}'),
    "no model": _without("model.skops"),
    "no metrics": _without("metrics.json"),
    "no metadata": _without("metadata.json"),
    "no manifest": lambda run: (run / "manifest.json").unlink(),
    "a manifest that is a list": lambda run: (run / "manifest.json").write_text("[]"),
    "a manifest of nothing": lambda run: (run / "manifest.json").write_text('{"files": {}}'),
    "a manifest that names the ledger": _manifest_names("../registry.jsonl"),
    "a manifest that names a version": _manifest_names("../v1.0.0/model.skops"),
    "a manifest that names /etc/passwd": _manifest_names("/etc/passwd"),
    "a manifest that names itself": _manifest_names("manifest.json"),
    "a manifest that names the folder": _manifest_names("."),
    "a manifest that names a folder above": _manifest_names(".."),
    "a manifest with a doubled slash": _manifest_names("plots//x"),
    "a manifest with a backslash": _manifest_names("..\\x"),
    "a manifest with a zero byte": _manifest_names("a\0b"),
    "a manifest with a line end": _manifest_names("a\nb"),
    "a manifest with a name too long": _manifest_names("x" * 300),
    "a manifest that is a pipe": _replaced("manifest.json", lambda path: os.mkfifo(path)),
    "a manifest that is a link": _replaced(
        "manifest.json", lambda path: path.symlink_to(path.parent.parent / "kept-manifest.json")
    ),
    "a manifest that is a link to /dev/zero": _replaced("manifest.json", lambda path: path.symlink_to("/dev/zero")),
    "a model that is a link": _replaced("model.skops", lambda path: path.symlink_to(path.parent.parent / "kept-model.skops")),
    "a model that is a pipe": _replaced("model.skops", lambda path: os.mkfifo(path)),
    "a model that is a folder": _replaced("model.skops", lambda path: path.mkdir()),
    "metadata that is a pipe": _replaced("metadata.json", lambda path: os.mkfifo(path)),
    "a file that nobody named": lambda run: (run / "more.txt").write_text("x"),
    "a link that nobody named": lambda run: (run / "more").symlink_to("/etc"),
    "a folder that is a link": lambda run: (
        shutil.move(run / ".hydra", run.parent / "hydra"),
        (run / ".hydra").symlink_to(run.parent / "hydra"),
    ),
}


@GROUP.promise(
    "a hostile run folder that is registered",
    "It is refused with exit code 2 or 4 and nothing is written, or it becomes a version that verifies; no name leads out.",
    cases=tuple(RUNS),
    share=2.5,
)
def registered(attempt: Attempt) -> None:
    prepared.registry_with(1, MODELS)
    run = prepared.copy_of("credit", Path("run"))
    RUNS[attempt.case](run)
    beside, before = watch.names(), watch.tree(MODELS)
    answer = command.run("src.registry", "register", "run", limit_s=20)
    answer.check_is_a_sentence(0, 2, 4)
    expect("\x1b" not in answer.out + answer.err, "a terminal's orders were printed")
    expect(watch.names() == beside, f"it wrote {set(watch.names()) - set(beside)}")
    known = {KEY, "churn_prediction"} if attempt.case == "another use case" else {KEY}
    expect(set(watch.names(MODELS)) <= known, f"it made {watch.names(MODELS)}")
    if answer.code:
        now = watch.tree(MODELS)
        changed = [path for path in {**before, **now} if before.get(path) != now.get(path) and not path.endswith(".lock")]
        expect(not changed, f"refused, and yet it changed {changed[:3]}")
    command.run("src.registry", "verify").check_is_good()


@GROUP.promise(
    "a hostile run folder that is scored with or shown",
    "Scoring, report and scoreboard refuse it in a sentence, or show it as text; nothing hangs and nothing leads out.",
    cases=("src.predict", "src.report", "src.scoreboard"),
    share=1.5,
)
def shown(attempt: Attempt) -> None:
    kind = attempt.draw.choice(list(RUNS))
    run = prepared.copy_of("credit", Path("runs/credit_scoring/logistic_regression"))
    RUNS[kind](run)
    Path("rows.csv").write_text(prepared.german_credit().drop(columns="bad").head(20).to_csv(index=False), encoding="utf-8")
    arguments = {
        "src.predict": (f"run_dir={run}", "input=rows.csv", "output=scores.csv"),
        "src.report": (run, "--out", "page.html"),
        "src.scoreboard": ("--out", "board.html"),
    }[attempt.case]
    try:
        answer = command.run(attempt.case, *arguments, limit_s=30)
        answer.check_is_a_sentence(0, 2, 4)
    except AssertionError as broken:
        raise AssertionError(f"{kind}: {broken}") from None
    for page in [path for path in Path().rglob("*.html") if path.is_file() and "run" not in path.parts]:
        expect("<script>alert(1)" not in page.read_text(), f"{kind}: markup of a run stands in the page")


def _line(edit: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path, Random], None]:
    def make(root: Path, draw: Random) -> None:
        path = root / LEDGER
        path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))

    return make


def _instead(name: str, place: Callable[[Path], object]) -> Callable[[Path, Random], None]:
    def make(root: Path, draw: Random) -> None:
        path = root / name
        path.rename(root.parent / "kept")
        place(path)

    return make


def _gone(*names: str) -> Callable[[Path, Random], None]:
    def make(root: Path, draw: Random) -> None:
        for name in names:
            (root / name).unlink()

    return make


def _flip(path: Path, draw: Random) -> None:
    data = bytearray(path.read_bytes())
    at = draw.randrange(len(data))
    data[at] ^= 1 << draw.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)


def _flip_in_version(root: Path, draw: Random) -> None:
    _flip(draw.choice(sorted(path for path in (root / KEY / "v1.0.1").rglob("*") if path.is_file())), draw)


def _dropped_with_head(root: Path, draw: Random) -> None:
    first = (root / LEDGER).read_bytes().splitlines(keepends=True)[0]
    (root / LEDGER).write_bytes(first)
    (root / HEAD).write_text(json.dumps({"n": 1, "size": len(first), "sha256": json.loads(first)["sha256"]}))


REGISTRIES: dict[str, Callable[[Path, Random], None]] = {
    "a bit of a version": _flip_in_version,
    "a bit of the ledger": lambda root, draw: _flip(root / LEDGER, draw),
    "a bit of the head": lambda root, draw: _flip(root / HEAD, draw),
    "no ledger": _gone(LEDGER),
    "no head": _gone(HEAD),
    "neither ledger nor head": _gone(LEDGER, HEAD),
    "a ledger without its last line": _line(lambda lines: lines[:-1]),
    "a ledger without its first line": _line(lambda lines: lines[1:]),
    "a ledger with a line twice": _line(lambda lines: [*lines, lines[-1]]),
    "a ledger in another order": _line(lambda lines: [lines[1], lines[0], *lines[2:]]),
    "a ledger with another reason": _line(lambda lines: [line.replace(b"second", b"fourth") for line in lines]),
    "a ledger with blanks": _line(lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]]),
    "a ledger cut in a line that counts": _line(lambda lines: [*lines[:-1], lines[-1][:-9]]),
    "an empty ledger": _line(lambda lines: []),
    "a line dropped, and the head made to fit": _dropped_with_head,
    "a ledger that is a link": _instead(LEDGER, lambda path: path.symlink_to(path.parents[2] / "kept")),
    "a ledger that is a pipe": _instead(LEDGER, lambda path: os.mkfifo(path)),
    "a ledger that is a folder": _instead(LEDGER, lambda path: path.mkdir()),
    "a ledger that is a link to /dev/zero": _instead(LEDGER, lambda path: path.symlink_to("/dev/zero")),
    "a head that is a link": _instead(HEAD, lambda path: path.symlink_to(path.parents[2] / "kept")),
    "a head that is a pipe": _instead(HEAD, lambda path: os.mkfifo(path)),
    "a head that is a folder": _instead(HEAD, lambda path: path.mkdir()),
    "a version that is gone": _instead(f"{KEY}/v1.0.2", lambda path: None),
    "a version that is a link": _instead(f"{KEY}/v1.0.2", lambda path: path.symlink_to(path.parents[2] / "kept")),
    "a version that is a file": _instead(f"{KEY}/v1.0.2", lambda path: path.write_text("x")),
    "a version that is a pipe": _instead(f"{KEY}/v1.0.2", lambda path: os.mkfifo(path)),
    "a version that nobody registered": lambda root, draw: shutil.copytree(root / KEY / "v1.0.0", root / KEY / "v9.0.0"),
    "two versions swapped": lambda root, draw: _swap(root / KEY / "v1.0.0", root / KEY / "v1.0.2"),
    "a use case that is a link": _instead(KEY, lambda path: path.symlink_to(path.parents[1] / "kept")),
    "a file added to a version": lambda root, draw: (root / KEY / "v1.0.1/more.txt").write_text("x"),
    "a model of another version": lambda root, draw: _swap(
        root / KEY / "v1.0.1/model.skops", root / KEY / "v1.0.1/metadata.json"
    ),
}


def _swap(a: Path, b: Path) -> None:
    aside = a.parent / "aside"
    a.rename(aside)
    b.rename(a)
    aside.rename(b)


@GROUP.promise(
    "a changed registry",
    "A flipped bit, an edited or lost line, a link, a pipe or a swapped version is exit code 4 and named.",
    cases=tuple(REGISTRIES),
    share=3,
)
def changed(attempt: Attempt) -> None:
    shutil.copytree(prepared.registry_of_three(), MODELS)
    command.run("src.registry", "verify").check_is_good()
    REGISTRIES[attempt.case](MODELS, attempt.draw)
    answer = command.run("src.registry", "verify", limit_s=20)
    expect(answer.code == 4, f"verify says {answer.code}: {answer.out[-150:]} {answer.err[-150:]}")
    answer.check_is_a_sentence(4)


@GROUP.promise(
    "one flipped bit of a run",
    "Whatever bit of whatever file of a run folder is flipped: verifying or registering the run is exit code 4.",
    share=4,
)
def flipped(attempt: Attempt) -> None:
    from bank_models.errors import IntegrityError
    from bank_models.files import manifest
    from bank_models.registry.store import Registry

    run = prepared.copy_of("credit", Path("run"))
    path = attempt.draw.choice(sorted(path for path in run.rglob("*") if path.is_file()))
    _flip(path, attempt.draw)
    for act in (lambda: manifest.verify(run), lambda: Registry(MODELS).register(run)):
        try:
            act()
        except IntegrityError as error:
            expect(len(str(error).splitlines()) <= 3, "more than three lines")
            continue
        expect(False, f"a flipped bit of {path.name} was not seen")


CLOCKS = ("1970-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59Z")


@GROUP.promise(
    "a clock that was set",
    "The ledger keeps its order whatever the clock says, it verifies, and `as-of` says that the time went backwards.",
    cases=CLOCKS,
    share=0.3,
)
def clock(attempt: Attempt) -> None:
    from bank_models.registry.store import Registry
    from bank_models.runs import provenance

    registry = Registry(MODELS)
    registry.register(prepared.run_folder("credit"))
    provenance.now = lambda: attempt.case
    registry.register(prepared.run_folder("credit"))
    registry.promote(registry.versions(KEY)[1], None, "faults", "clock", [], False)
    expect([one.version for one in registry.versions(KEY)] == ["1.0.0", "1.0.1"], "the versions lost their order")
    registry.verify(KEY)
    answer = command.run("src.registry", "as-of", "9999-12-31")
    answer.check_is_good()
    if attempt.case < "2026":
        expect("back" in answer.out + answer.err, "nobody is told that the clock went backwards")

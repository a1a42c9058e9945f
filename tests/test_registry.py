import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import run_warm

from src import artifacts
from src.errors import ConfigError, GateError, IntegrityError
from src.registry import __main__ as command_line
from src.registry import signing
from src.registry.comparison import compare, delong
from src.registry.gates import judge
from src.registry.ledger import HEAD, LEDGER
from src.registry.store import Registry, find, open_registry
from src.registry.versions import newest, next_version, parse

ENTRY = {  # the specification's fields
    "model_id": str, "use_case_key": str, "algorithm": str, "version": str, "created_at": str, "created_by": str,
    "metrics": dict, "hyperparameters": dict, "feature_count": int, "training_samples": int, "file_path": str, "status": str,
}  # fmt: skip
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of German credit."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = run_warm("use_case=credit_scoring", f"hydra.run.dir={folder}")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def registry(tmp_path, monkeypatch):
    for name in (signing.SIGNING_KEY, signing.PUBLIC_KEY):
        monkeypatch.delenv(name, raising=False)
    return Registry(tmp_path / "models")


@pytest.fixture
def a_run(trained, tmp_path):
    """A run like the trained one but for what is changed: facts, metrics, or the scores of test rows."""

    def made(name: str = "run", facts=None, metrics=None, scores=None) -> Path:
        with artifacts.published(tmp_path / name) as folder:
            for file in artifacts.names_in_manifest(trained):
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_bytes(artifacts.read_verified(trained, file))
            for file, changes in (("metadata.json", facts), ("metrics.json", metrics)):
                if changes:
                    artifacts.write_json(folder / file, json.loads((folder / file).read_text()) | changes)
            if scores:
                frame = pd.read_parquet(folder / "test_scores.parquet")
                frame.assign(score=scores(frame)).to_parquet(folder / "test_scores.parquet")
        return tmp_path / name

    return made


def run(*arguments: str) -> int:
    return command_line.main([str(argument) for argument in arguments])


def test_versions_move_as_the_rule_says(tmp_path):
    def version(*overrides: str) -> str:
        result = run_warm(
            "use_case=credit_scoring", *overrides, f"hydra.run.dir={tmp_path}/run", f"registry.path={tmp_path}/models"
        )
        assert result.returncode == 0, result.stderr
        folder, *_ = result.stdout.splitlines()[-1].split()
        return Path(folder).name

    assert version() == "v1.0.0"
    assert version() == "v1.0.1"
    assert version("model.params.C=0.5") == "v1.1.0"
    assert version("model.params.C=0.5", "n_threads=1") == "v1.1.1"
    assert version("model=lightgbm") == "v1.2.0"
    rows = pd.read_parquet(tmp_path / "models/credit_scoring/v1.0.0/split.parquet")
    assert len(rows) == 1000
    assert version("model=lightgbm", "use_case.features.duration_months.max=240") == "v2.0.0"
    assert version("model=lightgbm", "~use_case.features.duration_months") == "v3.0.0"
    entries = [one.entry for one in Registry(tmp_path / "models").versions("credit_scoring")]
    assert len(entries) == 7
    for entry in entries:
        assert {name: type(value) for name, value in entry.items()} == ENTRY
        assert entry["model_id"] == f"UC-CRED-006-v{entry['version']}"
        assert {"accuracy", "precision", "recall", "f1_score", "roc_auc"} <= set(entry["metrics"])
        assert Path(entry["file_path"]).is_file()
        assert entry["training_samples"] == 800
    assert [entry["feature_count"] for entry in entries] == [20] * 6 + [19]


def test_new_data_alone_is_a_patch(registry, a_run):
    facts = json.loads((a_run() / "metadata.json").read_text())
    config = facts["config"] | {"data_source": facts["config"]["data_source"] | {"kind": "file", "path": "new.csv"}}
    assert registry.register(a_run()).version == "1.0.0"
    assert registry.register(a_run("new", {"config": config})).version == "1.0.1"


@pytest.mark.parametrize(
    ("inputs", "configuration", "expected"),
    [("i", "c", "2.9.11"), ("i", "other", "2.10.0"), ("other", "c", "3.0.0"), ("other", "other", "3.0.0")],
)
def test_the_number_that_moves_says_what_changed(inputs, configuration, expected):
    before = {"version": "2.9.10", "inputs_sha256": "i", "configuration_sha256": "c"}
    assert next_version(before, inputs, configuration) == expected


def test_versions_compare_as_numbers():
    assert newest(["1.9.0", "1.10.0", "1.2.30"]) == "1.10.0"
    for text in ("1.0", "01.0.0", "1.0.0-rc1", "../1.0.0", "1.0.0\n"):
        with pytest.raises(ConfigError, match="is not a version"):
            parse(text)


def test_a_sweep_registers_nothing_unless_told(tmp_path):
    arguments = ["--multirun", "use_case=credit_scoring", "model=dummy", f"hydra.sweep.dir={tmp_path}/s"]
    path = f"registry.path={tmp_path}/models"
    assert run_warm(*arguments, path).returncode == 0
    assert not (tmp_path / "models").exists()
    told = run_warm("--multirun", *arguments[1:3], f"hydra.sweep.dir={tmp_path}/t", "registry=local", path)
    assert told.returncode == 0, told.stderr
    assert [one.version for one in Registry(tmp_path / "models").versions("credit_scoring")] == ["1.0.0"]


def test_a_hundred_registrations_of_eight_processes_give_a_hundred_versions(registry, trained):
    def many(n_times: int) -> None:
        for _ in range(n_times):
            registry.register(trained)

    processes = [FORK.Process(target=many, args=(13 if i < 4 else 12,)) for i in range(8)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):  # nobody who reads meanwhile sees something half-done
        if registry.use_cases():
            registry.verify("credit_scoring")
            time.sleep(0.02)
    assert [process.exitcode for process in processes] == [0] * 8
    assert [one.version for one in registry.versions("credit_scoring")] == [f"1.0.{i}" for i in range(100)]
    assert registry.verify("credit_scoring") == {
        "use_case": "credit_scoring",
        "n_lines": 100,
        "n_versions": 100,
        "pending": None,
    }


def test_a_registry_survives_two_hundred_kills(registry, trained):
    def forever() -> None:
        while True:
            registry.register(trained)

    start = time.perf_counter()
    registry.register(trained)
    takes_s = time.perf_counter() - start
    draw, n_visible = random.Random(0), 1
    for _ in range(200):
        process = FORK.Process(target=forever)
        process.start()
        time.sleep(draw.uniform(0, 3 * takes_s))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        known = registry.versions("credit_scoring")
        assert len(known) >= n_visible
        n_visible = len(known)
        registry.verify("credit_scoring") if len(known) < 30 else known[-1].verify()
    registry.register(trained)
    assert registry.verify("credit_scoring")["n_versions"] > 20
    assert registry.verify("credit_scoring")["pending"] is None
    assert not list((registry.root / "credit_scoring").glob(".new-*"))
    versions = [one.version for one in registry.versions("credit_scoring")]
    assert versions == [f"1.0.{i}" for i in range(len(versions))]


@pytest.mark.parametrize("stage", ["line", "folder"])
def test_a_registration_that_died_between_two_steps_is_taken_back_or_finished(registry, trained, monkeypatch, stage):
    registry.register(trained)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.registry.store._publish" if stage == "line" else "src.registry.ledger.Ledger._write_head", die)
    with pytest.raises(KeyboardInterrupt):
        registry.register(trained)
    monkeypatch.undo()
    assert [one.version for one in registry.versions("credit_scoring")] == ["1.0.0"]
    assert registry.verify("credit_scoring")["pending"] == "v1.0.1"
    registry.register(trained)
    expected = ["1.0.0", "1.0.1"] if stage == "line" else ["1.0.0", "1.0.1", "1.0.2"]
    assert [one.version for one in registry.versions("credit_scoring")] == expected
    registry.verify("credit_scoring")


def test_one_flipped_byte_in_any_file_is_found_and_named(registry, trained, capsys):
    version = registry.register(trained)
    registry.promote(version, None, "me", "first", [], False)
    for path in sorted(path for path in version.folder.rglob("*") if path.is_file()):
        before = path.read_bytes()
        flipped = bytearray(before)
        flipped[len(flipped) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(flipped)
        assert run("verify", "--registry", registry.root) == 4
        assert path.name in capsys.readouterr().err
        with pytest.raises(IntegrityError, match=path.name.replace(".", r"\.")):
            find("credit_scoring", root=registry.root)
        path.write_bytes(before)
    assert run("verify", "--registry", registry.root) == 0


def test_a_file_that_was_added_lost_or_swapped_for_a_link_is_found(registry, trained):
    folder = registry.register(trained).folder
    (folder / "more.txt").write_text("x")
    with pytest.raises(IntegrityError, match=r"more\.txt was added"):
        registry.verify("credit_scoring")
    (folder / "more.txt").unlink()
    model = folder / "model.skops"
    aside = registry.root / "aside"
    model.rename(aside)
    with pytest.raises(IntegrityError, match=r"model\.skops cannot be verified"):
        registry.verify("credit_scoring")
    model.symlink_to(aside)
    with pytest.raises(IntegrityError, match=r"model\.skops is not a regular file"):
        registry.verify("credit_scoring")


def test_a_swapped_model_is_found_even_with_a_manifest_that_fits(registry, trained, a_run):
    one = registry.register(trained)
    other = registry.register(a_run("other", {"notes": ["another"]}))
    for name in ("model.skops", "metadata.json", "model_card.md", "manifest.json"):
        (one.folder / name).chmod(0o644)
        (one.folder / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(IntegrityError, match=r"v1\.0\.0/manifest\.json is not the file that was written"):
        registry.verify("credit_scoring")


EDITS = {
    "an edited line": lambda lines: [lines[0].replace(b'"trained"', b'"planned"'), *lines[1:]],
    "an edited last line": lambda lines: [*lines[:-1], lines[-1].replace(b'"trained"', b'"planned"')],
    "a line that is gone": lambda lines: [lines[0], *lines[2:]],
    "a last line that is gone": lambda lines: lines[:-1],
    "two lines in another order": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a line twice": lambda lines: [*lines, lines[-1]],
    "lines that were added": lambda lines: [*lines, *lines],
    "spaces": lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]],
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_ledger_is_found(registry, trained, edit, capsys):
    for _ in range(3):
        registry.register(trained)
    path = registry.root / "credit_scoring" / LEDGER
    path.write_bytes(b"".join(EDITS[edit](path.read_bytes().splitlines(keepends=True))))
    assert run("verify", "--registry", registry.root) == 4
    assert LEDGER in capsys.readouterr().err
    with pytest.raises(IntegrityError):
        registry.find("credit_scoring", "1.0.0")


def test_a_dropped_line_is_found_by_its_folder_though_the_head_was_edited_too(registry, trained):
    for _ in range(2):
        registry.register(trained)
    folder = registry.root / "credit_scoring"
    first = folder.joinpath(LEDGER).read_bytes().splitlines(keepends=True)[0]
    (folder / LEDGER).write_bytes(first)
    (folder / HEAD).write_text(json.dumps({"n": 1, "size": len(first), "sha256": json.loads(first)["sha256"]}))
    with pytest.raises(IntegrityError, match=r"v1\.0\.1 is a version that no line"):
        registry.verify("credit_scoring")
    with pytest.raises(IntegrityError, match="is in the way"):
        registry.register(trained)


def test_a_chain_that_was_computed_anew_is_found_by_its_signature(registry, trained, tmp_path, monkeypatch):
    private, public = signing.make_keys(tmp_path / "keys")
    assert private.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(signing.SIGNING_KEY, str(private))
    signed = open_registry(registry.root)
    signed.register(trained)
    monkeypatch.delenv(signing.SIGNING_KEY)
    with pytest.raises(ConfigError, match="is signed: name the file of the signing key"):
        registry.register(trained)
    monkeypatch.setenv(signing.PUBLIC_KEY, str(public))
    assert find("credit_scoring", "1.0.0", registry.root).version == "1.0.0"
    other, _ = signing.make_keys(tmp_path / "others")
    monkeypatch.setenv(signing.SIGNING_KEY, str(other))
    monkeypatch.delenv(signing.PUBLIC_KEY)
    for name in (LEDGER, HEAD):
        (registry.root / "credit_scoring" / name).unlink()
    (registry.root / "credit_scoring/v1.0.0").rename(tmp_path / "away")
    open_registry(registry.root).register(trained)  # a forger's
    monkeypatch.delenv(signing.SIGNING_KEY)
    monkeypatch.setenv(signing.PUBLIC_KEY, str(public))
    with pytest.raises(IntegrityError, match="does not fit the public key"):
        find("credit_scoring", "1.0.0", registry.root)


def test_an_unsigned_registry_is_refused_where_a_public_key_is_configured(registry, trained, tmp_path, monkeypatch, capsys):
    registry.register(trained)
    _, public = signing.make_keys(tmp_path / "keys")
    monkeypatch.setenv(signing.PUBLIC_KEY, str(public))
    assert run("list", "--registry", registry.root) == 4
    assert "is not signed" in capsys.readouterr().err


class Bomb:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_in_the_models_place_is_refused_and_not_executed(registry, trained, tmp_path, monkeypatch):
    import pickle

    monkeypatch.chdir(tmp_path)
    folder = registry.register(trained).folder
    (folder / "model.skops").chmod(0o644)
    (folder / "model.skops").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        find("credit_scoring", "1.0.0", registry.root)
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        artifacts.load(folder)
    (folder / artifacts.MANIFEST).chmod(0o644)
    artifacts.write_manifest(folder)  # whoever can write there can write a manifest that fits
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        artifacts.load(folder)
    assert not Path("executed").exists()


def test_delong_is_what_a_paired_bootstrap_says():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    one, other = y + rng.normal(0, 1.5, 600), np.round(y + rng.normal(0, 2, 600))
    gain, error = delong(y, one, other)
    assert gain == pytest.approx(roc_auc_score(y, one) - roc_auc_score(y, other), abs=1e-12)
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 600, 600)
        drawn.append(roc_auc_score(y[rows], one[rows]) - roc_auc_score(y[rows], other[rows]))
    assert error == pytest.approx(np.std(drawn), rel=0.1)


def worse(frame):
    return np.random.default_rng(0).permutation(frame["score"])


def better(frame):
    return frame["score"] * 0.2 + frame["y_true"] * 0.8


def test_promotion_refuses_what_is_worse_takes_what_is_better_and_goes_back(registry, a_run, capsys):
    rooted = ("--registry", registry.root)
    registry.register(a_run())
    assert run("promote", "credit_scoring@1.0.0", "--reason", "first", *rooted) == 0
    registry.register(a_run("worse", metrics={"test_roc_auc": 0.5, "gain_roc_auc_ci_low": 0.01}, scores=worse))
    assert run("promote", "credit_scoring@1.0.1", "--reason", "a twin", *rooted) == 3
    assert "production not met" in capsys.readouterr().err.replace(", calibration", "")
    registry.register(a_run("better", metrics={"test_roc_auc": 1.0}, scores=better))
    assert run("promote", "credit_scoring@1.0.2", "--reason", "an improvement", *rooted) == 0
    assert registry.find("credit_scoring").version == "1.0.2"
    assert run("rollback", "credit_scoring", "--reason", "complaints", "--by", "ann", *rooted) == 0
    assert registry.find("credit_scoring").version == "1.0.0"
    assert run("promote", "credit_scoring@1.0.1", "--reason", "I insist", "--force", *rooted) == 0
    assert run("archive", "credit_scoring@1.0.1", "--reason", "enough", *rooted) == 0
    assert [one.status for one in registry.versions("credit_scoring")] == ["archived", "archived", "archived"]
    happened = [
        (line["action"], line["version"]) for line in registry.history("credit_scoring")[1:] if line["action"] != "register"
    ]
    assert happened == [
        ("promote", "1.0.0"), ("promote", "1.0.2"), ("rollback", "1.0.0"), ("promote", "1.0.1"), ("archive", "1.0.1"),
    ]  # fmt: skip
    forced = registry.history("credit_scoring")[-2]
    assert (forced["forced"], forced["reason"]) == (True, "I insist")
    assert {gate["name"] for gate in forced["gates"] if not gate["is_met"]} >= {"production"}
    assert registry.verify("credit_scoring")["n_lines"] == 8


def test_promoting_says_how_many_versions_were_scored_on_the_same_test_rows(registry, a_run, trained, capsys):
    def said(version: str) -> str:
        run("promote", f"credit_scoring@{version}", "--reason", "try", "--force", "--registry", registry.root)
        return capsys.readouterr().out

    registry.register(trained)
    assert "on the same test rows" not in said("1.0.0")
    registry.register(trained)
    assert "1 other version was scored on the same test rows" in said("1.0.1")
    registry.register(trained)
    assert "2 other versions were scored on the same test rows" in said("1.0.2")
    data = json.loads((trained / "metadata.json").read_text())["data"]
    registry.register(a_run("other", facts={"data": data | {"frame_sha256": "0" * 64}}))
    assert "on the same test rows" not in said("1.0.3")


def test_every_rollback_takes_one_promotion_back(registry, trained):
    versions = [registry.register(trained) for _ in range(3)]
    for before, version in zip([None, *versions], versions, strict=False):
        registry.promote(version, before, "me", "next", [], False)
    assert registry.rollback("credit_scoring", "me", "bad")["version"] == "1.0.1"
    assert registry.rollback("credit_scoring", "me", "bad")["version"] == "1.0.0"
    with pytest.raises(ConfigError, match="no earlier version in production"):
        registry.rollback("credit_scoring", "me", "bad")


def test_a_promotion_compared_with_another_version_than_production_is_refused(registry, trained):
    one, other = registry.register(trained), registry.register(trained)
    registry.promote(one, None, "me", "first", [], False)
    with pytest.raises(ConfigError, match="meanwhile"):
        registry.promote(other, None, "me", "compared with nothing", [], False)


def test_gates_ask_for_the_use_cases_score_and_for_its_own_rows(registry, a_run):
    facts = json.loads((a_run() / "metadata.json").read_text())
    use_case = facts["config"]["use_case"]

    def failed(**changes) -> list[str]:
        version = registry.register(a_run("changed", changes.get("facts"), changes.get("metrics")))
        return [gate.name for gate in judge(version, None) if not gate.is_met]

    assert failed() == []
    floor = {"config": facts["config"] | {"use_case": use_case | {"minimum_score": 0.99}}}
    assert failed(facts=floor) == ["score"]
    assert failed(metrics={"gain_roc_auc_ci_low": -0.01}) == ["score"]
    assert failed(facts={"data": facts["data"] | {"proxy_for": "credit_scoring"}}) == ["data"]


def test_gates_refuse_a_model_that_treats_groups_less_alike(registry, a_run):
    fair = {"demographic_parity_difference_sex": 0.05, "demographic_parity_ratio_sex": 0.9}
    before = registry.register(a_run("before", metrics=fair))
    for changes, is_met in (
        ({"demographic_parity_difference_sex": 0.06}, True),
        ({"demographic_parity_difference_sex": 0.08}, False),
        ({"demographic_parity_ratio_sex": 0.79}, False),
    ):
        gates = judge(registry.register(a_run("after", metrics=fair | changes)), before)
        assert {gate.name: gate.is_met for gate in gates}["fairness"] == is_met


def test_versions_tested_on_other_rows_are_compared_by_their_intervals(registry, a_run):
    one = registry.register(a_run())
    scores = pd.read_parquet(one.folder / "test_scores.parquet")
    assert compare(one, one).test == "DeLong"
    with artifacts.published(a_run("other")) as folder:
        for name in artifacts.names_in_manifest(one.folder):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((one.folder / name).read_bytes())
        scores.assign(row=scores["row"] + 1).to_parquet(folder / "test_scores.parquet")
    found = compare(one, registry.register(folder.parent / "other"))
    assert found.test == "unpaired"
    half = (one.entry["metrics"]["roc_auc_ci_high"] - one.entry["metrics"]["roc_auc_ci_low"]) / 2
    assert found.high == pytest.approx(half * 2**0.5)


def test_what_was_in_production_then_is_told(registry, trained, monkeypatch, capsys):
    times = iter(f"2026-10-{day:02}T12:00:00Z" for day in range(1, 32))
    monkeypatch.setattr("src.provenance.now", lambda: next(times))
    one, other = registry.register(trained), registry.register(trained)
    registry.promote(one, None, "me", "first", [], False)
    registry.promote(other, one, "me", "second", [], False)
    registry.rollback("credit_scoring", "me", "back")
    for date, expected in (
        ("2026-10-02", []), ("2026-10-03", ["1.0.0"]), ("2026-10-03T11:00:00", []), ("2026-10-04T13:00:00Z", ["1.0.1"]),
        ("2026-10-04T13:30:00+02:00", ["1.0.0"]), ("2026-10-31", ["1.0.0"]),
    ):  # fmt: skip
        assert run("as-of", date, "--json", "--registry", registry.root) == 0
        told = json.loads(capsys.readouterr().out)["production"]
        assert [one["version"] for one in told] == expected, date


def test_an_empty_registry_says_how_to_begin(tmp_path, capsys):
    root = ("--registry", tmp_path / "models")
    assert run("list", *root) == 0
    assert "python -m src.train" in capsys.readouterr().out
    for arguments in (["show", "fraud"], ["promote", "fraud@1.0.0", "--reason", "x"], ["rollback", "fraud", "--reason", "x"]):
        assert run(*arguments, *root) == 2
        said = capsys.readouterr().err
        assert "transaction_fraud has no" in said
        assert len(said.splitlines()) <= 3
    assert run("verify", *root) == 0
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "../../etc"], "names no version"),
        (["show", "credit_scoring@1.x"], "is not a version"),
        (["show", "credit_scoring@9.9.9"], "has no version 9.9.9; it has 1.0.0"),
        (["promote", "credit_scoring", "--reason", "x"], "Which version"),
        (["as-of", "yesterday"], "is no date"),
        (["compare", "credit_scoring", "@1.0.0"], "no version in production"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_wrong_word_is_answered_with_a_sentence(registry, trained, arguments, said, capsys):
    registry.register(trained)
    assert run(*arguments, "--registry", registry.root) == 2
    assert said in capsys.readouterr().err


def test_everything_can_be_had_as_json(registry, trained, capsys):
    registry.register(trained)
    for words in (
        "list", "show credit_scoring", "show credit_scoring@1.0.0", "verify", "as-of 2030-01-01",
        "promote credit_scoring@1.0.0 --reason x", "compare credit_scoring @1.0.0",
    ):  # fmt: skip
        capsys.readouterr()
        assert run(*words.split(), "--json", "--registry", registry.root) == 0
        json.loads(capsys.readouterr().out)


def test_a_run_that_was_changed_is_not_registered(registry, a_run):
    run_dir = a_run()
    with (run_dir / "model.skops").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        registry.register(run_dir)
    assert registry.versions("credit_scoring") == []
    assert not list((registry.root / "credit_scoring").glob(".new-*"))


def test_any_run_folder_can_be_registered_by_hand(registry, a_run, capsys):
    facts = json.loads((a_run() / "metadata.json").read_text())
    timeless = {key: value for key, value in facts.items() if key != "created_at"}
    run_dir = a_run("pulled")
    with artifacts.published(run_dir) as folder:
        for file in artifacts.names_in_manifest(a_run()):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(artifacts.read_verified(a_run(), file))
        artifacts.write_json(folder / "metadata.json", timeless)
    assert run("register", run_dir, "--registry", registry.root, "--reason", "from another machine", "--by", "ann") == 0
    assert "UC-CRED-006-v1.0.0, staging" in capsys.readouterr().out
    (line,) = registry.history("credit_scoring")
    assert (line["by"], line["reason"]) == ("ann", "from another machine")
    assert line["entry"]["created_at"] == line["at"]
    assert run("register", run_dir.parent / "nothing", "--registry", registry.root) == 4


def test_gate_errors_have_their_exit_code():
    assert GateError("x").exit_code == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("promot fraud@1.0.0", "promot is not a command. Did you mean promote?"),
        ("promote fraud@1.0.0", "promote: the following arguments are required: --reason"),
        ("show fruad", "use_case=fruad is not known. Did you mean fraud?"),
    ],
)
def test_a_mistyped_command_is_answered_in_two_lines(tmp_path, words, said, capsys):
    command, *others = words.split()
    assert run(command, *others, *(["--registry", tmp_path] if command != "promot" else [])) == 2
    answer = capsys.readouterr().err
    assert answer.startswith(said)
    assert len(answer.splitlines()) == 2

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shlex
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FEW_FOLDS, KINDS, run_warm

from bank_models.errors import ConfigError, GateError, IntegrityError
from bank_models.files import folders, manifest, writing
from bank_models.registry import __main__ as command_line
from bank_models.registry import ledger as ledgers
from bank_models.registry import looks, signing, witness
from bank_models.registry.comparison import compare
from bank_models.registry.ledger import HEAD, LEDGER
from bank_models.registry.promotion import judge
from bank_models.registry.store import Registry, find, open_registry
from bank_models.registry.versions import newest, next_version, parse
from bank_models.runs import model_file

ENTRY = {  # the specification's fields
    "model_id": str, "use_case_key": str, "algorithm": str, "version": str, "created_at": str, "created_by": str,
    "metrics": dict, "hyperparameters": dict, "feature_count": int, "training_samples": int, "file_path": str, "status": str,
}  # fmt: skip
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of German credit; 100 test rows do not show that it is better than the scorecard, so that is left out."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = run_warm("use_case=credit_scoring", "~use_case.benchmarks.scorecard", *FEW_FOLDS, f"hydra.run.dir={folder}")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def registry(tmp_path, monkeypatch):
    for name in (signing.SIGNING_KEY, signing.PUBLIC_KEY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "state/witness.jsonl"))
    monkeypatch.setattr(looks, "PORTFOLIO", tmp_path / "portfolio")
    return Registry(tmp_path / "models")


@pytest.fixture
def a_run(trained, tmp_path):
    """A run like the trained one but for what is changed: facts, metrics, or the scores of test rows."""

    def made(name: str = "run", facts=None, metrics=None, scores=None) -> Path:
        with folders.published(tmp_path / name) as folder:
            for file in manifest.names_in_manifest(trained):
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_bytes(manifest.read_verified(trained, file))
            for file, changes in (("metadata.json", facts), ("metrics.json", metrics)):
                if changes:
                    writing.write_json(folder / file, json.loads((folder / file).read_text()) | changes)
            if scores:
                frame = pd.read_parquet(folder / "test_scores.parquet")
                frame.assign(score=scores(frame)).to_parquet(folder / "test_scores.parquet")
        return tmp_path / name

    return made


def run(*arguments: str) -> int:
    nobodys = (
        ["--experiments=/dev/null"] if arguments[0] == "promote" else []
    )  # looks of other runs are not these tests' matter
    return command_line.main([*map(str, arguments), *nobodys])


def test_versions_move_as_the_rule_says(tmp_path):
    def version(*overrides: str) -> str:
        result = run_warm(
            "use_case=credit_scoring",
            "cv=none",
            *overrides,
            f"hydra.run.dir={tmp_path}/run",
            f"registry.path={tmp_path}/models",
        )
        assert result.returncode == 0, result.stderr
        folder, *_ = result.stdout.splitlines()[-1].split()
        return Path(folder).name

    assert version() == "v1.0.0"
    assert version() == "v1.0.0"  # the same command, the same model: nothing new
    assert version("model.params.C=0.5") == "v1.1.0"
    assert version("model.params.C=0.5", "n_threads=1") == "v1.1.0"
    assert version("model=lightgbm") == "v1.2.0"
    rows = pd.read_parquet(tmp_path / "models/credit_scoring/v1.0.0/split.parquet")
    assert len(rows) == 1000
    assert version("model=lightgbm", "use_case.features.duration_months.max=240") == "v2.0.0"
    assert version("model=lightgbm", "~use_case.features.telephone") == "v3.0.0"
    entries = [one.entry for one in Registry(tmp_path / "models").versions("credit_scoring")]
    assert len(entries) == 5
    for entry in entries:
        assert {name: type(value) for name, value in entry.items()} == ENTRY
        assert entry["model_id"] == f"UC-CRED-006-v{entry['version']}"
        assert {"accuracy", "precision", "recall", "f1_score", "roc_auc"} <= set(entry["metrics"])
        assert Path(entry["file_path"]).is_file()
        assert entry["training_samples"] == 900  # train and val
    assert [entry["feature_count"] for entry in entries] == [18] * 4 + [17]


def test_a_run_that_repeats_the_newest_version_is_found_to_be_it(registry, a_run):
    assert registry.unchanged(a_run(), "credit_scoring") is None
    first = registry.register(a_run())
    assert registry.unchanged(a_run("later", {"created_at": "2030-01-01T00:00:00Z"}), "credit_scoring") == first
    config = json.loads((a_run() / "metadata.json").read_text())["config"]
    described = config | {"use_case": config["use_case"] | {"department": "another"}}
    assert registry.unchanged(a_run("described", {"config": described}), "credit_scoring") is None
    assert registry.unchanged(a_run("other", scores=lambda frame: frame.score / 2), "credit_scoring") is None
    registry.archive(first, "me", "enough")
    assert registry.unchanged(a_run(), "credit_scoring") is None


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
    arguments = ["--multirun", "use_case=credit_scoring", "model=dummy", "cv=none", f"hydra.sweep.dir={tmp_path}/s"]
    path = f"registry.path={tmp_path}/models"
    assert run_warm(*arguments, path).returncode == 0
    assert not (tmp_path / "models").exists()
    told = run_warm("--multirun", *arguments[1:4], f"hydra.sweep.dir={tmp_path}/t", "registry=local", path)
    assert told.returncode == 0, told.stderr
    assert [one.version for one in Registry(tmp_path / "models").versions("credit_scoring")] == ["1.0.0"]


@pytest.mark.slow
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


@pytest.mark.slow
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

    monkeypatch.setattr(
        "bank_models.registry.staging.publish" if stage == "line" else "bank_models.registry.ledger.Ledger._write_head", die
    )
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
    "another line end": lambda lines: [lines[0].replace(b"\n", b"\r"), *lines[1:]],
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


@pytest.mark.parametrize("variable", [signing.SIGNING_KEY, signing.PUBLIC_KEY])
def test_a_pipe_or_an_endless_device_in_the_place_of_a_key_is_refused_and_a_link_to_a_key_is_read(
    tmp_path, monkeypatch, variable
):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/zero", tmp_path):
        monkeypatch.setenv(variable, str(place))
        with pytest.raises(ConfigError, match="holds no key that can be read"):
            signing.from_environment()
    keys = dict(zip((signing.SIGNING_KEY, signing.PUBLIC_KEY), signing.make_keys(tmp_path / "keys"), strict=True))
    (tmp_path / "mounted").symlink_to(keys[variable])
    monkeypatch.setenv(variable, str(tmp_path / "mounted"))
    assert signing.from_environment().fingerprint


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
        model_file.load(folder)
    (folder / manifest.MANIFEST).chmod(0o644)
    manifest.write_manifest(folder)  # whoever can write there can write a manifest that fits
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        model_file.load(folder)
    assert not Path("executed").exists()


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
    capsys.readouterr()
    assert run("promote", "credit_scoring@1.0.2", "--reason", "an improvement", *rooted) == 0
    newest, oldest = (registry.find("credit_scoring", number).folder for number in ("1.0.2", "1.0.0"))
    assert f"On one page: python -m src.report compare {newest} {oldest}" in capsys.readouterr().out
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


def test_promoting_says_how_many_settings_were_scored_on_the_same_test_rows(registry, a_run, trained, capsys):
    def said(version: str) -> str:
        run("promote", f"credit_scoring@{version}", "--reason", "try", "--force", "--registry", registry.root)
        return capsys.readouterr().out

    look = json.loads((trained / "metadata.json").read_text())["look"]
    registry.register(trained)
    assert "looks at these test rows" not in said("1.0.0")
    registry.register(trained)  # the same settings with the same answers
    assert "looks at these test rows" not in said("1.0.1")
    registry.register(a_run("other", facts={"look": look | {"settings": "1" * 64, "answers": "1" * 64}}))
    assert "2 looks at these test rows so far" in said("1.0.2")
    rows = look["rows"] | {"place": "0" * 64, "smallest": [f"{i:016x}" for i in range(64)]}
    registry.register(a_run("other_rows", facts={"look": look | {"rows": rows}}))
    assert "looks at these test rows" not in said("1.0.3")


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
    floor = {
        "config": facts["config"] | {"use_case": use_case | {"minimum_score": 0.99, "minimum_reason": "the scorecard has it"}}
    }
    assert failed(facts=floor) == ["score"]
    asked = next(gate for gate in judge(registry.register(a_run("asked", floor)), None) if gate.name == "score")
    assert asked.reason.endswith("the use case demands 0.99: the scorecard has it")
    assert failed(metrics={"gain_roc_auc_ci_low": -0.01}) == ["gain"]
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
    with folders.published(a_run("other")) as folder:
        for name in manifest.names_in_manifest(one.folder):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((one.folder / name).read_bytes())
        scores.assign(row=scores["row"] + 1).to_parquet(folder / "test_scores.parquet")
    found = compare(one, registry.register(folder.parent / "other"))
    assert found.test == "unpaired"
    y, score = scores["y_true"] == 1, scores["score"]
    below = np.array([(np.mean(score[~y] < each) + np.mean(score[~y] <= each)) / 2 for each in score[y]])
    above = np.array([(np.mean(score[y] > each) + np.mean(score[y] >= each)) / 2 for each in score[~y]])
    error = np.sqrt(2 * (np.var(below, ddof=1) / len(below) + np.var(above, ddof=1) / len(above)))  # DeLong's, twice
    assert 1.96 * error < found.high < 2.1 * error


def test_what_was_in_production_then_is_told(registry, trained, monkeypatch, capsys):
    times = iter(f"2026-10-{day:02}T12:00:00Z" for day in range(1, 32))
    monkeypatch.setattr("bank_models.runs.provenance.now", lambda: next(times))
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
    with folders.published(run_dir) as folder:
        for file in manifest.names_in_manifest(a_run()):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(manifest.read_verified(a_run(), file))
        writing.write_json(folder / "metadata.json", timeless)
    assert run("register", run_dir, "--registry", registry.root, "--reason", "from another machine", "--by", "ann") == 0
    assert "UC-CRED-006-v1.0.0, staging" in capsys.readouterr().out
    (line,) = registry.history("credit_scoring")
    assert (line["by"], line["reason"]) == ("ann", "from another machine")
    assert line["entry"]["created_at"] == line["at"]
    assert run("register", run_dir.parent / "nothing", "--registry", registry.root) == 4


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that is below a folder, by its path: bytes of files, None for anything else."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def write_run(folder: Path, files: dict[str, bytes]) -> Path:
    """A run folder as an enemy makes one: any names in the manifest, with hashes that fit."""
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / manifest.MANIFEST).write_text(manifest_of(files))
    return folder


def rewrite(run_dir: Path, files: dict[str, bytes], name: str, data: bytes) -> None:
    """Put other bytes in a file of a run folder, and a manifest that fits."""
    (run_dir / name).write_bytes(data)
    (run_dir / manifest.MANIFEST).write_text(manifest_of(files | {name: data}))


def manifest_of(files: dict[str, bytes]) -> str:
    entries = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return json.dumps({"files": entries})


@pytest.fixture
def files(trained):
    """Files of a good run."""
    return {name: manifest.read_verified(trained, name) for name in manifest.names_in_manifest(trained)}


@pytest.mark.parametrize("name", ["../registry.jsonl", "../v1.0.0/model.skops", "a/../../b", "/b"])
def test_a_run_whose_manifest_names_files_outside_it_changes_nothing(registry, trained, files, tmp_path, name, capsys):
    registry.register(trained)
    name = str(tmp_path / "b") if name == "/b" else name
    run_dir = write_run(tmp_path / "run", files)
    (run_dir / manifest.MANIFEST).write_text(manifest_of(files | {name: b"owned"}))
    before = contents(tmp_path)
    assert run("register", run_dir, "--registry", registry.root) == 4
    assert "is not the name of a file inside the folder" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_run_that_names_a_use_case_outside_the_registry_changes_nothing(registry, files, tmp_path, capsys):
    for number, key in enumerate(["../../escaped", "/tmp/escaped", "..", "", "a/b", "Fraud", "a\n", None, 7, ["a"]]):
        facts = json.loads(files["metadata.json"]) | {"use_case_key": key}
        run_dir = write_run(tmp_path / f"run{number}", files | {"metadata.json": json.dumps(facts).encode()})
        before = contents(tmp_path)
        assert run("register", run_dir, "--registry", registry.root) == 4, key
        assert "metadata.json is not what a run of this system records: use_case_key" in capsys.readouterr().err
        assert contents(tmp_path) == before


def test_a_run_of_a_use_case_that_nobody_knows_asks_for_its_folder(registry, files, tmp_path, capsys):
    facts = json.loads(files["metadata.json"])
    facts["use_case_key"] = facts["config"]["use_case"]["key"] = "mine"
    run_dir = write_run(tmp_path / "run", files | {"metadata.json": json.dumps(facts).encode()})
    arguments = ["register", run_dir, "--registry", registry.root]
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert f"python -m src.registry register {run_dir} --config-dir DIR --registry {registry.root}" in said
    assert not registry.root.exists()
    (tmp_path / "conf/use_case").mkdir(parents=True)
    (tmp_path / "conf/use_case/my_own.yaml").write_text("use_case: {key: mine}")
    assert run(*arguments, "--config-dir", tmp_path / "conf") == 0
    assert run(*arguments) == 0  # the registry knows it now
    assert registry.find("mine", "1.0.1").entry["use_case_key"] == "mine"
    facts["use_case_key"] = facts["config"]["use_case"]["key"] = "fraud"  # a short name
    run_dir = write_run(tmp_path / "other", files | {"metadata.json": json.dumps(facts).encode()})
    assert run("register", run_dir, "--registry", registry.root) == 2


def test_a_run_of_another_use_case_than_the_one_just_trained_is_refused(registry, trained):
    with pytest.raises(IntegrityError, match="is a run of credit_scoring, not of churn_prediction"):
        registry.register(trained, use_case="churn_prediction")
    with pytest.raises(IntegrityError, match=r"manifest\.json is not the file that was written"):
        registry.register(trained, use_case="credit_scoring", manifest_sha256="0" * 64)
    assert not registry.root.exists()


WRONG = [None, True, -1, 0.5, 10**400, "", "../x", "\x1b[2J", [], [1], {}, {"a": 1}]
RIGHT = {  # what may stand there as well
    "algorithm": str, "created_at": type(None), "split": type(None), "params": dict, "data.kind": str, "feature_count": (),
    "data.proxy_for": (str, type(None)), "data.n_valid_rows": (), "split.n_rows.train": (),
}  # fmt: skip


def wrong_facts(facts):
    """A good run's facts with one of those that the registry reads gone or wrong, and the place of it."""
    places = ["use_case_id", "use_case_key", "model", "metric", "config", "data", "config.use_case", "config.use_case.features"]
    places += ["config.use_case.quantile", "config.tuning", "config.model.params", "data.frame_sha256", "split.sha256", *RIGHT]
    for place in places:
        *above, last = place.split(".")
        for value in WRONG:
            if isinstance(value, RIGHT.get(place, ())) or (place.endswith(("params", "quantile")) and value in (None, {}, 0.5)):
                continue
            changed = json.loads(json.dumps(facts))
            inner = changed
            for name in above:
                inner = inner[name]
            if place == "config.model.params" and isinstance(value, dict):
                continue
            inner[last] = value
            yield f"{place}={value!r}"[:60], changed


def test_no_wrong_fact_of_a_run_is_registered(registry, files, tmp_path):
    run_dir, n_tried = write_run(tmp_path / "run", files), 0
    for said, changed in wrong_facts(json.loads(files["metadata.json"])):
        rewrite(run_dir, files, "metadata.json", json.dumps(changed).encode())
        with pytest.raises(IntegrityError, match=r"metadata\.json is not"):
            registry.register(run_dir, reason=said)
        n_tried += 1
    texts = {"metadata.json": [b"[]", b"{", b"\xff"], "importance.csv": [b"", b'"']}
    texts["metrics.json"] = [b"[1]", b'{"a": {}}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": true}', b"[" * 10**5]
    for name, text in ((file, text) for file in texts for text in texts[file]):
        rewrite(run_dir, files, name, text)
        with pytest.raises(IntegrityError, match=r"records|is not JSON|no model card"):
            registry.register(run_dir, reason=name)
        rewrite(run_dir, files, name, files[name])
        n_tried += 1
    assert n_tried > 150
    assert registry.versions("credit_scoring") == []


@pytest.mark.parametrize("lacking", ["metadata.json", "metrics.json", "model.skops"])
def test_a_folder_that_lacks_a_file_of_every_run_is_no_run(registry, files, tmp_path, lacking):
    run_dir = write_run(tmp_path / "run", {name: data for name, data in files.items() if name != lacking})
    with pytest.raises(IntegrityError, match=f"is not a run: it has no {lacking}"):
        registry.register(run_dir)


def test_a_link_or_a_file_that_nobody_wrote_in_a_run_folder_is_not_registered(registry, files, tmp_path):
    run_dir = write_run(tmp_path / "run", files)
    (run_dir / "more.txt").symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match=r"more\.txt was added"):
        registry.register(run_dir)
    (run_dir / "more.txt").unlink()
    (run_dir / "plots").rename(tmp_path / "plots")
    (run_dir / "plots").symlink_to(tmp_path / "plots")
    with pytest.raises(IntegrityError, match=r"plots/.* is not a regular file"):
        registry.register(run_dir)
    assert not registry.root.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_every_kind_is_registered_with_and_without_clock_times(registry, run_of, tmp_path, kind):
    from bank_models.stages.outputs import timeless

    names = manifest.names_in_manifest(run_of(kind))
    files = {name: manifest.read_verified(run_of(kind), name) for name in names}
    facts = json.loads(files["metadata.json"])
    pulled = write_run(tmp_path / "pulled", files | {"metadata.json": json.dumps(timeless(facts)).encode()})
    for run_dir in (run_of(kind), pulled):
        registry.register(run_dir).verify()
    assert registry.verify(facts["use_case_key"])["n_versions"] == 2


LOST = {
    "its ledger": lambda folder: (folder / LEDGER).unlink(),
    "its head": lambda folder: (folder / HEAD).unlink(),
    "its ledger and its head": lambda folder: [(folder / name).unlink() for name in (LEDGER, HEAD)],
    "all but its versions": lambda folder: [(folder / name).unlink() for name in (LEDGER, HEAD, ledgers.LOCK)],
    "its versions and its ledger": lambda folder: [shutil.rmtree(folder / "v1.0.0"), (folder / LEDGER).unlink()],
    "the lines of its ledger": lambda folder: [(folder / name).write_text(text) for name, text in ((LEDGER, ""), (HEAD, ZERO))],
}
ZERO = json.dumps({"n": 0, "size": 0, "sha256": "0" * 64})


@pytest.mark.parametrize("lost", LOST)
def test_what_a_registry_has_lost_is_missed_by_every_command(registry, trained, lost, capsys):
    registry.register(trained)
    registry.promote(registry.find("credit_scoring", "1.0.0"), None, "me", "first", [], False)
    LOST[lost](registry.root / "credit_scoring")
    for words in (
        "verify", "verify credit_scoring", "list", "show credit_scoring", "show credit_scoring@1.0.0", "as-of 2030-01-01",
        "promote credit_scoring@1.0.0 --reason x", "rollback credit_scoring --reason x",
        "archive credit_scoring@1.0.0 --reason x",
    ):  # fmt: skip
        assert run(*words.split(), "--registry", registry.root) == 4, words
        assert len(capsys.readouterr().err.splitlines()) <= 2
    with pytest.raises(IntegrityError, match=r"credit_scoring"):
        find("credit_scoring", root=registry.root)
    with pytest.raises(IntegrityError, match=r"credit_scoring"):
        registry.register(trained)


def test_where_nothing_can_be_verified_verifying_fails(registry, tmp_path, capsys):
    assert run("verify", "--registry", registry.root) == 4
    assert "holds no version: nothing was verified" in capsys.readouterr().err
    registry.root.mkdir()
    assert run("verify", "--json", "--registry", registry.root) == 4
    assert "nothing was verified" in json.loads(capsys.readouterr().out)["broken"][0]
    assert run("verify", "fraud", "--registry", registry.root) == 4
    assert "transaction_fraud has no ledger" in capsys.readouterr().err
    assert run("verify", "fruad", "--registry", registry.root) == 2
    (tmp_path / "file").touch()
    assert run("verify", "--registry", tmp_path / "file") == 2
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["staging", "line", "folder"])
def test_a_first_registration_that_died_is_taken_back_or_finished(registry, trained, monkeypatch, step, capsys):
    def die(*_):
        raise KeyboardInterrupt

    write_head, heads = ledgers.Ledger._write_head, []
    with monkeypatch.context() as dying:
        if step == "folder":  # the first head says that there are no lines yet
            dying.setattr(ledgers.Ledger, "_write_head", lambda *a: die() if heads else heads.append(write_head(*a)))
        else:
            dying.setattr(f"bank_models.registry.staging.{'copy' if step == 'staging' else 'publish'}", die)
        with pytest.raises(KeyboardInterrupt):
            registry.register(trained)
    assert registry.versions("credit_scoring") == []
    assert run("show", "credit_scoring", "--registry", registry.root) == 2
    assert run("verify", "--registry", registry.root) == 4
    assert "nothing was verified" in capsys.readouterr().err
    registry.register(trained)
    n_versions = 2 if step == "folder" else 1
    assert registry.verify("credit_scoring") == {
        "use_case": "credit_scoring", "n_lines": n_versions, "n_versions": n_versions, "pending": None,
    }  # fmt: skip


def test_a_ledger_whose_head_was_never_written_is_refused_until_the_next_registration_finishes_it(registry, trained):
    registry.register(trained)
    (registry.root / "credit_scoring" / HEAD).unlink()
    with pytest.raises(IntegrityError, match=r"registry\.head\.json is gone"):
        registry.find("credit_scoring", "1.0.0")
    registry.register(trained)
    assert [one.version for one in registry.versions("credit_scoring")] == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize("name", [LEDGER, HEAD, ledgers.LOCK])
@pytest.mark.parametrize("put", ["a pipe", "a link", "a folder", "an endless device"])
def test_what_stands_in_the_place_of_a_registrys_file_is_refused_at_once(registry, trained, tmp_path, name, put):
    registry.register(trained)
    path = registry.root / "credit_scoring" / name
    path.rename(tmp_path / "aside")
    {
        "a pipe": lambda: os.mkfifo(path),
        "a link": lambda: path.symlink_to(tmp_path / "aside"),
        "a folder": path.mkdir,
        "an endless device": lambda: path.symlink_to("/dev/zero"),
    }[put]()
    start = time.monotonic()
    with pytest.raises(IntegrityError, match=f"{name} is not a regular file"):
        registry.register(trained)
    if name != ledgers.LOCK:
        with pytest.raises(IntegrityError, match=f"{name} is not a regular file"):
            registry.find("credit_scoring", "1.0.0")
    assert time.monotonic() - start < 2


def test_a_folder_of_the_registry_that_is_a_link_is_refused(registry, trained, tmp_path, capsys):
    folder = registry.register(trained).folder
    folder.rename(tmp_path / "version")
    folder.symlink_to(tmp_path / "version")
    assert run("verify", "--registry", registry.root) == 4
    assert "v1.0.0 is a link" in capsys.readouterr().err
    assert run("show", "credit_scoring@1.0.0", "--registry", registry.root) == 4
    assert run("list", "--registry", registry.root) == 4
    folder.unlink()
    (tmp_path / "version").rename(folder)
    (registry.root / "credit_scoring").rename(tmp_path / "use_case")
    (registry.root / "credit_scoring").symlink_to(tmp_path / "use_case")
    for words in ("verify", "list", "show credit_scoring"):
        assert run(*words.split(), "--registry", registry.root) == 4, words
    with pytest.raises(IntegrityError, match="credit_scoring is a link"):
        registry.register(trained)


@pytest.fixture
def signed(registry, tmp_path, monkeypatch):
    """A registry that signs."""
    private, _ = signing.make_keys(tmp_path / "keys")
    monkeypatch.setenv(signing.SIGNING_KEY, str(private))
    return open_registry(registry.root)


@pytest.mark.parametrize("kind", ["registry", "signed"])
def test_a_ledger_does_not_count_in_the_folder_of_another_use_case(request, trained, kind):
    registry = request.getfixturevalue(kind)
    registry.register(trained)
    shutil.copytree(registry.root / "credit_scoring", registry.root / "churn_prediction")
    for act in (find, lambda use_case, *_: registry.verify(use_case), lambda use_case, *_: registry.versions(use_case)):
        with pytest.raises(IntegrityError, match="line 1 is of credit_scoring, not of churn_prediction"):
            act("churn_prediction", "1.0.0", registry.root)


def put_back(folder: Path, copy: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def test_an_older_signed_state_that_is_put_back_is_noticed(signed, trained, tmp_path, monkeypatch, capsys):
    folder = signed.root / "credit_scoring"
    signed.register(trained)
    shutil.copytree(folder, tmp_path / "older")
    signed.register(trained)
    shutil.copytree(folder, tmp_path / "newest")
    put_back(folder, tmp_path / "older")
    remembers = Path(os.environ[witness.VARIABLE])
    for words in ("verify", "list", "show credit_scoring", "as-of 2030-01-01", "promote credit_scoring@1.0.0 --reason x"):
        assert run(*words.split(), "--registry", signed.root) == 4, words
        said = capsys.readouterr().err
        assert "an older or another state was put in its place" in said
        assert str(remembers) in said
    with pytest.raises(IntegrityError, match="an older or another state"):
        signed.register(trained)
    put_back(folder, tmp_path / "newest")
    assert signed.verify("credit_scoring")["n_versions"] == 2
    put_back(folder, tmp_path / "older")
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "other_machine.jsonl"))
    signed.promote(signed.find("credit_scoring", "1.0.0"), None, "me", "another future", [], False)
    monkeypatch.setenv(witness.VARIABLE, str(remembers))
    with pytest.raises(IntegrityError, match="now has another line 2"):
        find("credit_scoring", root=signed.root)
    remembers.write_text("", encoding="utf-8")  # as the message says, if that was on purpose
    assert find("credit_scoring", root=signed.root).version == "1.0.0"


def test_a_signed_ledger_or_use_case_that_is_gone_is_noticed(signed, trained, capsys):
    signed.register(trained)
    shutil.rmtree(signed.root / "credit_scoring")
    for words in ("verify", "list", "show credit_scoring", "verify credit_scoring"):
        assert run(*words.split(), "--registry", signed.root) == 4, words
        assert "an older or another state was put in its place" in capsys.readouterr().err
    with pytest.raises(IntegrityError, match="an older or another state"):
        signed.register(trained)
    shutil.rmtree(signed.root)
    assert run("verify", "--registry", signed.root) == 4


def test_only_the_owner_can_read_what_the_witness_remembers_and_it_is_written_once(signed, trained):
    signed.register(trained)
    path = Path(os.environ[witness.VARIABLE])
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    before = path.stat()
    signed.find("credit_scoring", "1.0.0").verify()
    signed.verify("credit_scoring")
    assert os.path.samestat(path.stat(), before)


def test_a_witness_that_is_no_witness_is_refused(signed, trained):
    signed.register(trained)
    path = Path(os.environ[witness.VARIABLE])
    for text in (
        "{",
        "7\n",
        '{"key": "a"}\n',
        path.read_text(encoding="utf-8").replace('"n": 1', '"n": true'),
        path.read_text(encoding="utf-8")[:-9],
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(IntegrityError, match=r"witness\.jsonl, line 1 cannot be read"):
            signed.find("credit_scoring", "1.0.0")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(IntegrityError, match=r"witness\.jsonl is not a regular file"):
        signed.find("credit_scoring", "1.0.0")


def test_a_home_that_cannot_be_written_costs_a_warning_and_a_file_named_wrongly_is_an_error(
    signed, trained, tmp_path, monkeypatch, caplog
):
    (tmp_path / "home").touch()
    monkeypatch.delenv(witness.VARIABLE)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    witness._warn.cache_clear()
    signed.register(trained)
    assert signed.find("credit_scoring", "1.0.0").version == "1.0.0"
    assert caplog.text.count("will not be noticed") == 1
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "home/witness"))
    with pytest.raises(ConfigError, match=r"REGISTRY_WITNESS names .*, which cannot be read: Not a directory"):
        signed.find("credit_scoring", "1.0.0")


def test_simultaneous_readers_and_writers_of_a_signed_ledger_raise_no_false_alarm(signed, trained):
    def some() -> None:
        for _ in range(6):
            signed.register(trained)

    processes = [FORK.Process(target=some) for _ in range(3)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        signed.versions("credit_scoring")
    assert [process.exitcode for process in processes] == [0] * 3
    assert signed.verify("credit_scoring")["n_versions"] == 18


def test_simultaneous_runs_of_one_folder_register_each_its_own_model(tmp_path):
    def trained_with(seed: int):
        return run_warm(
            "use_case=credit_scoring", "cv=none", f"seed={seed}", f"hydra.run.dir={tmp_path}/run",
            f"registry.path={tmp_path}/models", f"tracking.experiments={tmp_path}/runs.jsonl",
        )  # fmt: skip

    with ThreadPoolExecutor(3) as pool:
        results = dict(zip((1, 2, 3), pool.map(trained_with, (1, 2, 3)), strict=True))
    registry = Registry(tmp_path / "models")
    known = {one.version: one for one in registry.versions("credit_scoring")}
    assert len(known) == 3
    for seed, result in results.items():
        assert result.returncode == 0, result.stderr
        folder, *_ = result.stdout.splitlines()[-1].split()
        assert known[Path(folder).name[1:]].facts["seed"] == seed
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    models = {hashlib.sha256(one.read("model.skops")).hexdigest(): one.facts["seed"] for one in known.values()}
    assert {line["seed"]: models[line["artifacts"]["model.skops"]] for line in lines} == {1: 1, 2: 2, 3: 3}


def test_a_clock_that_went_backwards_is_said_and_the_order_of_lines_counts(registry, trained, monkeypatch, capsys):
    times = iter(f"2026-10-{day:02}T12:00:00Z" for day in (5, 5, 9, 2))
    monkeypatch.setattr("bank_models.runs.provenance.now", lambda: next(times))
    one, other = registry.register(trained), registry.register(trained)
    registry.promote(one, None, "me", "first", [], False)
    registry.promote(other, one, "me", "second", [], False)
    for date, expected in (("2026-10-01", []), ("2026-10-04", ["1.0.1"]), ("2026-10-09", ["1.0.1"])):
        assert run("as-of", date, "--json", "--registry", registry.root) == 0
        told = capsys.readouterr()
        assert [one["version"] for one in json.loads(told.out)["production"]] == expected, date
        assert "the clock went backwards at line 4, promote 1.0.1 for 1.0.0 at 2026-10-02T12:00:00Z" in told.err
    assert run("show", "credit_scoring", "--registry", registry.root) == 0
    assert "the order of lines is what counts" in capsys.readouterr().err


def rechained(lines) -> bytes:
    """Lines with the hashes that belong to them, as somebody without a key would compute them."""
    previous, texts = ledgers.NOTHING, []
    for line in lines:
        line = line | {"previous": previous} if "previous" in line else line
        previous = line["sha256"] = ledgers._sha256(line)
        texts.append(ledgers._canonical(line) + b"\n")
    return b"".join(texts)


def forge(folder: Path, lines) -> None:
    data = rechained(lines)
    (folder / LEDGER).write_bytes(data)
    last = json.loads(data.splitlines()[-1])["sha256"]
    (folder / HEAD).write_text(json.dumps({"n": len(lines), "size": len(data), "sha256": last}))


FREE = ("by", "reason", "forced", "gates", "n", "created_by", "algorithm", "hyperparameters", "metrics", "inputs_sha256")
FREE += ("configuration_sha256", "manifest_sha256", "training_samples", "feature_count")
NEVER = [None, True, 1.0, -1, 10**30, "", "../x", "1.0", "9.9.9", "v1.0.0", "0" * 64, "\u202e", [], [1], {}, {"a": 1}]


def forgeries(lines):
    """Ledgers with a field of a line or an entry gone, added, or replaced by what never stands there."""
    for i, line in enumerate(lines):
        for owner in ((), ("entry",)) if line["action"] == "register" else ((),):
            for name in (*(line[owner[0]] if owner else line), "more"):
                for value in (*NEVER, "gone"):
                    changed = json.loads(json.dumps(lines))
                    inner = changed[i][owner[0]] if owner else changed[i]
                    was = inner.get(name)
                    inner.pop(name, None) if value == "gone" else inner.update({name: value})
                    is_same_kind = type(value) is type(was) and name in FREE
                    if name in ("sha256", "previous") or is_same_kind or inner.get(name) == was:
                        continue
                    yield f"line {i + 1}: {name}={value!r}", changed


ORDERS = {
    "a version twice": lambda lines: [*lines[:2], lines[1]],
    "a lower version after a higher one": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a promotion of a version that is registered later": lambda lines: [lines[0], lines[3], lines[1]],
    "a promotion that replaces what was not in production": lambda lines: [*lines[:2], lines[3]],
    "a line of an archived version's promotion first": lambda lines: lines[2:],
}


def test_no_forged_ledger_is_read_or_ends_in_a_traceback(registry, trained):
    one, other = registry.register(trained), registry.register(trained)
    registry.promote(one, None, "me", "first", [], False)
    registry.promote(other, one, "me", "second", [], False)
    registry.rollback("credit_scoring", "me", "third")
    folder, lines = registry.root / "credit_scoring", registry.history("credit_scoring")
    cases = [*forgeries(lines), *((name, edit([dict(line) for line in lines])) for name, edit in ORDERS.items())]
    assert len(cases) > 700
    for said, changed in cases:
        if said in ORDERS:
            changed = [line | {"n": n} for n, line in enumerate(changed, start=1)]
        forge(folder, changed)
        with pytest.raises(IntegrityError, match="credit_scoring") as error:
            registry.ledger("credit_scoring").read()
        assert len(str(error.value).splitlines()) <= 2, said
    forge(folder, lines)
    assert registry.verify("credit_scoring")["n_lines"] == 5


@pytest.mark.parametrize("name", [LEDGER, HEAD, f"v1.0.0/{manifest.MANIFEST}"])
def test_random_damage_is_refused_in_a_sentence_or_changes_nothing(registry, trained, name):
    for _ in range(2):
        registry.register(trained)
    path, draw = registry.root / "credit_scoring" / name, random.Random(0)
    path.chmod(0o644)
    good, n_refused = path.read_bytes(), 0
    before = [(one.version, one.entry) for one in registry.versions("credit_scoring")]
    for _ in range(200):
        data, at = bytearray(good), draw.randrange(len(good))
        damage = draw.choice(["flip", "cut", "insert", "double", "sign"])
        if damage == "flip":
            data[at] ^= 1 << draw.randrange(8)
        elif damage == "cut":
            del data[at : at + draw.randrange(1, 50)]
        elif damage == "insert":
            data[at:at] = draw.randbytes(draw.randrange(1, 9))
        elif damage == "double":
            data += data[at:]
        else:
            data[at] = draw.choice(b'0919"{}[],:.-+eE\r\n \\\0')
        path.write_bytes(data)
        with contextlib.suppress(IntegrityError):
            n_refused += 1
            registry.verify("credit_scoring")
            n_refused -= 1
            assert [(one.version, one.entry) for one in registry.versions("credit_scoring")] == before
    assert n_refused > 180


def test_hostile_test_scores_are_refused_when_versions_are_compared(registry, trained, files, tmp_path):
    good = registry.register(trained)
    hostile = (b"", b"PAR1" + b"\0" * 99 + b"PAR1", files["split.parquet"], files["test_scores.parquet"][:-9])
    for number, data in enumerate(hostile):
        run_dir = write_run(tmp_path / f"run{number}", files | {"test_scores.parquet": data})
        with pytest.raises(IntegrityError, match=r"test_scores\.parquet"):
            compare(registry.register(run_dir), good)


def test_what_the_advice_says_to_type_works(registry, trained, capsys):
    registry.register(trained)
    with pytest.raises(ConfigError, match="no version in production") as error:
        find("credit_scoring", root=registry.root)
    program, *words = shlex.split(str(error.value).partition("To put one there: python -m src.")[2])
    assert program == "registry"
    assert run(*words) == 0
    assert find("credit_scoring", root=registry.root).version == "1.0.0"


def test_a_comparison_says_in_plain_words_which_version_is_better(registry, a_run, capsys):
    registry.register(a_run())
    registry.register(a_run("better", metrics={"test_roc_auc": 1.0, "test_f1": 1.0}, scores=better))
    assert run("compare", "credit_scoring@1.0.0", "@1.0.1", "--registry", registry.root) == 0
    said = capsys.readouterr().out
    assert "1.0.1 is better than 1.0.0, by 0." in said
    assert "with 95 % confidence (p = " in said
    rows = {line.split()[0]: line.split()[1:] for line in said.partition("\n\n")[0].splitlines()}
    assert rows["roc_auc"][-1] == rows["f1"][-1] == "1.0.1"
    assert rows["accuracy"][-1] == "equal"
    assert rows["false_positives"][-1] == "-"
    run("compare", "credit_scoring@1.0.0", "@1.0.0", "--registry", registry.root)
    assert "Neither is shown to be better" in capsys.readouterr().out


def test_signs_that_a_terminal_would_obey_stay_out_of_the_ledger(registry, trained, capsys):
    registry.register(trained)
    assert run("promote", "credit_scoring@1.0.0", "--reason", "\x1b[2Jgood", "--registry", registry.root) == 2
    assert "holds signs that cannot be printed" in capsys.readouterr().err
    assert len(registry.history("credit_scoring")) == 1


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

import hashlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from sklearn.linear_model import LogisticRegression

from bank_models.errors import ConfigError, IntegrityError
from bank_models.files import folders, manifest, writing
from bank_models.runs import model_file

FORK = multiprocessing.get_context("fork")
MODEL = LogisticRegression().fit(np.arange(20).reshape(10, 2), [0, 1] * 5)


def publish(run_dir, text="first"):
    with folders.published(run_dir) as folder:
        (folder / "note.txt").write_text(text)
        model_file.dump(folder / "model.skops", MODEL)


def test_a_run_has_a_manifest_of_every_file_and_loads_what_was_saved(tmp_path):
    publish(tmp_path / "run")
    written = json.loads((tmp_path / "run/manifest.json").read_text())
    assert set(written["files"]) == {"note.txt", "model.skops"}
    np.testing.assert_array_equal(model_file.load(tmp_path / "run").coef_, MODEL.coef_)


def test_a_new_run_takes_the_place_of_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    publish(tmp_path / "run")
    publish(tmp_path / "run", "second")
    assert (tmp_path / "run/note.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_or_an_interruption_leaves_the_earlier_run_as_it_was(tmp_path, error):
    publish(tmp_path / "run")

    def interrupted():
        with folders.published(tmp_path / "run") as folder:
            (folder / "note.txt").write_text("half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        interrupted()
    assert (tmp_path / "run/note.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_killed_process_leaves_the_earlier_run_and_the_next_one_cleans_up(tmp_path):
    publish(tmp_path / "run")
    code = (
        "import sys, time; from pathlib import Path; from bank_models.files import folders\n"
        f"with folders.published(Path({str(tmp_path / 'run')!r})) as folder:\n"
        "    (folder / 'note.txt').write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "run/note.txt").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 2
    publish(tmp_path / "run", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_reader_never_sees_a_folder_that_is_absent_or_half_written(tmp_path):
    publish(tmp_path / "run", "0")
    code = (
        "import sys; from pathlib import Path; from bank_models.files import folders\n"
        "for i in range(60):\n"
        f"    with folders.published(Path({str(tmp_path / 'run')!r})) as folder:\n"
        "        (folder / 'note.txt').write_text(str(i))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    n_reads = 0
    while process.poll() is None:
        assert (tmp_path / "run/note.txt").read_text().isdigit()
        n_reads += 1
    assert process.returncode == 0
    assert n_reads > 100


def test_one_object_saved_twice_gives_the_same_bytes(tmp_path):
    again = LogisticRegression().fit(np.arange(20).reshape(10, 2), [0, 1] * 5)
    model_file.dump(tmp_path / "a", MODEL)
    time.sleep(2.1)  # a zip file's clock ticks every two seconds
    model_file.dump(tmp_path / "b", again)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("position", [0, 100, -1])
def test_a_flipped_byte_is_found_before_the_model_is_read(tmp_path, position):
    publish(tmp_path / "run")
    path = tmp_path / "run/model.skops"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"model.skops is not the file that was written"):
        model_file.load(tmp_path / "run")


def test_a_link_an_absent_file_and_a_file_nobody_wrote_are_refused(tmp_path):
    publish(tmp_path / "run")
    (tmp_path / "run/other.skops").write_bytes(b"x")
    with pytest.raises(IntegrityError, match=r"other\.skops cannot be verified"):
        model_file.load(tmp_path / "run", "other.skops")
    (tmp_path / "run/model.skops").rename(tmp_path / "moved")
    with pytest.raises(IntegrityError, match=r"model\.skops cannot be verified"):
        model_file.load(tmp_path / "run")
    (tmp_path / "run/model.skops").symlink_to(tmp_path / "moved")
    with pytest.raises(IntegrityError, match="is not a regular file"):
        model_file.load(tmp_path / "run")


def test_a_process_that_stands_in_the_run_folder_stands_in_the_new_one_afterwards(tmp_path, monkeypatch):
    publish(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    publish(tmp_path / "run", "second")
    assert Path.cwd() == tmp_path / "run"
    assert Path("note.txt").read_text(encoding="utf-8") == "second"


def put_a_pipe(path):
    os.mkfifo(path)


def put_a_folder(path):
    path.mkdir()


def put_an_endless_device(path):
    path.symlink_to("/dev/zero")


def put_a_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def put_a_file_of_a_terabyte(path):
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize("put", [put_a_pipe, put_a_folder, put_an_endless_device, put_a_socket, put_a_file_of_a_terabyte])
@pytest.mark.parametrize("name", ["model.skops", "manifest.json"])
def test_what_is_no_file_or_too_large_a_one_is_refused_at_once(tmp_path, monkeypatch, put, name):
    publish(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")  # the address of a socket is short
    (tmp_path / "run" / name).unlink()
    put(Path(name))
    start = time.monotonic()
    for read in (model_file.load, manifest.verify):
        with pytest.raises(IntegrityError, match=name):
            read(tmp_path / "run")
    assert time.monotonic() - start < 1


def test_a_folder_that_is_a_link_leads_nowhere(tmp_path):
    with folders.published(tmp_path / "run") as folder:
        (folder / "plots").mkdir()
        (folder / "plots/roc.csv").write_text("0,0")
    (tmp_path / "run/plots").rename(tmp_path / "elsewhere")
    (tmp_path / "run/plots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=r"plots/roc\.csv is not a regular file"):
        manifest.read_verified(tmp_path / "run", "plots/roc.csv")
    with pytest.raises(IntegrityError, match=r"plots/roc\.csv is not a regular file"):
        manifest.verify(tmp_path / "run")


HOSTILE_NAMES = ["../out", "a/../../out", "/tmp/out", "", ".", "..", "a//b", "a/", "a\\b", "a\0b", "a\nb", "\x1b[2J"]
HOSTILE_NAMES += ["\u202egpj", "\u2028", "x" * 5000, "manifest.json"]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_name_in_a_manifest_that_is_no_file_inside_the_folder_is_refused(tmp_path, name):
    publish(tmp_path / "run")
    (tmp_path / "out").write_text("x")
    facts = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (tmp_path / "run/manifest.json").write_text(json.dumps({"files": {name: facts}}))
    with pytest.raises(IntegrityError, match="is not the name of a file inside the folder"):
        manifest.names_in_manifest(tmp_path / "run")
    with pytest.raises(IntegrityError, match="is not the name of a file inside the folder"):
        manifest.read_verified(tmp_path / "run", name)


HASH = "0" * 64
NO_MANIFESTS = [
    "", "null", "[]", "7", "{}", '{"files": []}', '{"files": {}, "more": 1}', '{"files": {"a": 1}}', '{"files": {"a": NaN}}',
    *(json.dumps({"files": {"a": {"size": size, "sha256": HASH}}}) for size in (-1, True, 1.0, "1", None)),
    *(json.dumps({"files": {"a": {"size": 1, "sha256": sha256}}}) for sha256 in (HASH[1:], HASH.replace("0", "G"), 1, None)),
    '{"files": {"a": {"size": 1}}}', '{"files": {"a": {"size": 1' + "0" * 5000 + "}}}", '{"files": {"\\ud800": 1}}',
    "[" * 200_000, "\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_MANIFESTS, ids=lambda text: ascii(text[:40]))
def test_a_manifest_of_another_form_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(IntegrityError, match=r"manifest\.json (is refused|cannot be read)"):
        manifest.verify(tmp_path)


def test_who_publishes_in_one_place_waits_until_the_other_has_read_its_own(tmp_path):
    publish(tmp_path / "run")

    def write_and_read(text):
        with folders.keeps(tmp_path / "run") as kept:
            publish(tmp_path / "run", text)
            time.sleep(0.2)
            assert (tmp_path / "run/note.txt").read_text() == text
            assert manifest.manifest_sha256(tmp_path / "run") == kept.manifest_sha256

    processes = [FORK.Process(target=write_and_read, args=(text,)) for text in "abcd"]
    for process in processes:
        process.start()
    publish(tmp_path / "beside")  # waits for nobody
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    publish(tmp_path / "run", "last")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside", "run"]


def test_who_waits_for_another_can_be_interrupted(tmp_path):
    def wait():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        publish(tmp_path / "run", "never")

    with folders.keeps(tmp_path / "run"):
        publish(tmp_path / "run")
        waiting = FORK.Process(target=wait)
        waiting.start()
        time.sleep(0.5)
        assert waiting.is_alive()
        os.kill(waiting.pid, signal.SIGINT)
        waiting.join(timeout=2)
        assert waiting.exitcode == 1
    assert (tmp_path / "run/note.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_type_that_no_model_needs_is_refused_unexecuted(tmp_path):
    class Hostile(LogisticRegression):
        pass

    Hostile.__module__, Hostile.__qualname__ = "tests.hostile", "Hostile"
    with folders.published(tmp_path / "run") as folder:
        model_file.dump(folder / "model.skops", Hostile())
    with pytest.raises(IntegrityError, match=r"tests\.hostile"):
        model_file.load(tmp_path / "run")


def test_a_folder_that_is_not_a_run_is_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is not a run folder"):
        folders.check_replaceable(tmp_path)
    folders.check_replaceable(tmp_path / "absent")


def test_a_number_that_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        writing.write_json(tmp_path / "metrics.json", {"roc_auc": float("nan")})


def test_a_pickle_is_written_and_opened_with_a_warning(tmp_path, caplog):
    with folders.published(tmp_path / "run") as folder:
        model_file.dump_pickle(folder / "model.joblib", MODEL)
    assert "model.joblib is a pickle" in caplog.text
    with pytest.warns(UserWarning, match=r"model\.joblib is a pickle: opening it runs the code in it"):
        assert model_file.load(tmp_path / "run", "model.joblib").get_params() == MODEL.get_params()
    path = tmp_path / "run/model.joblib"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="is not the file that was written"):
        model_file.load(tmp_path / "run", "model.joblib")


def test_no_folder_is_left_of_a_run_that_wrote_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_dir = Path("runs/fraud/xgboost")
    run_dir.mkdir(parents=True)
    folders.remove_empty(run_dir)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_that_holds_something_goes_with_a_run_that_wrote_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run_dir in (Path("runs/fraud/xgboost"), Path("runs/churn/xgboost"), Path("elsewhere")):
        run_dir.mkdir(parents=True)
    Path("elsewhere/a file").touch()
    for run_dir in (Path("runs/fraud/xgboost"), Path("elsewhere")):
        folders.remove_empty(run_dir)
    assert sorted(map(str, Path().rglob("*"))) == ["elsewhere", "elsewhere/a file", "runs", "runs/churn", "runs/churn/xgboost"]

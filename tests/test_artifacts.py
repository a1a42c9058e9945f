import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT
from sklearn.linear_model import LogisticRegression

from src import artifacts
from src.errors import ConfigError, IntegrityError

MODEL = LogisticRegression().fit(np.arange(20).reshape(10, 2), [0, 1] * 5)


def publish(run_dir, text="first"):
    with artifacts.published(run_dir) as folder:
        (folder / "note.txt").write_text(text)
        artifacts.dump(folder / "model.skops", MODEL)


def test_a_run_has_a_manifest_of_every_file_and_loads_what_was_saved(tmp_path):
    publish(tmp_path / "run")
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert set(manifest["files"]) == {"note.txt", "model.skops"}
    np.testing.assert_array_equal(artifacts.load(tmp_path / "run").coef_, MODEL.coef_)


def test_a_new_run_takes_the_place_of_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    publish(tmp_path / "run")
    publish(tmp_path / "run", "second")
    assert (tmp_path / "run/note.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_or_an_interruption_leaves_the_earlier_run_as_it_was(tmp_path, error):
    publish(tmp_path / "run")

    def interrupted():
        with artifacts.published(tmp_path / "run") as folder:
            (folder / "note.txt").write_text("half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        interrupted()
    assert (tmp_path / "run/note.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_killed_process_leaves_the_earlier_run_and_the_next_one_cleans_up(tmp_path):
    publish(tmp_path / "run")
    code = (
        "import sys, time; from pathlib import Path; from src import artifacts\n"
        f"with artifacts.published(Path({str(tmp_path / 'run')!r})) as folder:\n"
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
        "import sys; from pathlib import Path; from src import artifacts\n"
        "for i in range(60):\n"
        f"    with artifacts.published(Path({str(tmp_path / 'run')!r})) as folder:\n"
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
    artifacts.dump(tmp_path / "a", MODEL)
    time.sleep(2.1)  # a zip file's clock ticks every two seconds
    artifacts.dump(tmp_path / "b", again)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("position", [0, 100, -1])
def test_a_flipped_byte_is_found_before_the_model_is_read(tmp_path, position):
    publish(tmp_path / "run")
    path = tmp_path / "run/model.skops"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"model.skops is not the file that was written"):
        artifacts.load(tmp_path / "run")


def test_a_link_an_absent_file_and_a_file_nobody_wrote_are_refused(tmp_path):
    publish(tmp_path / "run")
    (tmp_path / "run/other.skops").write_bytes(b"x")
    with pytest.raises(IntegrityError, match=r"other\.skops cannot be verified"):
        artifacts.load(tmp_path / "run", "other.skops")
    (tmp_path / "run/model.skops").rename(tmp_path / "moved")
    with pytest.raises(IntegrityError, match=r"model\.skops cannot be verified"):
        artifacts.load(tmp_path / "run")
    (tmp_path / "run/model.skops").symlink_to(tmp_path / "moved")
    with pytest.raises(IntegrityError, match="is not a regular file"):
        artifacts.load(tmp_path / "run")


def test_a_type_that_no_model_needs_is_refused_unexecuted(tmp_path):
    class Hostile(LogisticRegression):
        pass

    Hostile.__module__, Hostile.__qualname__ = "tests.hostile", "Hostile"
    with artifacts.published(tmp_path / "run") as folder:
        artifacts.dump(folder / "model.skops", Hostile())
    with pytest.raises(IntegrityError, match=r"tests\.hostile"):
        artifacts.load(tmp_path / "run")


def test_a_folder_that_is_not_a_run_is_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is not a run folder"):
        artifacts.check_replaceable(tmp_path)
    artifacts.check_replaceable(tmp_path / "absent")


def test_a_number_that_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        artifacts.write_json(tmp_path / "metrics.json", {"roc_auc": float("nan")})


def test_a_pickle_is_written_and_opened_with_a_warning(tmp_path, caplog):
    with artifacts.published(tmp_path / "run") as folder:
        artifacts.dump_joblib(folder / "model.joblib", MODEL)
    assert "model.joblib is a pickle" in caplog.text
    with pytest.warns(UserWarning, match=r"model\.joblib is a pickle: opening it runs the code in it"):
        assert artifacts.load(tmp_path / "run", "model.joblib").get_params() == MODEL.get_params()
    path = tmp_path / "run/model.joblib"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="is not the file that was written"):
        artifacts.load(tmp_path / "run", "model.joblib")

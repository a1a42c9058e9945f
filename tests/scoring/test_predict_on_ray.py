"""Scoring of a folder by the workers of a Ray cluster: byte by byte what one process writes, whatever happens to a worker."""

import threading
import time
from importlib.util import find_spec

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from bank_models.data import packaged
from bank_models.errors import ConfigError, DataError
from bank_models.predict import load_model
from bank_models.runtime.cluster import Cluster
from bank_models.scoring.stream import Job, score_file

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="make setup EXTRAS=ray")]


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    with cluster.connected():
        yield cluster


@pytest.fixture(scope="module")
def model(run_of):
    return load_model(run_of("tuned"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """20,000 applications for credit in three files of several row groups, with some bad cells."""
    from bank_models.files import yaml_file

    facts = yaml_file.read(ROOT / "conf/use_case/credit_scoring.yaml")["use_case"]
    frame = packaged.load(facts["packaged"], facts["target"]).frame
    frame = frame.astype({name: "str" for name in frame.columns[frame.dtypes == "category"]})
    frame = pd.concat([frame] * 20, ignore_index=True)
    frame.loc[[4_321, 15_000], "age_years"] = -1
    folder = tmp_path_factory.mktemp("applications")
    for number, (first, last) in enumerate([(0, 7_000), (7_000, 7_100), (7_100, 20_000)]):
        part = folder / f"part={number}"
        part.mkdir()
        table = pa.Table.from_pandas(frame.iloc[first:last], preserve_index=False)
        pq.write_table(table, part / "rows.parquet", row_group_size=3_000)
    return folder


@pytest.mark.parametrize("end", ["parquet", "csv.gz"])
def test_scores_and_rejects_are_those_of_one_process_byte_by_byte(cluster, model, folder, tmp_path, end):
    said = {}
    for where, on in (("here", None), ("there", cluster)):
        job = Job(folder, tmp_path / f"{where}.{end}", tmp_path / f"{where}.rejects.{end}", reasons=2, batch_rows=1_000)
        tally = score_file(model, job, cluster=on)
        said[where] = tally, tally.notes(model.use_case.features), job.output.read_bytes(), job.rejects.read_bytes()
    assert said["here"] == said["there"]
    assert said["there"][0].n_rejected == 2


def test_the_first_bad_row_is_the_one_that_is_named(cluster, model, folder, tmp_path):
    messages = []
    for on in (None, cluster):
        with pytest.raises(DataError) as refused:
            score_file(model, Job(folder, tmp_path / "scores.parquet"), cluster=on)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert "4322" in messages[0].replace(",", "")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(cluster, model, folder, tmp_path):
    killed = []

    def kill():
        while not killed:
            for one in psutil.Process().children(recursive=True):
                if "score_group" in one.name():
                    one.kill()
                    killed.append(one.pid)
                    return
            time.sleep(0.005)

    here = Job(folder, tmp_path / "here.parquet", tmp_path / "bad.parquet", reasons=4, batch_rows=500)
    score_file(model, here)
    threading.Thread(target=kill, daemon=True).start()
    there = Job(folder, tmp_path / "there.parquet", tmp_path / "bad.parquet", reasons=4, batch_rows=500)
    score_file(model, there, cluster=cluster)
    assert killed
    assert here.output.read_bytes() == there.output.read_bytes()


def test_what_is_no_folder_is_left_to_one_process(cluster, model, folder, tmp_path):
    file = next(folder.rglob("*.parquet"))
    with pytest.raises(ConfigError, match=r"scores a folder of Parquet files, but input=.* is none: leave launcher=ray out"):
        score_file(model, Job(file, tmp_path / "scores.parquet"), cluster=cluster)
    assert np.array_equal(list(tmp_path.iterdir()), [])

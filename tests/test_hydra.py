"""Hydra as its users know it: what the page about its features says works."""

import json
import os

from conftest import ROOT

CHEAP = ("use_case=fair_lending", "model=dummy", "cv=none")


def test_settings_name_the_same_places_whatever_folder_hydra_changes_to(train, tmp_path):
    """With hydra.job.chdir=true, which Hydra's users type to find what a job wrote in its own folder."""
    places = os.path.relpath(tmp_path, ROOT)
    told = [f"registry.path={places}/models", f"tracking.experiments={places}/experiments.jsonl", "registry=local"]
    result = train(*CHEAP, *told, "tracking=none", "hydra.job.chdir=true", "hydra.job.name=nightly")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "models/fair_lending/v1.0.0/model.skops").is_file()
    (line,) = (tmp_path / "experiments.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == "nightly"
    assert not (tmp_path / "run/models").exists()


def test_a_folder_for_hydras_files_holds_them_and_blocks_no_later_run(train, tmp_path):
    for _ in range(2):
        result = train(*CHEAP, "hydra.output_subdir=composed")
        assert result.returncode == 0, result.stderr
    for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
        assert (tmp_path / "run/composed" / name).read_text() == (tmp_path / "run/.hydra" / name).read_text()
    assert "composed/config.yaml" in json.loads((tmp_path / "run/manifest.json").read_text())["files"]

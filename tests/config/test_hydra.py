"""Hydra as its users know it: what the page about its features says works."""

import json
import os
import shlex

import pytest
from conftest import ROOT, run_warm

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


def _lines(heading: str) -> list[list[str]]:
    """Cells of the table below a heading of the page about Hydra."""
    text = (ROOT / "docs/reference/hydra.md").read_text(encoding="utf-8")
    below = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in below.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


COMPOSED = _lines("Works: composition")
RUN = {  # the test of each line
    "sweep over choices, ranges and patterns": (
        "test_portfolio",
        "test_jobs_that_are_the_same_run_once_and_those_that_differ_never_share_a_folder",
    ),
    "Hydra's own sweeper": ("test_portfolio", "test_the_basic_sweeper_of_hydra_runs_the_same_jobs"),
    "jobs side by side": ("test_portfolio", "test_side_by_side_too_and_the_command_that_is_printed_runs_only_the_failed_jobs"),
    "Optuna's search": (
        "test_optuna_search",
        "test_a_search_takes_the_space_of_the_models_file_and_ends_with_its_table_and_the_best",
    ),
    "Optuna's grid": ("test_portfolio", "test_a_grid_of_optuna_tries_every_point_once_and_says_how_many_it_leaves_out"),
    "Optuna over groups and settings of ours": ("test_portfolio", "test_optuna_searches_groups_and_settings_of_ours"),
    "the rate of failures that ends a search": ("test_portfolio", "test_a_search_ends_where_more_trials_fail_than_was_typed"),
    "the folder of a job": ("test_portfolio", "test_the_folder_of_a_job_is_the_one_that_hydra_shows"),
    "a working directory of the job": ("test_hydra", "test_settings_name_the_same_places_whatever_folder_hydra_changes_to"),
    "the name of the job in trackers": ("test_hydra", "test_settings_name_the_same_places_whatever_folder_hydra_changes_to"),
    "another folder for Hydra's files": ("test_hydra", "test_a_folder_for_hydras_files_holds_them_and_blocks_no_later_run"),
    "options of your own": ("test_settings", "test_a_launcher_of_ones_own_sets_what_the_command_line_may"),
    "the composed job": ("test_hydra", "test_a_line_about_composition_shows_what_it_says"),
    "what was composed of what": ("test_hydra", "test_hydra_tells_what_a_job_was_composed_of"),
    "completion for bash": ("test_command_line", "test_bash_completes_what_was_typed"),
}


@pytest.mark.parametrize(("feature", "command", "shown"), COMPOSED, ids=[row[0] for row in COMPOSED])
def test_a_line_about_composition_shows_what_it_says(feature, command, shown):
    arguments = shlex.split(command.strip("`"))
    assert arguments[:3] == ["python", "-m", "src.train"]
    result = run_warm(*arguments[3:], "--cfg", "all")
    assert result.returncode == 0, result.stderr
    assert shown.strip("`") in result.stdout


def test_every_line_about_running_has_a_test():
    assert [row[0] for row in _lines("Works: running")] == list(RUN)
    for module, test in RUN.values():
        assert f"def {test}(" in (ROOT / f"tests/{module}.py").read_text(encoding="utf-8"), test


@pytest.mark.parametrize("what", ["defaults", "config"])
def test_hydra_tells_what_a_job_was_composed_of(what):
    result = run_warm("model=lightgbm", "--info", what)
    assert result.returncode == 0, result.stderr
    assert "model: lightgbm" in result.stdout or "model/lightgbm" in result.stdout

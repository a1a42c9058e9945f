"""Hydra as its users know it: what the page about its features says works."""

import json
import os
import shlex

import pytest
from conftest import ROOT, _train, elsewhere, run_warm

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
    """And the level of the log that is typed says what is shown."""
    for level, is_warned in (("INFO", True), ("ERROR", False)):
        log = f"hydra.job_logging.root.level={level}"
        result = train(*CHEAP, "hydra.output_subdir=composed", "artifacts=pickle", log)
        assert result.returncode == 0, result.stderr
        assert ("model.pkl is a pickle" in result.stderr) == is_warned
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
    "Optuna's samplers": ("test_samplers", "test_a_sampler_learns_from_its_own_trials"),
    "Optuna over groups and settings of ours": ("test_portfolio", "test_optuna_searches_groups_and_settings_of_ours"),
    "the rate of failures that ends a search": ("test_portfolio", "test_a_search_ends_where_more_trials_fail_than_was_typed"),
    "the folder of a job": ("test_portfolio", "test_the_folder_of_a_job_is_the_one_that_hydra_shows"),
    "a working directory of the job": ("test_hydra", "test_settings_name_the_same_places_whatever_folder_hydra_changes_to"),
    "the name of the job in trackers": ("test_hydra", "test_settings_name_the_same_places_whatever_folder_hydra_changes_to"),
    "another folder for Hydra's files": ("test_hydra", "test_a_folder_for_hydras_files_holds_them_and_blocks_no_later_run"),
    "options of your own": ("test_settings", "test_a_launcher_of_ones_own_sets_what_the_command_line_may"),
    "a root file of your own": ("test_experiments", "test_hydra_runs_the_root_file_that_was_checked"),
    "an experiment that is a sweep": ("test_experiments", "test_an_experiment_may_be_a_sweep"),
    "the jobs of a sweep, before it runs": ("test_experiments", "test_a_sweep_is_shown_job_by_job_before_it_runs"),
    "levels of logs": ("test_hydra", "test_a_folder_for_hydras_files_holds_them_and_blocks_no_later_run"),
    "the composed job": ("test_hydra", "test_every_line_about_composition_shows_what_it_says"),
    "what was composed of what": ("test_hydra", "test_hydra_tells_what_a_job_was_composed_of"),
    "completion for bash": ("test_command_line", "test_bash_completes_what_was_typed"),
}


def test_every_line_about_composition_shows_what_it_says():
    commands = [shlex.split(command.strip("`")) for _, command, _ in COMPOSED]
    assert all(words[:3] == ["python", "-m", "src.train"] for words in commands)
    results = elsewhere(_all_shown, [[*words[3:], "--cfg", "all"] for words in commands])
    for (feature, _, shown), (code, said, complained) in zip(COMPOSED, results, strict=True):
        assert code == 0, f"{feature}: {complained}"
        assert shown.strip("`") in said, feature


def _all_shown(commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """What each command line shows, one after the other in one process."""
    return [_train(words, {}) for words in commands]


def test_every_line_about_running_has_a_test():
    assert [row[0] for row in _lines("Works: running")] == list(RUN)
    for module, test in RUN.values():
        (path,) = (ROOT / "tests").rglob(f"{module}.py")
        assert f"def {test}(" in path.read_text(encoding="utf-8"), test


@pytest.mark.parametrize("what", ["defaults", "config"])
def test_hydra_tells_what_a_job_was_composed_of(what):
    result = run_warm("model=lightgbm", "--info", what)
    assert result.returncode == 0, result.stderr
    assert "model: lightgbm" in result.stdout or "model/lightgbm" in result.stdout

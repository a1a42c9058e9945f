"""Nobody else can put a pickle into DVC's temporary folders."""

import os
import pickle
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from bank_models.errors import ConfigError
from bank_models.tracking import dvc_folders


@pytest.fixture
def project(tmp_path):
    """A project with our settings of DVC, in a folder that everybody may enter."""
    (tmp_path / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, tmp_path / ".dvc")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def run(project: Path, *arguments: str, **env: str) -> str:
    """A module in the project, by a user who takes no right from anybody."""
    kept = (
        {name: value for name, value in os.environ.items() if name != dvc_folders.VARIABLE}
        | {"PYTHONPATH": f"{ROOT}:{ROOT}/src"}
        | env
    )
    given = {"cwd": project, "env": kept, "umask": 0, "capture_output": True, "text": True, "check": True}
    return subprocess.run([sys.executable, "-m", *arguments], **given).stdout


def site_cache(project: Path, **env: str) -> Path:
    """Where DVC itself says that it keeps what it pickles."""
    return Path(re.search(r"Repo\.site_cache_dir: (.+)", run(project, "dvc", "doctor", **env))[1])


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_after_setup_dvc_keeps_its_pickles_where_only_their_owner_comes(project):
    run(project, "src.tracking.dvc_folders")
    assert rights(project / ".dvc/tmp") == 0o700
    place = site_cache(project)
    assert place.is_relative_to(project / dvc_folders.SITE_CACHE)
    assert (place / "links").is_dir()


def test_dvc_started_by_us_needs_no_setup(project):
    place = site_cache(project, **{dvc_folders.VARIABLE: dvc_folders.environment(project)[dvc_folders.VARIABLE]})
    assert place.is_relative_to(project / dvc_folders.SITE_CACHE)
    assert rights(project / ".dvc/tmp") == 0o700


def test_a_checkout_that_was_moved_is_set_up_anew(project, tmp_path_factory):
    run(project, "src.tracking.dvc_folders")
    moved = project.rename(tmp_path_factory.mktemp("elsewhere") / "moved")
    run(moved, "src.tracking.dvc_folders")
    assert (moved / dvc_folders.SETTING).read_text().count("site_cache_dir") == 1
    assert str(moved / dvc_folders.SITE_CACHE) in (moved / dvc_folders.SETTING).read_text()


def test_other_settings_of_a_person_are_kept(project):
    (project / dvc_folders.SETTING).write_text("[core]\n    remote = shelf\n")
    run(project, "src.tracking.dvc_folders")
    assert "remote = shelf" in (project / dvc_folders.SETTING).read_text()


@pytest.mark.parametrize("before", [0o777, 0o775])
def test_a_folder_that_others_could_write_to_is_closed_and_its_cache_is_dropped(project, before):
    planted = project / dvc_folders.SITE_CACHE / "repo/planted"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(pickle.dumps("planted"))
    (project / ".dvc/tmp/lock").touch()
    (project / ".dvc/tmp").chmod(before)
    dvc_folders.private(project)
    assert rights(project / ".dvc/tmp") == 0o700
    assert [path.name for path in (project / ".dvc/tmp").iterdir()] == ["lock"]


def test_a_private_folder_keeps_its_cache(project):
    dvc_folders.private(project).mkdir()
    assert dvc_folders.private(project).is_dir()


def test_a_folder_that_cannot_be_made_private_is_refused(project):
    (project / ".dvc/tmp").touch()
    with pytest.raises(ConfigError, match=r"\.dvc/tmp must be a folder of yours alone, because DVC opens pickles in it: "):
        dvc_folders.private(project)


def test_a_site_cache_that_a_person_has_chosen_stays(project, monkeypatch):
    monkeypatch.setenv(dvc_folders.VARIABLE, "/srv/dvc")
    assert dvc_folders.environment(project)[dvc_folders.VARIABLE] == "/srv/dvc"


def test_make_repro_starts_dvc_with_private_folders(project, monkeypatch):
    from bank_models import reproduce

    monkeypatch.chdir(project)
    monkeypatch.delenv(dvc_folders.VARIABLE, raising=False)
    assert reproduce._environment()[dvc_folders.VARIABLE] == str(project / dvc_folders.SITE_CACHE)

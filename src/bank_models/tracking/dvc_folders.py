"""Private temporary folders for DVC, which opens pickles that lie there (CVE-2025-69872).

By itself DVC keeps some of them below /var/tmp/dvc, where every user of the machine may put others in their place.
`python -m src.tracking.dvc_folders`, which `make setup` calls, keeps all of them in `.dvc/tmp` of this project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bank_models.errors import ConfigError
from bank_models.runtime.terminal import for_people

TEMPORARY = Path(".dvc/tmp")
SITE_CACHE = TEMPORARY / "site"
SETTING = Path(".dvc/config.local")
VARIABLE = "DVC_SITE_CACHE_DIR"
OTHERS_MAY_WRITE = 0o022


@for_people
def main() -> int:
    """Make the folders of the project here private, for every DVC that is started in it; give the exit code."""
    if TEMPORARY.parent.is_dir():
        place = private(Path.cwd())
        if not SETTING.is_file() or f"site_cache_dir = {place}" not in SETTING.read_text(encoding="utf-8"):
            command = [sys.executable, "-m", "dvc", "config", "--quiet", "--local", "core.site_cache_dir", str(place)]
            return subprocess.run(command, env=environment(Path.cwd()), check=False).returncode
    return 0


def private(project: Path) -> Path:
    """See to it that nobody else can put anything into DVC's temporary folder; give the place of the site cache in it.

    Raises
    ------
    ConfigError
        If the folder belongs to somebody else.
    """
    folder, site_cache = project / TEMPORARY, project / SITE_CACHE
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        could_be_planted = folder.stat().st_mode & OTHERS_MAY_WRITE
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"{folder} must be a folder of yours alone, because DVC opens pickles in it: {error.strerror}.\n"
            "Work in a clone of your own, or let its owner remove the folder."
        ) from error
    if could_be_planted:
        shutil.rmtree(site_cache, ignore_errors=True)
    return site_cache


def environment(project: Path) -> dict[str, str]:
    """The environment in which to start DVC, its folders being private; a site cache that a person has chosen stays."""
    return {VARIABLE: str(private(project).absolute()), **os.environ}


if __name__ == "__main__":
    sys.exit(main())

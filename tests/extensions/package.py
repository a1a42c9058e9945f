"""Packages of a team: the one beside this module, and small ones that a test writes where Python finds them."""

import os
import sys
from pathlib import Path

from conftest import _train

TEAM = Path(__file__).parent / "team"
CONF = Path(__file__).parent / "conf"


def install(folder: Path, name: str, version: str, modules: dict[str, str], **groups: dict[str, str]) -> None:
    """Write a package as pip would have left it: its modules, and beside them what the distribution says of itself."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, entries in groups.items():
        lines += [f"[bank_models.{group}]", *(f"{key} = {place}" for key, place in entries.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def enable(folder: Path, *extensions: str) -> None:
    """Write the settings file of a project that has its folder of configuration beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(f"config_dir: conf\nextensions: [{', '.join(extensions)}]\n")
    if not (folder / "conf").exists():
        (folder / "conf").symlink_to(CONF)


def run_in(folder: Path, arguments, paths=(TEAM,)) -> tuple[int, str, str]:
    """`python -m src.train` in a project of somebody's; for `conftest.elsewhere`."""
    os.chdir(folder)
    sys.path[:0] = [str(path) for path in paths]
    return _train([*map(str, arguments)], {"PYTHONPATH": os.pathsep.join(map(str, [*paths, *sys.path]))})

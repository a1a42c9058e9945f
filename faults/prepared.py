"""Runs that many attempts begin from; each is trained once, by whoever needs it first."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

from faults import command
from faults.runner import SHARED

SMALL_TREES = ("use_case=credit_scoring", "cv=none", "early_stopping=none", "model.params.n_estimators=12")
KINDS = {
    "credit": ("use_case=credit_scoring", "cv=none"),
    "xgboost": (*SMALL_TREES, "model=xgboost"),
    "lightgbm": (*SMALL_TREES, "model=lightgbm"),
    "random_forest": (*SMALL_TREES, "model=random_forest"),
    "hist_gradient_boosting": (*SMALL_TREES[:2], "model=hist_gradient_boosting", "model.params.max_iter=12"),
    "multiclass": ("use_case=sentiment_analysis", "cv=none", "data_source=simulated", "data_source.rows=600"),
    "regression": ("use_case=atm_cash_optimization", "data_source.rows=1500", "model=linear_regression", "cv=none"),
    "clusters": ("use_case=risk_parity",),
    "searched": (
        "use_case=credit_scoring", "model=xgboost", "cv=none", "model.params.n_estimators=20", "early_stopping=none",
        "tuning=random_search", "tuning.n_iter=12", "tuning.cv=2", "tuning.storage=sqlite:///study.db",
    ),
}  # fmt: skip


def run_folder(kind: str) -> Path:
    """Folder of a finished run, for reading only."""
    root = Path(os.environ[SHARED]) / "runs"
    root.mkdir(exist_ok=True)
    with (root / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / kind).exists():
            where = f"hydra.run.dir={root / kind}", "registry=none", "tracking=none"
            command.run("src.train", *KINDS[kind], *where, limit_s=110).check_is_good()
    return root / kind


def copy_of(kind: str, to: Path) -> Path:
    """A copy of a finished run that may be changed."""
    return Path(shutil.copytree(run_folder(kind), to))


def registry_with(n_versions: int, root: Path) -> Path:
    """A registry with some versions of credit scoring, the first of them in production."""
    from bank_models.registry.store import Registry

    registry = Registry(root)
    for _ in range(n_versions):
        registry.register(run_folder("credit"))
    if n_versions:
        registry.promote(registry.versions("credit_scoring")[0], None, "faults", "first", [], False)
    return root


def registry_of_three() -> Path:
    """A registry with three versions of credit scoring, of which the first and then the second went into production."""
    from bank_models.registry.store import Registry

    run_folder("credit")
    kept = Path(os.environ[SHARED]) / "models"
    with kept.with_name("models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            registry = Registry(registry_with(3, kept.with_name("models-new")))
            second = registry.versions("credit_scoring")[1]
            registry.promote(second, registry.find("credit_scoring"), "faults", "second", [], False)
            registry.root.rename(kept)
    return kept


def sign(folder: Path) -> dict[str, str]:
    """Make a pair of keys and use it in this process; the environment variables that name it."""
    from bank_models.registry import signing

    private, public = signing.make_keys(folder)
    names = {signing.SIGNING_KEY: str(private), signing.PUBLIC_KEY: str(public)}
    os.environ |= names
    return names


def german_credit():
    """The thousand rows of German credit, as the use case has them."""
    from bank_models.data import packaged

    return packaged.load("german_credit", "bad").frame


def seal(folder: Path) -> None:
    """Write a manifest that fits the files as they are now, as whoever may write there can."""
    from bank_models.files import manifest

    (folder / manifest.MANIFEST).unlink(missing_ok=True)
    manifest.write_manifest(folder)


def edit_json(path: Path, change) -> None:
    """Change a JSON file in place."""
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")

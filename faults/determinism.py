"""The same settings and rows give the same bytes, whatever differs around them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from faults import command, prepared
from faults.case import Attempt, Group, expect

GROUP = Group("determinism")
COMPARED = ("model.skops", "metrics.json", "split.parquet", "test_scores.parquet", "feature_names.json", "slices.csv")
KINDS = ("credit", "xgboost", "lightgbm", "random_forest", "hist_gradient_boosting")


def _check_same(kind: str, run: Path) -> None:
    expected = prepared.run_folder(kind)
    names = [name for name in COMPARED if (expected / name).exists()]
    differ = [name for name in names if (expected / name).read_bytes() != (run / name).read_bytes()]
    expect(not differ, f"{kind}: {', '.join(differ)} differ")


def _settings(kind: str, run: Path) -> list[str]:
    return [*prepared.KINDS[kind], "registry=none", "tracking=none", f"hydra.run.dir='{run}'"]


AROUND = {
    "one thread": (["n_threads=1"], {}, "it"),
    "two threads": (["n_threads=2"], {}, "it"),
    "five threads": (["n_threads=5"], {}, "it"),
    "another folder": ([], {}, "a b/Zürich/it"),
    "a time zone": ([], {"TZ": "Pacific/Kiritimati"}, "it"),
    "a locale": ([], {"LC_ALL": "C", "LANG": "tr_TR.UTF-8"}, "it"),
    "a narrow terminal": ([], {"COLUMNS": "20", "NO_COLOR": "1", "TERM": "dumb"}, "it"),
}


@GROUP.promise(
    "a run repeated",
    "Model, metrics and test scores are the same to the last bit for any number of threads, folder, time zone and locale.",
    cases=tuple(f"{kind}: {around}" for around in AROUND for kind in KINDS),
    share=1.75,
    limit_s=120,
    is_pinned=False,
)
def repeated(attempt: Attempt) -> None:
    kind, _, around = attempt.case.partition(": ")
    settings, env, place = AROUND[around]
    run = Path(place).absolute()
    command.run("src.train", *_settings(kind, run), *settings, env=env, limit_s=100).check_is_good()
    _check_same(kind, run)


@GROUP.promise(
    "a run repeated by another interpreter",
    "The same for a fresh interpreter with another seed of hashes, without compiled files, and with assertions off.",
    cases=("seed 0", "seed 1", "random seed", "optimised"),
    share=0.2,
    limit_s=180,
)
def hash_seed(attempt: Attempt) -> None:
    seed = {"seed 0": "0", "seed 1": "1"}.get(attempt.case, "random")
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    flags = ["-O"] if attempt.case == "optimised" else []
    kind, run = attempt.draw.choice(KINDS), Path("it").absolute()
    words = [sys.executable, *flags, "-m", "src.train", *_settings(kind, run)]
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-300:]}")
    _check_same(kind, run)


@GROUP.promise(
    "a search with more processes",
    "The trials of a search, and the model that it ends with, do not depend on how many processes tried them.",
    cases=("1", "2", "3"),
    share=0.15,
    limit_s=180,
    is_pinned=False,
)
def search(attempt: Attempt) -> None:
    from faults.kills import _trials

    settings = [*_settings("searched", Path("it").absolute()), f"tuning.n_workers={attempt.case}"]
    command.run("src.train", *settings, limit_s=150).check_is_good()
    expect(_trials(Path("it")).equals(_trials(prepared.run_folder("searched"))), "other trials")
    _check_same("searched", Path("it"))


@GROUP.promise(
    "test rows that were changed",
    "They decide nothing: with other values in the test rows the model, its threshold and the score on val are the same bytes.",
    cases=KINDS,
    share=0.25,
)
def test_rows(attempt: Attempt) -> None:
    import json

    import pandas as pd

    frame = prepared.german_credit()
    is_test = pd.read_parquet(prepared.run_folder("credit") / "split.parquet")["part"].eq("test").to_numpy()
    changed = frame.copy()
    changed.loc[is_test, "age_years"] = [attempt.draw.randrange(18, 100) for _ in range(is_test.sum())]
    changed.loc[is_test, "duration_months"] = [attempt.draw.randrange(1, 100) for _ in range(is_test.sum())]
    told = []
    for name, rows in (("a", frame), ("b", changed)):
        rows.to_csv(f"{name}.csv", index=False)
        source = "data_source=file", f"data_source.path={name}.csv"
        command.run("src.train", *_settings(attempt.case, Path(name).absolute()), *source).check_is_good()
        told.append(json.loads((Path(name) / "metrics.json").read_text()))
    expect(Path("a/model.skops").read_bytes() == Path("b/model.skops").read_bytes(), "the model depends on test rows")
    of_val = [{key: value for key, value in metrics.items() if key.startswith("val_")} for metrics in told]
    expect(of_val[0] == of_val[1], "the score on val depends on test rows")
    expect(told[0] != told[1], "the test rows were not changed at all")

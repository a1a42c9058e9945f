"""Real tables as people export them, drafted and trained by one command, beside the use case that was written by hand.

    python bench/drafts.py [--sets german_credit tv_churn] [--most-rows 20000] [--cv stratified_kfold] [--no-training]

Each packaged data set becomes a CSV with quirks (another separator, decimal commas, a target in words, ids, dates as people
write them, spellings of missing values, another encoding), which `python -m src.use_cases new … --train` gets without an edit.
Its score on test stands beside that of the use case that was written by hand, as `portfolio/` has it or trained on the spot:
within its 95 % interval, or better, counts as equal. Where that one splits in another way, or trains on more rows, the test
rows differ. The last column says what was inferred otherwise than a person wrote it: type or use of a column, task, positive
class, time and group column.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.config import DATASETS, datasets  # noqa: E402
from bank_models.data import packaged  # noqa: E402
from bank_models.drafts import Draft, draft_use_case  # noqa: E402
from bank_models.files.yaml_file import read  # noqa: E402

USE_CASES = {  # whose file names the set as its own, or as a proxy
    "bank_marketing": "account_opening", "german_credit": "credit_scoring",
    "caravan": "cross_sell", "ecb_fx_volatility": "currency_risk",
    "gmsc": "default_prediction", "fed_deposits": "deposit_prediction", "us_factor_months": "factor_investing",
    "loanapp": "fair_lending", "ecb_fx": "fx_prediction", "fed_margins": "interest_optimization",
    "fed_eve": "interest_rate_risk", "us_asset_months": "portfolio_optimization",
    "us_share_directions": "stock_prediction",
    "crx": "", "pakdd2009": "", "phishing": "", "smarket": "", "p401k": "", "pira401k": "", "cdnow_inactivity": "",
    "tv_churn": "", "cdnow_spend": "", "vader_tweets": "",
    "vader_negative": "", "vader_signals": "", "loanapp_denials": "", "fed_cash": "",
}  # fmt: skip
ALIKE = {("int", "float"), ("float", "int"), ("bool", "category")}  # drafted, by hand: two words are a category to some
WORDS = (("Yes", "No"), ("bad", "good"), ("1", "0"), ("ja", "nein"))
QUIET = ["tracking=none", "registry=none", "n_threads=1"]


@dataclass(frozen=True)
class Quirks:
    """How a table is spelled."""

    separator: str = ","
    decimal: str = "."
    dates: str = "%Y-%m-%d"
    missing: str = ""
    encoding: str = "utf-8"
    ending: str = ".csv"
    pads: bool = False


SPELLINGS = (
    Quirks(";", ",", "%d.%m.%Y", "", "cp1252"),
    Quirks("\t", ".", "%d-%b-%Y", "NA", "utf-8", ".tsv"),
    Quirks(",", ".", "%Y/%m/%d", "?", "utf-8-sig", ".csv", pads=True),
    Quirks("|", ".", "%Y-%m-%d", "NULL", "utf-8", ".csv.gz"),
)


@dataclass(frozen=True)
class Exported:
    """A table as people have it, and which word is the positive class, where the target is in words."""

    path: Path
    n_rows: int
    positive: str | None


@dataclass(frozen=True)
class Trained:
    """What a run gave: seconds of the whole command, and metrics of its test; or its last line."""

    seconds: float
    metrics: dict[str, float]
    said: str = ""
    code: int = 0


def facts_of(name: str) -> dict:
    """The use case that was written by hand for a set: its file, or one that names the set as a proxy."""
    for path in sorted((ROOT / "conf/use_case").glob("*.yaml")):
        use_case = read(path).get("use_case") or {}
        if path.stem == USE_CASES[name] or (not USE_CASES[name] and name in use_case.get("proxies", [])):
            return use_case
    return {}


def export(name: str, target: str, folder: Path, number: int, most_rows: int) -> Exported:
    """Write a set as a CSV with the quirks of a number."""
    frame, quirks = packaged.load(name, target).frame, SPELLINGS[number % len(SPELLINGS)]
    time_column = read(DATASETS / f"{name}.yaml").get("time_column")
    if len(frame) > most_rows:
        rows = np.sort(np.random.default_rng(0).choice(len(frame), most_rows, replace=False))
        frame = frame.iloc[rows].reset_index(drop=True)
    table = pd.DataFrame({"Record No": np.arange(len(frame)) + 100_001})
    for column in frame:
        table[column] = _spelled(frame[column], quirks, is_time=column == time_column)
    one = None
    if frame[target].dropna().isin([0, 1]).all():
        one, other = WORDS[number % len(WORDS)]
        table[target] = frame[target].map({1: one, 0: other})
    if quirks.pads:
        table.columns = [f"{column} " if place % 3 == 1 else column for place, column in enumerate(table.columns)]
    path = folder / f"{name}{quirks.ending}"
    table.to_csv(path, sep=quirks.separator, index=False, encoding=quirks.encoding, na_rep=quirks.missing, errors="replace")
    return Exported(path, len(frame), one)


def _spelled(values: pd.Series, quirks: Quirks, is_time: bool) -> pd.Series:
    if is_time or values.dtype.kind == "M":
        moments = pd.to_datetime(values)
        return moments.dt.strftime(quirks.dates if (moments.dt.normalize() == moments).all() else "%Y-%m-%d %H:%M:%S")
    if values.dtype.kind == "f" and quirks.decimal == ",":
        return values.map(lambda one: f"{one!r}".replace(".", ","), na_action="ignore")
    return values


def declared(name: str, by_hand: dict) -> dict:
    """What people wrote of the set's columns: its entry in the catalogue, or the use case whose own it is."""
    entry = datasets.entry_of(name)
    by_set = datasets.facts_of_proxy(name, by_hand.get("metric", "")) if entry.features else {}
    features = {key: one.type for key, one in by_set["features"].items()} if by_set else {
        key: one if isinstance(one, str) else one["type"] for key, one in by_hand.get("features", {}).items()
    }  # fmt: skip
    facts = by_set or by_hand
    return {
        "features": features,
        "time": facts.get("time_column"),
        "group": facts.get("group_column"),
        "task": by_hand.get("task"),
    }


def inferred_wrongly(draft: Draft, by_hand: dict, positive: str | None) -> list[str]:
    """In what a draft differs from what people wrote of the same table."""
    features = {name: facts["type"] for name, facts in draft.use_case["features"].items()}
    wrong = [
        f"{name}: {features[name]}, by hand {kind}"
        for name, kind in by_hand["features"].items()
        if name in features and (features[name], kind) not in ALIKE and features[name] != kind
    ]
    wrong += [f"{name} left out ({draft.left_out.get(name, 'gone')})" for name in by_hand["features"] if name not in features]
    wrong += [f"{name} is a feature" for name in features if name not in by_hand["features"]]
    for role in ("time", "group"):
        given = draft.use_case.get(f"{role}_column")
        wrong += [f"{role} {given}, by hand {by_hand[role]}"] if given != by_hand[role] else []
    task = draft.use_case["task"]
    wrong += [f"task {task}"] if by_hand["task"] not in (None, task) else []
    chosen = draft.use_case.get("positive") or "1"
    return wrong + ([f"positive {chosen}"] if task == "binary" and positive not in (None, chosen) else [])


def train(command: list[str], run_dir: Path) -> Trained:
    """Run a command that trains, and read what it wrote."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/src", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command, f"hydra.run.dir={run_dir}", *QUIET],
        capture_output=True, text=True, cwd=run_dir.parent, env=environment, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    metrics = json.loads((run_dir / "metrics.json").read_text()) if done.returncode == 0 else {}
    return Trained(seconds, metrics, done.stdout + done.stderr, done.returncode)


def compare(name: str, number: int, most_rows: int, cv: str | None, trains: bool = True) -> dict[str, object]:
    """One line of the table."""
    by_hand = facts_of(name)
    target = datasets.entry_of(name).target if not by_hand else by_hand["target"]
    chosen, metric = [f"cv={cv}"] if cv else [], by_hand.get("metric")
    with tempfile.TemporaryDirectory() as folder:
        table = export(name, target, Path(folder), number, most_rows)
        wrong = inferred_wrongly(draft_use_case(table.path, target), declared(name, by_hand), table.positive)
        line = {"set": name, "rows": table.n_rows, "metric": metric, "wrong": wrong, "drafted": None, "hand": None, "yaml": ""}
        if not trains:
            return line
        given = [f"target={target}", *([f"metric={metric}"] if metric else [])]
        drafted = train(["src.use_cases", "new", str(table.path), *given, "--train", *chosen], Path(folder) / "drafted")
        draft = Path(folder) / "my_conf/use_case"
        said = next(draft.glob("*.yaml")).read_text() if draft.is_dir() else ""
        return line | {"drafted": drafted, "hand": _by_hand(name, by_hand, chosen, Path(folder)), "yaml": said}


def _by_hand(name: str, by_hand: dict, chosen: list[str], folder: Path) -> Trained | None:
    """The run of the use case that was written by hand: the one in `portfolio/`, or a new one; None where there is none."""
    kept = ROOT / "portfolio" / USE_CASES[name] / "metrics.json"
    if USE_CASES[name] and kept.is_file():
        return Trained(float("nan"), json.loads(kept.read_text()))
    if not by_hand:
        return None
    rows = ["data_source=packaged", f"data_source.name={name}"]
    return train(["src.train", f"use_case={by_hand['key']}", *rows, *chosen], folder / "hand")


def is_equal(drafted: Trained, hand: Trained, metric: str) -> bool | None:
    """Whether the draft's score lies within the other's interval or beyond it on the better side; None if there is none."""
    from bank_models.metrics.names import as_score

    low, high = (hand.metrics.get(f"test_{metric}_ci_{end}") for end in ("low", "high"))
    mine, other = drafted.metrics.get(f"test_{metric}"), hand.metrics.get(f"test_{metric}")
    if mine is None or other is None:
        return None
    worst = min((as_score(metric, one) for one in (low, high) if one is not None), default=as_score(metric, other))
    return bool(as_score(metric, mine) >= worst)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(USE_CASES), help="names of packaged sets")
    parser.add_argument(
        "--most-rows",
        type=int,
        default=1_000_000,
        help="draw so many rows of a larger set (the hand-written one trains on all)",
    )
    parser.add_argument("--cv", help="of both runs; else their own")
    parser.add_argument("--keep", type=Path, help="a folder for the drafted files")
    parser.add_argument("--no-training", action="store_true", help="only draft, and say what was inferred wrongly")
    args = parser.parse_args()
    print(
        f"{'set':20} {'rows':>7} {'s':>6} {'metric':22} {'drafted':>9} {'by hand':>9}  {'interval':20} equal  inferred wrongly"
    )
    for name in args.sets:
        number = list(USE_CASES).index(name)
        line = compare(name, number, args.most_rows, args.cv, not args.no_training)
        if args.keep and line["drafted"]:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"{name}.txt").write_text(f"{line['yaml']}\n{line['drafted'].said}", encoding="utf-8")
        print(shown(line), flush=True)


def shown(line: dict) -> str:
    """A line of the table as text."""
    drafted, hand, metric, wrong = line["drafted"], line["hand"], line["metric"], "; ".join(line["wrong"]) or "nothing"
    start = f"{line['set']:20} {line['rows']:>7,}"
    if drafted and drafted.code:
        return f"{start} exit {drafted.code}: {drafted.said.strip().splitlines()[-1:]}"
    if not drafted:
        return f"{start} {'':6} {metric or '':22} {'':9} {'':9}  {'':20} {'':5}  {wrong}"
    names = (f"test_{metric}", f"test_{metric}_ci_low", f"test_{metric}_ci_high")
    other, low, high = (hand.metrics.get(name, float("nan")) if hand else float("nan") for name in names)
    equal = {True: "yes", False: "NO", None: "-"}[is_equal(drafted, hand, metric) if hand else None]
    score = drafted.metrics.get(names[0], float("nan"))
    interval = f"[{low:.4g}, {high:.4g}]"
    return f"{start} {drafted.seconds:6.1f} {metric or '':22} {score:9.4g} {other:9.4g}  {interval:20} {equal:5}  {wrong}"


if __name__ == "__main__":
    main()

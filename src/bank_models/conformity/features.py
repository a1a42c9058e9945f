"""Conformity tests of a transformer: rows apart from each other, reproducibility, serialization, declared capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config.transform import Transform
from bank_models.conformity.claim import Claim, tried
from bank_models.extensions.features import FEATURE_TYPES, TRANSFORMERS, Transformer
from bank_models.features.transformers.own import OwnColumns
from bank_models.runs import model_file

N = 300
MOST_CORRELATION = 0.25  # of the transformed rows with their own targets, which are noise
COLUMNS = {"float": "income", "int": "n_loans", "bool": "employed", "category": "region", "text": "note", "date": "opened_on"}


def judge(name: str, params: Mapping[str, Any]) -> list[Claim]:
    """Try a transformer with parameters of a use case."""
    declared = TRANSFORMERS[name]
    found = tried(f"transformer {name}", [("is declared for types of features", partial(_is_declared, declared))])
    if found[0].fault:
        return found
    given = Transform(columns=[COLUMNS[kind] for kind in declared.takes], params=dict(params))
    make = partial(_made, name, declared, given)
    of = f"transformer {name}{f', {dict(params)}' if params else ''}"
    return found + tried(of, _claims(declared, given, make))


def _is_declared(declared: Transformer) -> str:
    unknown = set(declared.takes) - set(FEATURE_TYPES)
    return "" if declared.takes and not unknown else f"takes must be some of {', '.join(FEATURE_TYPES)}"


def _made(name: str, declared: Transformer, given: Transform) -> OwnColumns:
    return OwnColumns(name, declared.make(**given.params), declared.keeps_order, "float64")


def _claims(declared: Transformer, given: Transform, make: Callable[[], OwnColumns]) -> Iterator[tuple[str, Callable[[], str]]]:
    frame, y = rows(given.columns)
    yield "gives numbers, each of a column that it takes", partial(_gives_numbers, make, frame, y)
    yield "gives a row the same bits alone, in a batch and in any order", partial(_is_row_by_row, make, frame, y)
    yield "gives the same bits again", partial(_repeats, make, frame, y)
    yield "learns nothing from rows that it transforms", partial(_learns_in_fit_alone, make, frame, y)
    yield "reads missing values and values that it never saw", partial(_reads_others, make, frame, y)
    yield "is saved and read", partial(_is_read, make, frame, y)
    if declared.uses_target:
        yield "lets no row see its own target", partial(_hides_targets, make, given.columns)
    else:
        yield "does not look at the target", partial(_ignores_targets, make, frame, y)
    if declared.keeps_order:
        yield "order: it never falls where its column rises", partial(_keeps_order, make, frame, y)


def rows(columns: list[str], n: int = N) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of each type, a tenth of the values missing where they may be, and a target of two classes."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01", "s") + rng.integers(0, 1000, n) * np.timedelta64(86_400, "s")
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(7, 1, n).astype("float32"),
            "n_loans": rng.integers(0, 9, n).astype("int32"),
            "employed": rng.random(n) < 0.5,
            "region": pd.Categorical(rng.choice(["north", "south", "east"], n)),
            "note": pd.Series(rng.choice(["paid late", "paid in time", "call again"], n), dtype="str"),
            "opened_on": days,
        }
    )
    for name in ("income", "region", "note", "opened_on"):
        frame.loc[rng.random(n) < 0.1, name] = None
    y = (frame["n_loans"].to_numpy() + 2 * rng.normal(size=n) > 4).astype(np.int8)
    return frame[columns], y


def _gives_numbers(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    fitted = make()
    fitted.fit_transform(frame, y)
    return "" if np.isfinite(fitted.transform(frame)).any() else "no value of it is a number"


def _is_row_by_row(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    fitted = make().fit(frame, y)
    whole, order = fitted.transform(frame), np.random.default_rng(1).permutation(len(frame))
    if fitted.transform(frame.iloc[order]).tobytes() != whole[order].tobytes():
        return "rows in another order have other values"
    alone = np.concatenate([fitted.transform(frame.iloc[[i]]) for i in range(40)])
    return "" if alone.tobytes() == whole[:40].tobytes() else "a row alone has other values than in a batch"


def _repeats(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    once, again = (make().fit_transform(frame, y) for _ in range(2))
    return "" if once.tobytes() == again.tobytes() else "two fits of the same rows differ"


def _learns_in_fit_alone(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    half = len(frame) // 2
    fitted = make().fit(frame[:half], y[:half])
    before = fitted.transform(frame[:half])
    fitted.transform(frame[half:])
    return "" if fitted.transform(frame[:half]).tobytes() == before.tobytes() else "transform changes what was learnt"


def _reads_others(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    fitted = make().fit(frame, y)
    gone = frame[:3].copy()
    for name in gone:
        if gone[name].dtype.kind not in "ib":
            gone[name] = None if gone[name].dtype != "float32" else np.float32(np.nan)
    gone = gone.astype({name: frame[name].dtype for name in frame})
    fitted.transform(gone)
    new = frame[:3].copy()
    if "region" in new:
        new["region"] = pd.Categorical(["west"] * 3)
    fitted.transform(new)
    return ""


def _is_read(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    fitted = make().fit(frame, y)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.skops")
        model_file.dump(path, fitted)
        read = model_file.loads(path.read_bytes())
    return "" if read.transform(frame).tobytes() == fitted.transform(frame).tobytes() else "what is read answers otherwise"


def _hides_targets(make: Callable[[], OwnColumns], columns: list[str]) -> str:
    frame, _ = rows(columns)
    if "region" in frame:
        frame = frame.assign(region=pd.Categorical([f"region {i}" for i in range(len(frame))]))
    noise = np.random.default_rng(2).integers(0, 2, len(frame)).astype(np.int8)
    values = np.nan_to_num(make().fit_transform(frame, noise))
    with np.errstate(invalid="ignore"):
        found = [abs(np.corrcoef(column, noise)[0, 1]) for column in values.T if column.std() > 0]
    worst = max(found, default=0.0)
    return "" if worst < MOST_CORRELATION else f"of a target that is noise, it tells the rows it learns from {worst:.2f}"


def _ignores_targets(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    once, without = make().fit_transform(frame, y), make().fit_transform(frame, None)
    return "" if once.tobytes() == without.tobytes() else "uses_target is false, but the target changes it"


def _keeps_order(make: Callable[[], OwnColumns], frame: pd.DataFrame, y) -> str:
    values = make().fit(frame, y).transform(frame)
    for place, name in enumerate(frame):
        order = np.argsort(frame[name].to_numpy(dtype="float64", na_value=np.nan), kind="stable")
        known = values[order, place][: int(frame[name].notna().sum())]
        if np.any(np.diff(known) < 0):
            return f"it falls where {name} rises"
    return ""

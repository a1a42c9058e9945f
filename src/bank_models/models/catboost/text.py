"""A fitted CatBoost as text, written in one way.

CatBoost's own files hold the time and a new identity, so equal fits give unequal files, and compiled code reads them before
anything can look at them. What is kept is CatBoost's JSON without these. CatBoost may round the last digit of a number that it
reads, so rows are scored by what was read from the text, from the start: a saved model answers the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

KEPT = ("ctr_data", "features_info", "oblivious_trees", "scale_and_bias")  # of what CatBoost writes
DEEPEST = 16  # levels of a tree


def written(booster) -> bytes:
    """A fitted booster as text: what scoring and explaining need, in one way."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        booster.save_model(str(path), format="json")
        facts = json.loads(path.read_bytes())
    kept = {name: facts[name] for name in KEPT if facts.get(name) is not None}
    for tree in kept["oblivious_trees"]:
        tree["splits"] = [{"split_index": split["split_index"]} for split in tree["splits"] or ()]
    return as_text(kept)


def as_text(facts: Mapping[str, Any]) -> bytes:
    """The one way in which a booster is written."""
    return json.dumps(facts, separators=(",", ":"), sort_keys=True, allow_nan=False).encode("ascii")


def read(text: bytes):
    """CatBoost's object from its text, which CatBoost reads from files only."""
    from catboost import CatBoost

    with TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        path.write_bytes(text)
        return CatBoost().load_model(str(path), format="json")


def columns_of_splits(info: Mapping[str, Any]) -> list[list[int]]:
    """Columns, in CatBoost's order, that each split looks at, by its number: borders, then single values, then statistics."""
    numbers, categories = info.get("float_features", ()), info.get("categorical_features", ())
    found = [[one["flat_feature_index"]] for one in numbers for _ in one["borders"]]
    found += [[one["flat_feature_index"]] for one in categories for _ in one.get("values", ())]
    for statistic in info.get("ctrs", ()):
        columns = {
            (numbers if "float_feature_index" in part else categories)[
                part["float_feature_index" if "float_feature_index" in part else "cat_feature_index"]
            ]["flat_feature_index"]
            for part in statistic["elements"]
        }
        found += [sorted(columns)] * len(statistic["borders"])
    return found

"""Tables that people really have and no example shows: a model, or one clear sentence."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import run_warm

from bank_models import draft_use_case
from bank_models.errors import TrainingError

N = 300
QUICK = ["cv=none", "n_threads=1"]


def sound(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 2))
    return pd.DataFrame({"a": x[:, 0].round(4), "b": x[:, 1].round(4), "y": (x.sum(1) + rng.normal(size=n) > 0).astype(int)})


def many_levels() -> pd.DataFrame:
    frame = sound(20_000)
    return frame.assign(shop=[f"shop {i}" for i in np.random.default_rng(0).integers(0, 10_000, len(frame))])


def one_row_classes() -> pd.DataFrame:
    frame = sound()
    return frame.assign(y=np.where(np.arange(N) == 7, "lonely", np.where(frame.y == 1, "up", "down")))


def mixed() -> pd.DataFrame:
    frame = sound()
    return frame.assign(
        a=[f"{value}" if i % 3 else ("n/k", "none known", "12 apples")[i % 9 // 3] for i, value in enumerate(frame.a)]
    )


def three_thousand_columns() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    wide = pd.DataFrame(rng.normal(size=(200, 3_000)).round(3), columns=[f"x{i}" for i in range(3_000)])
    return wide.assign(y=(wide.x0 + rng.normal(size=200) > 0).astype(int))


def all_integers() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(rng.integers(0, 1_000, (N, 5)), columns=list("abcde")).assign(y=lambda table: table.a + table.b)


def sparse() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    ones = pd.DataFrame((rng.random((N, 60)) < 0.03).astype(int), columns=[f"has_{i}" for i in range(60)])
    return ones.assign(y=((ones.has_0 + ones.has_1 + ones.has_2 + rng.random(N)) > 0.8).astype(int))


def texts() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    good, bad = ["thank you", "great help", "very kind"], ["too late", "never again", "long queue"]
    y = rng.random(N) < 0.5
    words = [f"{rng.choice(good if one else bad)} at branch number {i} on this day" for i, one in enumerate(y)]
    return pd.DataFrame({"comment": words, "y": np.where(y, "happy", "angry")})


EMOJI = "\U0001f600"
TABLES = {  # the table, or its text; and the sentence that it gets where no model can be
    "a column without a value": (lambda: sound().assign(empty=None), None),
    "a category of 10,000 levels": (many_levels, None),
    "a header twice": (lambda: sound().assign(c=1.5).set_axis(["a", "b", "y", "b"], axis=1), None),
    "numbers among words": (mixed, None),
    "a class of one row": (one_row_classes, r"2 rows|1 of the rarest class|1 row"),
    "dates before 1900": (
        lambda: sound().assign(built=[f"{1650 + i % 230}-0{1 + i % 9}-1{i % 9}" for i in range(N)]), None
    ),
    "emoji in names and cells": (
        lambda: sound().assign(**{f"mood {EMOJI}": np.resize([EMOJI, "ok", "\U0001f4a9 x"], N)}), None
    ),
    "3,000 columns": (three_thousand_columns, None),
    "a target with blanks": (
        lambda: sound().assign(y=lambda t: np.where(np.arange(N) % 10 == 0, None, t.y.map({1: "yes", 0: "no"}))), None
    ),
    "nothing but whole numbers": (all_integers, None),
    "sparse zeros and ones": (sparse, None),
    "nothing but texts": (texts, None),
    "names of a spreadsheet's formulas": (
        lambda: sound().rename(columns={"a": "=A1+[x]<y>", "b": "a.b: c # d, {e}"}), None
    ),
    "fewer rows than a model needs": (lambda: sound(12), "The table has 12 rows: a model needs at least 20"),
    "a target of one value": (lambda: sound().assign(y=1), "every row is 1, so there is nothing to predict"),
    "a target of names": (lambda: sound().assign(y=[f"name {i}" for i in range(N)]), "too many classes to learn"),
    "ids and nothing else": (lambda: sound()[["y"]].assign(id=range(N)), "No column is left to learn from: id"),
}  # fmt: skip


SLOW = "3,000 columns"


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if name == SLOW else []) for name in TABLES])
def test_a_hostile_table_gives_a_model_or_one_clear_sentence(tmp_path, name):
    make, sentence = TABLES[name]
    path = tmp_path / "table.csv"
    make().to_csv(path, index=False)
    code, said = _train(path, tmp_path)
    assert "Traceback" not in said, said
    if sentence is None:
        assert code == 0, said
    else:
        assert (code, bool(re.search(sentence, said))) == (2, True), said
        assert len(said.strip().splitlines()) <= 3


def _train(path, folder) -> tuple[int, str]:
    """Exit code and what is said where it is not 0."""
    try:
        draft = draft_use_case(path, "y")
    except TrainingError as error:
        return error.exit_code, str(error)
    (folder / "conf/use_case").mkdir(parents=True)
    (folder / "conf/use_case/table.yaml").write_text(draft.yaml, encoding="utf-8")
    rounds = ["model.params.n_estimators=20"] if draft.choices["model"] == "xgboost" else []
    done = run_warm("--config-dir", folder / "conf", "use_case=table", f"hydra.run.dir={folder}/run", *QUICK, *rounds)
    return done.returncode, done.stderr

"""Target inference: task, positive class, metric."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from bank_models.data.target import spell
from bank_models.drafts.columns import Column
from bank_models.drafts.sniffing import MISSING
from bank_models.errors import ConfigError, DataError

MOST_CLASSES = 50
MOST_NUMBERS_AS_CLASSES = 10
FEWEST_OF_CLASS = 10
RARE = 0.1
POSITIVE = {
    "1", "yes", "y", "true", "t", "bad", "default", "defaulted", "fraud", "churn", "churned", "positive", "pos", "denied",
    "rejected", "late", "lost", "left", "ja", "oui", "spam", "phishing", "malignant", "failed", "fail", "anomaly", "up", "won",
    "bought", "charged", "attrited", "delinquent", "exited", "si", "sí", "sim", "da", "tak", "schlecht",
}  # fmt: skip
NEGATIVE = {
    "0", "no", "n", "false", "f", "not", "non", "nein", "good", "paid", "ok", "none", "never", "negative", "neg", "gut",
    "normal",
}  # fmt: skip
METRICS = {"multiclass": "balanced_accuracy", "regression": "rmse"}


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes
    ----------
    name, task, metric : str
    positive, negative : str, optional
        Names of the two classes, where they are not 1 and 0.
    classes : list of str, optional
        Of more than two.
    n_missing : int
        Rows without it.
    said : list of str
        What was understood, a sentence each.
    doubts : list of str
    """

    name: str
    task: str
    metric: str
    positive: str | None = None
    negative: str | None = None
    classes: list[str] | None = None
    n_missing: int = 0
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def target_of(
    column: Column, labels: pd.Series, task: str | None = None, positive: str | None = None, metric: str | None = None
) -> Target:
    """Tell what a target asks for; a task, a positive class or a metric that is given stands.

    Parameters
    ----------
    column : Column
        The target, as a column.
    labels : Series
        Its values: numbers where the column is of numbers, else text; missing ones are left out.

    Raises
    ------
    DataError
        If there is nothing to predict.
    ConfigError
        If what is given does not fit the values.
    """
    name, n = column.name, len(labels)
    counts = Counter(labels.map(spell))
    if len(counts) < 2:
        only = f"every row is {next(iter(counts))}" if counts else "every value is missing"
        if counts and column.n_missing:
            raise DataError(
                f"{name}: {only} or missing, so there is nothing to predict.\n"
                f"{column.n_missing:,} rows have no {name}: if they are the other class, write its name there.\n"
                "Else choose another target=COLUMN."
            )
        raise DataError(f"{name}: {only}, so there is nothing to predict. Choose another target=COLUMN.")
    chosen = task or _task(column, counts, n)
    facts = {"n_missing": column.n_missing}
    if chosen == "regression":
        if column.type not in ("float", "int", "bool"):
            raise ConfigError(
                f"task=regression predicts a number, but {name} is {column.said}.\nChoose task=multiclass or another target."
            )
        said = [
            f"{name}: a number ({len(counts):,} values from {_plain(labels.min())} to {_plain(labels.max())}): task regression"
        ]
        doubts = _of_number(name, counts, labels, task)
        return Target(name, chosen, metric or METRICS[chosen], **facts, said=said, doubts=doubts)
    if chosen == "multiclass":
        return _of_classes(column, counts, n, task, metric)
    if len(counts) != 2:
        raise ConfigError(
            f"task={chosen} needs two classes, but {name} has {len(counts):,} values.\nChoose task=multiclass or regression."
        )
    return _of_two(column, counts, n, positive, metric)


def _task(column: Column, counts: Counter, n: int) -> str:
    if len(counts) == 2:
        return "binary"
    if column.type == "float" or (column.type == "int" and not _are_classes(counts, n)):
        return "regression"
    if column.type == "date":
        raise DataError(f"{column.name} is a date ({column.said}): it cannot be predicted. Choose another target=COLUMN.")
    if column.type == "text" or len(counts) > MOST_CLASSES:
        raise DataError(
            f"{column.name} has {len(counts):,} different texts: too many classes to learn (at most {MOST_CLASSES}).\n"
            "Choose another target=COLUMN, or put rare ones together in the table."
        )
    return "multiclass"


def _are_classes(counts: Counter, n: int) -> bool:
    return len(counts) <= MOST_NUMBERS_AS_CLASSES and min(counts.values()) >= max(FEWEST_OF_CLASS, 0.01 * n / len(counts))


def _of_number(name: str, counts: Counter, labels: pd.Series, task: str | None) -> list[str]:
    """What is unsure about a target that is a number."""
    if not task and len(counts) <= MOST_NUMBERS_AS_CLASSES:
        return [f"{name} has {len(counts)} values only: task=multiclass takes them as classes"]
    if len(counts) == len(labels) and (labels.sort_values().diff().dropna() == 1).all():
        return [f"{name} numbers the rows, each has its own: is it an id? Then choose another target=COLUMN"]
    return []


def _of_classes(column: Column, counts: Counter, n: int, task: str | None, metric: str | None) -> Target:
    name = column.name
    classes = sorted(counts, key=lambda one: (0, float(one), one) if column.type == "int" else (1, 0, one))
    shown = ", ".join(f"{one} ({counts[one]:,})" for one in classes[:6]) + (", …" if len(classes) > 6 else "")
    said = [f"{name}: {len(classes)} classes, {shown}: task multiclass"]
    doubts = (
        []
        if task or column.type != "int"
        else [f"{name}: whole numbers taken as classes; if they are amounts: task=regression"]
    )
    if odd := [one for one in classes if one.strip() in MISSING]:
        doubts.append(f"{name}: {odd[0]} is taken as a class; if it means that nobody knows, leave it blank in the table")
    rare = [one for one in classes if counts[one] < FEWEST_OF_CLASS]
    if rare:
        few = ", ".join(f"{one} ({counts[one]})" for one in rare[:4]) + (", …" if len(rare) > 4 else "")
        doubts.append(f"{name}: too few rows to learn and to test {few}: put rare classes together in the table")
    return Target(
        name,
        "multiclass",
        metric or METRICS["multiclass"],
        classes=classes,
        n_missing=column.n_missing,
        said=said,
        doubts=doubts,
    )


def _of_two(column: Column, counts: Counter, n: int, positive: str | None, metric: str | None) -> Target:
    name, names = column.name, sorted(counts)
    if positive is not None and positive not in counts:
        raise ConfigError(f"positive={positive} is no value of {name}: it has {names[0]} and {names[1]}.")
    telling = _telling(names)
    rarer = min(names, key=lambda one: (counts[one], one))
    chosen = positive or (telling[0] if len(telling) == 1 else rarer)
    other = next(one for one in names if one != chosen)
    why = "as you say" if positive else "its name says so" if len(telling) == 1 else "the rarer one"
    share = counts[chosen] / n
    said = [f"{name}: {chosen} ({share:.1%}) or {other}: task binary, {chosen} is the positive class ({why})"]
    doubts = [f"{name}: {chosen} is taken as positive because it is rarer; if it is the other one: positive={other}"]
    named = (
        {}
        if {chosen, other} == {"0", "1"} and chosen == "1" and column.type in ("bool", "int")
        else {"positive": chosen, "negative": other}
    )
    measure = metric or ("roc_auc" if share >= RARE else "average_precision")
    return Target(
        name, "binary", measure, **named, n_missing=column.n_missing, said=said, doubts=doubts if why == "the rarer one" else []
    )


def _telling(names: list[str]) -> list[str]:
    """The one of two names that says that it is the class to find; of two numbers, only 1 beside 0 or -1 does."""
    plain = {one: re.sub(r"[.,]0+$", "", one) for one in names}
    if all(re.fullmatch(r"[+-]?\d+", one) for one in plain.values()):
        return [one for one in names if plain[one] == "1"] if {"0", "-1"} & set(plain.values()) else []
    words = {one: set(re.findall(r"\w+", one.lower())) for one in names}
    no = [one for one in names if words[one] & NEGATIVE]
    yes = [one for one in names if words[one] & POSITIVE and one not in no]
    return yes or [one for one in names if one not in no] if len(no) == 1 else yes


def _plain(value: object) -> str:
    return f"{value:,.6g}"

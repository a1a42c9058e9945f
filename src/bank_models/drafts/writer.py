"""YAML text of a draft, with the evidence behind each line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bank_models.drafts.target import RARE

if TYPE_CHECKING:
    from bank_models.drafts import Draft
    from bank_models.drafts.columns import Column

BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_TEXT = {
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "none",
    "nan",
    "inf",
    "_target_",
}  # in YAML, or to Hydra
GROUPS = ("data_source", "model", "data_split", "cv")
LONGEST = 150  # of a comment


def as_yaml(draft: Draft) -> str:
    """The whole file."""
    lines = [
        "# @package _global_",
        "# Drafted from the table: a proposal to read through, not a fact. What speaks for a line stands behind it.",
        *(comment(f"- {text}") for text in draft.said),
        *(["# Not sure:"] if draft.doubts else []),
        *(comment(f"- {text}") for text in draft.doubts),
        "defaults:",
        *(f"  - override /{group}: {draft.choices[group]}" for group in GROUPS),
        "  - _self_",
        "",
        "data_source:",
        *(f"  {name}: {scalar(value)}" for name, value in draft.data_source.items()),
        "",
        *_about_classes(draft),
        "use_case:",
        *_facts(draft),
        "  features:" if draft.use_case["features"] else "  features: {}",
        *_features(draft),
    ]
    return "\n".join([*lines, *_left_out(draft), *_lags(draft)]) + "\n"


def _lags(draft: Draft) -> list[str]:
    lags = draft.use_case.get("lags") or {}
    return [
        *(["  lags:  # of earlier rows"] if lags else []),
        *(f"    {scalar(name)}: {_flow(lag)}" for name, lag in lags.items()),
    ]


def _about_classes(draft: Draft) -> list[str]:
    if draft.target.task == "binary" and draft.target.metric == "average_precision":
        return [
            f"# class_weight: balanced  # fewer than {RARE:.0%} of the rows are positive: the rare class would weigh as much",
            "",
        ]
    return []


def _facts(draft: Draft) -> list[str]:
    said = {name: f"  {name}: {scalar(value)}" for name, value in draft.use_case.items() if name not in ("features", "lags")}
    said["key"] += "  # before a version is promoted, add id (such as UC-RISK-101), department and row (what one row is)"
    said["max_missing"] += "  # of every feature that states no other share"
    lines = list(said.values())
    if draft.protected and draft.target.task == "binary":
        lines += [
            f"  # protected: {scalar(draft.protected)}  # to measure fairness by these, take the marks of both lines away",
            "  # favourable: 0  # the decision that people want: 1 where 1 is an approval, 0 where 1 is a default or a fraud",
        ]
    return lines


def _features(draft: Draft) -> list[str]:
    by_name = {column.name: column for column in draft.columns}
    lines = []
    for name, feature in draft.use_case["features"].items():
        why = "; ".join([by_name[name].said, *draft.hints.get(name, [])])
        lines.append(f"    {scalar(name)}: {_flow(feature)}  {comment(why)}")
    return lines


def _left_out(draft: Draft) -> list[str]:
    by_name: dict[str, Column] = {column.name: column for column in draft.columns}
    lines = []
    for name, why in draft.left_out.items():
        kind = by_name[name].type if name in by_name else "category"
        lines.append(f"    # {_one_line(scalar(name))}: {kind}  {comment(f'left out: {why}')}")
    return lines


def _flow(feature: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {scalar(value)}" for name, value in feature.items()) + "}"


def scalar(value: Any) -> str:
    """A value in YAML that is read as just this value."""
    if isinstance(value, dict):
        return _flow(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, str):
        return value if BARE.fullmatch(value) and value.lower() not in NO_TEXT else _quoted(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Double quotes, as JSON has them; characters that cannot be seen in hex."""
    found = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in found)


def _number(value: float) -> str:
    """With a point where there is an exponent: YAML takes 1e+07 for a text."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))


def comment(text: str) -> str:
    return f"# {_one_line(text)}"


def _one_line(text: str) -> str:
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"

"""Verification of a draft against our own schema and every row of its table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from bank_models.config.use_case import UseCase
from bank_models.data import file
from bank_models.data.dataset import Dataset
from bank_models.data.table_schema import schema_of
from bank_models.data.target import as_zero_and_one
from bank_models.data.validation import Validated, validate
from bank_models.errors import DataError
from bank_models.evaluation import leakage

if TYPE_CHECKING:
    from bank_models.drafts import Draft
    from bank_models.drafts.table import Opened

SEED = 42
FEWEST_VALUES = 10  # of a number that may have a direction
STRONG = 0.3  # rank correlation from which a direction is worth a word
MOST_HINTS = 200  # columns that are looked at for directions
MOST_CELLS = 50_000_000  # of a table that is looked through for leaks


def proven(draft: Draft, source: Any, opened: Opened) -> Draft:
    """The draft without features that the table itself does not keep, and with what the rows tell of the others.

    Raises
    ------
    DataError
        If no feature is left, or the table has a fault that is of no feature.
    """
    try:
        use_case = UseCase.model_validate(draft.use_case)
    except ValidationError as error:
        raise DataError(f"No use case can be made of this table: {error.errors()[0]['msg']}.") from error
    data = _load(use_case, source, opened)
    use_case, draft, valid = _valid(use_case, draft, data)
    y = valid.frame[use_case.target].to_numpy()
    hints: dict[str, list[str]] = {}
    doubts = []
    if use_case.features and valid.frame.size <= MOST_CELLS:
        suspects = leakage.suspects(valid.frame[list(use_case.features)], y, use_case.task, SEED)
        for suspect in [one for one in suspects if len(one.columns) == 1]:
            (name,) = suspect.columns
            measure = f"{leakage.NAMES[suspect.metric]} {suspect.value:.3f}"
            hints.setdefault(name, []).append(f"predicts the target almost alone ({measure}): known in time? Else take it out")
            doubts.append(f"{name} alone predicts {use_case.target} with {measure}: is it known when the score is needed?")
    for name, said in _directions(use_case, valid.frame, y).items():
        hints.setdefault(name, []).append(said)
    return replace(draft, hints=hints, doubts=[*doubts, *draft.doubts])


def _load(use_case: UseCase, source: Any, opened: Opened) -> Dataset:
    if isinstance(source, pd.DataFrame):
        frame = opened.cells.to_pandas()
        frame = frame[frame[use_case.target].notna()].reset_index(drop=True)
        if use_case.positive is not None:
            frame = frame.assign(**{use_case.target: as_zero_and_one(frame[use_case.target], use_case.positive, "the frame")})
        return Dataset(frame, {})
    return file.load(str(source), schema_of(use_case), opened.reading, use_case.unlabelled)


def _valid(use_case: UseCase, draft: Draft, data: Dataset) -> tuple[UseCase, Draft, Validated]:
    try:
        return use_case, draft, _validated(use_case, data, list(use_case.features))
    except DataError as error:
        faults = {name: said for name in use_case.features if (said := _fault(use_case, data, name))}
        if not faults:
            raise
        kept = {name: one for name, one in draft.use_case["features"].items() if name not in faults}
        if not kept:
            raise error
    left_out = draft.left_out | {name: f"it does not pass the check: {said}" for name, said in faults.items()}
    doubts = [*draft.doubts, *(f"{name} is left out: {said}" for name, said in faults.items())]
    draft = replace(draft, use_case=draft.use_case | {"features": kept}, left_out=left_out, doubts=doubts)
    use_case = UseCase.model_validate(draft.use_case)
    return use_case, draft, _validated(use_case, data, list(kept))


def _fault(use_case: UseCase, data: Dataset, name: str) -> str:
    """What validation says of one feature, in a line; nothing if it passes."""
    try:
        _validated(use_case, data, [name])
    except DataError as error:
        lines = [line for line in str(error).splitlines() if line.startswith(f"{name}: ")]
        return lines[0].removeprefix(f"{name}: ") if lines else ""
    return ""


def _validated(use_case: UseCase, data: Dataset, names: list[str]) -> Validated:
    return validate(data.frame, replace(schema_of(use_case), features={name: use_case.features[name] for name in names}))


def _directions(use_case: UseCase, frame: pd.DataFrame, y: np.ndarray) -> dict[str, str]:
    """Numbers that rise or fall with the target, as a direction that could be asked of the model."""
    if use_case.task == "multiclass":
        return {}
    found = {}
    of_target = pd.Series(y).rank()
    numbers = [name for name, one in use_case.features.items() if one.type in ("int", "float")][:MOST_HINTS]
    for name in numbers:
        if frame[name].nunique() < FEWEST_VALUES:
            continue
        value = float(frame[name].astype("float64").rank().corr(of_target))
        if abs(value) >= STRONG:
            sign = 1 if value > 0 else -1
            found[name] = f"rank correlation with the target {value:+.2f}: if it must be so, add monotone: {sign}"
    return found

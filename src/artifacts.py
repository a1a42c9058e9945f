"""Write a run so that it is complete or absent, and read back only bytes that were written."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import json
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.errors import ConfigError, IntegrityError

log = logging.getLogger(__name__)
MANIFEST = "manifest.json"
TRUSTED = [  # types, beyond skops' own list, that a model file may hold; never asked of the file itself
    "collections.OrderedDict",
    "functools.partial",  # of a function that must be trusted itself
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "src.clustering.DBSCANClustering",
    "src.clustering.HierarchicalClustering",
    "src.clustering.KMeansClustering",
    "src.ensemble.EnsembleClassifier",
    "src.ensemble.EnsembleRegressor",
    "src.fit.OnTargetScale",
    "src.neural.NeuralNetworkClassifier",
    "src.neural.NeuralNetworkRegressor",
    "src.threshold.CheapestClass",
    "src.transformers.AsNumbers",  # these five as models name them that were saved before each kind had its module
    "src.transformers.CategoryCodes",
    "src.transformers.CategoryEncoder",
    "src.transformers.DateParts",
    "src.transformers.TextTerms",
    "src.transformers.categories.CategoryCodes",
    "src.transformers.categories.CategoryEncoder",
    "src.transformers.dates.DateParts",
    "src.transformers.matrix.NoColumns",
    "src.transformers.numbers.AsNumbers",
    "src.transformers.texts.TextTerms",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]
RENAME_EXCHANGE = 2
_SCRATCH: set[Path] = set()
_CLAIMED: set[Path] = set()


@contextlib.contextmanager
def scratch(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder that is gone when the block ends, or when an interrupted process calls `abandon`."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _SCRATCH.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _SCRATCH.discard(folder)


@contextlib.contextmanager
def published(run_dir: Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well it takes the place of `run_dir`, in one step.

    The folder gets a `manifest.json` with size and SHA-256 of every file. Whatever goes wrong, `run_dir` is as it was.

    Parameters
    ----------
    run_dir : Path

    Yields
    ------
    Path
        An empty folder on the same file system.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(run_dir.parent, run_dir.name)
    with scratch(f".{run_dir.name}-{os.getpid()}-", run_dir.parent) as staging:
        yield staging
        write_manifest(staging)
        staging.chmod(0o755)
        replace_folder(run_dir, staging)


def abandon() -> None:
    """Take back what unfinished runs of this process have made; it is about to end without unwinding."""
    for folder in _SCRATCH:
        shutil.rmtree(folder, ignore_errors=True)
    for run_dir in _CLAIMED:
        remove_empty(run_dir)


def check_replaceable(run_dir: Path) -> None:
    """Refuse to put a run in the place of a folder that is something else.

    Raises
    ------
    ConfigError
    """
    if run_dir.exists() and not (run_dir / MANIFEST).is_file() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise ConfigError(f"{run_dir} exists and is not a run folder: choose another with hydra.run.dir=…")
    _CLAIMED.add(run_dir)


def remove_empty(run_dir: Path) -> None:
    """Remove a folder that was made for a run that then left nothing in it, and the empty one above it."""
    for folder in (run_dir, run_dir.parent):
        if not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def write_json(path: Path, values: Any) -> None:
    """Sorted keys, no NaN, one final newline."""
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Put a text in a file, in one step for whoever reads it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def dump(path: Path, model: Any) -> None:
    """Save a fitted object in the skops format: equal objects give equal bytes."""
    path.write_bytes(_normal_form(_skops_io().dumps(model)))


def dump_joblib(path: Path, model: Any) -> None:
    """Save a fitted object as a pickle, and warn of it."""
    import joblib

    log.warning(f"{path.name} is a pickle: whoever opens it runs the code in it. The .skops file beside it holds the same.")
    joblib.dump(model, path)


def load(run_dir: Path, name: str = "model.skops") -> Any:
    """Read a fitted object from a run folder.

    Parameters
    ----------
    run_dir : Path
    name : str
        A `.skops` file of the folder; or a `.joblib` file, which is a pickle, and is opened with a warning.

    Returns
    -------
    object
        From skops, built only of types that this module trusts.

    Raises
    ------
    IntegrityError
        If the file is not the one that was written, or holds a type that no model of ours needs.
    """
    data = read_verified(run_dir, name)
    if name.endswith(".joblib"):
        import joblib

        warnings.warn(f"{Path(run_dir, name)} is a pickle: opening it runs the code in it", stacklevel=2)
        return joblib.load(io.BytesIO(data))
    skops_io = _skops_io()
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops_io.loads(data, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise IntegrityError(f"{Path(run_dir, name)} is refused: {error}") from error
    except zipfile.BadZipFile as error:
        raise IntegrityError(f"{Path(run_dir, name)} is refused: it is not a skops file") from error


def read_verified(run_dir: Path, name: str) -> bytes:
    """Bytes of a file of a run folder, after its size and SHA-256 were found to be the manifest's.

    Raises
    ------
    IntegrityError
        If there is no manifest, or the file is absent, a link, not in the manifest, or not what was written.
    """
    path = Path(run_dir, name)
    try:
        entry = json.loads(Path(run_dir, MANIFEST).read_text())["files"][name]
        if not stat.S_ISREG(path.lstat().st_mode):
            raise IntegrityError(f"{path} is not a regular file")
        data = path.read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path} cannot be verified: {type(error).__name__} {error}") from error
    if len(data) != entry["size"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise IntegrityError(f"{path} is not the file that was written: its size or SHA-256 differs from {MANIFEST}")
    return data


def names_in_manifest(folder: Path) -> list[str]:
    """Names of a folder's files, as its manifest has them.

    Raises
    ------
    IntegrityError
        If there is no manifest that can be read.
    """
    try:
        return sorted(json.loads((folder / MANIFEST).read_text())["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{folder / MANIFEST} cannot be read: {type(error).__name__} {error}") from error


def verify(folder: Path, manifest_sha256: str | None = None) -> None:
    """Check every byte of a folder.

    Parameters
    ----------
    folder : Path
    manifest_sha256 : str, optional
        Of its manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If a file was changed, added or lost.
    """
    names = names_in_manifest(folder)
    if manifest_sha256 is not None and hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest() != manifest_sha256:
        raise IntegrityError(f"{folder / MANIFEST} is not the file that was written.")
    for name in names:
        read_verified(folder, name)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
    if added := sorted(there - {*names, MANIFEST}):
        raise IntegrityError(f"{folder / added[0]} was added after the folder was written.")


def _skops_io():
    """skops, imported without PyTorch: it walks through all of scikit-learn, which would import that, for 1.5 s and no use."""
    sys.meta_path.insert(0, _NoTorch)
    try:
        import skops.io
    finally:
        sys.meta_path.remove(_NoTorch)
    return skops.io


class _NoTorch:
    """A finder that says that there is no PyTorch to import; one that is imported stays."""

    @staticmethod
    def find_spec(name: str, path=None, target=None) -> None:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


def _normal_form(data: bytes) -> bytes:
    """Rewrite a skops archive without what differs between two dumps of one object: memory addresses and clock times."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(contents.pop("schema.json"))
    numbers: dict[Any, int] = {}
    files: dict[str, bytes] = {}

    def renumber(node: Any) -> Any:
        if isinstance(node, list):
            return [renumber(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = dict(node)
        if "__id__" in node:
            # plain values are told apart by value: whether two of them share an address is chance
            key = node["content"] if node.get("__loader__") == "JsonNode" else node["__id__"]
            node["__id__"] = numbers.setdefault((node.get("__loader__"), key), len(numbers) + 1)
        if node.get("file") in contents:
            name = f"{node['__id__']}{Path(node['file']).suffix}"
            files[name] = contents[node["file"]]
            node["file"] = name
        return {key: renumber(value) for key, value in node.items()}

    files["schema.json"] = json.dumps(renumber(schema), separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def write_manifest(folder: Path) -> None:
    """Write size and SHA-256 of every file of a folder into its manifest, and wait until all of it is on the disk."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        sync(path)
    write_json(folder / MANIFEST, {"files": files})
    sync(folder / MANIFEST)
    sync(folder)


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_folder(run_dir: Path, staging: Path) -> None:
    """Put `staging` at `run_dir`; what stood there is at `staging` afterwards."""
    if run_dir.is_dir() and any(run_dir.iterdir()):
        if not _exchange(staging, run_dir):
            aside = staging.with_name(staging.name + "-old")
            run_dir.rename(aside)
            staging.rename(run_dir)
            aside.rename(staging)
    else:
        staging.rename(run_dir)
    sync(run_dir.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step where the system can (Linux' renameat2); Python offers no call for it."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    at_cwd = -100
    return bool(rename) and rename(at_cwd, os.fsencode(a), at_cwd, os.fsencode(b), RENAME_EXCHANGE) == 0


def remove_abandoned(parent: Path, name: str) -> None:
    """Delete what killed processes left in a folder while they wrote something of this name."""
    pattern = re.compile(rf"\.{re.escape(name)}-(\d+)-\w+")
    for path in parent.iterdir():
        if (owner := pattern.fullmatch(path.name)) and not Path("/proc", owner[1]).exists():
            shutil.rmtree(path, ignore_errors=True)

"""Write a run so that it is complete or absent, and read back only bytes that were written."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from src.errors import ConfigError, IntegrityError

log = logging.getLogger(__name__)
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 16 * 2**20  # bytes; a run's has some 5,000
LONGEST_NAME = 1024
NO_FILE = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)  # what the system says of a link, a folder, a pipe, a socket
TRUSTED = [  # every type that a model file may hold beside numbers, texts and containers; never asked of the file itself
    "collections.OrderedDict",
    "functools.partial",  # of the function that stands below
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss._loss.CyPinballLoss",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.PinballLoss",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.decomposition._truncated_svd.TruncatedSVD",
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.frozen._frozen.FrozenEstimator",
    "sklearn.impute._base.MissingIndicator",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.isotonic.IsotonicRegression",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.model_selection._classification_threshold.FixedThresholdClassifier",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.PowerTransformer",
    "sklearn.preprocessing._data.QuantileTransformer",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.preprocessing._target_encoder.TargetEncoder",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "src.models.clustering.estimators.DBSCANClustering",
    "src.models.clustering.estimators.HierarchicalClustering",
    "src.models.clustering.estimators.KMeansClustering",
    "src.training.ensemble.EnsembleClassifier",
    "src.training.ensemble.EnsembleRegressor",
    "src.training.fit.OnTargetScale",
    "src.models.neural.estimator.NeuralNetworkClassifier",
    "src.models.neural.estimator.NeuralNetworkRegressor",
    "src.metrics.threshold.CheapestClass",
    "src.features.transformers.categories.CategoryCodes",
    "src.features.transformers.categories.CategoryEncoder",
    "src.features.transformers.dates.DateParts",
    "src.features.transformers.matrix.NoColumns",
    "src.features.transformers.numbers.AsNumbers",
    "src.features.transformers.texts.TextTerms",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]
RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Written:
    """Size in bytes and SHA-256 of a file, as its folder's manifest has them."""

    size: int
    sha256: str


@dataclass
class Kept:
    """What this process has put at a folder: the hash of its manifest, and what holds it there; None before that."""

    manifest_sha256: str | None = None
    descriptor: int | None = None


_SCRATCH: set[Path] = set()
_CLAIMED: set[Path] = set()
_KEPT: dict[Path, Kept] = {}


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

    The folder gets a `manifest.json` with size and SHA-256 of every file. Whatever goes wrong, `run_dir` is as it was. Where
    another process `keeps` what it has published there, this one waits.

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
        sha256 = write_manifest(staging)
        staging.chmod(0o755)
        with _alone_at(run_dir):
            if kept := _KEPT.get(run_dir):
                kept.manifest_sha256, kept.descriptor = sha256, _lock(staging)
            replace_folder(run_dir, staging)


@contextlib.contextmanager
def keeps(run_dir: Path) -> Iterator[Kept]:
    """Let what this process publishes at a folder stay there until the block ends: who else publishes there waits for that.

    So what is read from the folder meanwhile, to register it say, is this process's own.
    """
    kept = _KEPT[run_dir] = Kept()
    try:
        yield kept
    finally:
        del _KEPT[run_dir]
        if kept.descriptor is not None:
            os.close(kept.descriptor)


@contextlib.contextmanager
def _alone_at(run_dir: Path) -> Iterator[None]:
    """Be the only process that puts a folder at a place, after the one whose folder stands there has let go of it."""
    with contextlib.ExitStack() as locks:
        while not _is_locked(run_dir, locks):
            locks.close()
        yield


def _is_locked(run_dir: Path, locks: contextlib.ExitStack) -> bool:
    """Lock the folder at a place, then the one above it; False if another took the place while this process waited.

    Nobody waits with the lock above in hand, so none waits for another in a circle.
    """
    there = _lock(run_dir) if run_dir.is_dir() else None
    if there is not None:
        locks.callback(os.close, there)
    locks.callback(os.close, _lock(run_dir.parent))
    return (there is not None and os.fstat(there).st_ino) == (run_dir.is_dir() and run_dir.stat().st_ino)


def _lock(folder: Path) -> int:
    """Lock a folder, and give what holds the lock until it is closed; some network file systems have none for folders."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def abandon() -> None:
    """Take back what unfinished runs of this process have made; it is about to end without unwinding."""
    for folder in list(_SCRATCH):
        shutil.rmtree(folder, ignore_errors=True)
    for run_dir in list(_CLAIMED):
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
    """Remove a folder that was made for a run that then left nothing in it, and the empty ones above it that may be ours.

    These are the one above it, and those up to the working directory.
    """
    above = run_dir.absolute().parents
    n_ours = above.index(Path.cwd()) if Path.cwd() in above else 1
    with contextlib.suppress(OSError):  # one that is not empty
        for folder in (run_dir, *above[:n_ours]):
            folder.rmdir()


def write_json(path: Path, values: Any) -> None:
    """Sorted keys, no NaN, one final newline."""
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file, in one step for whoever reads it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
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


def load(run_dir: Path, name: str = "model.skops", manifest_sha256: str | None = None) -> Any:
    """Read a fitted object from a run folder.

    Parameters
    ----------
    run_dir : Path
    name : str
        A `.skops` file of the folder; or a `.joblib` file, which is a pickle, and is opened with a warning.
    manifest_sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Returns
    -------
    object
        From skops, built only of types that this module trusts.

    Raises
    ------
    IntegrityError
        If the file is not the one that was written, or is one that no training writes: see `src.runs.model_checks`.
    """
    data, path = read_verified(run_dir, name, manifest_sha256), Path(run_dir, name)
    if name.endswith(".joblib"):
        warnings.warn(f"{path} is a pickle: opening it runs the code in it", stacklevel=2)
    try:
        return _unpickled(data) if name.endswith(".joblib") else _loads(data)
    except (
        Exception
    ) as error:  # whatever the readers of zip files, JSON, arrays and boosters raise of bytes that they do not like
        raise IntegrityError(f"{shown(path)} is refused: {_told(error)}") from error


def _unpickled(data: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))


def _loads(data: bytes) -> Any:
    _skops_io()
    from src.runs import model_checks

    return model_checks.loads(data, TRUSTED)


def _told(error: Exception) -> str:
    """An error in one line, though its text may come from the file."""
    from src.runs.model_checks.fault import Malformed

    text = " ".join("".join(character if character.isprintable() else " " for character in str(error)).split())[:200]
    return text if isinstance(error, Malformed) else f"{type(error).__name__}: {text}"


def open_file(folder: Path, name: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file below a folder: no link on the way from there is followed, no pipe or device is waited for.

    Parameters
    ----------
    folder : Path
        Named by a person; may be a link.
    name : str
        Relative; `folder` and whoever can write there need not be trusted.
    flags : int
        As of `os.open`.

    Returns
    -------
    int
        A descriptor.

    Raises
    ------
    IntegrityError
        If something else than a regular file is there, or a link leads to it.
    OSError
        If nothing is there, or the system cannot open it.
    """
    *folders, last = name.split("/")
    inner = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    at = os.open(folder, inner)
    try:
        for part in folders:
            outer, at = at, os.open(part, inner | os.O_NOFOLLOW, dir_fd=at)
            os.close(outer)
        descriptor = os.open(last, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=at)
    except OSError as error:
        if error.errno in NO_FILE:
            raise IntegrityError(f"{Path(folder, name)} is not a regular file") from error
        raise
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IntegrityError(f"{Path(folder, name)} is not a regular file")
    return descriptor


def read_file(folder: Path, name: str, at_most: int) -> bytes:
    """Bytes of a file below a folder, as `open_file` opens it.

    Raises
    ------
    IntegrityError
        If it isn't a regular file, or has more bytes than `at_most`.
    OSError
        If there is none, or it cannot be read.
    """
    with os.fdopen(open_file(folder, name), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > at_most:
            raise IntegrityError(f"{Path(folder, name)} is refused: it has {size:,} bytes, and {at_most:,} are the most")
        return file.read(size)


def parse_json(data: bytes, path: Path) -> Any:
    """Values of a JSON text.

    Raises
    ------
    IntegrityError
        If it isn't JSON in UTF-8, or holds a number that isn't finite.
    """
    try:
        values = json.loads(data.decode())
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} cannot be read: it is not JSON") from error
    return values


def check_folder(path: Path) -> None:
    """Refuse what stands in a folder's place: a link, a file; that nothing stands there is no fault.

    Raises
    ------
    IntegrityError
    """
    if os.path.lexists(path) and not stat.S_ISDIR(path.lstat().st_mode):
        raise IntegrityError(
            f"{path} is {'a link' if path.is_symlink() else 'a file'}, where a folder must be: it is not opened"
        )


def read_verified(folder: Path, name: str, manifest_sha256: str | None = None) -> bytes:
    """Bytes of a file of a run folder, after its size and SHA-256 were found to be the manifest's.

    Parameters
    ----------
    folder : Path
    name : str
    manifest_sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If there is no manifest, or the file is absent, a link, not in the manifest, or not what was written.
    """
    folder = Path(folder)
    written = read_manifest(folder, manifest_sha256).get(name)
    if written is None:
        raise IntegrityError(f"{folder / name} cannot be verified: {MANIFEST} does not name it")
    with _opened(folder, name, written) as file:
        data = file.read(written.size)
    _check_sha256(folder / name, hashlib.sha256(data).hexdigest(), written)
    return data


def read_manifest(folder: Path, sha256: str | None = None) -> dict[str, Written]:
    """What a folder's manifest says of every file.

    Parameters
    ----------
    folder : Path
    sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If there is no manifest, it has another hash, or it isn't one that was written here.
    """
    path, data = folder / MANIFEST, _manifest_bytes(folder)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"{path} is not the file that was written.")
    values = parse_json(data, path)
    if not isinstance(values, dict) or set(values) != {"files"} or not isinstance(values["files"], dict):
        raise IntegrityError(f"{path} cannot be read: it is not a list of files")
    for name, facts in values["files"].items():
        _check_entry(path, name, facts)
    return {name: Written(**facts) for name, facts in sorted(values["files"].items())}


def manifest_sha256(folder: Path) -> str:
    """SHA-256 of a folder's manifest.

    Raises
    ------
    IntegrityError
        If there is no manifest.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return read_file(folder, MANIFEST, LARGEST_MANIFEST)
    except OSError as error:
        raise IntegrityError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error


def _check_entry(path: Path, name: str, facts: Any) -> None:
    """Refuse a name that could lead out of the folder or hide in a terminal, and facts that are no size and no hash."""
    is_plain = name.isprintable() and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))
    if not is_plain or name == MANIFEST or len(name) > LONGEST_NAME:
        raise IntegrityError(f"{path} is refused: {name[:80]!a} is not the name of a file inside the folder")
    is_entry = isinstance(facts, dict) and set(facts) == {"size", "sha256"} and type(facts["size"]) is int
    is_hash = is_entry and isinstance(facts["sha256"], str) and re.fullmatch("[0-9a-f]{64}", facts["sha256"])
    if not is_hash or facts["size"] < 0:
        raise IntegrityError(f"{path} is refused: what it says of {name} is not a size and a SHA-256")


@contextlib.contextmanager
def _opened(folder: Path, name: str, written: Written) -> Iterator[BinaryIO]:
    """A file that has the size that was written."""
    try:
        with os.fdopen(open_file(folder, name), "rb") as file:
            if os.fstat(file.fileno()).st_size != written.size:
                _check_sha256(folder / name, None, written)
            yield file
    except OSError as error:
        raise IntegrityError(f"{folder / name} cannot be verified: {error.strerror}") from error


def _check_sha256(path: Path, sha256: str | None, written: Written) -> None:
    if sha256 != written.sha256:
        raise IntegrityError(f"{path} is not the file that was written: its size or SHA-256 differs from {MANIFEST}")


def names_in_manifest(folder: Path) -> list[str]:
    """Names of a folder's files, as its manifest has them.

    Raises
    ------
    IntegrityError
        If there is no manifest that can be read.
    """
    return list(read_manifest(folder))


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
    files = read_manifest(folder, manifest_sha256)
    for name, written in files.items():
        with _opened(folder, name, written) as file:
            _check_sha256(folder / name, _sha256(file, written.size), written)
    if added := sorted(_names_below(folder) - {*files, MANIFEST}):
        raise IntegrityError(f"{shown(folder / added[0])} was added after the folder was written.")


def shown(path: Path) -> str:
    """A path that somebody else may have named, as one line of plain text."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _sha256(file: BinaryIO, size: int) -> str:
    """Hash of the first bytes of a file, never all of them in memory."""
    digest = hashlib.sha256()
    while size and (data := file.read(min(size, 2**20))):
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def _names_below(folder: Path) -> set[str]:
    """Names of all that is below a folder and isn't a folder itself; a link is one of them, wherever it leads."""
    found, left = set(), [""]
    try:
        while left:
            at = left.pop()
            with os.scandir(folder / at) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    left.append(f"{at}{entry.name}/") if is_folder else found.add(f"{at}{entry.name}")
    except OSError as error:
        raise IntegrityError(f"{shown(folder / at)} cannot be verified: {error.strerror}") from error
    return found


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


def write_manifest(folder: Path) -> str:
    """Write size and SHA-256 of every file of a folder into its manifest, and wait until all of it is on the disk.

    Returns
    -------
    str
        SHA-256 of the manifest.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST):
        data = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        sync(path)
    write_json(folder / MANIFEST, {"files": files})
    sync(folder / MANIFEST)
    sync(folder)
    return manifest_sha256(folder)


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

"""Lineage: the source files, packages and data that a result depends on.

Every module that a stage can reach counts, with two exceptions. `NOT_PART_OF_A_RESULT` checks, launches, shows or stores
a run. `ONLY_WITH` names modules that are imported for some stages only: a stage depends on them if one of its words is there.
A stage that loads a module which is not counted is refused by `check_loaded`, so the two lists cannot be wrong for long.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from bank_models.errors import IntegrityError
from bank_models.extensions import features as own
from bank_models.models.algorithm import Algorithm
from bank_models.models.estimators import ESTIMATORS, OURS
from bank_models.runs import extensions

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "bank_models/data/catalogue"
ENTRY = {"fit": "bank_models.pipeline.fit.stage", "evaluate": "bank_models.pipeline.evaluate.stage"}
NOT_PART_OF_A_RESULT = (
    "bank_models.command_line", "bank_models.commands", "bank_models.config.catalogue", "bank_models.config.checks",
    "bank_models.config.compose",
    "bank_models.config.effects", "bank_models.config.hydra_node", "bank_models.config.interpolations",
    "bank_models.config.launcher",
    "bank_models.config.mistyped", "bank_models.config.places", "bank_models.config.project", "bank_models.config.root_file",
    "bank_models.config.schema", "bank_models.config.secrets", "bank_models.config.settings", "bank_models.drafts",
    "bank_models.evaluation.looks", "bank_models.evaluation.validity", "bank_models.extensions", "bank_models.files.yaml_file",
    "bank_models.models.library_parameters", "bank_models.pipeline.documents", "bank_models.pipeline.run",
    "bank_models.registry", "bank_models.report", "bank_models.reproduce", "bank_models.resolve",
    "bank_models.runs.comparison", "bank_models.runs.experiments", "bank_models.runs.extensions",
    "bank_models.runs.fingerprint", "bank_models.runs.history", "bank_models.runs.listing", "bank_models.runs.record",
    "bank_models.runtime.cluster", "bank_models.runtime.device", "bank_models.runtime.forkserver",
    "bank_models.runtime.garbage", "bank_models.runtime.git", "bank_models.runtime.interrupt", "bank_models.runtime.monitor",
    "bank_models.runtime.notebook", "bank_models.runtime.process_pool", "bank_models.runtime.processes",
    "bank_models.runtime.progress", "bank_models.runtime.system_errors", "bank_models.runtime.terminal", "bank_models.stages",
    "bank_models.sweeps", "bank_models.tracking", "bank_models.train", "bank_models.use_cases",
)  # fmt: skip
SUPERVISED = {"binary", "multiclass", "regression"}
TRANSFORMERS = "bank_models.features.transformers"
OF_KIND = {"category": "categories", "date": "dates", "number": "numbers", "own transformer": "own", "text": "texts"}
LOADED_ANYWAY = (TRANSFORMERS, "bank_models.config")
"""Of no effect where nothing else asks for them: without a column of the kind, and where the settings hold what was read."""
ONLY_WITH = {  # of any of these; a module of a package needs what the package needs too
    "bank_models.evaluation": {"evaluate"},
    "bank_models.pipeline.evaluate": {"evaluate"},
    "bank_models.pipeline.fit": {"fit"},
    "bank_models.runs.model_checks": {"evaluate"},  # of a model that is read
    "bank_models.metrics.clusters": {"clustering", "anomaly"},
    "bank_models.metrics.headline": {"fit", "evaluate"},  # which our plugins of Hydra load in either
    "bank_models.models.catboost.estimator": {"catboost"},
    "bank_models.models.clustering.estimators": {"clustering", "anomaly"},
    "bank_models.training.cross_validation": SUPERVISED,
    "bank_models.data.derived": {"derived"},
    **{f"{TRANSFORMERS}.{module}": {f"column of {kind}"} for kind, module in OF_KIND.items()},
    "bank_models.data.file": {"file", "sql", "extension"},
    "bank_models.data.own_source": {"extension"},
    "bank_models.data.simulated": {"simulated"},
    "bank_models.data.sql": {"sql"},
    "bank_models.training.ensemble": {"ensemble", "searched"},
    "bank_models.evaluation.leakage": SUPERVISED | {"anomaly"},
    "bank_models.models.clustering.linkage": {"clustering", "anomaly"},
    "bank_models.evaluation.monotone": SUPERVISED,
    "bank_models.evaluation.requirements": SUPERVISED | {"clustering", "anomaly"},
    "bank_models.models.clustering.density": {"clustering", "anomaly"},
    "bank_models.models.neural.network": {"neural_network"},
    "bank_models.models.neural.estimator": {"neural_network"},
    **{f"bank_models.models.early_stopping.{one.rounds}": {one.rounds} for one in OURS.values() if one.rounds},
    "bank_models.training.shards": {"shards"},
    "bank_models.training.shard_worker": {"shards"},
    **{f"bank_models.models.early_stopping.{library}_shards": {"shards"} for library in ("lightgbm", "xgboost")},
    "bank_models.tuning": {"searched"},
    "bank_models.pipeline.evaluate.anomalies": {"anomaly"},
    "bank_models.pipeline.evaluate.clusters": {"clustering", "anomaly"},
    "bank_models.pipeline.evaluate.supervised": SUPERVISED,
    "bank_models.pipeline.fit.folds": SUPERVISED,
    "bank_models.pipeline.fit.search": {"searched"},
    "bank_models.pipeline.fit.supervised": SUPERVISED,
    "bank_models.pipeline.fit.unsupervised": {"clustering", "anomaly"},
}
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")


def depends_on(settings: dict[str, Any]) -> dict[str, Any]:
    """Fingerprints of all that the stages of a use case depend on beside its settings.

    Parameters
    ----------
    settings : dict
        A checked configuration, as plain values.

    Returns
    -------
    dict
        `code`: a hash for each source file, in which comments and docstrings do not count, of `both` stages, of `fit` alone
        and of `evaluate` alone. `packages`: versions, those of extensions with a hash of their content. `data`: a hash for
        each file that describes or holds the rows.
    """
    return {"code": _code(settings), "packages": _packages(settings), "data": _data(settings)}


def check_loaded(stage: str, settings: dict[str, Any], loaded: Iterable[str]) -> None:
    """Make sure that a stage used no module that is not counted.

    Parameters
    ----------
    stage : {"fit", "evaluate"}
    settings : dict
    loaded : iterable of str
        Names of modules, such as `sys.modules` of the process that ran it and nothing else.

    Raises
    ------
    IntegrityError
    """
    ours = {
        name for name in loaded if name.startswith("bank_models.") and not _is_in(name, [*NOT_PART_OF_A_RESULT, *LOADED_ANYWAY])
    }
    if missed := sorted(ours - set(modules_of(stage, settings)) - {name for name in ours if _is_empty(name)}):
        raise IntegrityError(
            f"{', '.join(missed)}: loaded by the stage {stage}, but not counted in its lineage. See stages/lineage.py."
        )


def modules_of(stage: str, settings: dict[str, Any]) -> list[str]:
    """Names of the modules that a stage depends on, in order."""
    words = {stage} | _words(settings) | (_words_of_rows(settings) if stage == "fit" else set())
    left_out = [*NOT_PART_OF_A_RESULT, *(name for name, needs in ONLY_WITH.items() if not needs & words)]
    derived = _derivation_module(settings) if stage == "fit" else []
    counted, waiting = set(), [ENTRY[stage], *(name for name in ONLY_WITH if not _is_in(name, left_out)), *derived]
    while waiting:
        name = waiting.pop()
        if name in counted or _is_in(name, left_out) or _path(name) is None:
            continue
        counted.add(name)
        waiting += [*_imports(name), name.rpartition(".")[0]]
        if name == "bank_models.data.simulated":
            waiting += [f"{name}.{path.stem}" for path in _path(name).parent.glob("*.py")]
    others = {"bank_models.data.derived." + path.stem for path in (ROOT / "bank_models/data/derived").glob("*.py")}
    return sorted(counted - {"", "bank_models"} - (others - _reached(derived)))


def meaning(source: str) -> str:
    """Source text without comments, docstrings and blank lines: what stays the same when only words about the code change."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            text = node.body[0]
            lines[text.lineno - 1 : text.end_lineno] = [""] * (text.end_lineno - text.lineno + 1)
    bare = "\n".join(lines) + "\n"
    kept = bare.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(bare).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            kept[row - 1] = kept[row - 1][:column]
    return "\n".join(line.rstrip() for line in kept if line.strip())


def _words(settings: dict[str, Any]) -> set[str]:
    use_case = settings["use_case"]
    types = {feature["type"] for feature in use_case["features"].values()}
    words = {use_case["task"], *(f"column of {one if one in OF_KIND else 'number'}" for one in types)}
    words |= {"column of number"} if use_case["lags"] or use_case["derived"] else set()
    words |= {"column of own transformer"} if use_case["transformers"] else set()
    words |= {algorithm.rounds for algorithm in _algorithms(settings) if algorithm.rounds}
    words |= {"shards"} if settings["n_shards"] else set()
    words |= {"searched"} if settings["tuning"]["method"] != "none" else set()
    return words | ({"ensemble"} if settings["members"] else set())


def _words_of_rows(settings: dict[str, Any]) -> set[str]:
    """Of what is needed to load the rows; an evaluation reads those that the fit has left."""
    return {settings["data_source"]["kind"]} | ({"derived"} if _derivation_module(settings) else set())


def _is_in(name: str, packages: Collection[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


@cache
def _path(name: str) -> Path | None:
    stem = ROOT / name.replace(".", "/")
    found = (path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())
    return next(found, None)


@cache
def _imports(name: str) -> list[str]:
    """Our modules that a module imports anywhere, except for type checkers only."""
    return sorted(set(_imported(ast.parse(_path(name).read_text(encoding="utf-8")))))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("bank_models."))
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "bank_models":
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)


def _reached(names: list[str]) -> set[str]:
    reached, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached and _path(name):
            reached.add(name)
            waiting += _imports(name)
    return reached


@cache
def _entries(name: str) -> dict[str, Any]:
    """The catalogue's files about a real set: its own, and those of the sets and tables that it is made from."""
    path = next(path for path in (CATALOGUE / f"{name}.yaml", CATALOGUE / f"tables/{name}.yaml") if path.is_file())
    facts = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = {path.relative_to(ROOT).as_posix(): facts}
    for other in (facts.get("derived_from"), *(facts.get("tables") or {}).values()):
        found |= _entries(other) if other else {}
    return found


def _derivation_module(settings: dict[str, Any]) -> list[str]:
    if settings["data_source"]["kind"] != "packaged":
        return []
    from bank_models.data.derived import DERIVATIONS

    facts = _entries(settings["data_source"]["name"]).values()
    return sorted({f"bank_models.data.derived.{DERIVATIONS[one['derivation']]}" for one in facts if one.get("derivation")})


def _code(settings: dict[str, Any]) -> dict[str, dict[str, str]]:
    fit, evaluate = (set(modules_of(stage, settings)) for stage in ENTRY)
    return {name: _hashes(modules) for name, modules in
            {"both": fit & evaluate, "fit": fit - evaluate, "evaluate": evaluate - fit}.items()}  # fmt: skip


def _hashes(modules: Iterable[str]) -> dict[str, str]:
    paths = [_path(name) for name in sorted(modules) if not _is_empty(name)]
    return {path.relative_to(ROOT).as_posix(): _source_hash(path) for path in paths}


def _is_empty(name: str) -> bool:
    return _path(name) is not None and not _path(name).stat().st_size


@cache
def _source_hash(path: Path) -> str:
    return _hash(meaning(path.read_text(encoding="utf-8")).encode())


def _algorithms(settings: dict[str, Any]) -> list[Algorithm]:
    """Of the model, or of the members that it averages."""
    models = settings["members"].values() if settings["members"] else [settings["model"]]
    return [ESTIMATORS[model["estimator"][settings["use_case"]["task"]]] for model in models]


def _packages(settings: dict[str, Any]) -> dict[str, str]:
    declared = [*_algorithms(settings), *(own.TRANSFORMERS[name] for name in settings["use_case"]["transformers"])]
    names = [*PACKAGES, *sorted({name for one in declared for name in one.packages})]
    used = {name: f"{one['version']}, {one['sha256'][:16]}" for name, one in extensions.used_by(settings).items()}
    return {name: _version(name) for name in names} | used


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _data(settings: dict[str, Any]) -> dict[str, str]:
    source = settings["data_source"]
    if source["kind"] == "extension":  # nothing else tells that its rows have changed
        from bank_models.runs.fingerprint import rows_sha256

        return {source["source"]: rows_sha256(settings)[:16]}
    given = [source.get(name) for name in ("path", "query") if source.get(name)]
    if given:  # of a database, the query: what its tables hold is not known here
        return {name: _hash(Path(name).read_bytes()) if Path(name).is_file() else "absent" for name in given}
    if source["kind"] == "packaged":
        return {path: _hash(json.dumps(facts, sort_keys=True, default=str).encode()) for path, facts in
                _entries(source["name"]).items()}  # fmt: skip
    return {}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]

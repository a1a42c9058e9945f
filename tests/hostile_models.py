"""Model files that somebody has tampered with: every kind of model, fitted small, and mutants of its file.

`mutants(kind, seed)` gives them without end; `outcome(folder, kind, data)` says what reading and scoring one comes to, in a
process of its own. A suite of faults calls `tally`; on its own: `python tests/hostile_models.py [mutants] [kinds …]`.
"""

from __future__ import annotations

import faulthandler
import hashlib
import io
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
N = 300
FEATURES = {
    "income": {"type": "float"},
    "age": {"type": "float", "max_missing": 0.5},
    "region": {"type": "category"},
    "street": {"type": "category"},
    "opened": {"type": "date", "max_missing": 0.5},
    "note": {"type": "text"},
}
KINDS = {  # model and task of each kind
    "catboost": ("catboost", "binary"),
    "dbscan": ("dbscan", "anomaly"),
    "dummy": ("dummy", "binary"),
    "ensemble": ("ensemble", "regression"),
    "gradient_boosting": ("gradient_boosting", "multiclass"),
    "hierarchical": ("hierarchical", "clustering"),
    "hist_gradient_boosting": ("hist_gradient_boosting", "binary"),
    "kmeans": ("kmeans", "clustering"),
    "lightgbm": ("lightgbm", "multiclass"),
    "linear_regression": ("linear_regression", "regression"),
    "logistic_regression": ("logistic_regression", "multiclass"),
    "neural_network": ("neural_network", "binary"),
    "random_forest": ("random_forest", "binary"),
    "xgboost": ("xgboost", "binary"),
}
FEW = {"n_estimators": 4, "iterations": 4, "max_iter": 4, "max_epochs": 2, "min_samples_leaf": 5, "min_child_samples": 5}
CLASSES = ["low", "middle", "high"]
WRITE = "write"
MOST_TOLD = 12
IMPORTS = ("skops.io", "lightgbm", "xgboost", "sklearn.ensemble", "sklearn.calibration",
           "sklearn.feature_extraction.text", "bank_models.scoring.model",
           "bank_models.data.validation", "bank_models.models.clustering.estimators", "bank_models.training.ensemble",
           "bank_models.models.neural.estimator", "bank_models.metrics.threshold", "bank_models.features.transformers",
           "pyarrow", "scipy.interpolate", "sklearn.utils.parallel")  # fmt: skip
PATIENCE_S = 10  # of the processor, for reading and scoring 20 rows; of the clock ten times as many
MEMORY = 3 * 2**30  # bytes beyond what the process has already
REFUSED, SCORED, ERROR, OUT_OF_MEMORY, CRASHED, HUNG = "refused", "scored", "error", "out of memory", "crashed", "hung"
HUGE = [-1, 2**31 - 1, 10**9, -(10**9), 2**62, 255, 0, 1]


@cache
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.normal(size=N),
            "age": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
            "region": rng.choice(["north", "south", "east"], N),
            "street": rng.choice([f"street {i}" for i in range(60)], N),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, N), unit="D"),
            "note": rng.choice(["late payment due", "all is well today", "card was lost abroad", "new account opened"], N),
        }
    )
    frame.loc[::17, "opened"] = pd.NaT
    return frame.astype({"region": "category", "street": "category", "opened": "datetime64[s]"})


@cache
def model_of(kind: str):
    """A small model of a kind, inside of all that can stand around it."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    from bank_models.models.wrappers import CheapestClass, with_threshold
    from bank_models.training.calibration import calibrate
    from bank_models.training.fit import fit, fit_unsupervised

    name, task = KINDS[kind]
    signal = (rows().income + (rows().region == "north")).to_numpy()
    if task in ("clustering", "anomaly"):
        return fit_unsupervised(_recipe(name, task), rows())
    y = {"binary": (signal > 0.3).astype(np.int8), "multiclass": np.digitize(signal, [-0.5, 0.8]).astype(np.int8)}.get(
        task, signal
    )
    model = fit(_recipe(name, task), rows(), y).model
    if task == "binary":
        return with_threshold(
            CalibratedClassifierCV(FrozenEstimator(model), method="isotonic", ensemble=False).fit(rows(), y), 0.4
        )
    return CheapestClass(calibrate(model, "sigmoid", rows(), y), 1 - np.eye(3)) if task == "multiclass" else model


def _recipe(name: str, task: str):
    from bank_models.config.feature import Feature
    from bank_models.config.schema import OPTIONAL
    from bank_models.training.ensemble import EnsembleRecipe
    from bank_models.training.fit import Recipe

    facts = yaml.safe_load((ROOT / f"conf/model/{name}.yaml").read_text())
    params = {key: FEW.get(key, value) for key, value in facts["params"].items()}
    params |= {"max_iter": facts["params"]["max_iter"]} if name in ("kmeans", "logistic_regression") else {}
    members = {one: _recipe(one, task) for one in facts["members"].get(task, []) if not one.startswith(OPTIONAL)}
    alone = Recipe(
        task=task, estimator=facts["estimator"][task], params=params, **facts["preprocessing"],
        features={key: Feature(**value) for key, value in FEATURES.items()}, is_monotone=False, patience=None,
        random_state=0, n_threads=1,
    )  # fmt: skip
    return EnsembleRecipe.of(alone, members, dict.fromkeys(members, 0.25)) if members else alone


@cache
def file_of(kind: str) -> bytes:
    """The file of a kind of model, as a run writes it; a process of its own fits it, for threads do not survive a fork."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.skops")
        subprocess.run(
            [sys.executable, "-W", "ignore", __file__, WRITE, kind, path],
            check=True,
            env=os.environ | {"PYTHONPATH": f"{Path.cwd()}:{Path.cwd()}/src"},
        )
        return path.read_bytes()


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def write_run(folder: Path, kind: str, data: bytes) -> None:
    """A run folder around a model file, as consistent as its writer could make it."""
    from bank_models.files import manifest

    task = KINDS[kind][1]
    use_case = {"id": "UC-TEST-001", "key": "case", "name": "A case", "department": "test", "row": "A row.", "task": task,
                "target": None if task == "clustering" else "target", "metric": "rmse", "features": FEATURES,
                "classes": CLASSES if task == "multiclass" else None}  # fmt: skip
    reference = {"income": 0.1, "age": 0.0, "region": "north", "street": "street 1", "opened": "2021-01-01", "note": ""}
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"use_case_id": "UC-TEST-001", "config": {"use_case": use_case}, "reference": reference}
    (folder / "metadata.json").write_text(json.dumps(facts))
    (folder / "model.skops").write_bytes(data)
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != manifest.MANIFEST}
    entries = {name: {"size": len(one), "sha256": hashlib.sha256(one).hexdigest()} for name, one in files.items()}
    (folder / manifest.MANIFEST).write_text(json.dumps({"files": entries}))


def score(folder: Path, kind: str) -> None:
    """Read a run's model and score some rows with it, with reasons where there are any."""
    from bank_models.scoring.model import load

    load(folder).predict(rows().iloc[:20], reasons=0 if KINDS[kind][1] in ("clustering", "anomaly") else 2)


def outcome(folder: Path, kind: str, data: bytes, patience_s: int = PATIENCE_S) -> tuple[str, str]:
    """What reading and scoring a model file comes to, in a process of its own, and what was said."""
    from bank_models.errors import IntegrityError

    write_run(folder, kind, data)
    told = folder / "told"
    told.unlink(missing_ok=True)
    process = os.fork()
    if not process:
        _limit(patience_s)
        said, code = SCORED, ""
        try:
            score(folder, kind)
        except IntegrityError as error:
            said, code = REFUSED, str(error)
        except MemoryError as error:
            said, code = OUT_OF_MEMORY, repr(error)
        except BaseException as error:
            said, code = ERROR, repr(error)
        told.write_text(f"{said}\n{code[:300]}")
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return (HUNG if number in (signal.SIGALRM, signal.SIGXCPU) else CRASHED), signal.Signals(number).name
    if not told.exists():
        return CRASHED, f"ended with {os.WEXITSTATUS(status)}"
    said, _, code = told.read_text().partition("\n")
    return said, code


def _limit(patience_s: int) -> None:
    """A child says nothing, dies of nobody's handler, and takes no more than it may."""
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    faulthandler.disable()
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(10 * patience_s)
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + patience_s, resource.RLIM_INFINITY))
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# mutants


def mutants(kind: str, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of tampered files of a kind of model, without end; each way of tampering in turn."""
    data = file_of(kind)
    members = members_of(data)
    n = 0
    while True:
        for name, change in WAYS.items():
            rng = random.Random(f"{kind} {seed} {n}")
            n += 1
            changed = change(dict(members), rng) if change not in OF_BYTES else change(data, rng)
            if changed is not None:
                yield name, changed if isinstance(changed, bytes) else zipped(changed)


def flipped(data: bytes, rng: random.Random, most: int = 8) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, most)):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _pick(members: dict[str, bytes], rng: random.Random, suffix: str) -> str | None:
    names = [name for name in members if name.endswith(suffix) and members[name]]
    return rng.choice(names) if names else None


def flip_array(members, rng):
    if name := _pick(members, rng, ".npy"):
        head = _header_size(members[name])
        members[name] = members[name][:head] + flipped(members[name][head:] or b"x", rng)
        return members
    return None


def flip_header(members, rng):
    if name := _pick(members, rng, ".npy"):
        head = _header_size(members[name])
        members[name] = flipped(members[name][:head], rng, 3) + members[name][head:]
        return members
    return None


def cut_member(members, rng):
    name = _pick(members, rng, "")
    members[name] = cut(members[name], rng)
    return members


def flip_schema(members, rng):
    members["schema.json"] = flipped(members["schema.json"], rng, 3)
    return members


def swap_arrays(members, rng):
    names = [name for name in members if name.endswith(".npy")]
    if len(names) < 2:
        return None
    one, other = rng.sample(names, 2)
    members[one], members[other] = members[other], members[one]
    return members


def _header_size(data: bytes) -> int:
    return 10 + struct.unpack("<H", data[8:10])[0]


def _array(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data), allow_pickle=False).copy()


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def other_dtype(members, rng):
    if name := _pick(members, rng, ".npy"):
        array = _array(members[name])
        if array.dtype.names:
            return None
        members[name] = _saved(
            array.astype(rng.choice(["int8", "int64", "float32", "float64", "uint8", "U5", "complex64", "S3"]))
        )
        return members
    return None


def other_shape(members, rng):
    if name := _pick(members, rng, ".npy"):
        array = _array(members[name])
        flat = array.reshape(-1)
        ways = [flat[:0], flat[: len(flat) // 2], flat, array[None], np.repeat(flat, 3), array.T]
        members[name] = _saved(rng.choice(ways))
        return members
    return None


def huge_shape(members, rng):
    if name := _pick(members, rng, ".npy"):
        members[name] = members[name][:8] + _npy_header(
            members[name], rng.choice(["(1000000000,)", "(1000000000, 1000000000)", "(-5,)"])
        )
        return members
    return None


def _npy_header(data: bytes, shape: str) -> bytes:
    size = _header_size(data)
    head = data[10:size].decode()
    start, end = head.index("(", head.index("shape")), head.index(")", head.index("shape")) + 1
    text = (head[:start] + shape + head[end:]).strip() + "\n"
    return struct.pack("<H", len(text)) + text.encode() + data[size:]


def numbers_out_of_range(members, rng):
    """Entries of an array of integers, of a record of a tree or of anything else become huge."""
    names = [name for name in members if name.endswith(".npy")]
    arrays = {name: _array(members[name]) for name in names}
    chosen = [name for name, array in arrays.items() if array.size and (array.dtype.names or array.dtype.kind in "iu")]
    if not chosen:
        return None
    records = [name for name in chosen if arrays[name].dtype.names]
    name = rng.choice(records if records and rng.random() < 0.8 else chosen)
    array = arrays[name]
    for _ in range(rng.randint(1, 3)):
        target = array[rng.choice(array.dtype.names)] if array.dtype.names else array
        with np.errstate(all="ignore"):
            value = rng.choice([*HUGE, array.size, array.size + 1, float("nan")])
            at = rng.randrange(target.size)
            target.reshape(-1)[at] = np.array([value]).astype(target.dtype)[0]
    members[name] = _saved(array)
    return members


def tree_in_circles(members, rng):
    """A child of a tree is its own ancestor."""
    records = [name for name in members if name.endswith(".npy") and _array(members[name]).dtype.names]
    grown = [name for name in records if len(_array(members[name])) > 2]
    if not grown:
        return None
    name = rng.choice(grown)
    nodes = _array(members[name])
    side = rng.choice(
        [one for one in nodes.dtype.names if "left" in one and "missing" not in one]
        + [one for one in nodes.dtype.names if "right" in one]
    )
    nodes[side][0] = rng.choice([0, 0, nodes[side][0]])
    nodes[side][rng.randrange(len(nodes))] = 0
    members[name] = _saved(nodes)
    return members


def not_numbers(members, rng):
    names = [name for name in members if name.endswith(".npy") and _array(members[name]).dtype.kind == "f"]
    if not names:
        return None
    name = rng.choice(names)
    array = _array(members[name])
    if not array.size:
        return None
    array.reshape(-1)[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300])
    members[name] = _saved(array)
    return members


def booster_bytes(members, rng):
    """Numbers, marks and lengths in XGBoost's own format."""
    name = _pick(members, rng, ".bin")
    if name is None:
        return None
    data = bytearray(members[name])
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(max(len(data) - 8, 1))
        data[at : at + 4] = struct.pack(">i", rng.choice([-1, 2**31 - 1, 10**6, 0, 5, -7]))
    members[name] = bytes(data)
    return members


def booster_arrays(members, rng):
    """Entries of the arrays of XGBoost's trees."""
    name = _pick(members, rng, ".bin")
    if name is None:
        return None
    data = bytearray(members[name])
    arrays = (b"left_children", b"right_children", b"split_indices", b"parents", b"categories", b"categories_nodes",
              b"categories_segments",
              b"categories_sizes", b"split_type", b"default_left", b"tree_info", b"iteration_indptr")  # fmt: skip
    for _ in range(rng.randint(1, 2)):
        mark = rng.choice(arrays) + b"[$"
        places = [i for i in range(len(data)) if data.startswith(mark, i)]
        if not places:
            continue
        at = rng.choice(places) + len(mark)
        width = {"l": 4, "L": 8, "U": 1, "i": 1}.get(chr(data[at]))
        n = int.from_bytes(data[at + 3 : at + 11], "big")
        if not width or not n:
            continue
        entry = at + 11 + width * rng.randrange(n)
        value = rng.choice([-1, 2**31 - 1, 10**6, 0, 1, 2, 3, 100])
        data[entry : entry + width] = (value % (1 << (8 * width))).to_bytes(width, "big")
    members[name] = bytes(data)
    return members


def json_of_booster(members, rng):
    """Numbers, names and parts of CatBoost's own format."""
    name = _pick(members, rng, ".bin")
    if name is None or not members[name].startswith(b"{"):
        return None
    facts = json.loads(members[name])
    for _ in range(rng.randint(1, 2)):
        at = facts
        while True:
            keys = list(at) if isinstance(at, dict) else range(len(at))
            key = rng.choice(keys)
            if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.1:
                break
            at = at[key]
        values = [*HUGE, 2, 3, 40, 2**63, -0.5, 1e39, "Counter", "18446744073709551615", "", None, True, [], {}]
        if rng.random() < 0.2:
            at.pop(key)
        else:
            at[key] = rng.choice([*values, at[rng.choice(keys)]])
    members[name] = json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()
    return members


def flip_booster(members, rng):
    if name := _pick(members, rng, ".bin"):
        members[name] = flipped(members[name], rng)
        return members
    return None


def cut_booster(members, rng):
    if name := _pick(members, rng, ".bin"):
        members[name] = cut(members[name], rng)
        return members
    return None


def _nodes(schema: dict) -> list[dict]:
    found, stack = [], [schema]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            found += [one] if "__loader__" in one else []
            stack += one.values()
        elif isinstance(one, list):
            stack += one
    return found


def _with_schema(members, change: Callable):
    schema = json.loads(members["schema.json"])
    if change(schema) is False:
        return None
    members["schema.json"] = json.dumps(schema).encode()
    return members


def text_of_booster(members, rng):
    """Lines and numbers of LightGBM's own format."""

    def change(schema):
        texts = [node for node in _nodes(schema) if node["__loader__"] == "JsonNode" and "end of trees" in str(node["content"])]
        if not texts:
            return False
        text = json.loads(texts[0]["content"])
        text = _changed_text(text, rng)
        for node in texts:
            node["content"] = json.dumps(text)
        return True

    return _with_schema(members, change)


def _changed_text(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    keys = ("left_child", "right_child", "split_feature", "cat_boundaries", "cat_threshold", "threshold",
            "decision_type", "num_leaves",
            "num_cat", "tree_sizes", "max_feature_idx", "num_class", "num_tree_per_iteration", "leaf_value",
            "feature_infos", "objective",
            "version", "leaf_count", "internal_count", "shrinkage", "is_linear")  # fmt: skip
    way = rng.randrange(6)
    if way == 0:
        return text[: rng.randrange(len(text))]
    if way == 1:
        at = rng.randrange(len(text))
        return text[:at] + chr(rng.randrange(1, 256)) + text[at + 1 :]
    places = [i for i, line in enumerate(lines) if line.partition("=")[0] in keys]
    i = rng.choice(places)
    key, _, value = lines[i].partition("=")
    words = value.split(" ")
    if way == 2:
        del lines[i]
    elif way == 3:
        lines[i] = f"{key}={' '.join(words[: rng.randrange(len(words) + 1)])}"
    else:
        words[rng.randrange(len(words))] = str(rng.choice([-1, 0, 1, 2, 10**6, 2**31 - 1, -(10**6), "nan", "", "1e999", "x"]))
        lines[i] = f"{key}={' '.join(words)}"
    return "\n".join(lines)


def plain_values(members, rng):
    """Numbers, texts and lists that an object was told become others."""

    def change(schema):
        nodes = [node for node in _nodes(schema) if node["__loader__"] == "JsonNode" and len(str(node["content"])) < 200]
        if not nodes:
            return False
        for _ in range(rng.randint(1, 2)):
            node = rng.choice(nodes)
            values = [*HUGE, None, True, 1e308, "x", "cuda", [], {}, "filename", "(a+)+$", [[1]], float("nan"), "/etc/passwd"]
            for same in nodes if rng.random() < 0.3 else ():
                if same["__id__"] == node["__id__"]:
                    same["content"] = json.dumps(rng.choice(values))
            node["content"] = json.dumps(rng.choice(values))
            node["__id__"] = 10**12 + rng.randrange(10**6)
        return True

    return _with_schema(members, change)


def settings(members, rng):
    """Numbers of threads, classes, outputs, columns and the like."""
    names = ("n_jobs", "n_threads", "n_classes_", "n_outputs_", "n_features_in_", "n_trees_per_iteration_", "node_count",
             "max_depth", "layers",
             "neurons", "bins", "embedding_size", "n_outputs", "n_numeric", "n_quantiles_", "_n_features", "_n_classes",
             "verbose",
             "threshold", "best_iteration", "n_estimators", "random_state", "pool_size", "input", "token_pattern",
             "device", "objective",
             "_n_features_outs", "eps_", "C", "transform", "minimum", "method", "response_method")  # fmt: skip

    def change(schema):
        dicts = [node["content"] for node in _nodes(schema) if node["__loader__"] == "DictNode"]
        places = [(content, name) for content in dicts for name in names if name in content]
        for content, name in rng.sample(places, min(len(places), rng.randint(1, 2))):
            value = rng.choice([*HUGE, None, "x", "filename", "(\\w+\\s?)+$", 10**18, 1e300, "expm1"])
            content[name] = {
                "__class__": "str",
                "__module__": "builtins",
                "__loader__": "JsonNode",
                "content": json.dumps(value),
            }
            content[name]["__id__"] = 10**12 + rng.randrange(10**6)
        return bool(places)

    return _with_schema(members, change)


def swap_nodes(members, rng):
    def change(schema):
        one, other = rng.sample(_nodes(schema), 2)
        copy = dict(one)
        one.clear()
        one.update(other)
        if rng.random() < 0.5:
            other.clear()
            other.update(copy)
        schema.setdefault("protocol", 2)

    return _with_schema(members, change)


def drop_values(members, rng):
    def change(schema):
        node = rng.choice(
            [node for node in _nodes(schema) if node["__loader__"] in ("DictNode", "ListNode", "TupleNode") and node["content"]]
        )
        content = node["content"]
        key = rng.choice(list(content)) if isinstance(content, dict) else rng.randrange(len(content))
        if isinstance(content, dict) and node["key_types"]["content"]:
            node["key_types"] = json.loads(json.dumps(node["key_types"]))
            node["key_types"]["__id__"] = 10**12 + rng.randrange(10**6)
            node["key_types"]["content"].pop()
        content.pop(key)

    return _with_schema(members, change)


def other_types(members, rng):
    """An object is made by another class, or by another kind of node."""
    names = ("os.system", "subprocess.Popen", "builtins.eval", "lightgbm.basic.Booster", "xgboost.core.Booster",
             "numpy.dtype",
             "sklearn.pipeline.Pipeline", "sklearn.feature_extraction.text.TfidfVectorizer", "operator.methodcaller",
             "builtins.list",
             "sklearn.tree._tree.Tree", "sklearn.utils.validation.check_array", "functools.partial",
             "numpy.float64")  # fmt: skip
    loaders = ("ObjectNode", "FunctionNode", "TypeNode", "PartialNode", "MethodNode", "OperatorFuncNode",
               "ConstructorFromReduceNode",
               "ListNode", "SetNode", "TupleNode", "DefaultDictNode", "TreeNode", "NdArrayNode", "SparseMatrixNode",
               "CachedNode")  # fmt: skip

    def change(schema):
        node = rng.choice(_nodes(schema))
        if rng.random() < 0.7:
            node["__module__"], _, node["__class__"] = rng.choice(names).rpartition(".")
        if rng.random() < 0.7:
            node["__loader__"] = rng.choice(loaders)
        node["__id__"] = 10**12

    return _with_schema(members, change)


def made_of_itself(members, rng):
    def change(schema):
        outer = rng.choice(
            [node for node in _nodes(schema) if node["__loader__"] in ("ListNode", "TupleNode", "DictNode") and node["content"]]
        )
        content = outer["content"]
        key = rng.choice(list(content)) if isinstance(content, dict) else rng.randrange(len(content))
        content[key] = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "ListNode",
            "content": [],
            "__id__": outer["__id__"],
        }

    return _with_schema(members, change)


def _filled(schema, value) -> None:
    """Put a node where the first object keeps its first attribute."""
    node = next(node for node in _nodes(schema) if node["__loader__"] == "ObjectNode" and node.get("content"))
    node["content"]["content"][next(iter(node["content"]["content"]))] = value


def laughs(members, rng):
    """A list of two lists of two lists …, each the same twice: small to write, 2 to the 60th to walk through."""

    def change(schema):
        node = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1", "__id__": 10**13}
        for i in range(60):
            twin = {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "ListNode",
                "content": [],
                "__id__": node["__id__"],
            }
            node = {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "ListNode",
                "content": [node, twin],
                "__id__": 10**13 + 1 + i,
            }
        _filled(schema, node)

    return _with_schema(members, change)


def nested(members, rng):
    def change(schema):
        node = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"}
        for _ in range(150):
            node = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [node]}
        _filled(
            schema,
            {
                "__class__": "str",
                "__module__": "builtins",
                "__loader__": "JsonNode",
                "content": "[" * rng.choice([500, 100_000]),
            }
            if rng.random() < 0.5
            else node,
        )

    return _with_schema(members, change)


def nested_json(members, rng):
    depth = rng.choice([2000, 1_000_000])
    members["schema.json"] = b'{"a":' * depth + b"1" + b"}" * depth
    return members


def bomb(members, rng):
    """A quarter of a gigabyte of zeros in a few hundred kilobytes: as a member of its own, or as an array that is needed."""
    name = _pick(members, rng, ".npy") if rng.random() < 0.5 else None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, content in members.items():
            if other != name:
                archive.writestr(zipfile.ZipInfo(other), content)
        with archive.open(zipfile.ZipInfo(name or "1000000.npy"), "w", force_zip64=True) as file:
            file._compressor = zlib.compressobj(9, 8, -15)
            file.write(
                _saved(np.empty(0))[:8]
                + struct.pack("<H", 118)
                + b"{'descr': '|u1', 'fortran_order': False, 'shape': (268435456,), }".ljust(117)
                + b"\n"
            )
            for _ in range(256):
                file.write(bytes(2**20))
    return buffer.getvalue()


def lying_sizes(members, rng):
    """The index of the zip file says that a member is small; it is not."""
    data = bytearray(zipped({**members, "1000000.npy": bytes(32 * 2**20)} if rng.random() < 0.5 else members))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", rng.choice([10, 0, 2**31, 2**32 - 2]))
    return bytes(data)


def names_with_paths(members, rng):
    name = rng.choice([name for name in members if name != "schema.json"])
    bad = rng.choice(
        ["../../evil.npy", "/tmp/evil.npy", "a/b.npy", "schema.json/x", "x\x00.npy", "C:\\x.npy", "x" * 5000 + ".npy"]
    )
    changed = {bad if one == name else one: content for one, content in members.items()}
    changed["schema.json"] = members["schema.json"].replace(json.dumps(name).encode(), json.dumps(bad).encode())
    return changed


def twice(members, rng):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", members["schema.json"])
    return buffer.getvalue()


def shared_array(members, rng):
    """Ten thousand objects read one large array each, from the same few bytes."""

    def change(schema):
        node = {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "type": "numpy",
            "file": "1000000.npy",
        }
        _filled(schema, {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [node] * 10_000})

    members["1000000.npy"] = _saved(np.zeros(2**20))
    return _with_schema(members, change)


OF_BYTES = (flipped, cut)
WAYS: dict[str, Callable] = {
    change.__name__: change
    for change in (
        flipped, cut, flip_array, flip_header, cut_member, flip_schema, swap_arrays, other_dtype, other_shape,
        huge_shape, numbers_out_of_range,
        tree_in_circles, not_numbers, booster_bytes, booster_arrays, json_of_booster, flip_booster, cut_booster,
        text_of_booster,
        plain_values, settings,
        swap_nodes, drop_values, other_types, made_of_itself, laughs, nested, nested_json, bomb, lying_sizes,
        names_with_paths, twice,
        shared_array,
    )
}  # fmt: skip
SELDOM = {
    "laughs",
    "nested",
    "nested_json",
    "bomb",
    "lying_sizes",
    "names_with_paths",
    "twice",
    "shared_array",
}  # each is much the same


def sample(kind: str, seed: int, n: int) -> Iterator[tuple[str, bytes]]:
    """Some mutants of a kind; of those that hardly differ only a few."""
    seen, n_given = Counter(), 0
    for name, data in mutants(kind, seed):
        seen[name] += 1
        if name in SELDOM and seen[name] > 2:
            continue
        yield name, data
        n_given += 1
        if n_given == n:
            return


def tally(folder: Path, kind: str, n: int, seed: int = 0, on_fault: Callable[[str, str, str], None] | None = None) -> Counter:
    """Count what mutants of a kind come to; tell of each that is neither refused nor scored."""
    warm(folder, kind)
    counts = Counter()
    for i, (name, data) in enumerate(sample(kind, seed, n)):
        came_to, said = outcome(folder / str(i % 2), kind, data)
        counts[came_to] += 1
        if on_fault and came_to not in (REFUSED, SCORED):
            on_fault(name, came_to, said)
            if keep := os.environ.get("KEEP"):
                Path(keep, f"{kind}-{seed}-{i}-{name}-{came_to}.skops").write_bytes(data)
    return counts


def warm(folder: Path, kind: str) -> None:
    """Import what scoring needs, without a thread, so that children find it; and see that they can score an untampered file."""
    for name in (*IMPORTS, *(["bank_models.models.neural.network"] if kind == "neural_network" else [])):
        import_module(name)
    came_to, said = outcome(folder / "good", kind, file_of(kind), 10 * PATIENCE_S)
    assert came_to == SCORED, f"{kind}: {came_to} {said}"


def main() -> None:
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == [WRITE]:
        from bank_models.runs import model_file

        model_file.dump(Path(sys.argv[3]), model_of(sys.argv[2]))
        return
    n, kinds = int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2:] or list(KINDS)
    columns = (REFUSED, SCORED, ERROR, OUT_OF_MEMORY, CRASHED, HUNG)
    n_faults = 0
    print(f"{'':24}{'attempts':>10}" + "".join(f"{name:>15}" for name in columns) + f"{'seconds':>10}", flush=True)
    for kind in kinds:
        faults, start = Counter(), time.perf_counter()
        with TemporaryDirectory() as folder:
            counts = tally(Path(folder), kind, n, on_fault=lambda *said: faults.update([said]))  # noqa: B023
        numbers = "".join(f"{counts[name]:>15}" for name in columns)
        print(f"{kind:24}{n:>10}{numbers}{time.perf_counter() - start:>10.0f}", flush=True)
        for (name, came_to, said), times in faults.most_common(MOST_TOLD):
            print(f"    {times} times {name}: {came_to} {said[:150]}")
        n_faults += faults.total()
    sys.exit(int(n_faults > 0))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()

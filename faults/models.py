"""Hostile model files: types, bombs, trees that lead nowhere, and flipped bits behind a manifest that fits."""

from __future__ import annotations

import io
import json
import operator
import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults import command, prepared
from faults.case import Attempt, Broken, Group, NotTried, expect
from faults.races import at_once

GROUP = Group("models")
GIB = 1 << 30
KINDS = ("credit", "xgboost", "lightgbm", "random_forest", "hist_gradient_boosting")


def _parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _archive(parts: dict[str, bytes]) -> bytes:
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return to.getvalue()


def _schema(edit: Callable[[dict], object]) -> Callable[[bytes, Random], bytes]:
    def make(data: bytes, draw: Random) -> bytes:
        parts = _parts(data)
        schema = json.loads(parts["schema.json"])
        edit(schema)
        return _archive(parts | {"schema.json": json.dumps(schema).encode()})

    return make


def _nodes(node) -> list[dict]:
    if isinstance(node, list):
        return [found for item in node for found in _nodes(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(found for value in node.values() for found in _nodes(value))]


def _type(module: str, name: str, loader: str | None = None) -> Callable[[bytes, Random], bytes]:
    """Let one object of the model be of another type."""

    def edit(schema: dict) -> None:
        schema.update({"__module__": module, "__class__": name} | ({"__loader__": loader} if loader else {}))

    return _schema(edit)


def _any_node(edit: Callable[[dict, Random], object]) -> Callable[[bytes, Random], bytes]:
    def make(data: bytes, draw: Random) -> bytes:
        return _schema(lambda schema: edit(draw.choice([one for one in _nodes(schema) if "__loader__" in one]), draw))(
            data, draw
        )

    return make


def _bomb(data: bytes, draw: Random) -> bytes:
    return _archive(_parts(data) | {"bomb.npy": bytes(3 * GIB // 2)})


def _many_names(data: bytes, draw: Random) -> bytes:
    return _archive(_parts(data) | {f"x{i}.npy": b"x" for i in range(70_000)})


def _content(edit: Callable[[bytes, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    """Change one of the arrays or texts in the archive."""

    def make(data: bytes, draw: Random) -> bytes:
        parts = _parts(data)
        names = [name for name in parts if name != "schema.json"]
        name = draw.choice(names) if names else "schema.json"
        return _archive(parts | {name: edit(parts[name], draw)})

    return make


def _numbers(edit: Callable[[int, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    """Put other bytes in the place of an array's numbers; of a large array, where there is one."""

    def make(data: bytes, draw: Random) -> bytes:
        parts = _parts(data)
        arrays = [name for name, part in parts.items() if part.startswith(b"\x93NUMPY")]
        large = [name for name in arrays if len(parts[name]) > 1000] or arrays
        if not large:
            raise NotTried("the model holds no array")
        name = draw.choice(large)
        start = 10 + int.from_bytes(parts[name][8:10], "little")
        return _archive(parts | {name: parts[name][:start] + edit(len(parts[name]) - start, draw)})

    return make


def _flip(data: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _step_that_calls(data: bytes, draw: Random) -> bytes:
    """A model of ours with a step in it that writes a file when rows are scored.

    It is made in a process of its own: one that has opened a booster has threads, and must not be forked any more.
    """
    made = Path("made.skops")
    expect(at_once(lambda: made.write_bytes(_with_a_call(data))) == [0], "the hostile model could not be made")
    return made.read_bytes()


def _with_a_call(data: bytes) -> bytes:
    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    pipeline = model if isinstance(model, Pipeline) else model.estimator_
    columns = pipeline.steps[0][1]
    name, _, chosen = columns.transformers_[0]
    columns.transformers_[0] = (name, FunctionTransformer(operator.methodcaller("to_csv", "executed")), chosen)
    return skops.io.dumps(model)


class _Bomb:
    def __reduce__(self):
        return os.system, ("touch executed",)


HOSTILE: dict[str, Callable[[bytes, Random], bytes]] = {
    "nothing": lambda data, draw: b"",
    "random bytes": lambda data, draw: draw.randbytes(4000),
    "a pickle": lambda data, draw: pickle.dumps(_Bomb()),
    "an archive of nothing": lambda data, draw: _archive({}),
    "no schema": lambda data, draw: _archive({"x": b"x"}),
    "a schema that is a list": lambda data, draw: _archive(_parts(data) | {"schema.json": b"[]"}),
    "a schema that is no JSON": lambda data, draw: _archive(_parts(data) | {"schema.json": b"{"}),
    "a schema in deep brackets": lambda data, draw: _archive(
        _parts(data) | {"schema.json": b'{"a":' * 50_000 + b"1" + b"}" * 50_000}
    ),
    "half an archive": lambda data, draw: data[: len(data) // 2],
    "os.system as a type": _type("os", "system"),
    "posix.system as a function": _type("posix", "system", "FunctionNode"),
    "builtins.eval as a function": _type("builtins", "eval", "FunctionNode"),
    "subprocess.Popen as an object": _type("subprocess", "Popen", "ObjectNode"),
    "a step that calls": _step_that_calls,
    "a reduced call": _type("os", "system", "ReduceNode"),
    "a partial of os.system": _type("functools", "partial", "PartialNode"),
    "an operator that calls": _type("operator", "methodcaller", "OperatorFuncNode"),
    "a loader that is not known": _any_node(lambda node, draw: node.update({"__loader__": "EvilNode"})),
    "a class that is not known": _any_node(lambda node, draw: node.update({"__class__": "Evil"})),
    "a module that is not known": _any_node(lambda node, draw: node.update({"__module__": "evil"})),
    "a class that is a number": _any_node(lambda node, draw: node.update({"__class__": 5})),
    "a node without its content": _any_node(lambda node, draw: node.pop("content", None)),
    "a node with other content": _any_node(lambda node, draw: node.update({"content": draw.choice([None, 5, "x", [], {}])})),
    "a node that holds itself": _any_node(
        lambda node, draw: node.update({"content": {"__loader__": "CachedNode", "__id__": node.get("__id__")}})
    ),
    "a file that climbs": _any_node(lambda node, draw: node.update({"file": "../../../etc/passwd"})),
    "a bomb": _bomb,
    "seventy thousand files": _many_names,
    "an array flipped": _content(_flip),
    "an array cut": _content(lambda data, draw: data[: len(data) // 2]),
    "an array of nothing": _content(lambda data, draw: b""),
    "an array that is a pickle": _content(
        lambda data, draw: (
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128)
            + pickle.dumps(_Bomb())
        )
    ),
    "numbers of an array replaced": _numbers(lambda size, draw: draw.randbytes(size)),
    "numbers of an array far too large": _numbers(lambda size, draw: b"\x7f" * size),
    "numbers of an array below zero": _numbers(lambda size, draw: b"\xff" * size),
    "a bit of the archive": _flip,
}


@GROUP.promise(
    "a hostile model behind a manifest that fits",
    "Scoring with it is exit code 4 in a sentence, or gives probabilities; nothing is executed, nothing crashes or hangs.",
    cases=tuple(HOSTILE),
    share=8,
    limit_s=60,
)
def hostile(attempt: Attempt) -> None:
    kind = KINDS[(attempt.number + attempt.number // len(HOSTILE)) % len(KINDS)]
    try:
        _score_with(kind, attempt)
    except Broken as broken:
        raise Broken(f"{kind}: {broken}") from None


def _score_with(kind: str, attempt: Attempt) -> None:
    run = prepared.copy_of(kind, Path("run"))
    model = run / "model.skops"
    model.write_bytes(HOSTILE[attempt.case](model.read_bytes(), attempt.draw))
    prepared.seal(run)
    prepared.german_credit().drop(columns="bad").head(50).to_csv("rows.csv", index=False)
    before = lambda: resource.setrlimit(resource.RLIMIT_AS, (8 * GIB, 8 * GIB))  # noqa: E731
    answer = command.run("src.predict", "run_dir=run", "input=rows.csv", "output=scores.csv", before=before, limit_s=45)
    expect(not Path("executed").exists(), "code was executed")
    answer.check_is_a_sentence(0, 4)
    if answer.code == 0:
        _check_scores()
    else:
        expect(not Path("scores.csv").exists(), "refused, and yet it wrote scores")


def _check_scores() -> None:
    import pandas as pd

    scores = pd.read_csv("scores.csv")["score"]
    expect(len(scores) == 50, f"{len(scores)} scores of 50")
    expect(scores.notna().all() and scores.between(0, 1).all(), f"scores such as {scores.tolist()[:3]} are no probabilities")


@GROUP.promise(
    "a saved model that is read back",
    "It answers every test row, to the last bit, as the model did that was saved.",
    cases=KINDS,
    share=0.5,
)
def read_back(attempt: Attempt) -> None:
    import pandas as pd

    from bank_models.predict import load_model

    run = prepared.run_folder(attempt.case)
    saved = pd.read_parquet(run / "test_scores.parquet")
    rows = prepared.german_credit().iloc[saved["row"]]
    differ = load_model(run).predict(rows)["score"].to_numpy() != saved["score"].to_numpy()
    expect(not differ.any(), f"{differ.sum()} of {len(differ)} rows are answered otherwise")


@GROUP.promise(
    "pickles",
    "No file of a run is opened as a pickle unless a `.joblib` or `.pkl` is asked for by name.",
    cases=("model.skops", "scaler.skops", "encoder.skops"),
    share=0.2,
)
def pickles(attempt: Attempt) -> None:
    from bank_models.errors import IntegrityError
    from bank_models.runs import model_file

    run = prepared.copy_of("credit", Path("run"))
    (run / attempt.case).write_bytes(pickle.dumps(_Bomb()))
    (run / "model.joblib").write_bytes(pickle.dumps(_Bomb()))
    prepared.seal(run)
    try:
        model_file.load(run, attempt.case)
        expect(False, "a pickle was taken for a model")
    except IntegrityError:
        expect(not Path("executed").exists(), "code was executed")

"""Check of the object tree in a skops schema."""

from __future__ import annotations

import ast
import io
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib import format as npy
from skops.io._audit import Node, get_tree
from skops.io._protocol import PROTOCOL
from skops.io._utils import read_schema

from bank_models.runs.model_checks import lightgbm_text, xgboost_buffer
from bank_models.runs.model_checks.archive import Members
from bank_models.runs.model_checks.fault import need
from bank_models.runs.model_checks.moved import rename

NUMBERS = frozenset(
    "numpy." + name
    for name in (
        "bool",
        "bool_",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    )
)
PLAIN = frozenset({"builtins.bool", "builtins.float", "builtins.int", "builtins.str"})
KINDS = {  # what each kind of node may make
    "BytearrayNode": frozenset({"builtins.bytearray"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DefaultDictNode": frozenset({"collections.defaultdict"}),
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict"}),
    "FunctionNode": frozenset({"sklearn.utils.validation.check_array"}),
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "NdArrayNode": NUMBERS | {"numpy.ndarray"},
    "PartialNode": frozenset({"functools.partial"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": NUMBERS | PLAIN | {"collections.OrderedDict"},
}
OF_TRUSTED = ("LossNode", "ObjectNode")  # any type that the caller trusts, except those that have a kind of their own
WITH_KIND = frozenset().union(*KINDS.values())
WHERE = ("skops.io._general", "skops.io._numpy", "skops.io._sklearn")  # not its nodes of earlier formats, which check less
NUMERIC = "biufUS"  # kinds of numpy's types that hold no pointers
LONGEST_AXIS = 2**31
HEADER = re.compile(  # as numpy writes it: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    rb"\x93NUMPY\x01\x00(?P<length>..)(?P<text>\{'descr': (?P<kind>'[<>|][a-zA-Z]\d{1,8}'|\[[\w\[\]()'<>|, ]{1,4000}\]),"
    rb" 'fortran_order': (False|True), 'shape': \((?P<shape>(\d{1,12}(, ?\d{1,12})*,?)?)\), \} *\n)",
    re.DOTALL,
)
POOL_SIZE = 4  # of a seed sequence; the time to make one grows with its square
OBJECTS = {"lightgbm.basic.Booster": lightgbm_text.check_state, "xgboost.core.Booster": xgboost_buffer.check_state}


def read(members: Members, trusted: frozenset[str]) -> Node:
    """Plan the objects of a file.

    Parameters
    ----------
    members : Members
    trusted : frozenset of str
        Full names of the classes that objects may have.

    Returns
    -------
    Node
        Its `construct` makes the object.

    Raises
    ------
    Malformed
    """
    schema, context = read_schema(members)
    need(context.protocol == PROTOCOL, f"it is written in format {context.protocol} of skops instead of {PROTOCOL}")
    plan = get_tree(rename(schema), context, trusted=None)
    nodes = _from_below(plan)
    _check_types(nodes, trusted)
    _check_places(nodes, members.n_nodes)
    for node in nodes:  # what lies below a node was found good, so it may be made to look at it
        if check := CHECKS.get(type(node).__name__):
            check(node)
    return plan


def _from_below(plan: Node) -> list[Node]:
    """Every node once, after those that it is made of."""
    found, open_, closed, stack = [], set(), set(), [(plan, False)]
    while stack:
        node, is_left = stack.pop()
        if is_left:
            closed.add(id(node))
            found.append(node)
        elif id(node) not in closed:
            need(id(node) not in open_, "an object is made of itself")
            open_.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in _children(node))
    return found


def _children(node: Node) -> Iterator[Node]:
    """What an object is made of; the class that a tree or a loss is made of is its own."""
    for name, value in node.children.items():
        if name == "constructor":
            continue
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
        yield from (child for child in values if isinstance(child, Node))


def _check_places(nodes: list[Node], n_written: int) -> None:
    """A list of the same list twice, of the same list twice …: a few lines that no walk or print would come to the end of."""
    n_below: dict[int, int] = {}
    for node in nodes:
        n_below[id(node)] = 1 + sum(n_below[id(child)] for child in _children(node))
    need(n_below[id(nodes[-1])] <= 2 * n_written, "its objects stand in more places than it writes out")


def _check_types(nodes: list[Node], trusted: frozenset[str]) -> None:
    strange = set()
    for node in nodes:
        kind, name = type(node).__name__, f"{node.module_name}.{node.class_name}"
        may_be = trusted - WITH_KIND if kind in OF_TRUSTED else KINDS.get(kind, frozenset())
        if name not in may_be or type(node).__module__ not in WHERE:
            strange.add(name if kind in ("ObjectNode", "FunctionNode", "TypeNode") else f"{kind} of {name}")
    need(not strange, f"it holds types that no model needs: {', '.join(sorted(strange))[:200]}")


def _check_dict(node) -> None:
    """Keys are made by calling their types."""
    kinds = node.key_types
    need(type(kinds).__name__ == "ListNode", "the types of keys are no list")
    names = {f"{kind.module_name}.{kind.class_name}" for kind in kinds.content if type(kind).__name__ == "TypeNode"}
    is_plain = names <= NUMBERS | PLAIN and len(kinds.content) == len(node.content)
    need(is_plain and all(type(kind).__name__ == "TypeNode" for kind in kinds.content), "a key has an unusual type")


def _check_array(node) -> None:
    if node.type == "numpy":
        check_npy(node.buffer)
    else:
        shape = node.shape.construct()
        need(isinstance(shape, tuple) and all(type(n) is int for n in shape), "an array has an unusual shape")
        need(shape[:1] == (len(node.items),), "an array has another shape than it says")


def check_npy(buffer: io.BytesIO) -> None:
    """Refuse an array in numpy's format that holds objects, or is not as large as it says.

    Raises
    ------
    Malformed
    """
    header = HEADER.match(buffer.getbuffer())
    need(header is not None, "an array has an unknown format")
    kind, shape = header["kind"].decode("ascii"), [int(n) for n in header["shape"].replace(b",", b" ").split()]
    need(int.from_bytes(header["length"], "little") == len(header["text"]), "an array has an unknown format")
    need(all(n <= LONGEST_AXIS for n in shape), "an array has an unusual shape")
    n_bytes = math.prod(shape) * _dtype(kind).itemsize
    need(n_bytes == buffer.getbuffer().nbytes - header.end(), "an array is not as large as it says")


@lru_cache(maxsize=256)
def _dtype(text: str) -> np.dtype:
    dtype = npy.descr_to_dtype(ast.literal_eval(text))
    need(_is_numeric(dtype), f"an array holds {text[:40]}")
    return dtype


def _is_numeric(dtype: np.dtype) -> bool:
    """Numbers, texts of a fixed width, or records of numbers."""
    if dtype.names is None:
        return dtype.kind in NUMERIC and dtype.itemsize > 0
    fields = [dtype.fields[name][0] for name in dtype.names]
    return bool(fields) and all(field.names is None and field.kind in "biuf" for field in fields)


def _check_partial(node) -> None:
    need(type(node.func).__name__ == "FunctionNode", "a function of no model is called")
    need(node.args.construct() == () and not node.namespace.construct(), "a function is given unusual arguments")


def _check_tree(node) -> None:
    """scikit-learn copies as many classes, nodes and values as it is told there are."""
    n_features, n_classes, n_outputs = node.args.construct()
    state = node.attrs.construct()
    need(type(n_features) is int and 0 <= n_features < LONGEST_AXIS, "a tree has an unusual number of columns")
    need(type(n_outputs) is int and n_outputs == 1, "a tree has several outputs")
    need(
        _is_array(n_classes, 1) and n_classes.dtype == np.intp and len(n_classes) == 1,
        "a tree has an unusual number of classes",
    )
    nodes, values = state["nodes"], state["values"]
    need(_is_array(nodes, 1) and _is_array(values, 3), "a tree has no nodes")
    need(values.shape == (len(nodes), 1, int(n_classes[0])), "a tree has other values than nodes or classes")
    need(type(state["node_count"]) is int and state["node_count"] == len(nodes) > 0, "a tree has other nodes than it says")
    need(type(state["max_depth"]) is int and 0 <= state["max_depth"] < len(nodes), "a tree has an unusual depth")


def _is_array(value: Any, n_axes: int) -> bool:
    return type(value) is np.ndarray and value.ndim == n_axes


def _check_loss(node) -> None:
    args, state = node.args.construct(), node.attrs.construct()
    need(
        isinstance(args, tuple) and len(args) <= 1 and all(isinstance(arg, float) for arg in args),
        "a loss has an unusual level",
    )
    need(not state, "a loss has an unusual state")


def _check_generator(node) -> None:
    need(
        type(node.seed_seq_state).__name__ == type(node.bit_generator_state).__name__ == "DictNode", "a generator has no state"
    )
    seed = node.seed_seq_state.construct()
    need(seed.get("pool_size") == POOL_SIZE, "a generator has an unusual state")


def _check_object(node) -> None:
    """An object's state is what skops puts into it; the state of a booster is read by a compiled library."""
    state = node.attrs
    need(state is None or type(state).__name__ == "DictNode" or state.construct() is None, "an object has an unusual state")
    if check := OBJECTS.get(f"{node.module_name}.{node.class_name}"):
        need(type(state).__name__ == "DictNode", "a booster has no state")
        check(state.construct())


def _check_dtype(node) -> None:
    """A type is kept as an array of it; numbers only, for cells of texts can be of any width."""
    need(type(node.content).__name__ == "NdArrayNode", "a type of numbers is none")
    need(node.content.construct().dtype.kind in "biuf", "a type of numbers is none")


CHECKS: dict[str, Callable[[Any], None]] = {
    "DTypeNode": _check_dtype,
    "DictNode": _check_dict,
    "LossNode": _check_loss,
    "NdArrayNode": _check_array,
    "ObjectNode": _check_object,
    "PartialNode": _check_partial,
    "RandomGeneratorNode": _check_generator,
    "TreeNode": _check_tree,
}

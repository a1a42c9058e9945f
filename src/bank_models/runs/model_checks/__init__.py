"""Validation of model files: none runs code, ends the process, hangs or fills the memory.

skops asks whether the types in a file are trusted. It does not ask what they are told, and compiled libraries believe what
stands in their arrays: one child of a tree that lies outside it ends the process. So a file goes through these gates, each of
which takes only what training writes:

1. `archive`: the members of the zip file, inflated no further than they say and the memory bears.
2. `nodes`: skops' plan of the objects, before any of them is made: types by exact name and kind, arrays as large as they say,
   XGBoost's and LightGBM's own formats read before their parsers see them.
3. `objects`: the objects themselves, before anything is scored: shapes agree, children and features are in range.

The hash of a file protects its numbers; these gates protect the process that opens it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def loads(data: bytes, trusted: Collection[str]) -> Any:
    """Build an object from the bytes of a skops file.

    Parameters
    ----------
    data : bytes
    trusted : collection of str
        Full names of the classes of which objects may be made; no other is, whatever skops trusts by itself.

    Raises
    ------
    Malformed
        If the file is not one that training writes.
    Exception
        Whatever zipfile, json, numpy or skops raise of broken bytes.
    """
    from bank_models.runs.model_checks import archive, nodes, objects

    model = nodes.read(archive.Members(data), frozenset(trusted)).construct()
    objects.check(model)
    return model

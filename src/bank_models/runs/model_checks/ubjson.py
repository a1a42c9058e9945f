"""UBJSON reader for XGBoost models: https://ubjson.org, with typed arrays of a known length."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from bank_models.runs.model_checks.fault import need

DEEPEST = 16
LONGEST_TEXT = 2**20
LENGTH = struct.Struct(">cq")  # its mark and itself
NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
CONSTANTS = {b"T": True, b"F": False, b"Z": None}


def parse(data: bytes) -> Any:
    """Read a value that fills the bytes.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    dict, list, str, int, float, bool, None or ndarray
        An array where the numbers have one type.

    Raises
    ------
    Malformed
    """
    reader = _Reader(data)
    value = reader.value(DEEPEST)
    need(reader.position == len(data), "a booster has more bytes than it says")
    return value


class _Reader:
    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    def value(self, levels_left: int) -> Any:
        need(levels_left > 0, "a booster is nested too deep")
        kind = self.take(1)
        if kind == b"{":
            return self.object(levels_left)
        if kind == b"[":
            return self.array(levels_left)
        if kind == b"S":
            return self.text()
        if kind in NUMBERS:
            return self.numbers(kind, 1)[0].item()
        need(kind in CONSTANTS, "a booster holds an unknown kind of value")
        return CONSTANTS[kind]

    def take(self, n_bytes: int) -> bytes:
        start = self.position
        need(0 <= n_bytes <= len(self.data) - start, "a booster is cut short")
        self.position = start + n_bytes
        return self.data[start : self.position]

    def next_is(self, mark: bytes) -> bool:
        found = self.data[self.position : self.position + 1] == mark
        self.position += found
        return found

    def length(self) -> int:
        need(self.position + LENGTH.size <= len(self.data), "a booster is cut short")
        mark, n = LENGTH.unpack_from(self.data, self.position)
        self.position += LENGTH.size
        need(mark == b"L" and n >= 0, "a booster has an unusual length")
        return n

    def text(self) -> str:
        n_bytes = self.length()
        need(n_bytes <= LONGEST_TEXT, "a booster holds a text of unusual length")
        return self.take(n_bytes).decode("utf-8")

    def numbers(self, kind: bytes, n: int) -> np.ndarray:
        need(kind in NUMBERS, "a booster holds an unknown kind of number")
        dtype = np.dtype(NUMBERS[kind])
        need(0 <= n <= len(self.data), "a booster is cut short")
        return np.frombuffer(self.take(n * dtype.itemsize), dtype)

    def object(self, levels_left: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.next_is(b"}"):
            key = self.text()
            need(key not in found, "a booster says something twice")
            found[key] = self.value(levels_left - 1)
        return found

    def array(self, levels_left: int) -> list | np.ndarray:
        if self.next_is(b"$"):
            kind = self.take(1)
            need(self.take(1) == b"#", "a booster has an array without a length")
            return self.numbers(kind, self.length())
        n = self.length() if self.next_is(b"#") else None
        found: list[Any] = []
        while len(found) != n if n is not None else not self.next_is(b"]"):
            found.append(self.value(levels_left - 1))
        return found

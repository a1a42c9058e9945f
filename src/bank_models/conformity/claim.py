"""Conformity claim: a declared capability, and its fault if it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What was tried.

    Attributes
    ----------
    of : str
        A model and its task, or a metric.
    what : str
    fault : str
        Why it does not hold; empty where it does.
    """

    of: str
    what: str
    fault: str


def tried(of: str, claims: Iterable[tuple[str, Callable[[], str]]]) -> list[Claim]:
    """Try claims; an exception is a fault, whatever it is: the code is somebody else's."""
    found = []
    for what, attempt in claims:
        try:
            fault = attempt()
        except Exception as error:
            fault = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        found.append(Claim(of, what, fault))
    return found

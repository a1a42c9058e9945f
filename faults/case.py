"""A promise, and one attempt to break it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


class Broken(AssertionError):
    """The promise did not hold; the message says in a sentence what was seen."""


class NotTried(Exception):
    """The attempt needs something that is not here, such as the rights of root."""


@dataclass(frozen=True)
class Attempt:
    """One attempt, in a process and a folder of its own.

    Attributes
    ----------
    folder : Path
        Empty; gone afterwards.
    number : int
        Of the promise's attempts, from 0.
    case : str
        Of the promise's cases; empty if it has none.
    seed : int
        From the promise's name, the suite's seed and the number, so that an attempt can be repeated.
    """

    folder: Path
    number: int
    case: str
    seed: int

    @cached_property
    def draw(self) -> random.Random:
        return random.Random(self.seed)


@dataclass(frozen=True)
class Promise:
    """What is tried.

    Attributes
    ----------
    group, name : str
    means : str
        One sentence: what one may rely on.
    attempt : callable
        Takes an `Attempt`; returns if the promise held, raises AssertionError if not.
    cases : sequence of str
        Each is tried at least once.
    share : float
        Attempts for each of N.
    limit_s : float
        Longest time of one attempt; beyond it the promise did not hold.
    is_pinned : bool
        Whether an attempt stays on one core, so that several can be made side by side.
    """

    group: str
    name: str
    means: str
    attempt: Callable[[Attempt], None]
    cases: Sequence[str] = ()
    share: float = 1.0
    limit_s: float = 60
    is_pinned: bool = True

    def count(self, n: int) -> int:
        return max(len(self.cases), round(n * self.share), 1)

    def case(self, number: int) -> str:
        return self.cases[number % len(self.cases)] if self.cases else ""

    def seed(self, seed: int, number: int) -> int:
        text = f"{self.group} {self.name} {seed} {number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


@dataclass
class Group:
    """Promises about one kind of fault."""

    name: str
    promises: list[Promise] = field(default_factory=list)

    def promise(self, name: str, means: str, **options) -> Callable:
        """Make the function below this line the attempt of a promise; options are those of `Promise`."""

        def decorate(attempt: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
            self.promises.append(Promise(self.name, name, means, attempt, **options))
            return attempt

        return decorate


def expect(holds: object, said: str) -> None:
    """Say that the promise is broken unless something holds."""
    if not holds:
        raise Broken(said)

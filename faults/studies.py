"""Broken and hostile databases of trials."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults import command, prepared
from faults.case import Attempt, Group, expect
from faults.kills import _trials

GROUP = Group("studies")
STUDY = Path("study.db")


def _sql(*statements: str) -> Callable[[Random], None]:
    def make(draw: Random) -> None:
        with sqlite3.connect(STUDY) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return make


def _bytes(make: Callable[[bytes, Random], bytes]) -> Callable[[Random], None]:
    return lambda draw: STUDY.write_bytes(make(STUDY.read_bytes(), draw)) and None


def _flip(data: bytes, draw: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(20):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _instead(place: Callable[[], object]) -> Callable[[Random], None]:
    def make(draw: Random) -> None:
        STUDY.unlink()
        place()

    return make


ATTRIBUTE = "UPDATE trial_user_attributes SET value_json = '{}' WHERE key = '{}'"
BROKEN: dict[str, Callable[[Random], None]] = {
    "an empty file": _bytes(lambda data, draw: b""),
    "text": _bytes(lambda data, draw: b"not a database\n" * 99),
    "random bytes": _bytes(lambda data, draw: draw.randbytes(9000)),
    "cut short": _bytes(lambda data, draw: data[: draw.randrange(100, len(data))]),
    "twenty flipped bits": _bytes(_flip),
    "a folder": _instead(lambda: STUDY.mkdir()),
    "a pipe": _instead(lambda: os.mkfifo(STUDY)),
    "a link to nothing": _instead(lambda: STUDY.symlink_to("nowhere/study.db")),
    "other tables": _sql("DROP TABLE trials"),
    "no attributes": _sql("DELETE FROM trial_user_attributes"),
    "an attribute that is new": _sql("UPDATE trial_user_attributes SET key = 'evil' WHERE key = 'seconds'"),
    "an attribute that is no JSON": _sql(ATTRIBUTE.format("{", "params")),
    "parameters that are a text": _sql(ATTRIBUTE.format('"x"', "params")),
    "parameters of another model": _sql(ATTRIBUTE.format('{"C": 1}', "params")),
    "a model that is not known": _sql(ATTRIBUTE.format('"evil"', "model")),
    "a score that is not a number": _sql(ATTRIBUTE.format("NaN", "score")),
    "a score that is a text": _sql(ATTRIBUTE.format('"high"', "score")),
    "a value beyond its range": _sql("UPDATE trial_values SET value = 1e300"),
    "numbers out of order": _sql("UPDATE trials SET number = number + 7"),
    "a state that is not known": _sql("UPDATE trials SET state = 'EVIL'"),
    "a trial that runs for ever": _sql("UPDATE trials SET state = 'RUNNING' WHERE number = 3"),
    "a version of the future": _sql("UPDATE version_info SET schema_version = 99"),
}  # fmt: skip


@GROUP.promise(
    "a broken database of trials",
    "The search refuses it in a sentence, or ends with the trials that it would have found without it.",
    cases=tuple(BROKEN),
    limit_s=150,
)
def broken(attempt: Attempt) -> None:
    expected = _trials(prepared.run_folder("searched"))
    arguments = *prepared.KINDS["searched"], "registry=none", "tracking=none", "n_threads=1", "hydra.run.dir=it"
    short = [one for one in arguments if not one.startswith("tuning.n_iter")]
    command.run("src.train", *short, "tuning.n_iter=6", limit_s=70).check_is_good()
    BROKEN[attempt.case](attempt.draw)
    answer = command.run("src.train", *arguments, limit_s=70)
    answer.check_is_a_sentence(0, 1, 2, 4)
    if answer.code == 0:
        found = _trials(Path("it"))
        expect(found.equals(expected), "the search ended well with other trials than without the fault")

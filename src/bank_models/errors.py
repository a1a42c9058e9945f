"""Exceptions by who has to act, each with the exit code that a scheduler sees."""

import difflib
from collections.abc import Iterable

from bank_models.commands import as_typed


class TrainingError(Exception):
    """The run could not be finished."""

    exit_code = 1

    def __str__(self) -> str:
        return as_typed(super().__str__())


class UserError(TrainingError):
    """What was asked for, or given, cannot work; the message says what to change. At most three lines."""

    exit_code = 2


class ConfigError(UserError):
    """A setting that is unknown, out of range or at odds with another one."""


class ForbiddenError(ConfigError):
    """A configuration that names code to run, or would give a secret away."""


class DataError(UserError):
    """A data source that is absent, unreadable or not what the use case declares."""


class GateError(TrainingError):
    """A model does not meet what its use case demands."""

    exit_code = 3


class IntegrityError(TrainingError):
    """Stored bytes are not the bytes that were written."""

    exit_code = 4


def at_most(n_shown: int, faults: list[str], more: str) -> str:
    """Join the first `n_shown` faults, one a line, and count the rest: ``and 4 more columns``."""
    hidden = len(faults) - n_shown
    lines = faults[:n_shown]
    if hidden > 0:
        lines[-1] += f" (and {hidden} more {more})"
    return "\n".join(lines)


def unknown(what: str, given: str, valid: Iterable[str]) -> str:
    """Say that a name is not known, what was probably meant, and (where they are few) what is."""
    valid = sorted(valid)
    near = difflib.get_close_matches(given, valid, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    options = f"\nKnown: {', '.join(valid)}" if len(valid) <= 16 else "\nTo list them: python -m src.train --help"
    return f"{what}={given} is not known.{meant}{options}"

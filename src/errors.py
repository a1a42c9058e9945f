"""What can go wrong, by who has to act. Each kind has the exit code a scheduler sees."""


class TrainingError(Exception):
    """The run could not be finished."""

    exit_code = 1


class UserError(TrainingError):
    """What was asked for, or given, cannot work; the message says what to change. At most three lines."""

    exit_code = 2


class ConfigError(UserError):
    """A setting that is unknown, out of range or at odds with another one."""


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

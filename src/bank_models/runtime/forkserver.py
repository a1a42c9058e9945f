"""Fork server: it ends with the process that started it.

By itself it would go on while a process that was forked from it lives, and that one waits for the server's end. What the
system denies to it or to a process of its is told by whoever wanted the process.
"""

import sys
from types import TracebackType

from bank_models.runtime.processes import end_with_parent
from bank_models.runtime.system_errors import explained

TOO_MANY_FILES = "but msg[0] is"  # says `multiprocessing` of files that it was handed and could not keep


def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show the traceback of an exception, if its cause is a fault of ours."""
    if explained(error) is None and TOO_MANY_FILES not in str(error):
        sys.__excepthook__(kind, error, trace)


end_with_parent()
sys.excepthook = say

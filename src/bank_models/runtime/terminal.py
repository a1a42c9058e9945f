"""Terminal: messages for people and exit codes."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TextIO

from bank_models.runtime.garbage import collect_seldom
from bank_models.runtime.system_errors import check_room, explained

END_OF_BAR = "\r\033[2K\033[?25h"  # an empty line instead of a progress bar, and the cursor, which it hides
PLAIN = {"·": "-", "…": "...", "→": "->", "×": "x", "−": "-", "–": "-", "≥": ">=", "≤": "<=", "«": '"', "»": '"'}  # noqa: RUF001
FIRST_BYTE, LAST_BYTE = "\udc80", "\udcff"  # characters that stand for bytes that were none
PRINTED = "what this command prints"
TO_LEAVE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a scheduler, a terminal that was closed
UTF_8 = "PYTHONUTF8"
READER_GONE = 128 + signal.SIGPIPE  # as a shell reports it


def for_people(main: Callable[..., int]) -> Callable[..., int]:
    """Make a command answer in sentences: what is meant for people, and what the system says, is told without a traceback.

    Any other exception is a fault of ours and passes through. Whoever stopped reading (`… | head`) gets silence.

    Parameters
    ----------
    main : callable
        Gives the exit code of a command.
    """

    @wraps(main)
    def answering(*arguments, **named) -> int:
        mend_streams()
        _start_anew_in_utf_8()
        collect_seldom()
        earlier, threading.excepthook = threading.excepthook, _say_of_thread
        try:
            return _spoken(main, *arguments, **named)
        except Exception as error:
            if (code := answer(error)) is None:
                raise
            return code
        except KeyboardInterrupt:
            complain("Interrupted.")
            return 128 + signal.SIGINT  # as a shell reports it
        finally:
            threading.excepthook = earlier

    return answering


def _say_of_thread(failed: threading.ExceptHookArgs) -> None:
    """Show the traceback of a fault of ours; what the system denies to a thread, it denies to the command, which tells."""
    if explained(failed.exc_value) is None:
        threading.__excepthook__(failed)


def answer(error: Exception) -> int | None:
    """Tell people why a command ends; give the exit code, or None for what should show its traceback."""
    is_left = _is_left(error)
    _drain(error)
    if is_left:
        return READER_GONE
    if failure := explained(error, sys.argv[1:]):
        complain(str(failure))
    return failure and failure.exit_code


def _spoken(main: Callable[..., int], *arguments, **named) -> int:
    """Run a command until what it printed is out: at the interpreter's end it would be too late to say that it cannot be."""
    check_room()
    try:
        code = main(*arguments, **named)
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _is_left(error: Exception) -> bool:
    """Whether something could not be printed because nobody reads it any more."""
    if not isinstance(error, OSError) or error.errno not in (errno.EPIPE, errno.EIO):
        return False
    watched = select.poll()
    for number in (1, 2):
        watched.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watched.poll(0))


def _drain(error: Exception) -> None:
    """Print what is left to print, or forget it: the interpreter would try once more at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError as unwritten:
        if isinstance(error, OSError) and error.errno == unwritten.errno:
            error.filename = PRINTED
        _silence(sys.stdout)


def complain(text: str) -> None:
    """Tell people that something went wrong, if they can be told."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _silence(sys.stderr)


def say_last(text: str) -> None:
    """Say something past a progress bar, which stands in the place of `sys.stderr` and would draw itself again below."""
    terminal = sys.__stderr__
    with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody is there any more
        terminal.write((END_OF_BAR if terminal.isatty() else "") + text + "\n")
        terminal.flush()


@contextlib.contextmanager
def leaving(handler: Callable) -> Iterator[None]:
    """Answer Ctrl-C, SIGTERM and the end of the terminal for a while; `nohup` stays what it is."""
    before = {number: signal.getsignal(number) for number in TO_LEAVE}
    heard = [number for number in TO_LEAVE if number != signal.SIGHUP or before[number] != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _start_anew_in_utf_8() -> None:
    """In a locale that knows ASCII only, Python can neither take nor make a name with other letters, unless it is told to."""
    program = sys.modules["__main__"].__spec__
    if program is None or not program.name.startswith("bank_models.") or sys.getfilesystemencoding() != "ascii":
        return
    if os.environ.get(UTF_8) != "1":
        with contextlib.suppress(OSError):
            os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], os.environ | {UTF_8: "1"})


def mend_streams() -> None:
    """Make printing safe: into streams that were closed, and in a character set that lacks some of our characters."""
    for number in range(3):
        _keep_open(number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        _make_lenient(getattr(sys, name))


def _keep_open(number: int) -> None:
    """Else the next file that is opened gets the number, and whatever is printed is written into it."""
    with contextlib.suppress(OSError):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _make_lenient(stream: TextIO) -> None:
    if hasattr(stream, "reconfigure") and codecs.lookup(stream.encoding).name != "utf-8":
        codecs.register_error("plain", _plain)
        stream.reconfigure(errors="plain")


def _plain(error: UnicodeEncodeError) -> tuple[bytes, int]:
    """What stands for characters that cannot be written; names of files come out byte by byte, as they went in."""
    text = error.object[error.start : error.end]
    return b"".join(_byte(one) if one >= FIRST_BYTE else PLAIN.get(one, "?").encode() for one in text), error.end


def _byte(character: str) -> bytes:
    return character.encode("ascii", "surrogateescape") if character <= LAST_BYTE else b"?"


def _silence(stream: TextIO) -> None:
    """Let what could not be written go nowhere; the interpreter would try it once more at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

"""System errors in words: full disk, no memory, no permission."""

from __future__ import annotations

import contextlib
import errno
import locale
import os
import re
import resource
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from bank_models.errors import ConfigError, DataError, TrainingError, UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
EXHAUSTED = (*NO_ROOM, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # whatever was being read or written
OF_A_PATH = {  # `{path}` and what is wrong with it
    errno.EACCES: "may not be read or written by this user. Give the user that right, or choose another path.",
    errno.EPERM: "may not be read or written by this user. Give the user that right, or choose another path.",
    errno.EROFS: "is on a disk that can only be read. Choose a path on another one.",
    errno.EIO: "cannot be read or written: the disk reports an error. Ask whoever looks after this machine.",
    errno.ESTALE: "cannot be read or written: its disk is no longer connected. Ask whoever looks after this machine.",
    errno.ENAMETOOLONG: "is a longer name than the disk allows. Choose a shorter one.",
    errno.ELOOP: "is a link that leads back to itself. Choose another path.",
    errno.ENOTDIR: "goes through a file as if that was a folder. Choose another path.",
}
OF_SQLITE = {  # SQLite reports the same through an exception of its own
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
    "disk I/O error": errno.EIO,
}
OUT_OF_MEMORY = re.compile(
    r"bad[_ ]alloc|out of memory|not enough memory|can(?:no|')t allocate memory|(?:unable|failed) to allocate|"
    r"malloc of size|failed to map segment",
    re.IGNORECASE,
)
OF_A_BOOSTER = ("XGBoostError", "LightGBMError")
REFUSED_VALUE = re.compile(
    r"value \S+ for Parameter [^\n]+|Invalid Input: [^\n]+|Check failed: [^\n]+?(?= at /)", re.IGNORECASE
)
DATABASE = "the database"
NO_THREAD = "can't start new thread"
LIBRARY = "scipy.linalg"
LEAST_MEMORY = 1 << 30  # bytes of addresses
NEARLY_FULL = 1 << 20  # bytes that are left


def check_room() -> None:
    """Refuse to begin where the libraries cannot even be loaded: one of them tries for ever, or says that Ctrl-C was pressed.

    Raises
    ------
    TrainingError
    """
    if LIBRARY in sys.modules:
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY and most < LEAST_MEMORY:
        raise TrainingError(
            f"There is not enough memory: {most >> 20} MB are allowed, and the libraries alone need {LEAST_MEMORY >> 20}.\n"
            "Allow more: ulimit -v unlimited"
        )
    is_over = threading.Event()
    threads = [threading.Thread(target=is_over.wait, daemon=True) for _ in os.sched_getaffinity(0)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:
        raise TrainingError(_of_processes()) from error
    finally:
        is_over.set()


def explained(error: BaseException, named: Iterable[str] = ()) -> TrainingError | None:
    """What a person can do about an exception, where the cause is the system and not our code.

    Parameters
    ----------
    error : BaseException
    named : iterable of str
        Words of the command line. A path among them that cannot be read is a matter of what was asked: exit code 2.

    Returns
    -------
    TrainingError or None
        The error itself if it is meant for people already; None for whatever else, which may be a fault of ours and should
        show its traceback.
    """
    if isinstance(error, TrainingError) and (error.exit_code == 1 or not _is_for_want_of_something(error.__cause__)):
        return error
    for one in _chain(error):
        if found := _explained(one, [word.partition("=")[2] or word for word in named]):
            return found
    return error if isinstance(error, TrainingError) else None


def _is_for_want_of_something(error: BaseException | None) -> bool:
    """Whether a file could not be read or written only because the machine has no more to give."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in EXHAUSTED)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that it was raised from: libraries wrap what the system said."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        yield at
        seen.append(at)
        at = at.__cause__


def _explained(error: BaseException, named: list[str]) -> TrainingError | None:
    if isinstance(error, UnicodeEncodeError):
        return _of_characters(error)
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
        return TrainingError(_of_memory(str(error)))
    if isinstance(error, BlockingIOError) or (isinstance(error, RuntimeError) and NO_THREAD in str(error)):
        return TrainingError(_of_processes())
    if type(error).__module__.startswith("psutil") and not Path("/proc/self/stat").exists():
        return TrainingError("/proc, where the system tells of its processes, is not there. Mount it: mount -t proc proc /proc")
    if isinstance(error, OSError):
        return _of_os(error, named)
    if type(error).__name__ in OF_A_BOOSTER and (refused := REFUSED_VALUE.search(str(error))):
        return ConfigError(f"The library refuses a value of model.params: {refused[0]}")
    number = next((number for text, number in OF_SQLITE.items() if text in str(error)), None)
    return None if number is None else _of_os(OSError(number, os.strerror(number), DATABASE), named)


def _of_os(error: OSError, named: list[str]) -> TrainingError | None:
    path = "" if error.filename is None or isinstance(error.filename, int) else os.fsdecode(error.filename)
    if "No usable temporary directory" in str(error):
        return TrainingError(f"There is no folder for temporary files: {str(error.strerror).partition('in ')[2]}.\n"
                             "Set TMPDIR to a folder that can be written to.")  # fmt: skip
    if error.errno == errno.ENOENT and _is_here_gone():
        return TrainingError("The folder in which this was started is no longer there. Change to one that is: cd …")
    if error.errno in NO_ROOM:
        where = path or _full(named) or "the results, of what is printed, or of temporary files"
        return TrainingError(f"No space is left on the disk of {where}.\nFree some, or choose another folder.")
    if error.errno == errno.EFBIG:
        return TrainingError(f"{path or 'A file'} would be larger than this user may write. Allow more: ulimit -f unlimited")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return TrainingError(f"More files are needed at once than may be open ({most}). Allow more: ulimit -n 4096")
    if path and _is_named(path, named) and _is_unreadable(path, error):
        return DataError(f"{path} cannot be read: {error.strerror}.")
    if path and (said := OF_A_PATH.get(error.errno)):
        return TrainingError(f"{_shown(path, error)} {said}")
    return None


def _is_here_gone() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _is_named(path: str, named: list[str]) -> bool:
    """Whether a path, or a folder above it, was typed."""
    return any(Path(path).is_relative_to(word) for word in named if word)


def _is_unreadable(path: str, error: OSError) -> bool:
    """Whether it is reading that fails; what cannot be written may well be absent."""
    try:
        os.stat(path)  # noqa: PTH116  a path of any kind
    except FileNotFoundError:
        return error.errno == errno.ENOENT
    except OSError:
        return True
    return not os.access(path, os.R_OK)


def _shown(path: str, error: OSError) -> str:
    """What to name: of a file that could not be made, its folder."""
    if path == DATABASE:
        return path.capitalize()
    folder = os.path.dirname(path)  # noqa: PTH120  empty where there is none
    is_made = error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or os.path.lexists(path)
    return path if is_made or not folder else folder


def _full(named: list[str]) -> str | None:
    """A place that has no room: one that was named, where the command runs, or where temporary files go."""
    places = [_standing(Path(word)) for word in named if os.sep in word]
    for place in (*places, Path(), Path(os.environ.get("TMPDIR") or "/tmp"), Path("/dev/shm")):
        with contextlib.suppress(OSError):
            free = os.statvfs(place)
            if free.f_bavail * free.f_frsize < NEARLY_FULL:
                return str(place)
    return None


def _standing(path: Path) -> Path:
    return next((parent for parent in (path, *path.parents) if os.path.exists(parent)), Path())  # noqa: PTH110  which never raises


def _of_memory(said: str) -> str:
    asked = re.search(r"allocate ([\d.]+ \w+)", said)
    return (
        f"There is not enough memory for this{f' (could not allocate {asked[1]})' if asked else ''}.\n"
        "Give it more (ulimit -v, or the limit of the container), or less to do: fewer rows, or n_threads=1."
    )


def _of_processes() -> str:
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return f"No further process or thread may be started ({most} are allowed). Allow more (ulimit -u), or set n_threads=1."


def _of_characters(error: UnicodeEncodeError) -> TrainingError:
    text = ascii(error.object[max(0, error.start - 20) : error.end + 20])
    if sys.getfilesystemencoding() != "utf-8":
        return TrainingError(
            f"{text} cannot be written in the character set of this terminal, {locale.getpreferredencoding(False)}.\n"
            "Set one that has all characters: export LC_ALL=C.UTF-8"
        )
    return UserError(f"{text} holds bytes that are not text in UTF-8. Type it again, or give the file another name.")

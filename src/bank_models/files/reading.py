"""Read files that somebody else may have placed: no link, no pipe, no more bytes than expected."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from bank_models.errors import IntegrityError

NO_FILE = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)  # what the system says of a link, a folder, a pipe, a socket


def open_file(folder: Path, name: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file below a folder: no link on the way from there is followed, no pipe or device is waited for.

    Parameters
    ----------
    folder : Path
        Named by a person; may be a link.
    name : str
        Relative; `folder` and whoever can write there need not be trusted.
    flags : int
        As of `os.open`.

    Returns
    -------
    int
        A descriptor.

    Raises
    ------
    IntegrityError
        If something else than a regular file is there, or a link leads to it.
    OSError
        If nothing is there, or the system cannot open it.
    """
    *folders, last = name.split("/")
    inner = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    at = os.open(folder, inner)
    try:
        for part in folders:
            outer, at = at, os.open(part, inner | os.O_NOFOLLOW, dir_fd=at)
            os.close(outer)
        descriptor = os.open(last, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=at)
    except OSError as error:
        if error.errno in NO_FILE:
            raise IntegrityError(f"{Path(folder, name)} is not a regular file") from error
        raise
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IntegrityError(f"{Path(folder, name)} is not a regular file")
    return descriptor


def read_file(folder: Path, name: str, at_most: int) -> bytes:
    """Bytes of a file below a folder, as `open_file` opens it.

    Raises
    ------
    IntegrityError
        If it isn't a regular file, or has more bytes than `at_most`.
    OSError
        If there is none, or it cannot be read.
    """
    with os.fdopen(open_file(folder, name), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > at_most:
            raise IntegrityError(f"{Path(folder, name)} is refused: it has {size:,} bytes, and {at_most:,} are the most")
        return file.read(size)


def parse_json(data: bytes, path: Path) -> Any:
    """Values of a JSON text.

    Raises
    ------
    IntegrityError
        If it isn't JSON in UTF-8, or holds a number that isn't finite.
    """
    try:
        values = json.loads(data.decode())
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} cannot be read: it is not JSON") from error
    return values


def check_folder(path: Path) -> None:
    """Refuse what stands in a folder's place: a link, a file; that nothing stands there is no fault.

    Raises
    ------
    IntegrityError
    """
    if os.path.lexists(path) and not stat.S_ISDIR(path.lstat().st_mode):
        raise IntegrityError(
            f"{path} is {'a link' if path.is_symlink() else 'a file'}, where a folder must be: it is not opened"
        )


def shown(path: Path) -> str:
    """A path that somebody else may have named, as one line of plain text."""
    return str(path) if str(path).isprintable() else ascii(str(path))

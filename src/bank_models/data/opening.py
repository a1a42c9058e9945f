"""Safe opening of input files: none can hang the reader or fill the memory."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from bank_models.errors import DataError
from bank_models.runtime import memory

GIB = 1 << 30
MOST_UNPACKED = GIB  # bytes that any gzip file may unpack to
LARGEST_RATIO = 100  # of unpacked to packed bytes, beyond that
STEP_BYTES = 1 << 24
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def kind_at(path: Path) -> str:
    """What lies at a path, links followed: "file", "folder", what else it is in words, or "" if nothing is there.

    Raises
    ------
    DataError
        If the system lets nobody look.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last one of a name with a zero byte
        return ""
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return _kind(mode)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading. A link is followed, but what it leads to must be a regular file.

    A named pipe would wait for its writer for ever and a device may never end, so they are refused before and after they are
    opened: between the two moments somebody may have put another one there.

    Raises
    ------
    DataError
    """
    kind = kind_at(path)
    if kind not in ("file", ""):
        raise _not_a_file(path, kind)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    opened = os.fdopen(descriptor, "rb")
    kind = _kind(os.fstat(descriptor).st_mode)
    if kind != "file":
        opened.close()
        raise _not_a_file(path, kind)
    return opened


def read_bytes(path: Path, memory_per_byte: float = 1) -> bytes:
    """All bytes of a file, as many as it had when it was opened.

    Parameters
    ----------
    path : Path
    memory_per_byte : float
        Bytes of memory that reading and using one byte of the file takes at least.

    Raises
    ------
    DataError
        If it is no regular file, empty, larger than the memory, or grows or shrinks meanwhile.
    """
    with open_file(path) as opened:
        size = os.fstat(opened.fileno()).st_size
        check_memory(path, size * memory_per_byte)
        try:
            raw = opened.read(size + 1)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
        except MemoryError as error:
            raise too_large(path) from error
    if not size:
        raise DataError(f"{path} is empty (0 bytes).")
    if len(raw) != size:
        raise DataError(f"{path} was changed while it was read: wait until it is written, then run again.")
    return raw


def check_memory(path: Path | str, n_bytes: float) -> None:
    """Refuse what the memory cannot hold, before it is read.

    Raises
    ------
    DataError
    """
    if n_bytes > (free := memory.available()):
        raise DataError(
            f"{path} needs about {n_bytes / GIB:,.1f} GiB of memory to be read, but {free / GIB:,.1f} GiB are free.\n"
            "Take fewer rows or columns, or run it on a machine with more memory."
        )


def too_large(path: Path | str) -> DataError:
    return DataError(
        f"{path} cannot be read: there is not enough memory for what is in it.\n"
        "If it should be small, it was changed: copy it again. Otherwise take fewer rows or columns."
    )


def broken_gzip(path: Path | str, why: object) -> DataError:
    """Say that a file is no gzip file that can be unpacked."""
    return DataError(f"{path} is not a whole gzip file: {why}.\nWrite or copy the file again.")


class Unpacked:
    """The bytes in a gzip file, no more of them than a table would have.

    A gzip file of a few megabytes can unpack to as many gigabytes. Tables are packed to a third or a tenth, so what unpacks
    to more than a hundred times its size, and to more than a gibibyte, is refused. It can still be unpacked by hand and read.

    Parameters
    ----------
    path : Path or str
        For messages.
    packed : binary file
    n_packed : int
    """

    def __init__(self, path: Path | str, packed: BinaryIO, n_packed: int):
        self._path = path
        self._unpacked = gzip.GzipFile(fileobj=packed)
        self._most = max(MOST_UNPACKED, LARGEST_RATIO * n_packed)
        self._n_read = 0

    def read(self, n_bytes: int) -> bytes:
        try:
            piece = self._unpacked.read(n_bytes)
        except (OSError, EOFError, zlib.error) as error:
            raise broken_gzip(self._path, " ".join(str(error).split())) from error
        self._n_read += len(piece)
        if self._n_read > self._most:
            raise DataError(
                f"{self._path} unpacks to more than {self._most / GIB:,.1f} GiB, over {LARGEST_RATIO} times its size, as no "
                "table does.\nIf it is one, unpack it with gzip -d and name the CSV."
            )
        return piece

    def close(self) -> None:
        self._unpacked.close()


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else KINDS.get(stat.S_IFMT(mode), "something else")


def _not_a_file(path: Path, kind: str) -> DataError:
    what = "a folder" if kind == "folder" else kind
    return DataError(f"{path} is {what}, not a file.\nName a file that lies on a disk, or a link to one.")

"""Zip archive of a skops file, inflated within limits."""

from __future__ import annotations

import io
import re
import zipfile

import psutil

from bank_models.runs.model_checks.fault import Malformed, need

SCHEMA = "schema.json"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\.(json|npy|bin)")
MOST_MEMBERS = 200_000
ALWAYS_BEARABLE = 64 * 2**20  # bytes unpacked, however small the file
MOST_INFLATED = 200  # times the file: ours are not compressed, other tools make them a tenth as large
SHARE_OF_MEMORY = 0.5  # of what is available: what is unpacked becomes objects beside the bytes
BYTES_OF_SCHEMA = 25  # of memory, for one in the text of a schema
ENCRYPTED = 1  # flag of a member


class Members:
    """What a skops file holds, by name; each member is read once, so that none is copied a million times.

    Parameters
    ----------
    data : bytes

    Attributes
    ----------
    n_nodes : int
        Objects that the schema writes out; one that stands in two places is written twice.

    Raises
    ------
    Malformed
        If there are too many members, or unpacked they are too large; or one has a path for a name, twice the same name, a
        password or an unusual compression.
    zipfile.BadZipFile
    """

    def __init__(self, data: bytes):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_index(archive.infolist(), len(data))
            self._contents = {info.filename: _inflate(archive, info) for info in archive.infolist()}
        self.n_nodes = self._contents[SCHEMA].count(b'"__loader__"')

    def read(self, name: str) -> bytes:
        """Bytes of a member that was not read yet."""
        if not isinstance(name, str) or name not in self._contents:
            raise Malformed(f"the member {str(name)[:40]!r} is absent or was read before")
        return self._contents.pop(name)


def _check_index(members: list[zipfile.ZipInfo], packed_size: int) -> None:
    need(len(members) <= MOST_MEMBERS, f"it has {len(members):,} members")
    names = [info.filename for info in members]
    for info in members:
        need(NAME.fullmatch(info.filename) is not None, f"a member is named {info.filename[:40]!r}")
        need(not info.flag_bits & ENCRYPTED, "a member is encrypted")
        need(info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), "a member is compressed in an unusual way")
    need(len(set(names)) == len(names), "two members have one name")
    need(SCHEMA in names, f"it has no {SCHEMA}")
    sizes = {info.filename: info.file_size for info in members}
    _check_sizes(sum(sizes.values()), sizes[SCHEMA], packed_size)


def _check_sizes(size: int, schema_size: int, packed_size: int) -> None:
    limit = max(ALWAYS_BEARABLE, MOST_INFLATED * packed_size)
    need(size <= limit, f"{packed_size:,} bytes unpack to {size:,}")
    if size > ALWAYS_BEARABLE // BYTES_OF_SCHEMA:
        bearable = SHARE_OF_MEMORY * psutil.virtual_memory().available
        need(size + BYTES_OF_SCHEMA * schema_size <= bearable, f"its {size:,} bytes, unpacked, do not fit into the memory")


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Bytes of a member; never more than its header says, which a reader without a limit would take in before it looks."""
    with archive.open(info) as member:
        content = member.read(info.file_size) if info.file_size else b""
    need(len(content) == info.file_size, f"the member {info.filename} is cut short")
    return content

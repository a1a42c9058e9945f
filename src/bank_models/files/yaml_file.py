"""YAML files: read with limits; an error names its file and line."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import yaml

from bank_models.errors import ConfigError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
LARGEST = 2**20  # bytes; our largest file has 10,000
MOST_NODES = 50_000  # after aliases are followed, each time that one is used
DEEPEST = 50
UNCLOSED = {
    "scanning a quoted scalar": "a quote begins here that is not closed",
    "parsing a flow mapping": "a { begins here that is not closed, or two of its settings have no comma between them",
    "parsing a flow sequence": "a [ begins here that is not closed, or two of its values have no comma between them",
}


def read(path: Path) -> Any:
    """What a file holds, as plain values.

    Raises
    ------
    ConfigError
        If it cannot be read; with the line where that can be said.
    """
    text = read_text(path)
    try:
        check_size(path, nodes(path, text))
        return yaml.load(text, LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise fault(path, error) from error


def read_text(path: Path) -> str:
    """Text of a file that is one: no pipe, no device, and of a size that people write.

    Raises
    ------
    ConfigError
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{path} is not a file, but a folder, a pipe or a device.")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST:,} bytes: that is no configuration file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8. Save the file as UTF-8.") from error


def nodes(path: Path, text: str) -> yaml.Node | None:
    """What a text holds, as the parser sees it: nothing is made of it yet.

    Raises
    ------
    ConfigError
        If it is nested so deep that the parser, which calls itself, would crash.
    """
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{path} is nested more than {DEEPEST} deep.")
    return yaml.compose(text, LOADER)


def check_size(path: Path, root: yaml.Node | None) -> None:
    """Refuse a file with a key twice, and one that a few aliases of aliases unfold to billions of values.

    Raises
    ------
    ConfigError
    """
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = None  # until it is known: who meets it again is inside of it
            if isinstance(node, yaml.MappingNode):
                _check_keys(path, node)
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            flat = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
            sizes[id(node)] = 1 + sum(map(size, flat))
        if (known := sizes[id(node)]) is None:
            raise ConfigError(f"{path}, line {node.start_mark.line + 1}: an alias stands inside of what it repeats.")
        return known

    if root is not None and size(root) > MOST_NODES:
        raise ConfigError(f"{path} unfolds to more than {MOST_NODES:,} values: its aliases repeat one another.")


def _check_keys(path: Path, node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise ConfigError(f"{path}, line {key.start_mark.line + 1}: {key.value} is there twice.")
            seen.add(key.value)


def fault(path: Path | str, error: Exception) -> ConfigError:
    """What a parser says of a file, as a sentence with the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    unclosed = next((what for what in UNCLOSED if what in (getattr(error, "context", None) or "")), None)
    if unclosed and error.context_mark:
        said = f"{path}, line {error.context_mark.line + 1}: {UNCLOSED[unclosed]}"
        return ConfigError(f"{said}.\nClose it; text with : or # or {{ belongs into quotes.")
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or next(iter(str(error).splitlines()), type(error).__name__)
    return ConfigError(f"{where}: {problem}.\nIndent with spaces, and put text with : or # or {{ into quotes.")

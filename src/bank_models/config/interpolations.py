"""Interpolations: which resolvers a configuration may call.

A resolver is a function that a text calls: `oc.env` reads the environment into files that are saved, `oc.decode` and
`oc.create` make settings out of text after every check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from bank_models.errors import ConfigError, ForbiddenError

RESOLVERS = ("hydra", "now", "oc.dict.keys", "oc.dict.values", "oc.select", "python_version", "hydra_override_dirname")
WHY = {
    "": "a resolver whose name is computed",
    "oc.env": "the resolver oc.env, which would write an environment variable into saved files",
}
MOST_LETTERS = 10_000
UNESCAPED = re.compile(r"\\*\$\{")


def check(text: str, place: str) -> None:
    """Refuse a text that calls a resolver which is not one of `RESOLVERS`, whatever the text is wrapped in.

    Parameters
    ----------
    text : str
        A value as it was typed or as a file has it. An escaped interpolation counts too: who unescapes it would call it.
    place : str
        Where it stands, for the message, which never shows a value.

    Raises
    ------
    ForbiddenError
    ConfigError
        If it cannot be read.
    """
    if "${" not in text:
        return
    if len(text) > MOST_LETTERS:
        raise ConfigError(f"{place} is an interpolation of {len(text):,} letters: at most {MOST_LETTERS:,} are read.")
    for name in _resolvers(UNESCAPED.sub("${", text), place):
        if name not in RESOLVERS:
            raise ForbiddenError(
                f"{place} is refused: it calls {WHY.get(name, f'the resolver {name}')}.\n"
                f"Resolvers that may be called: {', '.join(RESOLVERS)}."
            )


def strings(value: Any) -> Iterator[str]:
    """Every text in a value of Hydra's grammar or of YAML: in lists, mappings with their keys, sweeps, quotes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from strings(key)
            yield from strings(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from strings(one)
    elif is_dataclass(value):  # quoted text, choices, ranges, patterns
        yield from strings(list(vars(value).values()))


def _resolvers(text: str, place: str) -> Iterator[str]:
    """Names of the resolvers that a text calls; empty for one that is itself computed."""
    from omegaconf.errors import GrammarParseError
    from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser as Grammar
    from omegaconf.grammar_parser import parse

    try:
        waiting = [parse(text)]
    except (GrammarParseError, RecursionError) as error:
        raise ConfigError(f"{place} has an interpolation that cannot be read: one looks like ${{use_case.key}}.") from error
    while waiting:
        node = waiting.pop()
        if isinstance(node, Grammar.ResolverNameContext):
            computed = any(isinstance(child, Grammar.InterpolationContext) for child in node.getChildren())
            yield "" if computed else node.getText()
        waiting += list(node.getChildren()) if hasattr(node, "getChildren") else []

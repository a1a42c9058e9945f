"""Extensible tables: our own entries first, then those of enabled packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from bank_models.errors import ConfigError
from bank_models.extensions import packages

T = TypeVar("T")


class Table(Mapping, Generic[T]):
    """Values by name.

    Parameters
    ----------
    ours : mapping
    group : str
        Of the entry points that add to it: see `bank_models.extensions.packages.GROUPS`.
    kind : type
        Of its values.
    """

    def __init__(self, ours: Mapping[str, T], group: str, kind: type[T]):
        self.ours = ours
        self.group = group
        self.kind = kind

    def __getitem__(self, name: str) -> T:
        if name in self.ours:
            return self.ours[name]
        return packages.loaded(self._theirs()[name], self.group, name, self.kind)

    def __iter__(self) -> Iterator[str]:
        yield from self.ours
        yield from self._theirs()

    def __len__(self) -> int:
        return len(self.ours) + len(self._theirs())

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self._theirs()

    def package_of(self, name: str) -> str | None:
        """The extension that a name comes from; None of ours."""
        return None if name in self.ours else self._theirs()[name].name

    def check(self, name: str) -> None:
        """Say of a name that is not known if an installed package has it.

        Raises
        ------
        ConfigError
        """
        if name not in self and (package := packages.offering(self.group, name)) is not None:
            raise ConfigError(
                f"{name} is of the installed package {package}, which this project does not enable.\n"
                f"Add to {packages.FILE}: extensions: [{package}]"
            )

    def _theirs(self) -> dict[str, packages.Extension]:
        """The extension of each name that is not ours.

        Raises
        ------
        ConfigError
            If a name is taken.
        """
        found: dict[str, packages.Extension] = {}
        for extension in packages.enabled():
            for name in extension.entries[self.group]:
                if name in self.ours or name in found:
                    owner = found[name].name if name in found else "this system"
                    raise ConfigError(f"The extension {extension.name} calls one of its {self.group} {name}, as {owner} does.")
                found[name] = extension
        return found

"""What the command knows of a form of source: the declaration, what it is asked, and the source as far as all forms look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from config.faults import ConfigError, Fault
from config.text.nodes import Node, Table, Unparsable
from pollers.importing.local import is_file, is_folder
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from config.text.places import Place
    from pollers.importing.model import Imported


class SourceUnreachable(Exception):  # noqa: N818 - named for what the reader must do next: see that it can be reached
    """A source that is not a file cannot be read now. The message says what was found, and what would be right."""


@dataclass(frozen=True)
class Source:
    """SOURCE as it was given: ``text``, and the file or folder of that name."""

    text: str
    path: Path

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder that can be looked into."""
        return is_folder(self.path)

    @property
    def is_file(self) -> bool:
        """Whether there is something of this name that is no folder."""
        try:
            return self.path.exists() and not self.is_folder
        except (OSError, ValueError):
            return False

    @cached_property
    def tree(self) -> Node:
        """The file, parsed once for all forms. Raises :class:`config.text.nodes.Unparsable`."""
        return read_tree(self.path, self.text)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys at the top of the file; none for a folder, and for what is no mapping or cannot be parsed."""
        if not self.is_file:
            return frozenset()
        try:
            tree = self.tree
        except Unparsable:
            return frozenset()
        return frozenset(tree.entries) if isinstance(tree, Table) else frozenset()

    def has(self, name: str) -> bool:
        """Whether this is a folder with a file of that name."""
        return self.is_folder and is_file(self.path / name)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    ``parameters`` are values for parameters of templates (and variables of other tools), by name. ``stacks`` are files with the
    resources, outputs or exports of deployed stacks. ``code_folders`` are folders by the logical id or name of a function.
    """

    source: Source
    parameters: Mapping[str, str] = field(default_factory=dict)
    stacks: tuple[Path, ...] = ()
    code_folders: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceForm:
    """One form of source. ``called`` is what the user reads, with its article; ``looks_like`` completes "is recognised by".

    ``recognises`` decides without reading more than it must. ``read`` raises :class:`config.text.nodes.Unparsable` or
    :class:`config.faults.ConfigError` for a source that cannot be used, and :class:`SourceUnreachable` for one that cannot
    be read now.
    """

    called: str
    looks_like: str
    recognises: Callable[[Source], bool]
    read: Callable[[Request], Imported]


def refuse_values(request: Request, place: Place) -> None:
    """Refuse --parameter and --stack for a source that has neither. Raises :class:`ConfigError`."""
    found = [f"--parameter {name}" for name in request.parameters] + [f"--stack {path}" for path in request.stacks]
    if found:
        raise ConfigError(
            [Fault(*place, "", f"found {one}, expected none: this source has its values") for one in found]
        )

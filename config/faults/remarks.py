"""What can be said about a configuration: faults, which stop it from loading, and notes, which do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.text.places import Path

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that would break a line or a terminal. Keys of a file may contain them."""


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """A sentence about one place of the configuration.

    ``path`` is dotted and spelled as in the file (``event_source_mappings.orders.BatchSize``); it is empty where a remark is
    about a file as a whole.
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return _UNPRINTABLE.sub(_escaped, f"{self.file}:{self.line}: {path}{self.message}")


class Fault(Remark):
    """Something that stops the configuration from loading: what was found, and what would be right."""

    __slots__ = ()


class Note(Remark):
    """Something that the reader should know, although the configuration loads."""

    __slots__ = ()


class Finding(NamedTuple):
    """What a check says about a mapping. ``path`` is relative to the mapping, in the models' own spelling."""

    path: Path
    message: str
    is_note: bool = False


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()


class ConfigError(Exception):
    """The configuration cannot be used. ``faults`` holds every fault that was found, in the order of files and lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))

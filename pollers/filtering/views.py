"""What patterns see of records (docs/lambda 6.4).

Patterns are written for Lambda's event records, but pollers hold wire records. A :class:`View` says how to read each top-level
member of an event record from a wire record. So only the members that a pattern looks at are made, each once. Every kind of
source declares its views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pollers.filtering.fields import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pollers.aws.api import Wire
    from pollers.jsontext.numbers import Json

Member: TypeAlias = "Callable[[Wire], Json]"
"""From a record to one member of its event record; NOTHING when it has none. Never changes the record."""


@dataclass(frozen=True, slots=True)
class RecordShape:
    """The top-level members of a kind's event records, as patterns name them."""

    data: str
    """The member that holds what was sent."""
    members: frozenset[str]
    unseen: Mapping[str, str]
    """Members that count as absent for patterns although functions may get them, with a note for the pattern's author."""
    array: str
    """The member of an event that holds its records."""
    text_is_tested: bool
    """Whether a pattern may test the data as a text; if not, it must be an object, as the data is JSON."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Data that needs no decoding; NOTHING or None where there is no data."""

    value: Json


@dataclass(frozen=True, slots=True)
class View:
    """How to read the members of event records from records.

    ``data`` gives what was sent, not yet decoded: text or bytes; None where the source never needs decoding. A member
    that is not in ``members`` counts as absent.
    """

    shape: RecordShape
    members: Mapping[str, Member]
    data: Callable[[Wire], str | bytes | Decoded] | None


ViewOfPaths: TypeAlias = "Callable[[Collection[str]], View]"
"""The view of a mapping's wire records for patterns that look at the given paths."""


def own_member(name: str) -> Member:
    """The record's own member ``name``."""
    return lambda record: record.get(name, NOTHING)


def constant(value: Json) -> Member:
    """The same for each record."""
    return lambda _record: value


def decoded_or(undo: Callable[[str], str | bytes], data: Json) -> str | bytes | Decoded:
    """A text decoded by ``undo``; data that is decoded already is not changed."""
    return undo(data) if isinstance(data, str) else Decoded(data)

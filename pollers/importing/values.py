"""The values of settings while they are imported: what is known, and what is not with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from config.text.places import Place
    from pollers.importing.model import Member

LONGEST_TEXT = 256 * 1024
"""Characters. A longer text is no setting of Lambda's, but what a few lines that join one another make."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What the source does not say. It becomes ``${NAME}``, and a note asks for it.

    ``key`` is what it stands for: two with one key are one variable. ``wanted`` is the variable's name if it is free; None names
    it after the setting that it stands in. ``reason`` completes "NAME: ", such as "the ARN of Orders, which the template does not
    say". ``about`` is the id of the resource that it belongs to.
    """

    key: str
    wanted: str | None
    reason: str
    place: Place | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A text of which some parts are unknown. Made by :func:`joined` only, which joins neighbours."""

    parts: tuple[str | Unknown, ...]


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A file or a folder of this machine; written relative to the configuration."""

    path: Path


@dataclass(frozen=True, slots=True)
class JsonText:
    """A text that is JSON, such as an event pattern; written as a mapping or a list where that is the same."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class NameOf:
    """The name that a function will have in the configuration, where another may have taken the one that it had."""

    member: Member


Value: TypeAlias = (
    "str | int | bool | Unknown | Joined | LocalPath | JsonText | NameOf | list[Value] | dict[str, Value] | None"
)
"""Numbers with a fraction stay texts, as they are spelled."""


def joined(parts: Iterable[str | Unknown | Joined], place: Place | None = None) -> str | Unknown | Joined:
    """The parts as one value: a text when all is known."""
    flat: list[str | Unknown] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Joined) else (part,):
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                flat[-1] += piece
            elif piece != "":
                flat.append(piece)
    if sum(len(piece) if isinstance(piece, str) else 1 for piece in flat) > LONGEST_TEXT:
        return Unknown(f"long:{place}", None, f"a text of more than {LONGEST_TEXT >> 10} KiB", place)
    if not flat:
        return ""
    return flat[0] if len(flat) == 1 else Joined(tuple(flat))


def text_of(value: Value) -> str | Unknown | Joined | None:
    """A single value as text, as CloudFormation and the environment have it; None for a list, a mapping or nothing."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str() | Unknown() | Joined():
            return value
        case JsonText(text):
            return text
        case LocalPath(path):
            return str(path)
        case _:
            return None


def unknowns_in(value: Value) -> list[Unknown]:
    """Everything unknown in a value, in its order."""
    match value:
        case Unknown():
            return [value]
        case Joined(parts):
            return [part for part in parts if isinstance(part, Unknown)]
        case list():
            return [found for item in value for found in unknowns_in(item)]
        case dict():
            return [found for item in value.values() for found in unknowns_in(item)]
        case _:
            return []

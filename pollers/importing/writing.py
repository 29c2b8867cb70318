"""The one writer: from what was found in a source to the text of a configuration.

The same source gives the same bytes. Only what is set is written. What is unknown is ``${NAME}``, and a literal ``${`` is ``$${``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.faults import Note
from config.functions.reading import NAME as FUNCTION_NAME
from config.schedules.reading import NAME as SCHEDULE_NAME
from config.sources.reading import NAME as MAPPING_NAME
from config.text.places import Place
from pollers.importing.ordering import FUNCTIONS, MAPPINGS, SCHEDULES, ordered
from pollers.importing.placeholders import Placeholders
from pollers.importing.spelling import INDENT, Plain, entry, scalar
from pollers.importing.values import Joined, JsonText, LocalPath, NameOf, Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pollers.importing.model import Imported, Member

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]+")


SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration's text, what to say about it, and the variables to set before it can be used."""

    text: str
    notes: tuple[Note, ...]
    variables: tuple[str, ...]


def write(imported: Imported, folder: Path) -> Written:
    """The configuration as text. ``folder`` is where its file will be: local paths are relative to it."""
    return _Writer(imported, folder).written()


class _Writer:
    def __init__(self, imported: Imported, folder: Path) -> None:
        self._imported = imported
        self._folder = folder
        self._placeholders = Placeholders()
        self._functions: dict[int, str] = {}

    def written(self) -> Written:
        body = list(self._body())
        given = self._placeholders.given()
        notes = list(_gathered(self._imported.notes))
        for name, unknown in given.items():
            notes.append(Note(*(unknown.place or Place("", 0)), "", f"set ${{{name}}}: {unknown.reason}"))
        lines = [f"# Imported by `headrace import` from {_comment(self._imported.title)}."]
        if self._imported.advice:
            lines += ["#", *(f"# {_comment(line)}" for line in self._imported.advice)]
        if given:
            lines += ["#", "# Set in the environment before it is used:"]
            lines += [f"#   {name}: {_comment(unknown.reason)}" for name, unknown in given.items()]
        return Written("\n".join([*lines, *body]) + "\n", tuple(notes), tuple(given))

    def _body(self) -> Iterator[str]:
        for section, options in self._imported.sections.items():
            yield ""
            yield from entry(section, self._plain(options, (section,)), 0)
        functions = self._named(self._imported.functions, FUNCTION_NAME, 64)
        self._functions = {id(one): name for one, name in zip(self._imported.functions, functions, strict=True)}
        if self._imported.functions:
            yield from self._section("functions", self._imported.functions, functions, FUNCTIONS)
        mappings = self._named(self._imported.mappings, MAPPING_NAME, 128)
        if self._imported.mappings:
            yield from self._section("event_source_mappings", self._imported.mappings, mappings, MAPPINGS)
        schedules = self._named(self._imported.schedules, SCHEDULE_NAME, 64)
        if self._imported.schedules:
            yield from self._section("schedules", self._imported.schedules, schedules, SCHEDULES)

    def _named(self, members: list[Member], allowed: re.Pattern[str], longest: int) -> list[str]:
        """A name for each that the configuration allows and no other has."""
        names: dict[str, None] = {}
        last: dict[str, int] = {}
        for member in members:
            first = member.name
            if not allowed.fullmatch(first):
                first = re.sub(r"[^A-Za-z0-9_-]+", "-", first).strip("-_")[:longest].rstrip("-_") or "imported"
            name = first
            while name in names:
                last[first] = last.get(first, 1) + 1
                end = f"-{last[first]}"
                name = f"{first[: longest - len(end)]}{end}"
            if name != member.name:
                message = f"it is called {name} in the configuration"
                self._imported.note(member.origin.place, member.name, message)
            names[name] = None
        return list(names)

    def _section(self, title: str, members: list[Member], names: list[str], order: tuple[str, ...]) -> Iterator[str]:
        yield ""
        yield f"{title}:"
        for number, (member, name) in enumerate(zip(members, names, strict=True)):
            if number:
                yield ""
            yield from _comments([str(member.origin), *member.remarks], 1)
            key = scalar(name, flow=True)
            yield f"{INDENT}{key}:" if member.options else f"{INDENT}{key}: {{}}"
            for option, value in ordered(member.options, order):
                if option in member.origins:
                    yield from _comments([str(member.origins[option])], 2)
                yield from entry(option, self._plain(value, (name, option)), 2)

    def _plain(self, value: Value, path: tuple[str, ...]) -> Plain:
        match value:
            case dict():
                return {key: self._plain(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self._plain(item, path) for item in value]
            case Unknown() | Joined():
                parts = value.parts if isinstance(value, Joined) else (value,)
                return "".join(self._part(part, path) for part in parts)
            case LocalPath():
                return _escaped(_relative(value.path, self._folder))
            case NameOf():
                return self._functions.get(id(value.member), value.member.name)
            case JsonText():
                return _json(value.text)
            case str():
                return _escaped(value)
            case _:
                return value

    def _part(self, part: str | Unknown, path: tuple[str, ...]) -> str:
        if isinstance(part, str):
            return _escaped(part)
        inside = path[path.index("environment") + 1 :] if "environment" in path[:-1] else path
        return f"${{{self._placeholders.name(part, inside)}}}"


def _gathered(notes: Iterable[Note]) -> Iterator[Note]:
    """Each message once, where it came first, with whom else it is about."""
    by_message: dict[str, list[Note]] = {}
    for note in notes:
        by_message.setdefault(note.message, []).append(note)
    for message, (first, *others) in by_message.items():
        names = list(dict.fromkeys(note.path for note in others if note.path != first.path))
        more = f", and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        also = f" (also {', '.join(names[:SHOWN_NAMES])}{more})" if names else ""
        yield Note(first.file, first.line, first.path, f"{message}{also}")


def _comments(texts: Iterable[str], depth: int) -> Iterator[str]:
    for text in texts:
        yield f"{INDENT * depth}# {_comment(text)}"


def _comment(text: str) -> str:
    return _BREAKS.sub(" ", text)


def _escaped(text: str) -> str:
    return text.replace("${", "$${")


def _relative(path: Path, folder: Path) -> str:
    """A path as the configuration's file names it; an absolute one where there is no way (another drive)."""
    try:
        text = os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:
        return str(path)
    return text if text in (".", "..") or text.startswith(("../", "/")) else f"./{text}"


def _json(text: str) -> Plain:
    """JSON as a mapping or a list, where that is exactly the same; else its text."""
    try:
        found = json.loads(text, parse_float=_inexact, parse_constant=_inexact, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return _escaped(text)
    return _escaped_inside(found) if isinstance(found, dict | list) and found else _escaped(text)


def _escaped_inside(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {key: _escaped_inside(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped_inside(item) for item in value]
    return _escaped(value) if isinstance(value, str) else value


def _inexact(text: str) -> float:
    raise ValueError(text)


def _unique(pairs: list[tuple[str, Plain]]) -> dict[str, Plain]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found

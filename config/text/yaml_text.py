"""From YAML text to a tree of values with their lines.

It reads PyYAML's events rather than its documents. Events tell the line of every key and value, and they let us refuse repeated
keys and limit nesting: the depth of the text before a parser sees it, the depth of aliases while values are made.
Plain scalars follow YAML 1.2's core schema: ``no``, ``on``, ``1:30`` and ``2024-01-01`` are text, and ``010`` is ten.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import yaml

from config.text.nodes import MAXIMUM_DEPTH, MAXIMUM_NODES, SURROGATE, Entry, Node, Scalar, Sequence, Table, Unparsable
from config.text.places import Place
from config.text.yaml_depth import line_beyond

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
_MERGE = "<<"
_TOO_DEEP = f"found more than {MAXIMUM_DEPTH} levels of nesting, expected fewer"
_TOO_MANY = f"found more than {MAXIMUM_NODES:,} values (aliases counted), expected fewer"


class _Open(NamedTuple):
    """A collection whose end has not been read yet; a mapping alternates between ``keys`` and values."""

    node: Sequence | Table
    anchor: str | None
    keys: list[Scalar]
    merged: list[Node]
    problem: str | None


def parse_yaml(text: str, file: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader] = LOADER) -> Node | None:
    """The document in ``text``, or None when there is none but comments. Raises :class:`Unparsable`."""
    return _Builder(file).build(_events(text, file, loader))


def _events(text: str, file: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> Iterator[yaml.Event]:
    refused = _REFUSED.search(text)
    if refused:
        place = Place(file, text.count("\n", 0, refused.start()) + 1)
        raise Unparsable(
            place, f"found the character U+{ord(refused.group()):04X}, expected YAML, which does not allow it"
        )
    too_deep = line_beyond(text, MAXIMUM_DEPTH)
    if too_deep is not None:
        raise Unparsable(Place(file, too_deep), _TOO_DEEP)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        raise Unparsable(*_explain(error, file, text)) from error


def _explain(error: yaml.MarkedYAMLError, file: str, text: str) -> tuple[Place, str]:
    """Where and what, in a sentence. If the file ends too soon, the sentence also names the line of what was left open."""
    last = text.count("\n") + 1
    line = error.problem_mark.line + 1 if error.problem_mark else last
    began = error.context_mark.line + 1 if error.context_mark else line
    context = f" {error.context}" if error.context else ""
    if began != line:
        context += f" that begins on line {began}"
    return Place(file, min(line, last)), f"found malformed YAML ({error.problem}{context}), expected a YAML mapping"


class _Builder:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        for event in events:
            place = Place(self._file, event.start_mark.line + 1 if event.start_mark else 1)
            if isinstance(event, yaml.DocumentStartEvent):
                self._start_document(place)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._alias(event.anchor, place), None, place)
            elif isinstance(event, yaml.ScalarEvent):
                self._add(_scalar(event, place), event.anchor, place)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._push(Sequence(place), event, _tag_problem(event.tag, ("seq",)))
            elif isinstance(event, yaml.MappingStartEvent):
                self._push(Table(place), event, _tag_problem(event.tag, ("map",)))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._pop()
        return self._root

    def _start_document(self, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Unparsable(place, "found a second YAML document (---), expected one in a file")

    def _alias(self, name: str | None, place: Place) -> Node:
        if name is None or name not in self._anchors:
            raise Unparsable(place, f"found the alias *{name}, expected one whose anchor &{name} is complete before it")
        return self._anchors[name]

    def _push(self, node: Sequence | Table, event: yaml.CollectionStartEvent, problem: str | None) -> None:
        place = node.place
        if len(self._open) >= MAXIMUM_DEPTH:
            raise Unparsable(place, _TOO_DEEP)
        if self._open and isinstance(self._open[-1].node, Table) and not self._open[-1].keys:
            raise Unparsable(place, "found a list or a mapping as a key, expected text")
        self._open.append(_Open(node, event.anchor, [], [], problem))

    def _pop(self) -> None:
        done = self._open.pop()
        for node in done.merged:
            self._merge(done.node, node)
        place = done.node.place
        # What a tag stands for is not its text: a tagged list or mapping is one value that cannot be read.
        found = done.node if done.problem is None else Scalar(place, "", "", problem=done.problem)
        self._add(found, done.anchor, place)

    def _add(self, node: Node, anchor: str | None, place: Place) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        into = self._open[-1]
        if isinstance(into.node, Sequence):
            into.node.items.append(node)
        elif not into.keys:
            into.keys.append(self._key(node, place))
            return
        elif self._merges(into, into.keys.pop(), node):
            return  # counted when it is merged
        _grow(into.node, node, len(self._open), place)
        if not isinstance(node, Scalar):
            into.node.height = max(into.node.height, node.height + 1)

    def _key(self, node: Node, place: Place) -> Scalar:
        if not isinstance(node, Scalar):
            raise Unparsable(place, "found a list or a mapping as a key, expected text")
        if node.problem is not None:
            raise Unparsable(place, node.problem)
        return node

    def _merges(self, into: _Open, key: Scalar, node: Node) -> bool:
        """Set a key, or keep a ``<<`` for later: whether it was one. A merge waits until the mapping has all keys of its own."""
        table = into.node
        assert isinstance(table, Table)  # noqa: S101 - only mappings collect keys
        if key.text == _MERGE and key.problem is None:
            into.merged.append(node)
            return True
        if key.text in table.entries:
            table.repeated.append((key.text, key.place))
        table.entries[key.text] = Entry(key.place, node)
        return False

    def _merge(self, into: Node, node: Node) -> None:
        assert isinstance(into, Table)  # noqa: S101 - only mappings collect keys
        for table in node.items if isinstance(node, Sequence) else [node]:
            if not isinstance(table, Table):
                raise Unparsable(
                    table.place, "found no mapping after <<, expected a mapping, its alias, or a list of these"
                )
            _grow(into, table, len(self._open), into.place)
            into.height = max(into.height, table.height)
            for key, entry in table.entries.items():
                into.entries.setdefault(key, entry)


def _grow(into: Sequence | Table, node: Node, depth: int, place: Place) -> None:
    """Limit what aliases make of a few lines: each one adds the size and the height of all that it stands for."""
    into.size += node.size
    if into.size > MAXIMUM_NODES:
        raise Unparsable(place, _TOO_MANY)
    if not isinstance(node, Scalar) and depth + node.height > MAXIMUM_DEPTH:
        raise Unparsable(place, _TOO_DEEP)


def _tag_problem(tag: str | None, names: tuple[str, ...]) -> str | None:
    """What is wrong with a tag. It is said of its value, so that all tags of a file are found at once."""
    if tag in (None, "!") or tag in [_TAG + name for name in names]:
        return None
    if tag.startswith(_TAG):
        return f"found the tag !!{tag.removeprefix(_TAG)}, expected a plain value"
    return (
        f"found the tag {tag}, expected a plain value (`headrace import` makes a configuration of a whole template; of one "
        "resource, write out what CloudFormation would resolve)"
    )


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text: str = event.value
    if SURROGATE.search(text):
        raise Unparsable(place, "found half of a surrogate pair (\\uD800 to \\uDFFF), expected a character")
    if event.tag in (None, "!"):
        plain = event.tag is None and event.implicit[0]
        return Scalar(place, _resolve(text, place) if plain else text, text)
    problem = _tag_problem(event.tag, ("str", "int", "float", "bool", "null"))
    if problem is not None:
        return Scalar(place, text, text, problem=problem)
    value = text if event.tag == _TAG + "str" else _resolve(text, place)
    found = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}[type(value)]
    if event.tag == _TAG + "float" and found == "int":
        value, found = float(value or 0), "float"
    if event.tag != _TAG + found:
        raise Unparsable(
            place, f"found {text!r} with the tag !!{event.tag.removeprefix(_TAG)}, expected a value of that type"
        )
    return Scalar(place, value, text)


def _resolve(text: str, place: Place) -> str | int | float | bool | None:
    """A plain scalar's value by YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    try:
        return _number(text)
    except ValueError as error:  # Python bounds the digits of an integer
        raise Unparsable(place, f"found a number of {len(text)} characters, expected a shorter one") from error


def _number(text: str) -> str | int | float:
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.lower().replace(".", ""))
    return float("nan") if _NOT_A_NUMBER.fullmatch(text) else text

"""From JSON text to a tree of values with their lines. For ``.json`` files: YAML would not read their tabs and escapes."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import NoReturn

from config.text.nodes import (
    JSON_NUMBER,
    MAXIMUM_DEPTH,
    MAXIMUM_NODES,
    SURROGATE,
    Entry,
    Node,
    Scalar,
    Sequence,
    Table,
    Unparsable,
)
from config.text.places import Place

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORDS = {"true": True, "false": False, "null": None}


def parse_json(text: str, file: str) -> Node | None:
    """The value in ``text``, or None when there is none. Raises :class:`Unparsable`."""
    return _Parser(text, file).document()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._nodes = 0
        self._line_ends = [found.start() for found in re.finditer("\n", text)]

    def document(self) -> Node | None:
        self._skip()
        if self._at == len(self._text):
            return None
        node = self._value(0)
        self._skip()
        if self._at != len(self._text):
            self._refuse("the end of the file")
        return node

    def _value(self, depth: int) -> Node:
        self._nodes += 1
        if depth > MAXIMUM_DEPTH:
            raise Unparsable(self._place(), f"found more than {MAXIMUM_DEPTH} levels of nesting, expected fewer")
        if self._nodes > MAXIMUM_NODES:
            raise Unparsable(self._place(), f"found more than {MAXIMUM_NODES:,} values, expected fewer")
        character = self._peek()
        if character == "{":
            return self._table(depth)
        if character == "[":
            return self._sequence(depth)
        if character == '"':
            return self._string()
        return self._literal()

    def _table(self, depth: int) -> Table:
        table = Table(self._place())
        self._at += 1
        while self._more("}", first=not table.entries):
            if self._peek() != '"':
                self._refuse("a key in double quotes")
            key = self._string()
            self._skip()
            self._take(":", "':'")
            self._skip()
            if key.text in table.entries:
                table.repeated.append((key.text, key.place))
            node = self._value(depth + 1)
            table.entries[key.text] = Entry(key.place, node)
            table.size += node.size
        return table

    def _sequence(self, depth: int) -> Sequence:
        sequence = Sequence(self._place())
        self._at += 1
        while self._more("]", first=not sequence.items):
            sequence.items.append(self._value(depth + 1))
            sequence.size += sequence.items[-1].size
        return sequence

    def _more(self, end: str, *, first: bool) -> bool:
        """Whether another member follows; takes the comma before it, or the end."""
        self._skip()
        if self._peek() == end:
            self._at += 1
            return False
        if not first:
            self._take(",", f"',' or '{end}'")
            self._skip()
        return True

    def _string(self) -> Scalar:
        place = self._place()
        found = _STRING.match(self._text, self._at)
        if found is None:
            self._refuse("a string that ends on its line, in double quotes")
        try:
            value: str = json.loads(found.group())
        except ValueError:
            self._refuse("a string with JSON's escapes only")
        if SURROGATE.search(value):
            self._refuse("a string without halves of surrogate pairs")
        self._at = found.end()
        return Scalar(place, value, value)

    def _literal(self) -> Scalar:
        place = self._place()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return Scalar(place, value, word)
        found = JSON_NUMBER.match(self._text, self._at)
        if found is None:
            self._refuse("a JSON value")
        text = found.group()
        try:
            number = json.loads(text)
        except ValueError:  # Python bounds the digits of an integer
            self._refuse("a shorter number")
        self._at = found.end()
        return Scalar(place, number, text)

    def _take(self, character: str, expected: str) -> None:
        if self._peek() != character:
            self._refuse(expected)
        self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _place(self) -> Place:
        return Place(self._file, bisect_right(self._line_ends, self._at - 1) + 1)

    def _refuse(self, expected: str) -> NoReturn:
        rest = self._text[self._at : self._at + 20].split("\n")[0]
        found = f"malformed JSON at {rest!r}" if rest else "the end of a line or of the file"
        raise Unparsable(self._place(), f"found {found}, expected {expected}")

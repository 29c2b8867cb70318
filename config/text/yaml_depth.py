"""How deeply a YAML text nests, found before a parser sees it, since parsers have changing limits of their own.

It never counts more levels than there are, so that nothing legitimate is refused. ``[a: b]`` counts once, though YAML makes a
mapping in a list of it; the exact count comes later, when values are made. Malformed text may be counted wrongly: it is refused in
any case.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BREAK = "\n\r\x85\u2028\u2029"
_ENDS = rf"[ \t{_BREAK}]|\Z"
_LINE_BREAK = re.compile(rf"\r\n|[{_BREAK}]")
_REST = re.compile(rf"[^{_BREAK}]*+(?:\r\n|[{_BREAK}]|\Z)")
_NOTHING = re.compile(rf"[ \t]*+(?:#[^{_BREAK}]*+)?(?:\r\n|[{_BREAK}]|\Z)")
_WHITE = re.compile(rf"[ \t]*+(?:\r\n|[{_BREAK}]|\Z)")
_INDENT = re.compile(" *+")
_GAP = re.compile(r"[ \t]*+")
_FLOW_GAP = re.compile(rf"(?:[ \t{_BREAK},]++|(?<=[ \t{_BREAK},])#[^{_BREAK}]*+)*+")
_MARKER = re.compile(rf"(?:---|\.\.\.)(?={_ENDS})")
_INDICATOR = re.compile(rf"[-?:](?={_ENDS})")
_PROPERTY = re.compile(rf"[&*!][^ \t{_BREAK}]*+")
_FLOW_PROPERTY = re.compile(rf"[&*!][^ \t{_BREAK},\[\]{{}}]*+")
_QUOTED = re.compile(r""""(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)|'(?:[^']++|'')*+(?:'|\Z)""", re.DOTALL)
_PLAIN = re.compile(rf"(?:[^ \t:#{_BREAK}]++|:(?!{_ENDS})|(?<![ \t])#|[ \t]++(?![#{_BREAK}]|\Z))*+")
_FLOW_PLAIN = re.compile(
    rf"(?:[^ \t:#,\[\]{{}}{_BREAK}]++|:(?![,\[\]{{}}]|{_ENDS})|(?<![ \t{_BREAK}])#|[ \t{_BREAK}]++(?!#|\Z))*+"
)
_KEY = re.compile(rf"[ \t]*+:(?={_ENDS})")


class _Block(NamedTuple):
    """An open block collection; ``column`` is that of its keys or dashes."""

    column: int
    is_list: bool


class _TooDeep(Exception):  # noqa: N818 - no error: it ends the walk with the answer
    """More collections are open here than may be."""


def line_beyond(text: str, limit: int) -> int | None:
    """The line (from 1) on which the collection opens that is one too many, or None where there is none."""
    scan = _Scan(text, limit)
    try:
        scan.walk()
    except _TooDeep:
        return 1 + sum(1 for _ in _LINE_BREAK.finditer(text, 0, scan.at))
    return None


class _Scan:
    """Walks over a text token by token, as YAML's own rules cut it."""

    def __init__(self, text: str, limit: int) -> None:
        self.at = 0
        self._text = text
        self._limit = limit
        self._line_start = 0
        self._blocks: list[_Block] = []
        self._flow = 0
        self._plain = False
        """Whether a plain scalar may go on, which it does on lines that are indented deeper than its collection."""

    def walk(self) -> None:
        """To the end. Raises :class:`_TooDeep` with ``at`` where it happens."""
        while self.at < len(self._text):
            self._line_start = self.at
            if self._took(_NOTHING):
                continue
            self._took(_INDENT)
            column = self.at - self._line_start
            if column == 0 and self._text[self.at] == "%":
                self._took(_REST)
            elif column == 0 and self._took(_MARKER):
                self._blocks.clear()
                self._line()
            elif self._plain and column > self._column():
                self._took(_REST)
            else:
                self._leave(column)
                self._line()

    def _line(self) -> None:
        """The tokens of a line, and those of further lines that a quoted text or brackets reach over."""
        self._plain = False
        self._took(_GAP)
        node = self.at  # where the current node began, its anchor and tag included
        while self.at < len(self._text) and not self._took(_NOTHING):
            first = self._text[self.at]
            if self._took(_INDICATOR):
                self._enter(self.at - 1 - self._line_start, is_list=first == "-")
                self._took(_GAP)
                node = self.at
            elif first in "|>":
                self._skip_block_scalar()
                return
            elif self._took(_PROPERTY) and first != "*":
                self._took(_GAP)
            else:
                plain = first != "*" and self._node(first)
                if not self._took(_KEY):
                    self._plain = plain
                    self._took(_REST)
                    return
                self._enter(node - self._line_start, is_list=False)
                self._took(_GAP)
                node = self.at

    def _node(self, first: str) -> bool:
        """Skip a scalar or brackets, and return whether it was a plain scalar."""
        if first in "[{":
            self._brackets()
        elif not self._took(_QUOTED):
            self._took(_PLAIN)
            return True
        return False

    def _brackets(self) -> None:
        while self.at < len(self._text):
            first = self._text[self.at]
            if first in "[{":
                self._flow += 1
                self._check()
                self.at += 1
            elif first in "]}":
                self._flow -= 1
                self.at += 1
                if self._flow == 0:
                    return
            elif not (self._took(_QUOTED) or self._took(_FLOW_PROPERTY) or self._took(_FLOW_PLAIN)):
                self.at += 1
            self._took(_FLOW_GAP)
        self._flow = 0

    def _skip_block_scalar(self) -> None:
        """Skip text that is indented deeper than its collection, whatever it looks like."""
        self._took(_REST)
        around = self._column()
        while self.at < len(self._text):
            if self._took(_WHITE):
                continue
            indented = _INDENT.match(self._text, self.at)
            column = indented.end() - self.at if indented else 0
            if column <= around or (column == 0 and _MARKER.match(self._text, self.at)):
                return
            self._took(_REST)

    def _enter(self, column: int, *, is_list: bool) -> None:
        block = _Block(column, is_list)
        if not self._blocks or self._blocks[-1] != block:
            self._blocks.append(block)
            self._check()

    def _leave(self, column: int) -> None:
        """Close the collections that a line at ``column`` is no part of. A list may stand at the column of its own key."""
        while self._blocks and self._blocks[-1].column > column:
            self._blocks.pop()
        found = _INDICATOR.match(self._text, self.at)
        if self._blocks and self._blocks[-1] == _Block(column, True) and not (found and found.group() == "-"):
            self._blocks.pop()

    def _column(self) -> int:
        return self._blocks[-1].column if self._blocks else -1

    def _check(self) -> None:
        if len(self._blocks) + self._flow > self._limit:
            raise _TooDeep

    def _took(self, pattern: re.Pattern[str]) -> bool:
        """Move past what ``pattern`` finds here, and return whether it found anything."""
        found = pattern.match(self._text, self.at)
        if found is None or found.end() == self.at:
            return False
        self.at = found.end()
        return True

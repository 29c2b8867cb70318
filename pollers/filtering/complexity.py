"""How complex the wildcards of one field are: EventBridge refuses a pattern whose wildcards are too complex (docs/lambda 6.3).

The measure is that of AWS's rule engine: the most beginnings of the field's wildcards that one text can match at the same time.
``a*bc`` has ``a``, ``a*``, ``a*b`` and ``a*bc``; the text ``ab`` matches ``a*`` and ``a*b``. AWS does not publish its limit. Ten
agrees with tests: wildcards of up to nine were accepted, of eleven and more refused.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LIMIT: Final = 10

TOO_COMPLEX: Final = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after "
    "a wildcard character"
)
"""AWS's own words."""

_QUOTE = '"'
"""AWS matches a string with its quotes, so each end of it counts as one character more."""


def complexity(wildcards: Iterable[Sequence[str]]) -> int:
    """The measure of a field's wildcards, each given as its stretches before, between and after the ``*``; capped above the limit.

    Once a text has matched a wildcard's beginning up to a ``*``, it still matches it however the text goes on. So the worst text
    either ends within the first stretches of the wildcards, or has passed the first ``*`` of all wildcards that begin alike and
    then ends with the beginning of as many stretches as possible.
    """
    patterns = [_quoted(parts) for parts in dict.fromkeys(map(tuple, wildcards))]
    most = 0
    for first in dict.fromkeys(pattern[0] for pattern in patterns):
        reached = [pattern for pattern in patterns if len(pattern) > 1 and first.startswith(pattern[0])]
        stars = sum(len(pattern) - 1 for pattern in reached)
        most = max(most, stars, _while_beginning(patterns, first))
        if most > LIMIT:
            break
        most = max(most, stars + _common_ends([part for pattern in reached for part in pattern[1:]]))
    return most


def _quoted(parts: Sequence[str]) -> list[str]:
    quoted = list(parts)
    quoted[0] = _QUOTE + quoted[0]
    quoted[-1] += _QUOTE
    return quoted


def _while_beginning(patterns: Sequence[Sequence[str]], first: str) -> int:
    """The most beginnings that any beginning of ``first`` matches, followed character by character."""
    tokens = [list(_tokens(pattern)) for pattern in patterns]
    reached = {(number, 0) for number in range(len(tokens))}
    most = 0
    for character in first:
        after = {(n, at) for n, at in reached if at and tokens[n][at - 1] is None}
        after |= {(n, at + 1) for n, at in reached if at < len(tokens[n]) and tokens[n][at] == character}
        reached = after | {(n, at + 1) for n, at in after if at < len(tokens[n]) and tokens[n][at] is None}
        most = max(most, len(reached))
        if most > LIMIT:
            break
    return most


def _tokens(parts: Sequence[str]) -> Iterator[str | None]:
    """A wildcard's characters, with None for each ``*``."""
    for number, part in enumerate(parts):
        if number:
            yield None
        yield from part


class _Node:
    """A text with which stretches begin. ``weight`` counts these stretches, and those that begin with an end of the text."""

    __slots__ = ("end", "longer", "weight")

    def __init__(self) -> None:
        self.longer: dict[str, _Node] = {}
        self.weight = 0
        self.end: _Node | None = None


def _common_ends(parts: Iterable[str]) -> int:
    """The most beginnings of ``parts`` that one text can end with at once (an Aho-Corasick tree with counts)."""
    root = _Node()
    for part in parts:
        node = root
        for character in part:
            node = node.longer.setdefault(character, _Node())
            node.weight += 1
    most = 0
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        for character, longer in node.longer.items():
            longer.end = _end_with(node.end, character, root)
            longer.weight += longer.end.weight
            most = max(most, longer.weight)
            waiting.append(longer)
    return most


def _end_with(end: _Node | None, character: str, root: _Node) -> _Node:
    while end is not None:
        if character in end.longer:
            return end.longer[character]
        end = end.end
    return root

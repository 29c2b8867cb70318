"""One event pattern, matched directly on events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.filtering.explaining import first_failure
from pollers.filtering.fields import lookup
from pollers.filtering.rules import ReadyRule, decide, passes, ready
from pollers.filtering.syntax import parse

if TYPE_CHECKING:
    from pollers.filtering.leaves import Note
    from pollers.jsontext.numbers import Json


class Pattern:
    """A compiled event pattern. Immutable; ``notes`` say what its author should know.

    Events are decoded JSON: exact dict, list, str, int, float, bool and None. A pattern with literal numbers that
    doubles cannot represent exactly (``needs_number_texts``) matches them exactly only in events from ``numbers.decode``.
    """

    __slots__ = ("_decision", "_rules", "needs_number_texts", "notes")

    def __init__(self, rules: tuple[ReadyRule, ...], notes: tuple[Note, ...]) -> None:
        self._rules = rules
        self._decision = decide(rules)
        self.notes = notes
        self.needs_number_texts = any(leaf.needs_number_texts for rule in rules for leaf in rule.source.values())

    @classmethod
    def compile(cls, text: str) -> Pattern:
        """Compile the pattern's JSON text. Raises :class:`PatternError`."""
        parsed = parse(text)
        rules = ready(parsed.rules, lambda path: lookup(path.split(".")), late=lambda _path: False)
        return cls(rules, tuple(parsed.notes))

    def matches(self, event: Json) -> bool:
        """Whether the decoded JSON value matches; only an object can."""
        return type(event) is dict and passes(self._decision, event, _itself)

    def explain(self, event: Json) -> str | None:
        """The first condition that ``event`` fails, as text; None when it matches."""
        return first_failure(self._rules, event)


def _itself(event: Json) -> Json:
    return event

"""CloudFormation's conditions: true, false, or unknown with the reason. A decider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.values import Unknown, Value, text_of, unknowns_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.text.nodes import Entry
    from config.text.places import Place

LONGEST_CHAIN = 40
_TRUTH = {"true": True, "false": False}


@dataclass(slots=True)
class Conditions:
    """The conditions of a template. ``value`` evaluates what they compare."""

    entries: Mapping[str, Entry]
    value: Callable[[Node], Value]
    _active: list[str] = field(default_factory=list)
    _known: dict[str, bool | Unknown] = field(default_factory=dict)

    def named(self, name: str, place: Place) -> bool | Unknown:
        """What the condition of this name says."""
        if name in self._known:
            return self._known[name]
        entry = self.entries.get(name)
        if entry is None:
            return Unknown(f"condition {name}", None, f"the condition {name}, which the template has not", place)
        if name in self._active or len(self._active) >= LONGEST_CHAIN:
            why = "refers to itself" if name in self._active else f"is more than {LONGEST_CHAIN} conditions away"
            return Unknown(f"condition {name}", None, f"the condition {name}, which {why}", place)
        self._active.append(name)
        try:
            found = self._verdict(entry.node)
        finally:
            self._active.pop()
        if isinstance(found, Unknown):
            found = Unknown(f"condition {name}", None, f"the condition {name} ({found.reason})", place)
        self._known[name] = found
        return found

    def _verdict(self, node: Node) -> bool | Unknown:
        if isinstance(node, Table) and len(node.entries) == 1:
            ((key, entry),) = node.entries.items()
            arguments = entry.node.items if isinstance(entry.node, Sequence) else []
            if key == "Condition" and isinstance(entry.node, Scalar):
                return self.named(entry.node.text, node.place)
            if key == "Fn::Equals" and len(arguments) == 2:
                return self._equal(arguments[0], arguments[1])
            if key == "Fn::Not" and len(arguments) == 1:
                found = self._verdict(arguments[0])
                return found if isinstance(found, Unknown) else not found
            if key in ("Fn::And", "Fn::Or") and arguments:
                return _together([self._verdict(each) for each in arguments], decisive=key == "Fn::Or")
        text = text_of(self.value(node))
        if isinstance(text, str) and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        return Unknown(f"condition:{node.place}", None, "a condition that cannot be evaluated here", node.place)

    def _equal(self, one: Node, other: Node) -> bool | Unknown:
        left, right = self.value(one), self.value(other)
        if left == right:
            return True
        unknown = [*unknowns_in(left), *unknowns_in(right)]
        if unknown:
            return unknown[0]
        return text_of(left) is not None and text_of(left) == text_of(right)


def _together(verdicts: list[bool | Unknown], *, decisive: bool) -> bool | Unknown:
    """And, or Or: one decisive verdict decides, whatever the unknown ones are."""
    if any(verdict is decisive for verdict in verdicts):
        return decisive
    return next((verdict for verdict in verdicts if isinstance(verdict, Unknown)), not decisive)

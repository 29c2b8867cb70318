"""What must hold at any time of a trial, whatever goes wrong in it.

A violation is kept and fails the trial at its end, wherever it was met: a poller, or its supervisor, might survive an assertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.telemetry.facts import Discarded, Fact, Filtered
from tests.pollers.world import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.pollers.function import Call
    from tests.pollers.world import World


class Witness:
    """Sees what is put, invoked, acknowledged and told. ``balances`` says whether the books of the present poller do."""

    def __init__(self, world: World) -> None:
        self.violations: list[str] = []
        self.facts: list[Fact] = []
        self.accepted: list[str] = []
        self.acknowledged: list[str] = []
        self.rejected: set[str] = set()
        self.given_up: set[str] = set()
        self.place: dict[str, tuple[str, int]] = {}
        self.balances: Callable[[], bool] = lambda: True
        self._lines: dict[str, list[str]] = {}
        self._world = world
        world.on_acknowledged = self._acknowledged

    @property
    def done(self) -> set[str]:
        """What need not come any more."""
        return {*self.accepted, *self.rejected, *self.given_up}

    def check(self, holds: bool, otherwise: str) -> None:
        """Keep a violation unless this holds."""
        if not holds:
            self.violations.append(otherwise)

    def put(self, value: str, key: str) -> None:
        """An event is being added."""
        line = self._lines.setdefault(key, [])
        self.place[value] = key, len(line)
        line.append(value)

    def began(self, call: Call, running: Sequence[Call]) -> None:
        """An invocation begins beside those that run."""
        values, elsewhere = call.values, {value for other in running for value in other.values}
        self.check(len(set(values)) == len(values), f"a value twice in one batch: {values}")
        self.check(elsewhere.isdisjoint(values), f"a value in two invocations at a time: {elsewhere & set(values)}")
        self.check(self.rejected.isdisjoint(values), "invoked with what the filter rejects")
        self.check(self.balances(), "the books do not balance when an invocation begins")
        if self._world.features.order is not Order.NONE:
            self._check_order(call)

    def _check_order(self, call: Call) -> None:
        done, before = self.done, set[str]()
        for given in call.given:
            key, index = self.place[given.value]
            self.check(key == given.key, f"{given.value} was put with key {key} and came with {given.key}")
            waits = [one for one in self._lines[key][:index] if one not in done and one not in before]
            self.check(not waits, f"{given.value} begins before {waits} are done")
            before.add(given.value)

    def ended(self, call: Call) -> None:
        """An invocation ended with an answer."""
        self.check(self.balances(), "the books do not balance when an invocation ends")
        assert call.answer is not None
        self.accepted += [value for value in call.values if value in call.answer.done]

    def note(self, _mapping: str, fact: Fact) -> None:
        """A sink of facts."""
        self.facts.append(fact)
        if isinstance(fact, Filtered):
            self.rejected.update(self._world.value_of(fact.source, one) for one in fact.ids)
        elif isinstance(fact, Discarded):
            self.given_up.update(self._world.value_of(fact.source, one) for one in fact.ids)

    def _acknowledged(self, value: str) -> None:
        self.check(value in self.done, f"{value} is acknowledged and was not accepted")
        self.acknowledged.append(value)

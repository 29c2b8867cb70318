"""The proof at the end of the demo: what was sent, compared with what happened to it (decider)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pollers.invocations import FunctionBooks


@dataclass(slots=True)
class Sent:
    """What went into one source. ``lanes`` holds the ids in order for each key whose order counts (group, partition key, item)."""

    ids: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    lanes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, identifier: str, *, lane: str | None = None, poison: bool = False) -> None:
        """Note one event before it is sent."""
        self.ids.add(identifier)
        if poison:
            self.poison.add(identifier)
        if lane is not None:
            self.lanes.setdefault(lane, []).append(identifier)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as a function received it, and whether the function accepted it."""

    identifier: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Account:
    """The closing line of one source of events. ``faults`` say what is wrong; when there are none, every event is accounted for."""

    mapping: str
    sent: int
    handled: int
    dead: int
    again: int
    poison: int
    faults: tuple[str, ...]


def close_account(
    mapping: str,
    sent: Sent,
    deliveries: Sequence[Delivery],
    dead_letters: Iterable[str],
    *,
    maximum_receives: int | None = None,
    done: Sequence[str] | None = None,
) -> Account:
    """Compare what was sent with what was delivered.

    Every event must be handled or dead-lettered, not both. Each poison event must be delivered exactly ``maximum_receives`` times.
    Within a lane, events must first be accepted in the order of sending. ``again`` counts deliveries of events that were accepted
    before: delivery at least once allows them. Where there is a destination for successes, ``done`` are the ids that it got: every
    event that was handled must be among them, and a second record of an event is counted as ``again`` too.
    """
    dead_letters = list(dead_letters)
    accepted = Counter(d.identifier for d in deliveries if d.accepted)
    refused = Counter(d.identifier for d in deliveries if not d.accepted)
    dead = set(dead_letters)
    faults = [
        *_named("lost", sent.ids - accepted.keys() - dead),
        *_named("both handled and dead", accepted.keys() & dead),
        *_named("never sent", (accepted.keys() | dead) - sent.ids),
        *_named("poison that was not dead-lettered", sent.poison - dead),
        *_named("dead-lettered without being poison", dead - sent.poison),
        *_named("out of order", _out_of_order(sent.lanes, deliveries)),
    ]
    if maximum_receives is not None:
        wrong = {f"{i} ({refused[i]} times)" for i in sent.poison if refused[i] != maximum_receives}
        faults += _named(f"poison not delivered exactly {maximum_receives} times", wrong)
    again = sum(count - 1 for count in accepted.values())
    if done is not None:
        faults += _named("handled and not in the destination", accepted.keys() - set(done))
        faults += _named("in the destination and not handled", set(done) - accepted.keys())
        again += len(done) - len(set(done)) + len(dead_letters) - len(dead)
    return Account(mapping, len(sent.ids), len(accepted), len(dead), again, len(sent.poison), tuple(faults))


def queue_faults(account: Account, queue: FunctionBooks) -> tuple[str, ...]:
    """Compare what the asynchronous queue says of a function with the function's account."""
    faults = [] if queue.balanced else ["the queue's books do not balance"]
    for said, here, there in (
        ("accepted", queue.accepted, account.sent),
        ("succeeded", queue.succeeded, account.handled),
        ("failed", queue.failed, account.dead),
        ("dropped", queue.dropped, 0),
        ("still queued", queue.queued, 0),
        ("still to be reported", queue.reporting, 0),
    ):
        if here != there:
            faults.append(f"{here} {said} instead of {there}")
    return tuple(faults)


def _named(what: str, identifiers: Iterable[str]) -> list[str]:
    found = sorted(identifiers)
    if not found:
        return []
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [f"{len(found)} {what}: {', '.join(found[:3])}{more}"]


def _out_of_order(lanes: Mapping[str, Sequence[str]], deliveries: Sequence[Delivery]) -> set[str]:
    place: dict[str, tuple[str, int]] = {
        identifier: (lane, index) for lane, identifiers in lanes.items() for index, identifier in enumerate(identifiers)
    }
    furthest: dict[str, int] = {}
    seen: set[str] = set()
    wrong: set[str] = set()
    for delivery in deliveries:
        if not delivery.accepted or delivery.identifier in seen or delivery.identifier not in place:
            continue
        seen.add(delivery.identifier)
        lane, index = place[delivery.identifier]
        if index < furthest.get(lane, -1):
            wrong.add(delivery.identifier)
        furthest[lane] = max(index, furthest.get(lane, -1))
    return wrong

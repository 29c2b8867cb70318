"""The soak's books: what was sent against what functions noted (decider)."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.demo.books import Delivery, Sent, close_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_REQUEST = re.compile(r"RequestId: [0-9a-f-]{36}")


@dataclass(frozen=True, slots=True)
class Page:
    """One mapping's books. ``faults`` say in words what is wrong; with none the page is clean."""

    mapping: str
    sent: int
    run: int
    repeated: int
    left: int
    faults: tuple[str, ...]


def deliveries(journal: str) -> Iterator[Delivery]:
    """What a function noted, in its order; a line that was cut off is none."""
    for line in journal[: journal.rfind("\n") + 1].splitlines():
        for identifier in json.loads(line):
            yield Delivery(identifier, accepted=True)


def page(mapping: str, sent: Sent, journal: str, *, left: int, wrongly_ended: Iterable[str] = ()) -> Page:
    """Close one mapping: everything that was sent has run, nothing else has, and what is in order ran in order at first."""
    account = close_account(mapping, sent, list(deliveries(journal)), [])
    faults = list(account.faults)
    if left:
        faults.append(f"{left} left in the queue or its dead-letter queue")
    faults += [f"the checkpoint of {shard} says that it ended, and it is open" for shard in wrongly_ended]
    return Page(mapping, account.sent, account.handled, account.again, left, tuple(faults))


@dataclass(frozen=True, slots=True)
class Life:
    """What one run of Headrace's process wrote to its log, and how it ended."""

    exit_code: int
    started: bool
    asked_to_stop: bool
    cut_short: bool
    balanced: int
    unbalanced: tuple[str, ...]
    errors: Counter[str]


def life(log: str, exit_code: int, *, asked_to_stop: bool) -> Life:
    """Read one log. Only a run that was asked to stop says its ledgers; one that was killed cannot."""
    lines = [json.loads(line) for line in log[: log.rfind("\n") + 1].splitlines() if line.startswith("{")]
    ledgers = [line for line in lines if str(line.get("event", "")).endswith(": ledger")]
    # A service that did not answer at the stop keeps what was not handed back; the ledger says so, and must still add up.
    cut_short = any("not everything was handed back in time" in str(line.get("event")) for line in lines)
    unbalanced = [
        str(line["mapping"]) for line in ledgers if not (line.get("balanced") or (cut_short and _adds_up(line)))
    ]
    unbalanced += [str(line.get("mapping")) for line in lines if line.get("event") == "books do not balance"]
    errors = Counter(_headline(line) for line in lines if line.get("level") in ("error", "critical"))
    started = any(line.get("event") == "headrace started" for line in lines)
    return Life(exit_code, started, asked_to_stop, cut_short, len(ledgers) - len(unbalanced), tuple(unbalanced), errors)


def _adds_up(ledger: dict[str, int]) -> bool:
    """Every event that was received is somewhere."""
    parts = ("deleted", "checkpointed", "discarded", "returned", "expired", "in_flight")
    return ledger["received"] == sum(ledger[part] for part in parts)


def _headline(line: dict[str, object]) -> str:
    """What a log line says, on one line and without what differs each time."""
    text = _REQUEST.sub("", str(line.get("event"))).strip().splitlines()[0]
    why = line.get("error") or line.get("reason")
    return f"{text}: {str(why).splitlines()[0][:120]}" if why else text


def faults_of(pages: Sequence[Page], lives: Sequence[Life]) -> list[str]:
    """Everything that is wrong, a sentence each."""
    found = [f"{page.mapping}: {fault}" for page in pages for fault in page.faults]
    for number, one in enumerate(lives, 1):
        found += [f"run {number}: the ledger of {mapping} does not balance" for mapping in one.unbalanced]
        # Before it has started nothing is begun: SIGTERM ends it as any process, and a locked store keeps it from starting.
        if not one.started:
            continue
        if one.asked_to_stop and one.exit_code != (1 if one.cut_short else 0):
            found.append(f"run {number}: exit code {one.exit_code} after SIGTERM")
        if not one.asked_to_stop and one.exit_code >= 0:
            found.append(f"run {number}: it ended by itself with exit code {one.exit_code}")
    return found

"""What replicas share of a schedule: an attribute on its lease, which only the lease's owner writes. A decider.

It is a :class:`pollers.schedules.memory.Memory` in short: due times that nobody asks about any more are let go early, so that the
item stays within the cheapest write.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pollers.checkpoints.store import ShardCheckpoint
from pollers.leases.items import PENDING, progress
from pollers.schedules.memory import AHEAD_SECONDS, Known, Memory, Outcome, Run, rule_of, seen_at
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Collection

    from config.models import Schedule
    from pollers.leases.own_part import Stamp
    from pollers.leases.replica import Change
    from pollers.leases.table import Item

ATTRIBUTE = "headrace_schedule"
KEPT_SECONDS = 900
"""How far back due times are kept one by one, beside the flexible window: as far as the clocks of two replicas may differ."""


@dataclass(frozen=True, slots=True)
class Record:
    """The shared memory of one schedule. ``rule`` is a digest of what its due times follow from; ``runs`` are in order."""

    rule: str
    enabled: bool
    first_seen: int
    decided: int
    runs: tuple[Run, ...] = ()

    @property
    def memory(self) -> Memory:
        """As it is decided by."""
        return Memory(self.first_seen, self.decided, {run.due: run for run in self.runs})


def digest_of(schedule: Schedule) -> str:
    """What the record keeps of the rule."""
    return sha256(rule_of(schedule).encode()).hexdigest()[:16]


def seen(record: Record | None, schedule: Schedule, local: Memory, now: int) -> Record:
    """The record of a schedule that this replica is going to run. Without one, what this process knows by itself counts."""
    rule = digest_of(schedule)
    if record is None:
        return recorded(schedule, local, now, ())
    known = Known(record.rule, record.enabled, record.first_seen, record.decided)
    ahead = _seen_ahead(record, schedule, now)
    first_seen, decided = seen_at(now, known, rule, enabled=schedule.enabled, ahead=ahead)
    return Record(rule, schedule.enabled, first_seen, decided, record.runs)


def _seen_ahead(record: Record, schedule: Schedule, now: int) -> bool:
    """Whether a clock that was ahead saw the schedule; see :mod:`pollers.schedules.rows`."""
    if record.decided <= now + AHEAD_SECONDS:
        return False
    last = record.memory.last
    return last is None or last.due <= record.decided + schedule.window_seconds + KEPT_SECONDS


def recorded(
    schedule: Schedule, memory: Memory, now: int, under_way: Collection[int], *, enabled: bool = True
) -> Record:
    """What is to be shared of a schedule as it stands. ``enabled`` False: it is not in the configuration any more."""
    last = memory.last
    newest = now if last is None else min(now, last.due)
    oldest = min([newest - schedule.window_seconds - KEPT_SECONDS, *under_way])
    decided = max([memory.decided, *(due for due in memory.runs if due < oldest)])
    runs = tuple(memory.runs[due] for due in sorted(memory.runs) if due > decided or memory.runs[due] == last)
    return Record(digest_of(schedule), enabled and schedule.enabled, memory.first_seen, decided, runs)


def change_of(record: Record, stamp: Stamp, *, ended: bool = False) -> Change:
    """How the record is written. ``checkpoint`` is the last due time, for people; ``ended``: nothing is due any more."""
    last = record.memory.last
    number = None if last is None else str(last.due)
    put = progress(ShardCheckpoint(number, ended=ended), stamp)
    return {**put, ATTRIBUTE: _value(record)}, PENDING


def _value(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = {
        "rule": {"S": record.rule},
        "enabled": {"BOOL": record.enabled},
        "first_seen": {"N": str(record.first_seen)},
        "decided": {"N": str(record.decided)},
    }
    if record.runs:
        last = record.runs[-1]
        value["runs"] = {"S": " ".join(str(run.due - record.decided) for run in record.runs)}
        value["at"] = {"N": str(last.at)}
        value["outcome"] = {"S": last.outcome.value}
    return {"M": value}


def read_record(item: Item) -> Record | None:
    """The record in an item; None for a schedule that nobody has run yet. Raises StoreUnreadable for what nobody writes."""
    found = item.get(ATTRIBUTE, {}).get("M")
    if not found:
        return None
    try:
        decided = int(found["decided"]["N"])
        dues = [decided + int(offset) for offset in found.get("runs", {}).get("S", "").split()]
        runs = [Run(due, due, Outcome.ACCEPTED) for due in dues]
        if runs:
            runs[-1] = Run(dues[-1], int(found["at"]["N"]), Outcome(found["outcome"]["S"]))
        first_seen = int(found["first_seen"]["N"])
        return Record(str(found["rule"]["S"]), bool(found["enabled"]["BOOL"]), first_seen, decided, tuple(runs))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        name = item.get("leaseKey", {}).get("S")
        problem = f"the attribute {ATTRIBUTE} of the schedule {name} is not as Headrace writes it"
        raise StoreUnreadable(f"{problem}: remove the attribute, and it is first seen anew") from error

"""Of which schedules this replica has something to run: it takes and keeps the leases of these alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.schedules.deciding import decide
from pollers.schedules.one_schedule import plan_of
from pollers.schedules.record import digest_of, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import Schedule
    from pollers.clocks.clock import Clock
    from pollers.leases.items import LeaseItem
    from pollers.schedules.followed import Followed


class Wanting:
    """What the configuration and the leases that were seen (``items``) say of each schedule."""

    def __init__(self, followed: Followed, items: Mapping[str, LeaseItem], clock: Clock) -> None:
        self._followed = followed
        self._items = items
        self._clock = clock
        self._judged: dict[str, tuple[tuple[object, ...], bool]] = {}

    def is_wanted(self, name: str) -> bool:
        """Whether this configuration has something to run of a schedule, or may have. Judged anew when either has changed."""
        one, item = self._followed.ones.get(name), self._items.get(name)
        if one is None or item is None or not one.schedule.enabled:
            return False
        if not item.checkpoint.ended:
            return True
        key = (item.counter, one.schedule)
        known = self._judged.get(name)
        if known is None or known[0] != key:
            known = self._judged[name] = key, has_something_due(one.schedule, item, self._clock.time())
        return known[1]


def has_something_due(schedule: Schedule, item: LeaseItem, now: float) -> bool:
    """Whether a lease that was ended, because nothing was due any more, is to be taken up again."""
    record = read_record(item.raw)
    if record is None or not record.enabled or record.rule != digest_of(schedule):
        return True
    decision = decide(plan_of(schedule, record.first_seen), record.memory, now)
    return bool(decision.run) or decision.look_at is not None

"""Which due times of a schedule run now, which do not any more, and when to look again. A decider: ``now`` is an argument.

Clocks jump: they are set, and machines sleep. So nothing follows from the time that went by since the last look, but only from the
time now and from what was decided before. A due time that was decided is never decided again. After a jump forward, what lies
between was missed; after a jump back, due times that ran already are known, and the rest comes when it is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from config.schedules import DueTimes
    from pollers.schedules.memory import Memory

ON_TIME_SECONDS = 60
"""A run that begins within this is on time, as it is on AWS (docs/lambda 14.7); a quick restart misses nothing."""
SET_BACK_SECONDS = 86_400
"""A decided due time that lies further ahead was decided by a clock that was wrong."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a schedule is due: its ``times``, and when each run begins within the ``window_seconds`` after it is due.

    ``begins`` gives the seconds after a due time, always the same for the same due time. ``once``: of what was missed the last one
    runs.
    """

    times: DueTimes
    once: bool = True
    window_seconds: int = 0
    begins: Callable[[int], int] = lambda _due: 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Due times, in order: those that ``run`` now, and those that are ``missed`` and do not run.

    ``missed_since`` and ``missed_until`` are the first and the last that were missed, of which only the last are in ``missed``;
    ``made_up`` is the one of them that runs now. ``look_at`` is when something follows
    next; None: never. ``next_due`` is the next due time, which may begin later.
    """

    run: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    missed_since: int | None = None
    missed_until: int | None = None
    made_up: int | None = None
    look_at: int | None = None
    next_due: int | None = None


def decide(plan: Plan, memory: Memory, now: float, under_way: Collection[int] = ()) -> Decision:
    """What follows at ``now``, while the due times ``under_way`` are being handed over."""
    moment = int(now)
    lowest = max(memory.decided, moment - plan.window_seconds - ON_TIME_SECONDS)
    recent = [due for due in _between(plan.times, lowest, moment) if due not in memory.runs and due not in under_way]
    begun = [due for due in recent if due + plan.begins(due) <= moment]
    waiting = [due for due in recent if due + plan.begins(due) > moment]
    on_time = [due for due in begun if due + plan.begins(due) > moment - ON_TIME_SECONDS]
    late = [*_older(plan, memory, lowest, under_way), *(due for due in begun if due not in on_time)]
    made_up = late[-1:] if plan.once and not on_time else []
    following = _after(plan.times, moment)
    begins = [due + plan.begins(due) for due in waiting]
    return Decision(
        run=tuple(made_up + on_time),
        missed=tuple(late[: len(late) - len(made_up)]),
        missed_since=_first_missed(plan, memory, late[0]) if late else None,
        missed_until=late[-1] if late else None,
        made_up=made_up[0] if made_up else None,
        look_at=min([*begins, *([] if following is None else [following])], default=None),
        next_due=min([*waiting, *([] if following is None else [following])], default=None),
    )


def _older(plan: Plan, memory: Memory, lowest: int, under_way: Collection[int]) -> list[int]:
    """The last due time before the recent ones, unless it, or a later one, was decided already."""
    due = _until(plan.times, lowest)
    if due is None or due <= memory.decided or due in under_way:
        return []
    decided_since = any(due <= other <= lowest + SET_BACK_SECONDS for other in memory.runs)
    return [] if decided_since else [due]


def _first_missed(plan: Plan, memory: Memory, last: int) -> int:
    """The first due time since something was decided."""
    known = max((due for due in memory.runs if due < last), default=memory.decided)
    first = _after(plan.times, max(known, memory.decided))
    return last if first is None else min(first, last)


def _between(times: DueTimes, lowest: int, highest: int) -> Iterator[int]:
    """Due times above ``lowest``, up to ``highest``."""
    due = _after(times, lowest)
    while due is not None and due <= highest:
        yield due
        due = _after(times, due)


def _after(times: DueTimes, moment: int) -> int | None:
    return _seconds(times.after(instant(moment)))


def _until(times: DueTimes, moment: int) -> int | None:
    return _seconds(times.until(instant(moment)))


def _seconds(due: datetime | None) -> int | None:
    """Whole seconds since the epoch; integers, since a time is looked up by them."""
    return None if due is None else (due - _EARLIEST) // timedelta(seconds=1)


def instant(seconds: float) -> datetime:
    """A moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)

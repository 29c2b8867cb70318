"""What replicas tell each other of a schedule: nothing that matters gets lost, and it stays small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.leases.own_part import Stamp
from pollers.schedules.deciding import decide
from pollers.schedules.memory import Memory, Outcome, Run
from pollers.schedules.one_schedule import plan_of
from pollers.schedules.record import ATTRIBUTE, KEPT_SECONDS, Record, change_of, digest_of, read_record, recorded, seen
from pollers.storage.errors import StoreUnreadable
from tests.unit.schedules.fakes import NOW, schedule
from tests.worlds.lease_units import size_of

STAMP = Stamp("schedules", "schedules")
MINUTELY = schedule("cron(* * * * ? *)")
FULL = NOW - NOW % 60


def ran(*dues: int) -> dict[int, Run]:
    """These due times, accepted a second later."""
    return {due: Run(due, due + 1, Outcome.ACCEPTED) for due in dues}


def written(record: Record) -> Record:
    """What another replica reads of it."""
    put, _ = change_of(record, STAMP)
    found = read_record({"leaseKey": {"S": "s"}, **put})
    assert found is not None
    return found


runs = st.sets(st.integers(-30, 30)).map(lambda minutes: ran(*(FULL + 60 * minute for minute in minutes)))


@given(runs, st.integers(-3_000, 3_000), st.sets(st.integers(-30, 30)), st.sampled_from([0, 1, 15]))
def test_another_replica_decides_as_this_one_would(
    decided: dict[int, Run], mark: int, waiting: set[int], window: int
) -> None:
    """Whatever was run, in whatever order: of what is under way nothing counts as decided."""
    mode = {"mode": "FLEXIBLE", "maximum_window_in_minutes": window} if window else {"mode": "OFF"}
    one = schedule("cron(* * * * ? *)", flexible_time_window=mode)
    memory = Memory(FULL - 3_600, FULL + mark, decided)
    under_way = {FULL + 60 * minute for minute in waiting} - decided.keys()
    under_way = {due for due in under_way if due > memory.decided}
    record = written(recorded(one, memory, NOW, under_way))
    plan = plan_of(one, memory.first_seen)
    assert decide(plan, record.memory, NOW, under_way) == decide(plan, memory, NOW, under_way)
    assert all(due > record.decided and due not in record.memory.runs for due in under_way)


def test_a_record_keeps_the_last_run_and_lets_the_oldest_go() -> None:
    """A day of minutes takes less than a kilobyte, with everything else on the item."""
    memory = Memory(FULL - 86_400, FULL - 86_400, ran(*(FULL - 60 * number for number in range(1_440))))
    put, _ = change_of(recorded(MINUTELY, memory, NOW, ()), STAMP)
    found = written(recorded(MINUTELY, memory, NOW, ()))
    assert found.memory.last == Run(FULL, FULL + 1, Outcome.ACCEPTED)
    assert found.decided >= FULL - KEPT_SECONDS - 120
    assert size_of({"leaseKey": {"S": "s" * 64}, "leaseOwner": {"S": "headrace/" + "h" * 80}, **put}) < 1_024
    assert put["checkpoint"] == {"S": str(FULL)}


def test_a_first_sight_counts_from_what_the_process_knew() -> None:
    """And a later one from what the table has, whatever this process knew."""
    local = Memory(NOW - 500, NOW - 400)
    first = seen(None, MINUTELY, local, NOW)
    assert (first.first_seen, first.decided, first.enabled) == (NOW - 500, NOW - 400, True)
    again = seen(first, MINUTELY, Memory(NOW, NOW - 1), NOW + 300)
    assert again == first


def test_another_rule_and_an_absence_begin_anew() -> None:
    """As in one process: nothing that lies before is made up for."""
    local = Memory(NOW, NOW - 1)
    record = Record(digest_of(MINUTELY), enabled=True, first_seen=NOW - 500, decided=NOW - 400)
    changed = seen(record, schedule("rate(5 minutes)"), local, NOW)
    assert (changed.first_seen, changed.decided) == (NOW, NOW - 1)
    absent = Record(digest_of(MINUTELY), enabled=False, first_seen=NOW - 500, decided=NOW - 400)
    back = seen(absent, MINUTELY, local, NOW)
    assert (back.first_seen, back.decided) == (NOW - 500, NOW)


@pytest.mark.parametrize(("ahead", "counts"), [(59, True), (3_600, False)])
def test_a_sight_by_a_clock_that_was_far_ahead_does_not_count(ahead: int, counts: bool) -> None:
    """By one that is ahead a little it does."""
    record = Record(digest_of(MINUTELY), enabled=True, first_seen=NOW + ahead, decided=NOW + ahead)
    found = seen(record, MINUTELY, Memory(NOW, NOW - 1), NOW)
    assert (found.first_seen == NOW + ahead) is counts


def test_what_nobody_writes_is_said() -> None:
    """With what to do about it; an item without the attribute is one that nobody has run yet."""
    assert read_record({"leaseKey": {"S": "s"}}) is None
    with pytest.raises(StoreUnreadable, match="of the schedule s is not as Headrace writes it: remove the attribute"):
        read_record({"leaseKey": {"S": "s"}, ATTRIBUTE: {"M": {"rule": {"N": "1"}}}})

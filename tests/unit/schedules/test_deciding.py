"""Which due times run: by example, and over random days of clocks that jump and processes that restart."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from config.schedules import DueTimes, read_expression
from pollers.schedules.deciding import ON_TIME_SECONDS, Decision, Plan, decide
from pollers.schedules.identity import begins_after
from pollers.schedules.memory import KEPT_SECONDS, Memory, Outcome, Run

NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp())
MINUTE, HOUR, DAY = 60, 3600, 86_400


def plan(text: str = "cron(0 * * * ? *)", *, once: bool = True, window_minutes: int = 0, first: int = NOON) -> Plan:
    """How such a schedule is due; by default each hour."""
    times = DueTimes(read_expression(text), UTC, datetime.fromtimestamp(first, UTC))
    window = 60 * window_minutes
    return Plan(times, once, window, lambda due: begins_after("s", due, window))


def ran(memory: Memory, *dues: int) -> Memory:
    """The memory after these ran."""
    for due in dues:
        memory.add(Run(due, due, Outcome.ACCEPTED))
    return memory


def seen(at: int = NOON - 30 * MINUTE) -> Memory:
    """A schedule that was first seen then."""
    return Memory(first_seen=at, decided=at - 1)


def test_nothing_runs_before_it_is_due() -> None:
    """The next look is when it is."""
    assert decide(plan(), seen(), NOON - 0.5) == Decision(look_at=NOON, next_due=NOON)


@pytest.mark.parametrize("late", [0, 0.2, 37, 59.9])
def test_a_due_time_runs_within_its_minute(late: float) -> None:
    """The whole minute is on time, as on AWS; whatever the policy for what was missed."""
    for once in (True, False):
        assert decide(plan(once=once), seen(), NOON + late).run == (NOON,)


def test_a_due_time_runs_once() -> None:
    """Nor does one run that is being handed over."""
    assert decide(plan(), ran(seen(), NOON), NOON + 1).run == ()
    assert decide(plan(), seen(), NOON + 1, under_way={NOON}).run == ()


def test_what_lies_before_the_first_sight_was_never_due() -> None:
    """A new schedule has missed nothing."""
    assert decide(plan(), seen(NOON + 1), NOON + 1) == Decision(look_at=NOON + HOUR, next_due=NOON + HOUR)


def test_a_rate_is_due_at_its_first_sight() -> None:
    """At once, in the second in which it was seen."""
    rate = plan("rate(5 minutes)", first=NOON + 7)

    assert decide(rate, seen(NOON + 7), NOON + 7.9).run == (NOON + 7,)
    assert decide(rate, ran(seen(NOON + 7), NOON + 7), NOON + 8).look_at == NOON + 7 + 5 * MINUTE


def test_the_last_of_what_was_missed_runs_once() -> None:
    """However much there was; what went before is said."""
    memory = ran(seen(), NOON)

    decision = decide(plan(), memory, NOON + 10 * HOUR + 10 * MINUTE)

    assert decision.run == (NOON + 10 * HOUR,)
    assert (decision.missed, decision.missed_since) == ((), NOON + HOUR)
    assert (decision.missed_until, decision.made_up) == (NOON + 10 * HOUR, NOON + 10 * HOUR)


def test_what_was_missed_can_be_skipped() -> None:
    """Then it is entered as missed, so that it is said once."""
    memory = ran(seen(), NOON)
    now = NOON + 10 * HOUR + 10 * MINUTE

    decision = decide(plan(once=False), memory, now)

    assert decision.run == ()
    assert (decision.missed, decision.missed_since) == ((NOON + 10 * HOUR,), NOON + HOUR)
    memory.add(Run(NOON + 10 * HOUR, now, Outcome.MISSED))
    assert decide(plan(once=False), memory, now).missed == ()


def test_a_run_that_is_on_time_makes_up_for_what_was_missed() -> None:
    """Never two runs at once. It was not missed itself, and is not said to have been."""
    decision = decide(plan(), ran(seen(), NOON), NOON + 5 * HOUR + 3)
    assert (decision.missed_until, decision.made_up) == (NOON + 4 * HOUR, None)

    assert (decision.run, decision.missed) == ((NOON + 5 * HOUR,), (NOON + 4 * HOUR,))


def test_a_frequent_schedule_that_was_down_runs_once_or_twice() -> None:
    """Each minute, after a year: those that are on time."""
    decision = decide(plan("cron(* * * * ? *)"), ran(seen(), NOON), NOON + 365 * DAY + 30)

    assert decision.run == (NOON + 365 * DAY,)
    assert len(decision.missed) == 1


def test_a_clock_that_is_set_back_runs_nothing_again() -> None:
    """What is due next is what was not decided yet."""
    memory = ran(seen(), NOON, NOON + HOUR)

    assert decide(plan(), memory, NOON + 30).run == ()
    assert decide(plan(), memory, NOON + 2 * HOUR).run == (NOON + 2 * HOUR,)


def test_a_clock_that_is_set_back_beside_a_downtime_makes_up_for_nothing() -> None:
    """What was passed over then is not run now, since a later one ran."""
    memory = ran(seen(), NOON, NOON + 5 * HOUR)

    assert decide(plan(), memory, NOON + 3 * HOUR + 10 * MINUTE).run == ()


def test_a_clock_that_was_years_ahead_is_no_reason_to_wait_for_years() -> None:
    """The run of that time is not repeated when it comes; until then the schedule is due as ever."""
    memory = ran(seen(), NOON, NOON + 10 * 365 * DAY)

    assert decide(plan(), memory, NOON + HOUR).run == (NOON + HOUR,)
    assert decide(plan(), memory, NOON + 5 * HOUR + 10 * MINUTE).run == (NOON + 5 * HOUR,)
    assert decide(plan(), memory, NOON + 10 * 365 * DAY + 1).run == ()


def test_a_clock_that_is_years_behind_runs_nothing() -> None:
    """As that of a board without battery at its start: all of that ran already, or was never due."""
    memory = ran(seen(), NOON, NOON + 3 * DAY)

    assert decide(plan(), memory, 1_000_000).run == ()
    assert decide(plan(), memory, NOON - DAY).run == ()


def test_old_runs_are_forgotten_and_not_run_again() -> None:
    """Memory is bounded; whatever is forgotten counts as decided."""
    memory = ran(seen(), *(NOON + hour * HOUR for hour in range(200)))

    assert len(memory.runs) == KEPT_SECONDS // HOUR + 1
    assert memory.decided == min(memory.runs) - HOUR
    assert decide(plan(), memory, NOON + HOUR).run == ()


def test_a_run_begins_within_its_window() -> None:
    """At the second that was drawn for it, not before."""
    flexible = plan(window_minutes=30)
    begins = NOON + begins_after("s", NOON, 30 * MINUTE)
    memory = seen()

    early = decide(flexible, memory, begins - 1)
    assert (early.run, early.look_at, early.next_due) == ((), begins, NOON)
    assert decide(flexible, memory, begins).run == (NOON,)
    assert decide(flexible, memory, begins + 59).run == (NOON,)


def test_windows_that_are_longer_than_the_interval_overlap() -> None:
    """Each due time runs once, in the order in which they begin."""
    flexible, memory, order = plan("cron(* * * * ? *)", window_minutes=60), seen(), list[int]()
    for second in range(0, 2 * HOUR, 30):
        decision = decide(flexible, memory, NOON + second)
        order += decision.run
        ran(memory, *decision.run)

    assert len(order) == len(set(order))
    assert set(range(NOON, NOON + HOUR, MINUTE)) <= set(order)
    assert order != sorted(order)


def test_of_several_that_were_missed_within_their_windows_the_last_runs() -> None:
    """By due time, whichever of them would have begun last."""
    flexible, several = plan("cron(*/10 * * * ? *)", window_minutes=40), 0
    for now in range(NOON + 3 * HOUR, NOON + 4 * HOUR, 30):
        begun = {due: due + begins_after("s", due, 40 * MINUTE) for due in range(NOON, now + 1, 10 * MINUTE)}
        on_time = [due for due, at in begun.items() if now - ON_TIME_SECONDS < at <= now]
        late = [due for due, at in begun.items() if at <= now - ON_TIME_SECONDS]

        decision = decide(flexible, seen(), now)

        assert decision.run == (tuple(on_time) or (max(late),))
        several += not on_time and len(decision.missed) > 1
    assert several


def test_an_end_ends_it() -> None:
    """And at runs once."""
    end = datetime.fromtimestamp(NOON + 90 * MINUTE, UTC)
    times = DueTimes(read_expression("cron(0 * * * ? *)"), UTC, end, None, end)
    memory = ran(seen(), NOON, NOON + HOUR)

    assert decide(Plan(times), memory, NOON + 2 * HOUR) == Decision()
    once = plan("at(2026-06-01T12:00:00)")
    assert decide(once, seen(), NOON + 1).run == (NOON,)
    assert decide(once, ran(seen(), NOON), NOON + 1) == Decision()
    assert decide(once, seen(NOON + 5), NOON + 5) == Decision()


@pytest.mark.parametrize("seed", range(4))
def test_with_windows_too_each_due_time_runs_once(seed: int) -> None:
    """Also over restarts; and on a steady clock none is left out."""
    chance = random.Random(seed)
    flexible = plan("cron(*/10 * * * ? *)", window_minutes=chance.choice([1, 7, 25]))
    memory, now, runs = seen(NOON), float(NOON), list[int]()
    while now < NOON + 6 * HOUR:
        now += chance.uniform(1, 50)
        decision = decide(flexible, memory, now)
        runs += decision.run
        ran(memory, *decision.run)
        if chance.random() < 0.05:
            memory = Memory(memory.first_seen, memory.decided, dict(memory.runs))
    assert len(runs) == len(set(runs))
    assert set(range(NOON, NOON + 5 * HOUR, 10 * MINUTE)) <= set(runs)


@pytest.mark.parametrize("seed", range(8))
def test_over_days_of_jumps_and_restarts_each_due_time_is_decided_once(seed: int) -> None:
    """And nothing ever runs in a burst: what runs at once is on time, or the last of what was missed."""
    chance = random.Random(seed)
    hourly = plan(
        chance.choice(["cron(0 * * * ? *)", "rate(7 minutes)", "cron(*/5 8-18 * * ? *)"]), once=chance.random() < 0.5
    )
    memory, now, runs = seen(NOON), float(NOON), list[int]()
    for _ in range(1500):
        now += chance.choice([1, 10, 10, 10, 60, 600, chance.uniform(0, 2 * DAY), -chance.uniform(0, 2 * HOUR)])
        decision = decide(hourly, memory, now)
        burst = [due for due in decision.run if due <= now - ON_TIME_SECONDS]
        assert len(burst) <= hourly.once
        assert not (burst and len(decision.run) > 1)
        assert all(due <= now for due in decision.run)
        runs += decision.run
        ran(memory, *decision.run)
        for due in decision.missed:
            memory.add(Run(due, due, Outcome.MISSED))
    assert len(runs) == len(set(runs)) > 5


def test_a_steady_clock_runs_every_due_time() -> None:
    """In order, whatever the seconds between two looks."""
    chance = random.Random(3)
    often, memory, now, runs = plan("cron(*/3 * * * ? *)"), seen(NOON), float(NOON), list[int]()
    while now < NOON + DAY // 2:
        decision = decide(often, memory, now)
        runs += decision.run
        ran(memory, *decision.run)
        now += chance.uniform(0.1, 20)
    assert runs[0] == NOON
    assert {later - earlier for earlier, later in pairwise(runs)} == {3 * MINUTE}
    assert len(runs) == DAY // 2 // (3 * MINUTE)

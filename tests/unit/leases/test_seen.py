"""For how long something was seen not to change, and how shares are counted."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pollers.leases.balance import may_ask_for, my_part
from pollers.leases.held import Held
from pollers.leases.pace import AT_ONCE, Pace
from pollers.leases.seen import Still

FAILOVER = 10.0


def test_the_first_look_counts_from_its_end_and_the_last_to_its_beginning() -> None:
    """The change may have come just before the first reply, and the next just after the last request."""
    still = Still(FAILOVER, 3.0)
    still.look(5.0, 9.0)
    assert still.seconds == 2.0


def test_of_a_gap_half_a_failover_counts() -> None:
    """A healthy owner renews three times in a failover, so no gap makes it look dead."""
    still = Still(FAILOVER, 0.0)
    still.look(9.0, 9.1)
    assert still.seconds == FAILOVER / 2


def test_after_a_gap_of_a_failover_everything_begins_again() -> None:
    """What was seen before says nothing."""
    still = Still(FAILOVER, 0.0)
    still.look(3.0, 3.1)
    still.look(13.0, 13.1)
    assert still.seconds == 0.0


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 2)), max_size=20))
def test_no_more_time_is_counted_than_has_passed(looks: list[tuple[float, float]]) -> None:
    """However the looks fall."""
    still, now = Still(FAILOVER, 0.0), 0.0
    for pause, duration in looks:
        still.look(now + pause, now + pause + duration)
        now += pause + duration
    assert 0 <= still.seconds <= now


@given(st.integers(0, 60), st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_everybodys_parts_together_take_all_and_leave_all_even(available: int, counts: list[int]) -> None:
    """In their own eyes all come first among equals, so there may be more takers than leases, never fewer."""
    parts = [my_part(available, mine, counts[:place] + counts[place + 1 :]) for place, mine in enumerate(counts)]
    assert available <= sum(parts) <= available + len(counts) - 1
    got = [count + part for count, part in zip(counts, parts, strict=True) if part]
    assert not got or max(got) - min(got) <= 1


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8))
def test_asks_make_shares_even_and_then_stop(counts: list[int]) -> None:
    """Each round the one with the fewest asks the one with the most for as many as it may."""
    for _ in range(sum(counts) + 1):
        most, least = max(counts), min(counts)
        asked = may_ask_for(sum(counts), len(counts), least, most)
        if not asked:
            break
        counts[counts.index(most)] -= 1
        counts[counts.index(least)] += 1
    assert max(counts) - min(counts) <= 1


def test_renewals_are_due_three_times_in_a_failover() -> None:
    """Counted from before the last one was sent, and scattered a little."""

    held = Held(9.0, random.Random(1))
    assert held.next_due() is None
    held.renewed("s1", 4, at=2.0)
    held.renewed("s2", 4, at=1.0)
    assert 3.4 <= (held.next_due() or 0) <= 4.0
    assert (held.due(3.3), held.due(5.0)) == ([], ["s2", "s1"])
    assert (held.until("s1"), held.until("s9")) == (11.0, float("-inf"))


def test_steps_double_from_look_to_look_while_there_is_more() -> None:
    """And begin again after a rest."""
    pace, sizes = Pace(), []
    for now in (0.0, 0.5, 1.0, 60.0):
        pace.passed(now)
        size = 0
        while pace.left:
            pace.took()
            size += 1
        sizes.append(size)
    assert sizes == [AT_ONCE, 2 * AT_ONCE, 4 * AT_ONCE, AT_ONCE]

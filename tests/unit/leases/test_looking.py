"""When a replica looks at the whole table."""

from __future__ import annotations

import pytest

from pollers.leases.looking import SMALL_TABLE, USUAL, whole_look_due
from pollers.leases.seen import Seen
from pollers.leases.view import View

OTHER = "headrace/there/1/b"


def view(leases: int, failover: float, *, free: int = 0) -> View:
    """What a replica sees that has none of these leases, of which the last ones are free."""
    made = View("headrace/here/1/a", failover)
    for number in range(leases):
        owner = None if number >= leases - free else OTHER
        made.saw(Seen(f"s{number}", 1, owner), 0.0, 0.0)
    return made


def test_a_small_table_is_looked_at_each_time() -> None:
    """It costs no more than the index."""
    small = view(SMALL_TABLE, 10.0)
    assert whole_look_due(small, small.watched, 0.5)


@pytest.mark.parametrize("failover", [2.0, 4.0, 10.0, 60.0, 3600.0])
def test_a_large_table_is_looked_at_more_than_twice_in_a_failover(failover: float) -> None:
    """Else nothing would be seen to stand still: after a gap of a failover everything begins again."""
    large = view(SMALL_TABLE + 1, failover)
    assert not whole_look_due(large, large.watched, min(5.0, USUAL * failover) - 0.1)
    assert whole_look_due(large, large.watched, USUAL * failover)
    assert whole_look_due(large, large.watched, 5.0)


def test_it_is_looked_at_more_often_while_an_owner_is_silent() -> None:
    """A live one would have renewed since."""
    large = view(SMALL_TABLE + 1, 10.0)
    assert not whole_look_due(large, large.watched, 2.0)
    large.saw(Seen("s7", 1, OTHER), 4.1, 4.1)
    assert whole_look_due(large, large.watched, 2.0)
    large.mine.add("s7")
    assert not whole_look_due(large, large.watched, 2.0)


def test_it_is_looked_at_more_often_while_something_was_given_and_is_not_taken() -> None:
    """Whoever was named may be gone."""
    large = view(SMALL_TABLE + 1, 10.0)
    large.saw(Seen("s7", 2, OTHER, given=True), 0.1, 0.1)
    assert whole_look_due(large, large.watched, 2.0)


def test_it_is_looked_at_more_often_while_something_readable_is_free() -> None:
    """Somebody is going to take it; but a child that waits for its parent may be free for long."""
    large = view(SMALL_TABLE + 1, 10.0, free=1)
    assert whole_look_due(large, large.watched, 2.0)
    assert not whole_look_due(large, [name for name in large.watched if name != f"s{SMALL_TABLE}"], 2.0)

"""The process ends in time, from a thread of its own."""

from __future__ import annotations

import threading

from pollers.supervisor.ending import LAST_LINES_SECONDS, Ending


class Left:
    """Notes how the process would have been left."""

    def __init__(self) -> None:
        self.how: list[tuple[int, float]] = []
        self.left = threading.Event()

    def __call__(self, exit_code: int, last_lines_seconds: float) -> None:
        self.how.append((exit_code, last_lines_seconds))
        self.left.set()


def test_it_ends_with_the_exit_code_of_that_moment_and_little_time_for_last_lines() -> None:
    """Whatever the caller does meanwhile."""
    left = Left()
    Ending(left, lambda: 1).within(0.01)
    assert left.left.wait(30)
    assert left.how == [(1, LAST_LINES_SECONDS[0])]


def test_the_moment_may_be_put_off_and_brought_forward() -> None:
    """An invocation begins after the signal: the process must not end under it. When it is done the end comes soon."""
    left = Left()
    ending = Ending(left, lambda: 0)
    ending.within(600)
    ending.within(6_000)
    assert ending.last_lines_seconds == LAST_LINES_SECONDS[1]
    ending.within(0.01)
    assert left.left.wait(30)


def test_a_second_signal_is_not_put_off() -> None:
    """Not by whatever is found out later."""
    left = Left()
    ending = Ending(left, lambda: 1)
    ending.signalled()
    ending.signalled()
    ending.within(600)
    assert left.left.wait(30)


def test_last_lines_get_what_time_is_left() -> None:
    """Never nothing."""
    ending = Ending(Left(), lambda: 0)
    assert ending.last_lines_seconds == LAST_LINES_SECONDS[1]
    ending.within(-1)
    assert ending.last_lines_seconds == LAST_LINES_SECONDS[0]

"""Visibility: how long, when to extend, when a failed message is seen again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import RetryDelay
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.visibility import (
    LIMIT_SECONDS,
    HeldMessages,
    Hold,
    effective_hold,
    extension,
    in_order_of_group,
    refusal,
    retry_delay_seconds,
    seconds_to_hide,
)

HOLD = Hold(30, 30)


def held(one: str = "m", *, received_at: float = 0.0, deadline: float = 30.0, phase: Phase = Phase.RUNNING) -> Held:
    return Held(one, f"handle-{one}", b"{}", None, 1, received_at, deadline, phase=phase)


@pytest.mark.parametrize(
    ("queue", "function", "window", "expected"),
    [
        (30, 3, 0, 30),
        (30, 30, 0, 30),
        (30, 3, 5, 30),
        (30, 25, 5, 30),
        (30, 26, 5, 61),
        (30, 2.5, 28, 61),
        (0, 3, 0, 0),
        (43_200, 900, 300, 43_200),
        (900, 43_199, 300, 43_200),
    ],
)
def test_the_effective_timeout_is_lambdas(queue: int, function: float, window: int, expected: int) -> None:
    """docs/lambda 2.6: the queue's own, or window + timeout + 30 where that does not suffice."""
    hold = effective_hold(queue, function_seconds=function, window_seconds=window, heartbeat=False)

    assert hold == Hold(expected, expected)


def test_a_heartbeat_never_has_to_beat_too_fast() -> None:
    """Messages of a queue with a tiny timeout are held in longer steps, and still come back as its timeout says."""
    assert effective_hold(1, function_seconds=1, window_seconds=0, heartbeat=True) == Hold(1, 5)


def test_a_function_that_takes_longer_than_messages_stay_hidden_is_refused() -> None:
    """In Lambda's words; equal is allowed."""
    assert refusal(30, 30) is None
    assert refusal(30, 60) == "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"


@pytest.mark.parametrize(
    ("policy", "count", "expected"),
    [
        (None, 5, None),
        (0, 5, 0),
        (7, 1, 7),
        (RetryDelay(initial=2, maximum=60), 1, 2),
        (RetryDelay(initial=2, maximum=60), 2, 4),
        (RetryDelay(initial=2, maximum=60), 5, 32),
        (RetryDelay(initial=2, maximum=60), 6, 60),
        (RetryDelay(initial=2, maximum=60), 10_000, 60),
        (RetryDelay(initial=0, maximum=60), 9, 0),
    ],
)
def test_the_retry_delay_doubles_with_the_receive_count(
    policy: int | RetryDelay | None, count: int, expected: int | None
) -> None:
    """From initial up to maximum; a number is that number always."""
    assert retry_delay_seconds(policy, count) == expected


def test_a_message_that_was_never_extended_is_left_alone() -> None:
    """It comes back by itself, as on Lambda, without a call."""
    assert seconds_to_hide(held(), 10.0, HOLD, None) is None


@given(st.floats(min_value=0, max_value=200))
def test_an_extended_message_comes_back_when_its_own_timeout_would_have_run_out(now: float) -> None:
    """What the heartbeat added is taken back."""
    message = held(deadline=now + 30)
    message.extended = True

    seconds = seconds_to_hide(message, now, HOLD, None)

    assert seconds == max(0, math.ceil(30 - now))


@given(st.floats(min_value=0, max_value=LIMIT_SECONDS - 1), st.integers(min_value=0, max_value=LIMIT_SECONDS))
def test_no_delay_goes_beyond_twelve_hours_from_the_receive(now: float, delay: int) -> None:
    """SQS would refuse it."""
    seconds = seconds_to_hide(held(), now, HOLD, delay)

    assert seconds is not None
    assert 0 <= seconds <= delay
    assert seconds == 0 or now + seconds <= LIMIT_SECONDS


@given(
    st.lists(
        st.tuples(st.floats(min_value=10, max_value=100), st.none() | st.integers(min_value=0, max_value=60)),
        max_size=8,
    )
)
def test_no_message_of_a_group_is_planned_to_be_seen_before_the_one_ahead(line: list[tuple[float, int | None]]) -> None:
    """Whatever their deadlines and delays; and none earlier than it would have been."""
    now = 5.0
    messages = [held(str(number), deadline=deadline) for number, (deadline, _) in enumerate(line)]
    wanted = {str(number): seconds for number, (_, seconds) in enumerate(line)}

    plan, last = in_order_of_group(messages, now, wanted)

    seen = [m.deadline if plan[m.id] is None else now + (plan[m.id] or 0) for m in messages]
    assert all(
        later >= earlier or plan[m.id] is None for earlier, later, m in zip(seen, seen[1:], messages[1:], strict=False)
    )
    for message in messages:
        before, after = wanted[message.id], plan[message.id]
        if before is not None:
            assert after is not None
            assert after >= before
    if messages:
        assert last >= seen[-1]


def test_what_is_being_returned_or_lost_is_never_extended() -> None:
    """A retry delay is deliberate; a lost claim is over; two beats at a time would race."""
    assert extension(held(), 20.0, 30) == 30
    assert extension(held(phase=Phase.WAITING), 20.0, 30) == 30
    assert extension(held(phase=Phase.DELETING), 20.0, 30) == 30
    assert extension(held(phase=Phase.RETURNING), 20.0, 30) is None
    assert extension(held(phase=Phase.GONE), 20.0, 30) is None
    for flag in ("lost", "in_delete", "in_extension"):
        message = held()
        setattr(message, flag, True)
        assert extension(message, 20.0, 30) is None


def test_an_extension_ends_twelve_hours_after_the_receive() -> None:
    """The last one is shorter; then there is none."""
    message = held(deadline=43_180)

    assert extension(message, 43_170.0, 30) == 29
    message.deadline = 43_199
    assert extension(message, 43_180.0, 30) is None


class TestHolds:
    """The registry in order of deadline."""

    def test_only_what_is_due_is_looked_at(self) -> None:
        """Half of the hold is left when a message is extended."""
        holds = HeldMessages()
        for number in range(5):
            holds.add(held(str(number), received_at=number, deadline=30.0 + number))

        look = holds.look(17.0, 30, heartbeat=True)

        assert [message.id for message in look.extend] == ["0", "1", "2"]
        assert look.again_at == 18.0
        assert not look.lapsed

    def test_without_a_heartbeat_only_lapses_are_seen(self) -> None:
        """At their deadlines."""
        holds = HeldMessages()
        holds.add(held("0", deadline=30.0))
        holds.add(held("1", deadline=31.0))

        assert holds.look(29.0, 30, heartbeat=False).again_at == 30.0
        look = holds.look(30.0, 30, heartbeat=False)
        assert [message.id for message in look.lapsed] == ["0"]
        assert not look.extend

    def test_a_deadline_before_the_others_wakes_the_sleeper(self) -> None:
        """As when the queue's timeout was lowered."""
        holds = HeldMessages()
        assert holds.add(held("0", deadline=300.0))
        assert not holds.add(held("1", deadline=301.0))
        assert holds.add(held("2", deadline=30.0))

        assert [message.id for message in holds.look(15.0, 30, heartbeat=True).extend] == ["2"]

    def test_what_cannot_be_extended_is_looked_at_when_it_lapses(self) -> None:
        """It neither hides what stands behind it nor keeps the watch spinning."""
        holds = HeldMessages()
        returning, running = held("0", phase=Phase.RETURNING), held("1", deadline=30.5)
        holds.add(returning)
        holds.add(running)

        look = holds.look(20.0, 30, heartbeat=True)

        assert look.extend == [running]
        assert look.again_at == 30.0

    def test_a_moved_deadline_takes_its_place_in_the_order(self) -> None:
        """An extended message stands behind those that are due earlier."""
        holds = HeldMessages()
        first, second = held("0", deadline=30.0), held("1", deadline=31.0)
        holds.add(first)
        holds.add(second)

        holds.moved(first, 60.0)

        assert holds.look(16.0, 30, heartbeat=True).extend == [second]
        assert holds.look(45.0, 30, heartbeat=True).extend == [first]

    @given(st.lists(st.tuples(st.floats(min_value=0, max_value=100), st.booleans()), max_size=30))
    def test_nothing_due_is_ever_overlooked(self, moves: list[tuple[float, bool]]) -> None:
        """In whatever order deadlines come and go, the look finds what a full search finds."""
        holds = HeldMessages()
        messages: list[Held] = []
        for number, (deadline, moved) in enumerate(moves):
            if moved and messages:
                holds.moved(messages[number % len(messages)], deadline)
            else:
                messages.append(held(str(number), deadline=deadline))
                holds.add(messages[-1])

        look = holds.look(50.0, 20, heartbeat=True)

        assert {m.id for m in look.lapsed} == {m.id for m in messages if m.deadline <= 50.0}
        assert {m.id for m in look.extend} == {m.id for m in messages if 50.0 < m.deadline <= 60.0}
        later = [m.deadline - 10 for m in messages if m.deadline > 60.0]
        assert look.again_at == (min(later) if later else None)

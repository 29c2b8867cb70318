"""The line of a standard queue, cut into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.batching import RECORDS, Limits
from pollers.sources.sqs.message import Held
from pollers.sources.sqs.waiting import Buffer


def held(number: int, size: int = 2) -> Held:
    return Held(str(number), "handle", b"x" * size, None, 1, 0.0, 30.0)


def ids(messages: list[Held]) -> list[str]:
    return [message.id for message in messages]


def test_without_a_window_whatever_is_there_goes() -> None:
    """At most a batch of it at a time."""
    buffer = Buffer(Limits(3))
    assert not buffer.ready(0.0)
    for number in range(4):
        buffer.add(held(number), 0.0)

    assert ids(buffer.take(0.0)) == ["0", "1", "2"]
    assert buffer.ready(0.0)
    assert ids(buffer.take(0.0)) == ["3"]
    assert not buffer.ready(0.0)


def test_what_came_behind_a_full_batch_begins_the_next_with_its_own_window() -> None:
    """It opens when the full one goes."""
    buffer = Buffer(Limits(2, window_seconds=10.0))
    buffer.open(0.0)
    for number in range(3):
        buffer.add(held(number), 1.0)

    assert buffer.ready(1.0)
    assert ids(buffer.take(4.0)) == ["0", "1"]
    assert buffer.due_at == 14.0
    assert not buffer.ready(13.9)
    assert buffer.ready(14.0)


def test_a_message_that_does_not_fit_ends_the_batch() -> None:
    """By payload; it begins the next."""
    buffer = Buffer(Limits(10, window_seconds=10.0, payload_bytes=RECORDS.size_bytes + 100))
    buffer.add(held(0, 60), 0.0)
    assert not buffer.ready(0.0)
    buffer.add(held(1, 60), 0.0)

    assert buffer.ready(0.0)
    assert ids(buffer.take(0.0)) == ["0"]
    assert ids(buffer.drain()) == ["1"]


def test_discarding_keeps_the_window_of_the_rest() -> None:
    """A lapsed message does not make the others wait anew."""
    buffer = Buffer(Limits(10, window_seconds=10.0))
    first, second = held(0), held(1)
    buffer.add(first, 5.0)
    buffer.add(second, 6.0)

    assert buffer.discard([first, held(9)]) == [first]
    assert (buffer.due_at, buffer.count) == (15.0, 1)
    assert buffer.discard([second]) == [second]
    assert (buffer.due_at, buffer.count, buffer.runnable) == (None, 0, 0)


@given(
    st.lists(st.integers(min_value=2, max_value=80), max_size=60),
    st.integers(min_value=1, max_value=12),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_every_message_leaves_once_in_order_within_the_limits(sizes: list[int], size: int, takes: list[bool]) -> None:
    """Whenever batches are taken between arrivals."""
    limits = Limits(size, payload_bytes=RECORDS.size_bytes + 100)
    buffer = Buffer(limits)
    batches = []
    for number, (length, take) in enumerate(zip(sizes, takes, strict=False)):
        buffer.add(held(number, length), 0.0)
        if take:
            batches.append(buffer.take(0.0))
    while buffer.ready(0.0):
        batches.append(buffer.take(0.0))

    assert [one for batch in batches for one in ids(batch)] == [str(number) for number in range(len(sizes))]
    for batch in batches:
        assert 0 < len(batch) <= size
        assert limits.leading(len(message.record) for message in batch) == len(batch)

"""When a lane's next batch is due, and what is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.engine.batching import RECORDS, Limits, join_event
from pollers.sources.streams.batches import Gathering
from pollers.sources.streams.records import Records

ROOM = PAYLOAD_LIMIT_BYTES - RECORDS.size_bytes


def records_of(*sizes: int, first: int = 0) -> Records:
    """Records whose events have these lengths."""
    offsets = list(range(first, first + len(sizes)))
    return Records(offsets, [str(p) for p in offsets], [b"x" * size for size in sizes], [float(p) for p in offsets])


def gathering(size: int, window: float = 0.0, now: float = 0.0) -> Gathering:
    """An empty queue."""
    return Gathering(Limits(size, window), now)


def test_without_a_window_a_batch_is_due_as_soon_as_there_is_a_record() -> None:
    """A batch of one is sent alone."""
    queue = gathering(100)
    assert queue.due_in(0.0) is None
    queue.add(records_of(5), 1.0)
    assert queue.due_in(1.0) == 0.0
    assert len(queue.take().records) == 1
    assert queue.due_in(1.0) is None


def test_a_batch_grows_over_several_reads_until_its_window_ends() -> None:
    """The documentation's own example: the window opens at 7 and lasts 40 s, five records have come by 47."""
    queue = gathering(10, window=40.0, now=7.0)
    for when in (10.0, 20.0, 30.0, 40.0, 46.0):
        queue.add(records_of(5), when)
        assert queue.due_in(when) == 47.0 - when
    assert queue.due_in(47.0) == 0.0
    assert len(queue.take().records) == 5


def test_a_window_may_begin_with_the_first_record() -> None:
    """Not when the invocation before completed, unless the record was there by then."""
    queue = Gathering(Limits(10, 40.0), 7.0, from_first=True)
    queue.add(records_of(5), 10.0)
    queue.add(records_of(5), 45.0)
    assert queue.due_in(45.0) == 5.0
    queue.take()
    queue.add(records_of(5), 60.0)
    queue.completed(70.0)
    assert queue.due_in(70.0) == 40.0


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    """Size ends a batch."""
    queue = gathering(10, window=40.0)
    queue.add(records_of(*[5] * 12), 1.0)
    assert queue.due_in(1.0) == 0.0
    assert len(queue.take().records) == 10
    assert len(queue) == 2


def test_a_full_payload_does_not_wait_for_its_window() -> None:
    """6 MiB end a batch."""
    queue = gathering(10, window=40.0)
    queue.add(records_of(ROOM // 2, ROOM // 2 + 1), 1.0)
    assert queue.due_in(1.0) == 0.0
    assert len(queue.take().records) == 1


def test_the_next_window_begins_when_an_invocation_completes() -> None:
    """What was read meanwhile waits for the rest of that window."""
    queue = gathering(10, window=40.0)
    queue.add(records_of(5), 1.0)
    queue.completed(20.0)
    assert queue.due_in(20.0) == 40.0


def test_a_window_that_ran_out_empty_begins_again_with_the_first_record() -> None:
    """No record waits for longer than one window, and a lone one is not sent at once."""
    queue = gathering(10, window=40.0)
    queue.add(records_of(5), 100.0)
    assert queue.due_in(100.0) == 40.0
    assert queue.due_in(140.0) == 0.0


def test_pages_that_are_a_batch_each_are_handed_over_as_they_are() -> None:
    """Also when several have been read ahead: nothing is copied, however long the queue is."""
    queue = gathering(3)
    pages = [records_of(5, 5, 5, first=first) for first in (0, 3, 6)]
    for page in pages:
        queue.add(page, 0.0)
    assert len(queue) == 9
    for page in pages:
        assert queue.lowest == page.offsets[0]
        assert queue.take().records is page
    assert not len(queue)
    assert queue.lowest is None


def test_the_payload_limit_is_exact() -> None:
    """Two records that fill an event to its last byte go together; one byte more and they do not."""
    exact = gathering(10)
    exact.add(records_of(1_000, ROOM - 1_001), 0.0)
    batch = exact.take()
    assert len(batch.records) == 2
    assert len(join_event(batch.records.events, RECORDS)) == PAYLOAD_LIMIT_BYTES
    over = gathering(10)
    over.add(records_of(1_000, ROOM - 1_000), 0.0)
    assert len(over.take().records) == 1


def test_a_record_that_fits_into_no_event_comes_alone_and_marked() -> None:
    """In its turn: what is before it goes first, what is after it is not held up."""
    queue = gathering(10)
    queue.add(records_of(5, ROOM + 1, 7), 0.0)
    first, second, third = queue.take(), queue.take(), queue.take()
    assert (first.oversized, first.records.offsets) == (False, [0])
    assert (second.oversized, second.records.offsets) == (True, [1])
    assert (third.oversized, third.records.offsets) == (False, [2])


def test_a_record_of_exactly_the_limit_is_delivered() -> None:
    """The limit is inclusive."""
    queue = gathering(10)
    queue.add(records_of(ROOM), 0.0)
    assert not queue.take().oversized


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 9))
def test_records_that_were_handed_over_are_never_changed(reads: list[int], size: int) -> None:
    """Neither what a reader handed in (its sequence numbers are the books' as well) nor what a batch took out."""
    queue = gathering(size)
    handed: list[tuple[Records, list[int], list[str]]] = []
    offset = 0
    for number, count in enumerate(reads):
        records = records_of(*[5] * count, first=offset)
        handed.append((records, list(records.offsets), list(records.sequence_numbers)))
        queue.add(records, 0.0)
        offset += count
        if number % 2:
            taken = queue.take().records
            handed.append((taken, list(taken.offsets), list(taken.sequence_numbers)))
    while len(queue):
        queue.take()
    for records, offsets, numbers in handed:
        assert (records.offsets, records.sequence_numbers) == (offsets, numbers)


@given(st.lists(st.lists(st.sampled_from([0, 1, 20, 60, 86, 87]), max_size=6), max_size=6), st.integers(1, 5))
def test_batches_are_the_queue_in_order_and_always_fit(reads: list[list[int]], size: int) -> None:
    """Every record once, in order, never more than the size or the payload; as much as fits."""
    limits = Limits(size, payload_bytes=100)
    queue = Gathering(limits, 0.0)
    offset = 0
    for read in reads:
        queue.add(records_of(*read, first=offset), 0.0)
        offset += len(read)
    seen: list[int] = []
    while queue.due_in(0.0) is not None:
        assert queue.lowest == len(seen)
        batch = queue.take()
        assert 1 <= len(batch.records) <= size
        assert batch.oversized == (len(join_event(batch.records.events, RECORDS)) > limits.payload_bytes)
        seen += batch.records.offsets
    assert seen == list(range(offset))
    assert queue.lowest is None

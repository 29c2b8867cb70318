"""When a batch is complete."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.engine.batching import RECORDS, Envelope, Gather, Limits, join_event

sizes = st.lists(st.integers(min_value=2, max_value=60), max_size=60)
limits = st.builds(
    Limits,
    size=st.integers(min_value=1, max_value=20),
    window_seconds=st.sampled_from([0.0, 5.0]),
    payload_bytes=st.integers(min_value=80, max_value=300),
)


def encoded(size: int) -> bytes:
    """A JSON string of ``size`` bytes."""
    return json.dumps("x" * (size - 2)).encode()


def test_an_event_is_its_records_in_lambdas_envelope() -> None:
    """An event is valid JSON with the records as they were encoded."""
    assert json.loads(join_event([b'{"a":1}', b'{"b":2}'], RECORDS)) == {"Records": [{"a": 1}, {"b": 2}]}
    assert join_event([], RECORDS) == b'{"Records":[]}'


def test_the_envelope_is_the_sources_own() -> None:
    """With members before and behind the records, and its whole size counted."""
    envelope = Envelope(b'{"source":"docdb","events":[', b"]}").with_members(b'"a":1', b'"b":2')
    event = join_event([b"1", b"22"], envelope)

    assert json.loads(event) == {"source": "docdb", "events": [1, 22], "a": 1, "b": 2}
    assert Limits(10, payload_bytes=len(event), envelope=envelope).leading([1, 2]) == 2
    assert Limits(10, payload_bytes=len(event) - 1, envelope=envelope).leading([1, 2]) == 1


@given(limits, sizes)
def test_a_gathered_batch_never_breaks_a_limit_and_its_size_is_exact(limits: Limits, sizes: list[int]) -> None:
    """Count and payload hold, and the bytes counted are the bytes of the event."""
    gather = Gather(limits)
    taken = []
    for size in sizes:
        if not limits.deliverable(size):
            continue
        if not gather.offer(size, 0.0):
            break
        taken.append(size)

    assert len(taken) == gather.count <= limits.size
    assert gather.size_bytes == len(join_event([encoded(size) for size in taken], RECORDS)) <= limits.payload_bytes


@given(limits, sizes)
def test_leading_takes_as_many_as_gathering_does(limits: Limits, sizes: list[int]) -> None:
    """Both ways of cutting a batch agree, and it could not have been longer."""
    fitting = [size for size in sizes if limits.deliverable(size)]
    gather = Gather(limits)
    count = 0
    for size in fitting:
        if not gather.offer(size, 0.0):
            break
        count += 1

    assert limits.leading(fitting) == count
    if count < len(fitting):
        longer = join_event([encoded(size) for size in fitting[: count + 1]], RECORDS)
        assert count == limits.size or len(longer) > limits.payload_bytes


@given(limits, st.lists(st.integers(min_value=2, max_value=60), min_size=1, max_size=60))
def test_every_record_ends_in_exactly_one_batch_in_order(limits: Limits, sizes: list[int]) -> None:
    """Cutting a run of records into batches loses none and keeps their order."""
    fitting = [size for size in sizes if limits.deliverable(size)]
    left, batches = list(fitting), []
    while left:
        count = limits.leading(left)
        assert count > 0
        batches.append(left[:count])
        left = left[count:]

    assert [size for batch in batches for size in batch] == fitting


def test_a_record_that_fits_no_event_is_not_deliverable() -> None:
    """The limit is on the whole event, envelope included."""
    limits = Limits(10)

    assert limits.deliverable(PAYLOAD_LIMIT_BYTES - RECORDS.size_bytes)
    assert not limits.deliverable(PAYLOAD_LIMIT_BYTES - RECORDS.size_bytes + 1)
    assert limits.leading([PAYLOAD_LIMIT_BYTES, 10]) == 0


def test_without_a_window_one_record_is_ready() -> None:
    """docs/lambda 2.1: a batch of one is sent alone."""
    gather = Gather(Limits(10))
    assert not gather.ready(0.0)

    gather.offer(10, 0.0)

    assert gather.ready(0.0)


def test_the_documented_example() -> None:
    """docs/lambda 2.1: a window of 40 opens at 7; five records by 47 go at 47."""
    gather = Gather(Limits(10, 40.0))
    gather.open(7.0)
    for moment in (10.0, 20.0, 30.0, 40.0, 46.0):
        gather.offer(10, moment)

    assert gather.due_at == 47.0
    assert not gather.ready(46.9)
    assert gather.ready(47.0)


@pytest.mark.parametrize("full", ["size", "payload"])
def test_a_full_batch_does_not_wait_for_its_window(full: str) -> None:
    """The tenth record, or the first that does not fit, ends it at once."""
    gather = Gather(Limits(3, 40.0, payload_bytes=100))
    gather.open(0.0)
    while gather.offer(5 if full == "size" else 40, 1.0):
        pass

    assert gather.ready(1.0)
    assert not gather.offer(2, 1.0)


def test_a_window_that_ran_out_empty_opens_again_with_the_first_record() -> None:
    """No record waits for longer than one window, none goes alone because the window happened to be over."""
    gather = Gather(Limits(10, 5.0))
    gather.open(0.0)

    gather.offer(10, 33.0)

    assert gather.due_at == 38.0
    assert not gather.ready(37.9)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=20), st.floats(min_value=0, max_value=50))
def test_no_record_waits_for_longer_than_the_window(moments: list[float], opened: float) -> None:
    """Whenever the window opened and records came."""
    gather = Gather(Limits(1_000, 5.0))
    gather.open(opened)
    first = max(opened, min(moments))
    for moment in sorted(max(moment, opened) for moment in moments):
        if gather.ready(moment):
            break
        gather.offer(10, moment)

    assert gather.due_at is not None
    assert gather.due_at <= first + 5.0

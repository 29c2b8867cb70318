"""Tumbling windows: boundaries, state, closing."""

from __future__ import annotations

import orjson
import pytest

from pollers.checkpoints.store import OpenWindow
from pollers.engine.batching import RECORDS, join_event
from pollers.sources.streams.windows import (
    OPEN_AFTER_END_SECONDS,
    STATE_LIMIT_BYTES,
    StateMissing,
    Windows,
    read_answer,
)

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream"
START = 1_607_497_440.0  # 2020-12-09T07:04:00Z


def windows(opened: OpenWindow | None = None) -> Windows:
    """Windows of two minutes."""
    return Windows(120, "shardId-000000000006", ARN, opened)


def event(one: Windows, records: list[bytes], *, final: bool) -> bytes:
    """The event of these records in the open window."""
    return join_event(records, one.envelope(RECORDS, final=final))


def test_the_event_is_the_documented_one() -> None:
    """Member for member, with an empty state at first (4.11)."""
    one = windows()
    assert one.admit([START + 3.5]) == 1
    assert orjson.loads(event(one, [b'{"a":1}', b'{"b":2}'], final=False)) == {
        "Records": [{"a": 1}, {"b": 2}],
        "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
        "state": {},
        "shardId": "shardId-000000000006",
        "eventSourceARN": ARN,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def test_the_size_of_the_event_is_known_before_it_is_made() -> None:
    """The payload limit counts the state and everything else around the records."""
    one = windows()
    one.admit([START])
    one.accepted(b'{"n":12345}')
    assert one.envelope(RECORDS, final=False).size_bytes + len(b"{},{}") == len(event(one, [b"{}", b"{}"], final=False))
    assert one.envelope(RECORDS, final=False).size_bytes >= len(event(one, [], final=True))


def test_records_of_one_window_go_together_and_the_next_ones_wait() -> None:
    """Boundaries are those of the arrival times, aligned to multiples of the length."""
    one = windows()
    assert one.admit([START, START + 119.9, START + 120.0, START + 121.0]) == 2
    assert one.must_close(START + 120.0, 0.0, at_tip=False, shard_ended=False)
    assert not one.must_close(START + 119.9, 0.0, at_tip=False, shard_ended=False)
    one.closed()
    assert one.admit([START + 120.0, START + 121.0]) == 2
    assert one.open is not None
    assert one.open.start == START + 120.0


def test_a_record_from_before_the_open_window_belongs_to_it() -> None:
    """Arrival times may step back; windows do not."""
    one = windows()
    one.admit([START + 1.0])
    assert one.admit([START - 5.0, START + 2.0]) == 2


def test_a_record_of_a_later_window_skips_the_empty_ones_between() -> None:
    """A window is opened by a record."""
    one = windows()
    one.admit([START])
    one.closed()
    one.admit([START + 1_000.0])
    assert one.open is not None
    assert (one.open.start, one.open.end) == (START + 960.0, START + 1_080.0)


def test_the_state_goes_from_one_invocation_to_the_next_and_ends_with_the_window() -> None:
    """Kept by the engine, dropped after the last invocation."""
    one = windows()
    one.admit([START])
    one.accepted(b'{"1":282}')
    assert orjson.loads(event(one, [], final=True))["state"] == {"1": 282}
    assert orjson.loads(event(one, [], final=True))["isFinalInvokeForWindow"] is True
    one.closed()
    one.admit([START + 120.0])
    assert orjson.loads(event(one, [], final=False))["state"] == {}


def test_a_state_that_has_outgrown_its_limit_ends_the_window_early() -> None:
    """The rest of the window's records begin again with an empty state."""
    one = windows()
    one.admit([START])
    one.accepted(b'{"x":"%b"}' % (b"x" * (STATE_LIMIT_BYTES - 8)))
    assert not one.must_close(START + 1, 0.0, at_tip=False, shard_ended=False)
    one.accepted(b'{"x":"%b"}' % (b"x" * STATE_LIMIT_BYTES))
    assert one.terminated_early
    assert not one.unwritable
    assert one.must_close(START + 1, 0.0, at_tip=False, shard_ended=False)
    assert one.admit([START + 1]) == 0
    final = orjson.loads(event(one, [], final=True))
    assert (final["isFinalInvokeForWindow"], final["isWindowTerminatedEarly"]) == (True, True)
    one.closed()
    assert one.admit([START + 1]) == 1
    assert not one.terminated_early


def test_a_window_without_new_records_is_closed_two_minutes_after_its_end() -> None:
    """And only when the reader has seen that there are none."""
    one = windows()
    one.admit([START])
    end = START + 120.0
    assert one.closes_at() == end + OPEN_AFTER_END_SECONDS
    assert not one.must_close(None, end + OPEN_AFTER_END_SECONDS - 1, at_tip=True, shard_ended=False)
    assert not one.must_close(None, end + OPEN_AFTER_END_SECONDS, at_tip=False, shard_ended=False)
    assert one.must_close(None, end + OPEN_AFTER_END_SECONDS, at_tip=True, shard_ended=False)


def test_the_end_of_a_shard_closes_its_window() -> None:
    """Children start fresh."""
    one = windows()
    one.admit([START])
    assert one.must_close(None, START, at_tip=False, shard_ended=True)
    assert not one.must_close(START + 1, START, at_tip=False, shard_ended=True)


def test_no_window_no_closing() -> None:
    """A shard that ended without records has nothing to close."""
    assert not windows().must_close(None, 1e12, at_tip=True, shard_ended=True)
    assert windows().closes_at() is None


def test_a_window_restored_from_a_checkpoint_goes_on() -> None:
    """With its bounds and its state."""
    one = windows(OpenWindow(START, START + 120.0, b'{"n":3}'))
    assert one.admit([START + 5.0]) == 1
    assert orjson.loads(event(one, [], final=False))["state"] == {"n": 3}


def test_a_state_that_is_not_unicode_survives() -> None:
    """JSON can spell lone surrogates; the state must come back as it was."""
    answer = read_answer(b'{"state":{"\\u00e4":"text"}}')
    assert orjson.loads(answer.state) == {"ä": "text"}


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'"x"', b"12", b"not json", b'{"state":null}', b'{"state":[1]}']
)
def test_a_response_without_a_state_is_a_failure(body: bytes) -> None:
    """A missing state is a failed invocation (4.11)."""
    with pytest.raises(StateMissing, match="state"):
        read_answer(body)


def test_a_response_may_leave_out_that_nothing_failed() -> None:
    """A window's response is read for its state; batchItemFailures counts where it is there."""
    assert not read_answer(b'{"state":{}}').names_failures
    assert read_answer(b'{"state":{},"batchItemFailures":[]}').names_failures


def outgrown(state_bytes: int) -> Windows:
    """A window with a state of that size, and a store that takes 100 bytes."""
    one = Windows(120, "shardId-000000000006", ARN, store_bytes=100)
    one.admit([1.0])
    one.accepted(b'{"x":"%b"}' % (b"x" * (state_bytes - 8)))
    return one


def test_a_window_whose_state_the_store_does_not_take_closes_early() -> None:
    """As one does that has outgrown Lambda's own limit: the function is told so."""
    assert not outgrown(100).unwritable
    one = outgrown(101)
    assert one.unwritable
    assert one.terminated_early
    assert one.must_close(None, 1.0, at_tip=False, shard_ended=False)


def test_what_follows_a_window_that_was_too_large_can_be_written() -> None:
    """It has no state."""
    one = outgrown(101)
    one.closed()
    assert not one.unwritable

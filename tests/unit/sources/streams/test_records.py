"""Sharing a page's records out to lanes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.records import Records, share_out
from tests.worlds.stream_records import lane_of


def records_of(first: int, count: int) -> Records:
    """``count`` records from a offset on, with sequence numbers ten times their offset."""
    offsets = list(range(first, first + count))
    return Records(offsets, [str(p * 10) for p in offsets], [b"{%d}" % p for p in offsets], [float(p) for p in offsets])


def test_the_lane_of_a_key_is_the_same_in_every_process() -> None:
    """The hash is fixed: a restart or another machine gives a key the same lane."""
    keys = [b"", b"a", b"customer-17"]
    lanes = share_out(records_of(0, 3), keys, 10)
    assert [next(number for number, lane in enumerate(lanes) if offset in lane.offsets) for offset in range(3)] == [
        0,
        7,
        3,
    ]


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=60), st.integers(1, 10))
def test_every_record_is_in_the_lane_of_its_key_in_order(keys: list[bytes], factor: int) -> None:
    """Nothing is lost or doubled, equal keys share a lane, and each lane keeps the shard's order."""
    records = records_of(0, len(keys))
    lanes = share_out(records, keys, factor)
    assert len(lanes) == factor
    assert sorted(offset for lane in lanes for offset in lane.offsets) == records.offsets
    for number, lane in enumerate(lanes):
        assert lane.offsets == sorted(lane.offsets)
        assert all(lane_of(keys[offset], factor) == number for offset in lane.offsets)
        assert lane.sequence_numbers == [str(p * 10) for p in lane.offsets]
        assert lane.events == [b"{%d}" % p for p in lane.offsets]
        assert lane.arrivals == [float(p) for p in lane.offsets]

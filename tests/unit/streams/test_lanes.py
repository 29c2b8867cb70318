"""Sharing records out to lanes, and how far a shard is done under any interleaving of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.streams.lanes import Progress, lane_of, share_out
from pollers.streams.records import Records


def records_of(first: int, count: int) -> Records:
    """``count`` records from a position on, with sequence numbers ten times their position."""
    positions = list(range(first, first + count))
    return Records(
        positions, [str(p * 10) for p in positions], [b"{%d}" % p for p in positions], [float(p) for p in positions]
    )


def test_the_lane_of_a_key_is_the_same_in_every_process() -> None:
    """The hash is fixed: a restart or another machine gives a key the same lane."""
    assert [lane_of(key, 10) for key in (b"", b"a", b"customer-17")] == [0, 7, 3]


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=60), st.integers(1, 10))
def test_every_record_is_in_the_lane_of_its_key_in_order(keys: list[bytes], factor: int) -> None:
    """Nothing is lost or doubled, equal keys share a lane, and each lane keeps the shard's order."""
    records = records_of(0, len(keys))
    lanes = share_out(records, keys, factor)
    assert len(lanes) == factor
    assert sorted(position for lane in lanes for position in lane.positions) == records.positions
    for number, lane in enumerate(lanes):
        assert lane.positions == sorted(lane.positions)
        assert all(lane_of(keys[position], factor) == number for position in lane.positions)
        assert lane.sequence_numbers == [str(p * 10) for p in lane.positions]
        assert lane.events == [b"{%d}" % p for p in lane.positions]
        assert lane.arrivals == [float(p) for p in lane.positions]


def test_without_records_there_is_nothing_to_checkpoint() -> None:
    """A shard that was not read has no news."""
    progress = Progress()
    assert not progress.moved(None)
    assert progress.step(None) is None


def test_the_checkpoint_stays_below_the_lowest_unfinished_record() -> None:
    """Records done above it do not move it."""
    progress = Progress()
    progress.take(["10", "20", "30"])
    assert progress.step(0) is None
    step = progress.step(2)
    assert step is not None
    assert (step.sequence_number, step.count) == ("20", 2)


def test_discarded_records_are_not_counted_again_by_the_checkpoint() -> None:
    """The books have them already."""
    progress = Progress()
    progress.take(["10", "20", "30", "40"])
    progress.discard([1, 3])
    assert progress.unsaved == 2
    step = progress.step(3)
    assert step is not None
    assert (step.sequence_number, step.count) == ("30", 2)
    progress.saved_step(step)
    assert progress.unsaved == 0
    last = progress.step(None)
    assert last is not None
    assert (last.sequence_number, last.count) == ("40", 0)


def test_a_marker_moves_the_checkpoint_without_records() -> None:
    """An event without records says how far the shard has been read."""
    progress = Progress()
    progress.take(["10"])
    progress.mark("55")
    assert progress.step(0) is None
    step = progress.step(None)
    assert step is not None
    assert (step.sequence_number, step.count) == ("55", 1)
    progress.saved_step(step)
    assert not progress.moved(None)
    progress.take(["60"])
    assert progress.step(1) is None
    progress.mark("70")
    last = progress.step(None)
    assert last is not None
    assert (last.sequence_number, last.count) == ("70", 1)


def test_a_marker_below_later_records_is_good_until_one_of_them_is_done() -> None:
    """Records that follow the marker are above it."""
    progress = Progress()
    progress.mark("5")
    progress.take(["10", "20"])
    before = progress.step(0)
    assert before is not None
    assert (before.sequence_number, before.count) == ("5", 0)
    after = progress.step(1)
    assert after is not None
    assert after.sequence_number == "10"


def test_what_is_handed_back_is_what_no_checkpoint_covers() -> None:
    """Records done above an unfinished one are among it: they will be delivered again."""
    progress = Progress()
    progress.take(["10", "20", "30", "40"])
    progress.discard([2])
    step = progress.step(1)
    assert step is not None
    progress.saved_step(step)
    assert progress.unsaved_sequence_numbers() == ["20", "40"]
    assert progress.unsaved == 2


@settings(deadline=None)
@given(st.data())
def test_no_interleaving_moves_the_checkpoint_above_an_unfinished_record(data: st.DataObject) -> None:
    """Pages come, lanes finish records in their own order, some are discarded, checkpoints are written at any time."""
    progress = Progress()
    factor = data.draw(st.integers(1, 4))
    lanes: list[list[int]] = [[] for _ in range(factor)]
    finished: set[int] = set()
    discarded: set[int] = set()
    accounted = 0
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["page", "finish", "finish", "discard", "save"])):
            case "page":
                count = data.draw(st.integers(0, 6))
                first = progress.take([str((progress.read + index) * 10) for index in range(count)])
                for position in range(first, first + count):
                    lanes[data.draw(st.integers(0, factor - 1))].append(position)
            case "finish" | "discard" as how:
                lane = lanes[data.draw(st.integers(0, factor - 1))]
                if lane:
                    position = lane.pop(0)
                    finished.add(position)
                    if how == "discard":
                        progress.discard([position])
                        discarded.add(position)
            case _:
                lowest = min((lane[0] for lane in lanes if lane), default=None)
                step = progress.step(lowest)
                if step is not None:
                    assert set(range(step.upto)) <= finished
                    assert step.sequence_number == str((step.upto - 1) * 10)
                    progress.saved_step(step)
                    accounted += step.count
        assert progress.read == accounted + len(discarded) + progress.unsaved
    assert len(progress.unsaved_sequence_numbers()) == progress.unsaved

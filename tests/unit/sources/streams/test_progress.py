"""Sharing records out to lanes, and how far a shard is done under any interleaving of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.checkpoints.store import LanesDone
from pollers.sources.streams.progress import EarlierLanes, Progress, Step, lane_of, share_out
from pollers.sources.streams.records import Records


def records_of(first: int, count: int) -> Records:
    """``count`` records from a position on, with sequence numbers ten times their position."""
    positions = list(range(first, first + count))
    return Records(
        positions, [str(p * 10) for p in positions], [b"{%d}" % p for p in positions], [float(p) for p in positions]
    )


def test_the_lane_of_a_key_is_the_same_in_every_process() -> None:
    """The hash is fixed: a restart or another machine gives a key the same lane."""
    assert [lane_of(key, 10) for key in (b"", b"a", b"customer-17")] == [0, 7, 3]


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
    assert progress.step(None, "7") == Step("7", 0, 0)


def test_the_checkpoint_stays_below_the_lowest_unfinished_record() -> None:
    """Records done above it do not move it."""
    progress = Progress()
    progress.take(["10", "20", "30"])
    assert progress.step(0, "7") == Step("7", 0, 0)
    progress.accept([0, 1])
    step = progress.step(2)
    assert (step.sequence_number, step.count) == ("20", 2)


def test_discarded_records_are_not_counted_again_by_the_checkpoint() -> None:
    """The books have them already."""
    progress = Progress()
    progress.take(["10", "20", "30", "40"])
    progress.discard([1, 3])
    assert progress.unsaved == 2
    progress.accept([0])
    progress.accept([2])
    step = progress.step(3)
    assert (step.sequence_number, step.count) == ("30", 2)
    progress.saved_step(step)
    assert progress.unsaved == 0
    last = progress.step(None)
    assert (last.sequence_number, last.count) == ("40", 0)


def test_a_marker_moves_the_checkpoint_without_records() -> None:
    """An event without records says how far the shard has been read."""
    progress = Progress()
    progress.take(["10"])
    progress.mark("55")
    assert progress.step(0).sequence_number is None
    progress.accept([0])
    step = progress.step(None)
    assert (step.sequence_number, step.count) == ("55", 1)
    progress.saved_step(step)
    assert not progress.moved(None)
    progress.take(["60"])
    assert progress.step(1, "55").sequence_number == "55"
    progress.accept([1])
    progress.mark("70")
    last = progress.step(None)
    assert (last.sequence_number, last.count) == ("70", 1)


def test_a_marker_below_later_records_is_good_until_one_of_them_is_done() -> None:
    """Records that follow the marker are above it."""
    progress = Progress()
    progress.mark("5")
    progress.take(["10", "20"])
    before = progress.step(0)
    assert (before.sequence_number, before.count) == ("5", 0)
    after = progress.step(1)
    assert after.sequence_number == "10"


def test_what_is_handed_back_is_what_nothing_written_covers() -> None:
    """Records that lanes have done above an unfinished one are written beside the checkpoint, and count as checkpointed."""
    progress = Progress()
    progress.take(["10", "20", "30", "40", "50"], [4])
    progress.discard([2])
    progress.accept([0])
    progress.accept([3])
    step = progress.step(1)
    assert (step.sequence_number, step.count) == ("10", 2)
    progress.saved_step(step)
    assert progress.unsaved_sequence_numbers() == ["20", "50"]
    assert progress.unsaved == 2
    progress.accept([1])
    last = progress.step(None)
    assert (last.sequence_number, last.count) == ("50", 2)
    progress.saved_step(last)
    assert progress.unsaved == 0


def test_what_was_accepted_after_the_write_is_handed_back() -> None:
    """Nothing on the disk says that it is done."""
    progress = Progress()
    progress.take(["10", "20", "30"])
    progress.accept([1])
    step = progress.step(0)
    progress.accept([2])
    progress.saved_step(step)
    assert progress.unsaved_sequence_numbers() == ["10", "30"]
    assert progress.unsaved == 2


@given(st.data())
def test_no_interleaving_moves_the_checkpoint_above_an_unfinished_record(data: st.DataObject) -> None:
    """Pages come, lanes finish records in their own order, some are discarded or filtered, checkpoints are written at any time."""
    progress = Progress()
    factor = data.draw(st.integers(1, 4))
    lanes: list[list[int]] = [[] for _ in range(factor)]
    finished: set[int] = set()
    discarded: set[int] = set()
    accepted: set[int] = set()
    accounted = 0
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["page", "finish", "finish", "discard", "save"])):
            case "page":
                count = data.draw(st.integers(0, 6))
                filtered = sorted(data.draw(st.sets(st.integers(0, 5)))) if data.draw(st.booleans()) else []
                filtered = [index for index in filtered if index < count]
                first = progress.take([str((progress.read + index) * 10) for index in range(count)], filtered)
                for index in range(count):
                    if index in filtered:
                        finished.add(first + index)
                    else:
                        lanes[data.draw(st.integers(0, factor - 1))].append(first + index)
            case "finish" | "discard" as how:
                lane = lanes[data.draw(st.integers(0, factor - 1))]
                if lane:
                    position = lane.pop(0)
                    finished.add(position)
                    if how == "discard":
                        progress.discard([position])
                        discarded.add(position)
                    else:
                        progress.accept([position])
                        accepted.add(position)
            case _:
                lowest = min((lane[0] for lane in lanes if lane), default=None)
                step = progress.step(lowest, "kept")
                assert set(range(step.upto)) <= finished
                assert step.sequence_number == (str((step.upto - 1) * 10) if step.upto > progress.saved else "kept")
                progress.saved_step(step)
                accounted += step.count
                assert accounted == len(accepted) + len(
                    {position for position in finished - accepted - discarded if position < step.upto}
                )
        assert progress.read == accounted + len(discarded) + progress.unsaved
    assert len(progress.unsaved_sequence_numbers()) == progress.unsaved


# -- what lanes have done above the checkpoint -----------------------------------------------------------------------------


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), min_size=1, max_size=40), st.data())
def test_no_record_that_is_not_done_is_passed_over_whatever_the_number_of_lanes_was(
    keys: list[bytes], data: st.DataObject
) -> None:
    """Several runs, each with a number of lanes of its own, each ending at any point: never an undone record, never twice."""
    numbers = [str(position * 10 + 10) for position in range(len(keys))]
    ahead: tuple[LanesDone, ...] = ()
    done: set[int] = set()
    factors = set()
    for _ in range(data.draw(st.integers(1, 3))):
        factor = data.draw(st.integers(1, 4))
        factors.add(factor)
        earlier = EarlierLanes(ahead)
        left = [position for position, undone in enumerate(earlier.undone(keys, numbers)) if undone]
        assert set(left) >= set(range(len(keys))) - done
        lanes: list[list[int]] = [[] for _ in range(factor)]
        for position in left:
            lanes[lane_of(keys[position], factor)].append(position)
        upto: list[str | None] = []
        for lane in lanes:
            count = data.draw(st.integers(0, len(lane)))
            done.update(lane[:count])
            upto.append(numbers[lane[count - 1]] if count else None)
        ahead = earlier.above(None, upto if factor > 1 else ())
        if factor > 1:
            again = EarlierLanes(ahead).undone(keys, numbers)
            assert [position for position, undone in enumerate(again) if not undone] == sorted(done)
        else:
            break


def test_what_the_checkpoint_has_passed_is_not_kept() -> None:
    """Nothing of a lane that is not ahead of it, and nothing of a number of lanes of which none is."""
    earlier = EarlierLanes((LanesDone(("30", "50", None)),))
    assert earlier.above("20", ["40", "10"]) == (LanesDone(("30", "50", None)), LanesDone(("40", None)))
    assert earlier.above("30", []) == (LanesDone((None, "50", None)),)
    assert earlier.above("50", ["40", "10"]) == ()
    assert earlier.above("20", ["10", "60", "40"]) == (LanesDone(("30", "60", "40")),)


def test_what_is_kept_is_bounded_whatever_the_settings_were() -> None:
    """The entries of the latest numbers of lanes stay; what only older ones said is delivered again."""
    ahead: tuple[LanesDone, ...] = ()
    for factor in range(2, 11):
        ahead = EarlierLanes(ahead).above("1", ["9"] * factor)
    assert [len(done.upto) for done in ahead] == [7, 8, 9, 10]


def test_sequence_numbers_that_are_no_numbers_are_delivered_again() -> None:
    """There is no telling which of two is higher."""
    assert EarlierLanes((LanesDone(("x",)),)).undone([b"a"], ["x"]) == [True]
    assert EarlierLanes((LanesDone(("5",)),)).undone([b"a", b"a"], ["3", "x"]) == [False, True]


def test_an_earlier_run_is_forgotten_once_it_is_read_past() -> None:
    """From then on records cost nothing more."""
    earlier = EarlierLanes((LanesDone(("50", None)),))
    assert earlier.any
    assert earlier.undone([b"a"], ["60"]) == [True]
    assert not earlier.any

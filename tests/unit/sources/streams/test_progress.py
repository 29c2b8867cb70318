"""How far a shard is done under any interleaving of its lanes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.progress import Progress, Step


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


def test_a_position_behind_the_last_record_is_written_and_the_record_is_told() -> None:
    """Whoever looks for a record does not know the position."""
    progress = Progress()
    progress.take(["a", "b"])
    progress.read_upto("behind b")
    assert (progress.step(1).sequence_number, progress.step(1).record) == ("a", "a")
    assert (progress.step(None).sequence_number, progress.step(None).record) == ("behind b", "b")
    progress.saved_step(progress.step(None))
    assert (progress.step(None, "behind b").sequence_number, progress.step(None).record) == ("behind b", None)


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
    progress.read_upto("55")
    assert progress.step(0).sequence_number is None
    progress.accept([0])
    step = progress.step(None)
    assert (step.sequence_number, step.count) == ("55", 1)
    progress.saved_step(step)
    assert not progress.moved(None)
    progress.take(["60"])
    assert progress.step(1, "55").sequence_number == "55"
    progress.accept([1])
    progress.read_upto("70")
    last = progress.step(None)
    assert (last.sequence_number, last.count) == ("70", 1)


def test_a_marker_below_later_records_is_good_until_one_of_them_is_done() -> None:
    """Records that follow the marker are above it."""
    progress = Progress()
    progress.read_upto("5")
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
                    offset = lane.pop(0)
                    finished.add(offset)
                    if how == "discard":
                        progress.discard([offset])
                        discarded.add(offset)
                    else:
                        progress.accept([offset])
                        accepted.add(offset)
            case _:
                lowest = min((lane[0] for lane in lanes if lane), default=None)
                step = progress.step(lowest, "kept")
                assert set(range(step.upto)) <= finished
                assert step.sequence_number == (str((step.upto - 1) * 10) if step.upto > progress.saved else "kept")
                progress.saved_step(step)
                accounted += step.count
                assert accounted == len(accepted) + len(
                    {offset for offset in finished - accepted - discarded if offset < step.upto}
                )
        assert progress.read == accounted + len(discarded) + progress.unsaved
    assert len(progress.unsaved_sequence_numbers()) == progress.unsaved


def test_a_batch_on_both_sides_of_the_checkpoint_stays_known() -> None:
    """What a lane has done above it is not handed back, however often the checkpoint is written below."""
    progress = Progress()
    progress.take(["a", "b", "c", "d"])
    progress.accept([0, 3])
    progress.saved_step(progress.step(1))

    assert progress.unsaved_sequence_numbers() == ["b", "c"]


def test_a_position_without_records_moves_the_checkpoint_by_itself() -> None:
    """Once: when it is written, nothing is left to be moved."""
    progress = Progress()
    progress.read_upto("5")
    assert progress.moved(None)
    progress.saved_step(progress.step(None))
    assert not progress.moved(None)

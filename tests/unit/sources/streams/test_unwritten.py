"""How far a shard's work may run ahead of what is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.unwritten import BATCHES_AHEAD, Unwritten


def test_one_finished_batch_may_be_unwritten_when_another_begins() -> None:
    """The next batch runs while the write is on its way; the one after it waits."""
    unwritten = Unwritten()
    assert unwritten.may_begin(0.0)
    unwritten.finish(1.0)
    assert unwritten.any
    assert unwritten.may_begin(1.0)
    unwritten.finish(2.0)
    assert not unwritten.may_begin(1_000.0)
    unwritten.write(1, 3.0)
    assert unwritten.may_begin(3.0)
    unwritten.write(2, 4.0)
    assert not unwritten.any


def test_a_store_that_writes_now_and_then_gives_a_grace_but_not_for_ever() -> None:
    """Batches go on between two writes, and wait when the write fails to come."""
    unwritten = Unwritten(grace_seconds=2.0)
    for second in range(3):
        unwritten.finish(10.0 + second / 10)
    assert unwritten.may_begin(11.9)
    assert not unwritten.may_begin(12.0)
    unwritten.write(2, 12.5)
    unwritten.finish(12.6)
    assert unwritten.may_begin(14.4)
    assert not unwritten.may_begin(14.5)


@given(st.data(), st.integers(1, 6))
def test_what_has_begun_and_is_not_written_is_never_more_than_a_batch_a_lane_and_one(
    data: st.DataObject, lanes: int
) -> None:
    """Under any order of beginnings, ends and writes: that is all that a crash can repeat."""
    unwritten, running, on_its_way = Unwritten(), 0, None
    for _ in range(data.draw(st.integers(1, 80))):
        match data.draw(st.sampled_from(["begin", "end", "write", "written"])):
            case "begin" if running < lanes and unwritten.may_begin(0.0):
                running += 1
            case "end" if running:
                running -= 1
                unwritten.finish(0.0)
            case "write" if on_its_way is None:
                on_its_way = unwritten.finished
            case "written" if on_its_way is not None:
                unwritten.write(on_its_way, 0.0)
                on_its_way = None
            case _:
                continue
        assert running + unwritten.finished - unwritten.written <= lanes + BATCHES_AHEAD

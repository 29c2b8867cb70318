"""What lanes have done above the checkpoint, from one run to the next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.checkpoints.store import LanesDone
from pollers.sources.streams.done_ahead import DoneAhead
from pollers.sources.streams.positions import SEQUENCE_NUMBERS
from tests.unit.sources.streams.tokens import TOKENS
from tests.worlds.stream_records import lane_of


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), min_size=1, max_size=40), st.data())
def test_no_record_that_is_not_done_is_passed_over_whatever_the_number_of_lanes_was(
    keys: list[bytes], data: st.DataObject
) -> None:
    """Several runs, each with a number of lanes of its own, each ending at any point: never an undone record, never twice."""
    numbers = [str(offset * 10 + 10) for offset in range(len(keys))]
    ahead: tuple[LanesDone, ...] = ()
    done: set[int] = set()
    factors = set()
    for _ in range(data.draw(st.integers(1, 3))):
        factor = data.draw(st.integers(1, 4))
        factors.add(factor)
        earlier = DoneAhead(ahead, SEQUENCE_NUMBERS)
        left = [offset for offset, undone in enumerate(earlier.undone(keys, numbers)) if undone]
        assert set(left) >= set(range(len(keys))) - done
        lanes: list[list[int]] = [[] for _ in range(factor)]
        for offset in left:
            lanes[lane_of(keys[offset], factor)].append(offset)
        upto: list[str | None] = []
        for lane in lanes:
            count = data.draw(st.integers(0, len(lane)))
            done.update(lane[:count])
            upto.append(numbers[lane[count - 1]] if count else None)
        ahead = earlier.above(None, upto if factor > 1 else ())
        if factor > 1:
            again = DoneAhead(ahead, SEQUENCE_NUMBERS).undone(keys, numbers)
            assert [offset for offset, undone in enumerate(again) if not undone] == sorted(done)
        else:
            break


def test_what_the_checkpoint_has_passed_is_not_kept() -> None:
    """Nothing of a lane that is not ahead of it, and nothing of a number of lanes of which none is."""
    earlier = DoneAhead((LanesDone(("30", "50", None)),), SEQUENCE_NUMBERS)
    assert earlier.above("20", ["40", "10"]) == (LanesDone(("30", "50", None)), LanesDone(("40", None)))
    assert earlier.above("30", []) == (LanesDone((None, "50", None)),)
    assert earlier.above("50", ["40", "10"]) == ()
    assert earlier.above("20", ["10", "60", "40"]) == (LanesDone(("30", "60", "40")),)


def test_what_is_kept_is_bounded_whatever_the_settings_were() -> None:
    """The entries of the latest numbers of lanes stay; what only older ones said is delivered again."""
    ahead: tuple[LanesDone, ...] = ()
    for factor in range(2, 11):
        ahead = DoneAhead(ahead, SEQUENCE_NUMBERS).above("1", ["9"] * factor)
    assert [len(done.upto) for done in ahead] == [7, 8, 9, 10]


def test_sequence_numbers_that_are_no_numbers_are_delivered_again() -> None:
    """There is no telling which of two is higher."""
    assert DoneAhead((LanesDone(("x",)),), SEQUENCE_NUMBERS).undone([b"a"], ["x"]) == [True]
    assert DoneAhead((LanesDone(("5",)),), SEQUENCE_NUMBERS).undone([b"a", b"a"], ["3", "x"]) == [False, True]


def test_an_earlier_run_is_forgotten_once_it_is_read_past() -> None:
    """From then on records cost nothing more."""
    earlier = DoneAhead((LanesDone(("50", None)),), SEQUENCE_NUMBERS)
    assert earlier.any
    assert earlier.undone([b"a"], ["60"]) == [True]
    assert not earlier.any


def test_a_lane_is_done_up_to_the_later_of_two_runs() -> None:
    """Numbers are compared as numbers, whatever their lengths."""
    earlier = DoneAhead((LanesDone(("9", "100")),), SEQUENCE_NUMBERS)
    assert earlier.above("5", ["10", "11"]) == (LanesDone(("10", "100")),)


def test_without_an_order_nothing_above_the_checkpoint_is_known_or_kept() -> None:
    """A lane's own position may never come by again: what it says would pass records over that are not done."""
    earlier = DoneAhead((LanesDone(("b", None)),), TOKENS)
    assert not earlier.any
    assert earlier.undone([b"a", b"a"], ["a", "b"]) == [True, True]
    assert earlier.above("a", ["c", "d"]) == ()

"""The numbers for an autoscaler: backlog, utilisation and shards, always finite."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.kind import Backlog
from pollers.status.scaling import LONGEST_SECONDS, Sizing, overall, share, sizing
from pollers.telemetry.board import Board
from pollers.telemetry.facts import (
    Depth,
    Doing,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Polled,
    ShardEnded,
    ShardSeen,
    State,
)


class Story:
    """A board that is told facts at settable times."""

    def __init__(self) -> None:
        self.now = 0.0
        self.board = Board(now=lambda: self.now)

    def at(self, now: float, *facts: Fact) -> Story:
        self.now = now
        for fact in facts:
            self.board("m", fact)
        return self

    def stream(self, now: float, permitted: int = 4) -> Sizing:
        return sizing(self.board.of("m"), Backlog.ITERATOR_AGE, permitted, now)

    def queue(self, now: float, permitted: int = 4) -> Sizing:
        return sizing(self.board.of("m"), Backlog.DEPTH, permitted, now)


def ran(count: int, seconds: float, outcome: Outcome = Outcome.SUCCESS, failed: int = 0) -> Invoked:
    ids = [str(number) for number in range(count)]
    return Invoked("", ids, "r", outcome, seconds, failed_ids=ids[:failed])


def reading(shard: str) -> Doing:
    return Doing(shard, State.POLLING)


def test_nothing_known_is_zero() -> None:
    """Before the first poll, and for queues without messages."""
    assert Story().stream(5) == Story().queue(5) == Sizing()
    assert Story().at(0, Depth(0, 3, 0)).queue(100).backlog_seconds == 0


def test_a_queue_takes_as_long_as_its_messages_at_the_pace_of_invocations() -> None:
    """Ten messages in two seconds of one invocation: four invocations do 20 a second."""
    story = Story().at(1, ran(10, 2.0)).at(2, Depth(100, 0, 0))
    assert math.isclose(story.queue(2).backlog_seconds, 5.0)
    assert math.isclose(story.queue(2, permitted=1).backlog_seconds, 20.0)


def test_the_pace_of_a_queue_outlives_an_idle_day() -> None:
    """A burst after that is measured by what is known, not taken for endless."""
    story = Story().at(1, ran(10, 2.0)).at(86_400, Depth(100, 0, 0))
    assert math.isclose(story.queue(86_400).backlog_seconds, 5.0)


def test_little_to_do_is_not_slow() -> None:
    """One message an hour of 10 ms: what a queue gets says nothing about what could be done."""
    story = Story()
    for hour in range(5):
        story.at(hour * 3600, ran(1, 0.01))
    assert math.isclose(story.at(14_401, Depth(400, 0, 0)).queue(14_401).backlog_seconds, 1.0)


def test_a_queue_of_which_nothing_is_done_is_as_late_as_its_messages_are_ready() -> None:
    """No pace, a function that fails, or one that may not run: the time since messages were first ready, without end or leap."""
    unknown = Story().at(10, Depth(5, 0, 0)).at(70, Depth(9, 0, 0))
    assert unknown.queue(100).backlog_seconds == 90
    failing = Story().at(5, ran(10, 2.0, Outcome.ERROR)).at(10, Depth(5, 0, 0))
    assert failing.queue(100).backlog_seconds == 90
    stopped = Story().at(5, ran(10, 2.0)).at(10, Depth(5, 0, 0))
    assert stopped.queue(100, permitted=0).backlog_seconds == 90
    assert stopped.at(110, Depth(0, 0, 0)).at(120, Depth(1, 0, 0)).queue(121, permitted=0).backlog_seconds == 1


def test_what_is_filtered_or_accepted_in_part_counts_as_done() -> None:
    """It leaves the queue; what failed does not."""
    story = Story().at(1, Filtered("", ["a"] * 6), ran(10, 2.0, Outcome.PARTIAL, failed=6)).at(2, Depth(100, 0, 0))
    assert math.isclose(story.queue(2, permitted=1).backlog_seconds, 20.0)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10_000), st.floats(0, 900), st.sampled_from(Outcome))),
    st.integers(0, 10**9),
    st.integers(0, 10_000),
)
def test_a_backlog_is_always_a_finite_number(
    story: list[tuple[float, int, float, Outcome]], visible: int, permitted: int
) -> None:
    """Whatever happened and however long ago: never negative, never more than a queue keeps messages."""
    told = Story()
    for at, count, seconds, outcome in sorted(story, key=lambda one: one[0]):
        told.at(at, ran(count, seconds, outcome))
    found = told.at(1e6, Depth(visible, 0, 0)).queue(1e6 + 1, permitted)
    assert 0 <= found.backlog_seconds <= LONGEST_SECONDS
    assert 0 <= found.utilisation <= 1


def test_a_stream_is_as_late_as_its_worst_shard_here() -> None:
    """Shards that others read do not count, whatever was known of them when they were read here."""
    seen = [ShardSeen(name) for name in "abc"]
    story = Story().at(0, *seen, reading("a"), reading("b"), Polled("a", 9, 3.0), Polled("b", 9, 40.0))
    assert story.stream(0) == Sizing(40.0, 0.0, 3, 2)
    story.at(1, Polled("a", 9, 3.0), Doing("b", State.ENDED))
    assert story.stream(1) == Sizing(3.0, 0.0, 3, 1)


def test_a_reader_that_does_not_read_falls_behind() -> None:
    """It was behind at its last poll, so it is further behind by the time since; one at the tip is not."""
    story = Story().at(0, ShardSeen("a"), ShardSeen("b"), reading("a"), reading("b"))
    story.at(10, Polled("a", 0, 0.0), Polled("b", 5, 2.0))
    assert story.stream(70).backlog_seconds == 62
    assert Story().at(0, ShardSeen("a"), reading("a"), Polled("a", 0, 0.0)).stream(70).backlog_seconds == 0


def test_a_batch_that_fails_again_and_again_is_a_backlog() -> None:
    """Its reader is at the tip; how old its records were at the last try counts, also while the next one is waited for."""
    story = Story().at(0, ShardSeen("a"), reading("a"), Polled("a", 0, 0.0))
    story.at(
        100, Invoking("a", ["1"], "r1", 1, iterator_age_seconds=1.0), Invoked("a", ["1"], "r1", Outcome.ERROR, 0.1)
    )
    story.at(101, Doing("a/0", State.RETRYING, "", 300))
    story.at(400, Invoking("a", ["1"], "r2", 1, 2, iterator_age_seconds=301.0))
    assert story.stream(400) == Sizing(301.0, 0.25, 1, 1)
    story.at(401, Invoked("a", ["1"], "r2", Outcome.ERROR, 0.1), Doing("a/0", State.RETRYING, "", 900))
    assert story.stream(800).backlog_seconds == 301
    story.at(801, Doing("a/0", State.ENDED))
    assert story.stream(801).backlog_seconds == 0


def test_a_shard_that_is_read_to_its_tip_and_done_has_no_backlog() -> None:
    """At once, however old the records of its last batch were; while the reader still brings records, they count (DynamoDB)."""
    story = Story().at(0, ShardSeen("a"), reading("a"), Polled("a", 9))
    story.at(1, Invoking("a", ["1"], "r", 1, iterator_age_seconds=26.0), Invoked("a", ["1"], "r", Outcome.SUCCESS, 0.1))
    assert story.stream(2).backlog_seconds == 26
    story.at(3, Polled("a", 0))
    assert story.stream(3).backlog_seconds == 0
    story.at(4, Invoking("a", ["2"], "r", 1, iterator_age_seconds=5.0), Polled("a", 0))
    assert story.stream(4).backlog_seconds == 5


def test_open_shards_are_those_that_can_be_read_now() -> None:
    """A child waits for its parents, and a replica that waits for it does nothing. An ended shard is none."""
    story = Story().at(0, ShardSeen("a"), ShardSeen("b", ["a"]), ShardSeen("c", ["a"]), ShardSeen("d", ["long-gone"]))
    story.at(1, reading("a"), Doing("b", State.WAITING_FOR_PARENT, "parent a"))
    assert (story.stream(1).open_shards, story.stream(1).owned_shards) == (2, 1)
    story.at(2, ShardEnded("a"), Doing("a", State.ENDED), reading("b"))
    assert (story.stream(2).open_shards, story.stream(2).owned_shards) == (3, 1)


@pytest.mark.parametrize("state", State)
def test_a_shard_is_owned_while_it_is_read(state: State) -> None:
    """One that waits for its parent, or that others read, has a task too, which says so."""
    story = Story().at(0, ShardSeen("a"), Doing("a", state), Polled("a", 9, 3.0))
    owned = state in (State.POLLING, State.WAITING_FOR_ROOM, State.BACKING_OFF)
    assert story.stream(0) == Sizing(3.0 if owned else 0.0, 0.0, 1, int(owned))


def test_a_shard_whose_last_records_are_with_the_function_is_still_owned() -> None:
    """It is read to its end and not done."""
    story = Story().at(0, ShardSeen("a"), Invoking("a", ["1"], "r", 1, iterator_age_seconds=7.0))
    assert story.stream(1) == Sizing(7.0, 0.25, 1, 1)


def test_all_mappings_together() -> None:
    """The longest backlog, the busiest function (mappings may share one), all shards."""
    both = [Sizing(5, 0.5, 3, 1), Sizing(9, 0.25, 4, 4)]
    assert overall(both, [(3, 4), (1, 10)]) == Sizing(9, 0.75, 7, 5)
    assert overall([], []) == Sizing()


def test_shares_have_bounds() -> None:
    """More may run than are permitted after a limit was lowered, and none may be permitted."""
    assert (share(5, 4), share(0, 0), share(1, 0)) == (1, 0, 1)


def test_the_document_has_short_numbers() -> None:
    """Milliseconds are enough."""
    assert Sizing(1 / 3, 2 / 3, 4, 2).as_dict() == {
        "backlog_seconds": 0.333,
        "utilisation": 0.667,
        "open_shards": 4,
        "owned_shards": 2,
    }


def test_a_stream_of_many_shards_is_summed_up_in_one_pass() -> None:
    """Time grows with the number of shards, not with its square: 2,000 take well under a second on any machine."""
    story = Story()
    for number in range(2_000):
        name = f"shard-{number}"
        story.at(number, ShardSeen(name), reading(name), Polled(name, 1, 1.0), Invoking(name, ["1"], name, 1))
    began = time.process_time()
    assert story.stream(3_000).owned_shards == 2_000
    assert time.process_time() - began < 0.5

"""What is folded from facts: the board, sentences, series, the recorder, the live numbers and the ledger; all of it bounded."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.demo.mapping_counts import CountsSink
from pollers.engine.kind import Backlog
from pollers.status.sentences import Surrounding, sentence
from pollers.supervisor.idleness import Idleness
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.board import ENDED_SHARDS_KEPT, Board
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DiscardCondition,
    Discarded,
    Doing,
    EndDoubted,
    EndRevoked,
    Expired,
    Fact,
    Invoked,
    Invoking,
    Listed,
    Outcome,
    Polled,
    Received,
    Returned,
    ShardEnded,
    ShardSeen,
    State,
)
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.mapping_board import FAILURES_KEPT
from pollers.telemetry.series import BUCKET_SECONDS, BUCKETS, SAMPLES, UNSEALED, Series, quantile
from tests.worlds import virtual_time


class Telling:
    """A board at a settable time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.board = Board(now=lambda: self.now)

    def at(self, now: float, *facts: Fact) -> Telling:
        self.now = now
        for fact in facts:
            self.board("m", fact)
        return self

    def sentence(self, now: float, *, stream: bool = False, state: MappingState = MappingState.RUNNING) -> str:
        backlog = Backlog.ITERATOR_AGE if stream else Backlog.DEPTH
        around = Surrounding(state, backlog, "AccessDenied", 4, 4)
        return sentence(self.board.of("m"), around, now)


def test_the_sentences_of_an_idle_mapping() -> None:
    """Each way to be idle has its own words."""
    assert Telling().at(0, Doing("receive", State.POLLING), Polled("", 0)).sentence(1) == "waiting for messages"
    waiting = Telling().at(0, Doing("receive", State.WAITING_FOR_PERMIT))
    assert waiting.sentence(12) == "waiting for a permit: 4 of 4 workers busy for 12 s"
    parent = Telling().at(0, Doing("shard 3", State.WAITING_FOR_PARENT, "parent shard 1"))
    assert parent.sentence(1, stream=True) == "shard 3 waits for its parent shard 1"
    parent.at(1, Polled("shard 1", 5, 4.0))
    assert parent.sentence(1, stream=True) == "reading, 4.0 s behind; shard 3 waits for its parent shard 1"
    backing_off = Telling().at(0, Doing("receive", State.BACKING_OFF, "AccessDenied", 20.0))
    assert backing_off.sentence(0) == "backing off after AccessDenied, next try in 20 s"
    retrying = Telling().at(0, Doing("shard 1", State.RETRYING, "a batch of 40, attempt 5, last error Boom"))
    assert retrying.sentence(1, stream=True) == "retrying a batch of 40, attempt 5, last error Boom (on shard 1)"
    unwritten = Telling().at(0, Doing("s/0", State.WAITING_FOR_WRITE, "the disk is full"))
    unwritten.at(1, Doing("checkpoints", State.BACKING_OFF, "the disk is full", 10.0))
    said = "waiting for a checkpoint to be written for 5.0 s: the disk is full"
    assert unwritten.sentence(5, stream=True) == said
    assert Telling().at(0, Polled("s", 0, 0.0)).sentence(1, stream=True) == "waiting for records: caught up"
    assert Telling().at(0, Polled("s", 9, 90.0)).sentence(1, stream=True) == "reading, 90 s behind"
    held = Telling().at(0, Doing("receive", State.POLLING), Received("", ["1", "2"], 10))
    assert held.sentence(1) == "gathering: holds 2 messages"
    ended = Telling().at(0, ShardSeen("s1", ended=True))
    assert ended.sentence(1, stream=True) == "waiting for new shards: every shard has ended"


def test_shards_that_another_replica_reads_are_told_and_their_lag_is_not_ours() -> None:
    """Until they are read here again."""
    shared = Telling().at(0, ShardSeen("a"), ShardSeen("b"), Doing("a", State.POLLING), Doing("b", State.POLLING))
    shared.at(1, Polled("a", 0, 0.0), Polled("b", 9, 90.0)).at(2, Doing("b", State.READ_ELSEWHERE))
    assert shared.board.of("m").iterator_age(2) == 0.0
    assert shared.sentence(3, stream=True) == "waiting for records: caught up; another replica reads b"
    shared.at(4, Doing("a", State.READ_ELSEWHERE))
    assert shared.board.of("m").iterator_age(4) is None
    assert shared.sentence(5, stream=True) == "another replica reads a (and 1 more)"
    shared.at(6, Doing("b", State.POLLING), Polled("b", 1, 8.0))
    assert shared.board.of("m").iterator_age(6) == 8.0


def test_a_replica_that_reads_no_shard_is_ready() -> None:
    """Others read them all: it has nothing to poll."""
    spare = Telling().at(0, ShardSeen("a"), Doing("a", State.READ_ELSEWHERE)).at(30, Listed(1))
    assert spare.board.of("m").polled


def test_the_sentences_of_a_mapping_that_is_not_running() -> None:
    """Who paused or disabled it can tell."""
    for state, start in {
        MappingState.PAUSED: "paused",
        MappingState.DISABLED: "disabled",
        MappingState.STARTING: "starting",
        MappingState.STOPPING: "stopping: handing back what is held",
        MappingState.BACKING_OFF: "backing off after AccessDenied",
    }.items():
        assert Telling().sentence(0, state=state).startswith(start)


def test_a_task_that_repeats_its_state_keeps_its_since() -> None:
    """Busy for twelve seconds stays twelve seconds when the detail changes."""
    told = (
        Telling()
        .at(0, Doing("receive", State.WAITING_FOR_PERMIT, "a"))
        .at(10, Doing("receive", State.WAITING_FOR_PERMIT, "b"))
    )
    assert told.sentence(12).endswith("busy for 12 s")


def test_the_board_stays_bounded_whatever_happens() -> None:
    """Failures, ids and ended shards are kept in rings."""
    told = Telling()
    for n in range(10 * ENDED_SHARDS_KEPT):
        told.at(n, ShardSeen(f"s{n}"), Polled(f"s{n}", 1, 0.0), ShardEnded(f"s{n}"))
        told.at(n, Invoked("", [str(i) for i in range(1000)], f"r{n}", Outcome.ERROR, 1.0, error="x"))
    board = told.board.of("m")
    assert len(board.shards) == ENDED_SHARDS_KEPT
    assert len(board.failures) == FAILURES_KEPT
    assert len(board.failures[0].ids) == 10
    assert not board.polls


def test_series_fill_the_gaps_and_forget_the_past() -> None:
    """Buckets in which nothing happened are zeros; after a long silence the ring starts anew."""
    series = Series()
    series.current(0).received = 5
    assert series.as_columns(1)["received"] == [1]
    columns = series.as_columns(4 * BUCKET_SECONDS)
    assert (columns["first"], columns["received"]) == (0, [1, 0, 0, 0])
    assert series.as_columns(4 * BUCKET_SECONDS, 2)["received"] == [0, 0]
    series.as_columns(BUCKET_SECONDS * BUCKETS * 3)
    assert len(series.as_columns(BUCKET_SECONDS * BUCKETS * 3)["received"]) == 1
    for n in range(BUCKETS * 2):
        series.current(BUCKET_SECONDS * (BUCKETS * 3 + n)).add_duration(1.0)
    columns = series.as_columns(BUCKET_SECONDS * (BUCKETS * 5 - 1))
    assert columns["p50"] == columns["p95"] == [1.0] * BUCKETS
    assert (
        sum(len(bucket.durations) for bucket in series.recent(BUCKET_SECONDS * (BUCKETS * 5 - 1), 900)) == UNSEALED - 1
    )


def test_a_bucket_keeps_a_bounded_sample_of_durations() -> None:
    """A million invocations in five seconds cost no more than a few."""
    bucket = Series().current(0)
    for _ in range(SAMPLES * 10):
        bucket.add_duration(0.5)
    assert (len(bucket.durations), bucket.invocations) == (SAMPLES, SAMPLES * 10)


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_a_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    """By definition, for any values."""
    found = quantile(list(values), share)
    assert found is not None
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert quantile([], share) is None


@given(
    st.lists(st.sampled_from(["receive", "delete", "checkpoint", "discard", "return", "expire", "noise"]), max_size=60)
)
def test_the_ledger_always_knows_what_is_in_flight(happenings: list[str]) -> None:
    """received = deleted + checkpointed + discarded + returned + expired + in flight, whatever comes in whatever order."""
    ledger, held = Ledger(), 0
    facts: dict[str, tuple[Fact, int]] = {
        "receive": (Received("", ["1", "2", "3"], 1), 3),
        "delete": (Deleted(["1"]), -1),
        "checkpoint": (Checkpointed("", 1, "1"), -1),
        "discard": (Discarded("", ["1"], DiscardCondition.EXPIRED), -1),
        "return": (Returned("", ["1"], None, "failed"), -1),
        "expire": (Expired(["1"], "late"), -1),
        "noise": (Polled("", 3), 0),
    }
    for happening in happenings:
        fact, change = facts[happening]
        ledger("m", fact)
        held += change
    assert ledger.balances(held)
    assert ledger.as_dict()["in_flight"] == held


@virtual_time.test
async def test_only_events_disturb_the_quiet() -> None:
    """Empty polls and words do not; a received or acknowledged event does."""
    quiet = Idleness()
    quiet.mark()
    await anyio.sleep(5)
    quiet("m", Polled("", 0))
    quiet("m", Doing("receive", State.POLLING))
    assert quiet.seconds() == pytest.approx(5)
    quiet("m", Deleted(["1"]))
    assert quiet.seconds() == 0


@virtual_time.test
async def test_live_numbers_average_over_the_last_seconds() -> None:
    """Batches a second, and how far the furthest shard is behind."""
    live = CountsSink()
    for n in range(10):
        live("m", Invoking("", ["1"], str(n), 1))
        live("m", Invoked("", ["1"], str(n), Outcome.SUCCESS, 0.1))
    live("m", Polled("s1", 1, 3.0))
    live("m", Polled("s2", 1, 9.0))
    numbers = live.mappings["m"]
    assert numbers.batches_per_second(anyio.current_time()) == 2.0
    assert numbers.iterator_age == 9.0
    await anyio.sleep(60)
    assert numbers.batches_per_second(anyio.current_time()) == 0.0


def test_a_shard_that_something_wrongly_calls_ended_is_told_before_anything_else() -> None:
    """It may be the only sign that records go unread."""
    story = Telling().at(0, ShardSeen("s"), Polled("s", 0, 0.0), EndDoubted("s", "listed as open"))
    assert (
        story.sentence(60, stream=True)
        == "replies have called s ended for 60 s, and nothing bears that out: it is read on"
    )
    story = Telling().at(0, ShardSeen("s", ended=True), ShardSeen("t", ended=True), EndRevoked("s"), EndRevoked("t"))
    assert story.sentence(60, stream=True) == (
        "s is read again: its checkpoint said that it had ended, but the stream lists it as open (and 1 more)"
    )

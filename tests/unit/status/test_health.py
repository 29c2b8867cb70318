"""Health means progress: every injected stall turns it red within its bound, every honest wait stays green."""

from __future__ import annotations

import pytest

from pollers.status.health import (
    DOUBT_BOUND_SECONDS,
    LISTING_BOUND_SECONDS,
    POLL_BOUND_SECONDS,
    SILENCE_BOUND_SECONDS,
    STARTING_BOUND_SECONDS,
    Problem,
    Vitals,
    stalls,
    unready,
)
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.board import Board
from pollers.telemetry.facts import (
    Doing,
    EndDoubted,
    EndRevoked,
    Fact,
    Invoked,
    Invoking,
    Listed,
    Outcome,
    Polled,
    PollFailed,
    ShardEnded,
    ShardSeen,
    State,
    WriteRefused,
)
from pollers.telemetry.mapping_board import MappingBoard

TIMEOUT = 10.0


class Story:
    """Facts at times, and what health says of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._board = Board(now=lambda: self.now)

    @property
    def board(self) -> MappingBoard:
        return self._board.of("m")

    def at(self, now: float, *facts: Fact) -> Story:
        self.now = now
        for fact in facts:
            self._board("m", fact)
        return self

    def stalls(self, now: float, state: MappingState = MappingState.RUNNING) -> list[str]:
        return [problem.reason for problem in stalls(self.board, vitals(state), now)]


def vitals(state: MappingState = MappingState.RUNNING, since: float = 0.0, problem: str | None = None) -> Vitals:
    return Vitals("m", state, problem, since, TIMEOUT, grace_seconds=30.0)


def test_a_poll_that_never_returns_turns_health_red_within_its_bound() -> None:
    """The last completed poll counts, not the process."""
    story = Story().at(0, Doing("receive", State.POLLING)).at(5, Polled("", 0))
    assert story.stalls(5 + POLL_BOUND_SECONDS) == []
    assert story.stalls(6 + POLL_BOUND_SECONDS) == ["no poll of the queue has come back for 91 s"]


def test_an_empty_source_stays_green() -> None:
    """Empty polls are polls."""
    story = Story().at(0, Doing("receive", State.POLLING))
    for second in range(0, 3_600, 20):
        story.at(second, Polled("", 0))
        assert story.stalls(second + 19) == []


def test_one_stuck_shard_is_named_while_others_are_polled() -> None:
    """Progress is asked of every shard."""
    story = Story().at(0, Doing("shard-1", State.POLLING), Doing("shard-2", State.POLLING))
    story.at(100, Polled("shard-1", 0, 0.0))
    assert story.stalls(101) == ["no poll of shard-2 has come back for 101 s"]


def test_a_batch_that_outlives_its_timeout_turns_health_red() -> None:
    """The worker should have been killed and its end seen by then."""
    story = Story().at(0, Doing("receive", State.WAITING_FOR_PERMIT), Invoking("", ["1"], "r", 10))
    bound = vitals().flight_bound
    assert story.stalls(bound) == []
    assert story.stalls(bound + 1) == ["a batch has been with the function for 81 s, whose timeout is 10 s"]
    assert story.at(90, Invoked("", ["1"], "r", Outcome.ERROR, 30.0)).stalls(91) == []


@pytest.mark.parametrize(
    "doing",
    [
        Doing("receive", State.WAITING_FOR_PERMIT),
        Doing("shard-2", State.WAITING_FOR_PARENT, "parent shard-1"),
        Doing("shard-1", State.RETRYING, "a batch of 40, attempt 5"),
        Doing("shard-1", State.DELIVERING, "to the destination"),
    ],
)
def test_honest_waits_stay_green(doing: Doing) -> None:
    """Waiting for a permit, a parent, a retry or a destination is what it should do."""
    assert Story().at(0, doing).stalls(10_000) == []


def test_a_back_off_is_green_until_it_should_have_ended() -> None:
    """A task that sleeps for ever is found."""
    story = Story().at(
        0, PollFailed("", "AccessDenied", 20.0), Doing("receive", State.BACKING_OFF, "AccessDenied", 20.0)
    )
    assert story.stalls(20 + POLL_BOUND_SECONDS) == []
    assert len(story.stalls(21 + POLL_BOUND_SECONDS)) == 1


@pytest.mark.parametrize(
    "state", [MappingState.PAUSED, MappingState.DISABLED, MappingState.BACKING_OFF, MappingState.STOPPED]
)
def test_a_mapping_that_should_not_poll_is_no_stall(state: MappingState) -> None:
    """Paused and unusable sources do not restart the process."""
    assert Story().at(0, Doing("receive", State.POLLING)).stalls(10_000, state) == []


def test_a_poller_that_says_nothing_at_all_is_found() -> None:
    """A mapping without tasks and polls has lost its poller."""
    assert Story().stalls(SILENCE_BOUND_SECONDS) == []
    assert Story().stalls(SILENCE_BOUND_SECONDS + 1) == ["has neither polled nor said what it does for 2 min"]


def test_a_new_poller_does_not_inherit_the_old_ones_polls() -> None:
    """What was polled before a restart is no progress of what runs now."""
    story = Story().at(0, Doing("receive", State.POLLING), Polled("", 0), Invoking("", ["1"], "r", 1))
    story.at(10, Doing("mapping", State.STARTING), Doing("mapping", State.ENDED))
    assert (story.board.tasks, story.board.polls, story.board.flights, story.board.polled) == ({}, {}, {}, False)
    assert len(story.stalls(10 + SILENCE_BOUND_SECONDS + 1)) == 1


def test_shards_that_are_not_listed_any_more_turn_health_red() -> None:
    """New shards would never be found."""
    story = Story().at(0, Doing("shard-1", State.POLLING), Listed(1))
    story.at(LISTING_BOUND_SECONDS, Polled("shard-1", 0, 0.0))
    assert story.stalls(LISTING_BOUND_SECONDS) == []
    assert story.stalls(LISTING_BOUND_SECONDS + 1) == ["its shards have not been listed for 2 min"]


def test_starting_and_stopping_are_bounded() -> None:
    """A start or stop that hangs is a stall as well."""
    board = MappingBoard()
    assert list(stalls(board, vitals(MappingState.STARTING), STARTING_BOUND_SECONDS)) == []
    assert list(stalls(board, vitals(MappingState.STARTING), STARTING_BOUND_SECONDS + 1)) != []
    stopping = vitals(MappingState.STOPPING)
    assert stopping.stop_bound > max(stopping.grace_seconds, stopping.flight_bound)
    assert list(stalls(board, stopping, stopping.stop_bound)) == []
    assert list(stalls(board, stopping, stopping.stop_bound + 1)) != []
    poller = Story().at(0, Doing("receive", State.STOPPING))
    assert poller.stalls(stopping.stop_bound) == []
    assert len(poller.stalls(stopping.stop_bound + 1)) == 1


def test_a_mapping_that_cannot_run_is_live_but_not_ready() -> None:
    """Restarting the process would not bring the queue back."""
    what = vitals(MappingState.BACKING_OFF, problem="no such queue")
    assert list(stalls(MappingBoard(), what, 10_000)) == []
    assert list(unready(MappingBoard(), what)) == [Problem("m", "cannot run: no such queue")]


def test_an_ended_shard_is_not_asked_for_polls() -> None:
    """ENDED takes the task off the board."""
    story = (
        Story().at(0, Doing("shard-1", State.POLLING)).at(1, Polled("shard-1", 5, 0.0), Doing("shard-1", State.ENDED))
    )
    story.at(2, Doing("shard-2", State.POLLING), Polled("shard-2", 0, 0.0))
    assert story.stalls(30) == []


def test_replies_that_call_an_open_shard_ended_turn_health_red_when_they_last() -> None:
    """Nothing of the shard is read meanwhile. It is over when a reply says that the shard goes on, or when the end was true."""
    story = Story().at(0, ShardSeen("s"), Polled("s", 0))
    story.at(1, EndDoubted("s", "listed as open")).at(60, EndDoubted("s", "listed as open"))
    story.at(1 + DOUBT_BOUND_SECONDS, Polled("s", 0))
    assert story.stalls(1 + DOUBT_BOUND_SECONDS) == []
    assert story.stalls(2 + DOUBT_BOUND_SECONDS) == [
        "replies have called s ended for 2 min, and nothing bears that out"
    ]
    story.at(200, Polled("s", 0), EndDoubted("s", ""))
    assert story.stalls(201) == []
    story.at(300, EndDoubted("s", "listed as open")).at(500, Listed(1), ShardEnded("s"))
    assert story.stalls(500) == []


def test_a_store_that_does_not_write_turns_health_red_and_green_again() -> None:
    """Its shards wait for the write; a short wait is healthy."""
    story = Story().at(0, Listed(1), Polled("s", 10, 0.0)).at(1, WriteRefused("the disk is full"))
    story.at(5, WriteRefused("the disk is full"), Doing("s/0", State.WAITING_FOR_WRITE, "the disk is full"))
    assert story.stalls(11) == []
    assert story.stalls(13) == ["no checkpoint could be written for 12 s, and shards wait for that: the disk is full"]
    story.at(20, WriteRefused(""), Doing("s/0", State.ENDED))
    assert story.stalls(20) == []


def test_a_write_that_never_comes_back_turns_health_red() -> None:
    """A hung disk refuses nothing."""
    story = Story().at(0, Listed(1), Polled("s", 10, 0.0), Doing("s/0", State.WAITING_FOR_WRITE, "the store is slow"))
    assert story.stalls(10) == []
    assert story.stalls(12) == ["s/0 has been waiting for a checkpoint to be written for 12 s"]


def test_a_lease_that_is_not_renewed_turns_health_red() -> None:
    """Nothing of its shard goes on meanwhile."""
    story = Story().at(0, Listed(1), Polled("s", 10, 0.0), Doing("s/0", State.WAITING_FOR_LEASE, "no answer"))
    assert story.stalls(10) == []
    assert story.stalls(12) == ["s/0 has been waiting for the lease of its shard to be renewed for 12 s"]


def test_a_checkpoint_that_calls_an_open_shard_ended_is_red_until_it_is_read_to_its_tip() -> None:
    """At once: records may have been unread for a long time."""
    story = Story().at(0, ShardSeen("s", ended=True), EndRevoked("s"))
    [reason] = story.stalls(0)
    assert reason == "the checkpoint of s says that it has ended, but the stream lists it as open: it is read again"
    assert not story.board.shards["s"].ended
    assert story.at(1, Polled("s", 10, 5.0)).stalls(1) == [reason]
    assert story.at(2, Polled("s", 0, 0.0)).stalls(2) == []

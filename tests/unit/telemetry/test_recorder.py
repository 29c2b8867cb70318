"""The recorder: whole timelines, bounded memory, searches that do not block the event loop; and conclusions from timelines."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

import pollers.telemetry.recorder as recorder_module
from pollers.telemetry.conclusions import conclusions
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    DiscardCondition,
    Discarded,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Received,
    Returned,
)
from pollers.telemetry.recorder import IDS_AT_ONCE, IDS_KEPT, Moment, Recorder
from pollers.telemetry.sinks import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable

BIG_ERROR = "x" * 1_000_000


class TickingClock:
    """Each look is a second later."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        self.now += 1
        return self.now


def told(facts: Iterable[Fact], identifier: str, *, ids_kept: int = IDS_KEPT) -> list[Moment]:
    """What is known of an event after these facts."""
    recorder = Recorder(TickingClock(), ids_kept)
    emitted = Facts("m", [recorder])
    for fact in facts:
        emitted.emit(fact)
    return explained(recorder, identifier)


def explained(recorder: Recorder, identifier: str) -> list[Moment]:
    """All that a search finds."""
    return [moment for found in recorder.searching(identifier) for moment in found]


def test_everything_that_happens_to_a_message_is_told_in_order() -> None:
    """From the first receive to the delete, over an extension, a failure, a throttle and a lost claim."""
    moments = told(
        [
            Received("", ["1", "2"], 10, [1, 4]),
            Invoking("", ["1", "2"], "r-1", 10, gather_seconds=0.25),
            Extended(["1", "2"], 30),
            Invoked("", ["1", "2"], "r-1", Outcome.PARTIAL, 1.5, failed_ids=["2"]),
            Deleted(["1"]),
            Returned("", ["2"], 5.0, "reported by the function"),
            Received("", ["2"], 10, [5]),
            Invoking("", ["2"], "r-2", 10),
            Invoked("", ["2"], "r-2", Outcome.THROTTLE, 0.0, ["2"], "rate exceeded"),
            Invoking("", ["2"], "r-3", 10, attempt=2),
            Invoked("", ["2"], "r-3", Outcome.ERROR, 0.5, ["2"], "Boom: no"),
            Expired(["2"], "its visibility timeout ran out"),
            Received("", ["2"], 10, [6]),
            Filtered("", ["2"]),
            DeleteRetried(["2"], "InternalError"),
            Deleted(["2"]),
        ],
        "2",
    )
    assert [moment.what for moment in moments] == [
        "found again", "invoked", "extended", "failed", "returned", "found again", "invoked", "throttled", "invoked", "failed",
        "expired", "found again", "filtered", "delete retried", "deleted",
    ]  # fmt: skip
    details = {moment.what: moment.detail for moment in reversed(moments)}
    assert details["found again"] == "receive 4, with 1 other"
    assert details["invoked"] == "request r-1, in a batch of 2, attempt 1, after 0.250 s of gathering"
    assert details["failed"] == "reported in batchItemFailures after 1.500 s (request r-1)"
    assert details["returned"] == "reported by the function; to be seen again in 5 s"


def test_a_stream_record_is_told_until_the_checkpoint_passed_it() -> None:
    """Only checkpoints of its own shard, and only the first that is not below it; numbers are compared as numbers."""
    received = Received("shard-1", ["9", "10", "11"], 10)
    accepted = Invoked("shard-1", ["9", "10"], "r", Outcome.SUCCESS, 0.1)
    moments = told(
        [
            Checkpointed("shard-1", 4, "8"),
            received,
            accepted,
            Checkpointed("shard-2", 5, "99"),
            Checkpointed("shard-1", 1, "9"),
            Checkpointed("shard-1", 2, "011"),
            Checkpointed("shard-1", 2, "12"),
        ],
        "10",
    )
    assert [(moment.what, moment.detail) for moment in moments] == [
        ("received", "with 2 others from shard-1"),
        ("accepted", "after 0.100 s (request r)"),
        ("checkpointed", "the checkpoint of shard-1 moved on by 2 records, past it"),
    ]


def test_a_checkpoint_at_a_resume_token_passes_what_was_received_before_its_record() -> None:
    """Tokens do not compare; a shard's records come in their order, and after a restart they come again."""
    facts: list[Fact] = [
        Received("feed", ["aa", "bb", "cc"], 10),
        Checkpointed("feed", 1, "aa"),
        Received("feed", ["bb", "cc"], 10),
        Received("other", ["dd"], 10),
        Received("feed", ["dd"], 10),
        Checkpointed("other", 1, "dd"),
        Checkpointed("feed", 3, "dd"),
        Checkpointed("feed", 1, "dd"),
    ]
    assert [moment.what for moment in told(facts, "bb")] == ["received", "received", "checkpointed"]
    assert [moment.what for moment in told(facts, "aa")] == ["received", "checkpointed"]
    assert [moment.what for moment in told(facts, "cc")] == ["received", "received", "checkpointed"]
    assert [moment.what for moment in told(facts[:6], "bb")] == ["received", "received"]


def test_a_resume_token_of_decimal_digits_alone_is_no_number_among_others() -> None:
    """One hexadecimal token in some dozens is such a one."""
    facts: list[Fact] = [
        Received("feed", ["09", "10", "1b"], 10),
        Checkpointed("feed", 1, "09"),
        Checkpointed("feed", 2, "1b"),
    ]
    assert [moment.what for moment in told(facts, "10")] == ["received", "checkpointed"]
    assert [moment.what for moment in told(facts[:2], "10")] == ["received"]


def test_the_oldest_go_first_and_what_is_left_is_said() -> None:
    """Ids are what memory is counted in."""
    assert Recorder().since is None
    recorder = Recorder(TickingClock(), ids_kept=100)
    for n in range(50):
        recorder("m", Received("", [f"{n}-{i}" for i in range(10)], 10))
    assert explained(recorder, "0-0") == []
    assert [moment.what for moment in explained(recorder, "49-9")] == ["received"]
    assert recorder.since is not None
    assert recorder.since > 1_040


@pytest.mark.parametrize("kind", ["singles", "batches", "errors"])
def test_memory_is_bounded_whatever_comes(kind: str) -> None:
    """Single messages, large batches, errors of a megabyte: tens of megabytes in all, however long it goes on.

    Of a recorder of a twentieth of the size: what is held grows with the number of ids that it keeps.
    """
    recorder = Recorder(ids_kept=IDS_KEPT // 20)
    facts = Facts("m", [recorder])
    tracemalloc.start()
    try:
        for n in range(2_000 if kind == "singles" else 60):
            ids = [f"{n:08}-{i:027}" for i in range(1 if kind != "batches" else 500)]
            facts.emit(Received("", ids, 10, [1] * len(ids)))
            facts.emit(Invoking("", ids, f"request-{n}", 10))
            error = BIG_ERROR + str(n) if kind == "errors" else "no"
            facts.emit(Invoked("", ids, f"request-{n}", Outcome.ERROR, 0.1, list(ids), error, b"x" * 512))
            facts.emit(Returned("", ids, None, "failed"))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 60_000_000 / 20


@pytest.mark.parametrize("ids", [1, 10, 2_000])
def test_a_search_through_everything_never_holds_the_loop(ids: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of it looks at few ids (some 100 ns each), with a full recorder, for an id that is nowhere."""
    ids_kept = 10 * IDS_AT_ONCE
    looked_at = 0

    def look(fact: Received, identifier: str) -> None:
        nonlocal looked_at
        looked_at += len(fact.ids)

    monkeypatch.setattr(recorder_module, "_describe", look)
    recorder = Recorder(ids_kept=ids_kept)
    facts = Facts("m", [recorder])
    for n in range(ids_kept // ids):
        facts.emit(Received("", [f"{n:08}-{i:027}" for i in range(ids)], 10))
    most, in_all = 0, 0
    for _ in recorder.searching("99999999-000000000000000000000000000"):
        most, in_all, looked_at = max(most, looked_at), in_all + looked_at, 0
    assert most < IDS_AT_ONCE + ids
    assert in_all >= ids_kept // 6


def timeline(*what: str, every: float = 1.0) -> list[Moment]:
    return [Moment(100.0 + every * n, "m", one, f"detail {n}") for n, one in enumerate(what)]


def test_why_twice_names_the_cause_before_the_second_receive() -> None:
    """A failure, or that nothing here is to blame."""
    failed = timeline(
        "received", "invoked", "failed", "returned", "found again", "invoked", "accepted", "deleted", every=0.1
    )
    assert list(conclusions(failed, 200.0)) == ["received 2 times; why again: failed detail 2"]
    twice = timeline("received", "invoked", "accepted", "found again", "invoked", "accepted", "deleted", every=0.1)
    assert list(conclusions(twice, 200.0)) == [
        "received 2 times; why again: no failure here: another consumer, or the queue delivered it twice",
        "accepted 2 times: at least once allows that, so the function should be idempotent",
    ]


def test_each_mapping_of_a_stream_has_conclusions_of_its_own() -> None:
    """Two mappings that read one record have received it once each; what one still waits for is said with its name."""
    done = [Moment(100.0 + n, "one", what, "") for n, what in enumerate(("received", "accepted", "checkpointed"))]
    also = [Moment(moment.at, "two", moment.what, "") for moment in done]
    both = sorted([*done, *also], key=lambda moment: moment.at)
    assert list(conclusions(both, 200.0)) == []
    assert list(conclusions([*done, Moment(103.0, "two", "received", "")], 104.0)) == [
        "two: not accepted yet: last received, 1.0 s ago"
    ]


def test_why_late_names_the_longest_wait() -> None:
    """Between which moments the time went."""
    moments = [
        Moment(100.0, "m", "received", ""),
        Moment(100.5, "m", "invoked", ""),
        Moment(101.0, "m", "failed", ""),
        Moment(101.0, "m", "returned", ""),
        Moment(131.0, "m", "found again", ""),
        Moment(131.5, "m", "invoked", ""),
        Moment(132.0, "m", "accepted", ""),
        Moment(132.1, "m", "deleted", ""),
    ]
    assert list(conclusions(moments, 200.0))[1:] == [
        "accepted 32 s after it was first received here, at attempt 2; the longest wait was 30 s, from returned to found again"
    ]


def test_where_it_is_now_is_told_while_it_is_not_done() -> None:
    """Still with the function, waiting for its acknowledgement, or gone from here, perhaps into the dead-letter queue."""
    assert list(conclusions(timeline("received", "invoked"), 111.0)) == ["not accepted yet: last invoked, 10 s ago"]
    assert list(conclusions(timeline("received", "accepted"), 111.0)) == [
        "not acknowledged yet: last accepted, 10 s ago"
    ]
    assert list(conclusions(timeline("received", "invoked", "accepted", "checkpointed", every=0.1), 111.0)) == []
    gone = list(conclusions(timeline("received", "invoked", "failed", "returned"), 203.0))
    assert gone[0] == "returned 100 s ago, after 1 receive here, and not seen since"
    assert "dead-letter queue" in gone[1]
    assert list(conclusions([], 0.0)) == []
    assert list(conclusions([Moment(1.0, "m", "discarded", "")], 9.0)) == []


def test_a_discard_tells_where_its_record_went() -> None:
    """With and without a destination."""
    for destination, words in (("arn:q", "failure record sent to arn:q"), (None, "no destination configured")):
        [moment] = told([Discarded("s", ["7"], DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED, destination)], "7")
        assert moment.detail == f"RetryAttemptsExhausted; {words}"

"""The soak's own deciders: what they find wrong, what they let pass, and what they make of a seed and of a reply."""

from __future__ import annotations

import json
from random import Random

import pytest

from benchmarks.soak.books import Life, Page, faults_of, life, page
from benchmarks.soak.chaos import KINDS, schedule
from benchmarks.soak.damage import Reply, bad_gateway, mutated, truncated, without_length
from pollers.demo.books import Sent


def sent(*identifiers: str, lane: str | None = None) -> Sent:
    """What a producer has on record."""
    found = Sent()
    for identifier in identifiers:
        found.add(identifier, lane=lane)
    return found


def journal(*lines: list[str]) -> str:
    """What a function noted, an invocation a line."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_a_lost_id_is_found() -> None:
    """It is named; what ran twice is counted and is no fault."""
    found = page("m", sent("a", "b", "c"), journal(["a"], ["c", "a"]), left=0)

    assert found == Page("m", 3, 2, 1, 0, ("1 lost: b",))


def test_a_line_that_a_kill_cut_off_did_not_happen() -> None:
    """Functions note before they answer, so that the record comes again."""
    found = page("m", sent("a", "b"), journal(["a"]) + '["b"', left=0)

    assert found.faults == ("1 lost: b",)


def test_new_records_out_of_order_are_found_and_repeats_are_not() -> None:
    """By lane: a group, a partition key, an item."""
    again = page("m", sent("a", "b", "c", lane="k"), journal(["a", "b"], ["a", "b", "c"]), left=0)
    swapped = page("m", sent("a", "b", "c", lane="k"), journal(["b"], ["a", "c"]), left=0)

    assert again.faults == ()
    assert swapped.faults == ("1 out of order: a",)


def test_what_was_never_sent_what_is_left_and_wrong_ends_are_found() -> None:
    """None of them loses anything yet; all of them are wrong."""
    found = page("m", sent("a"), journal(["a", "x"]), left=2, wrongly_ended=["shard-1"])

    assert found.faults == (
        "1 never sent: x",
        "2 left in the queue or its dead-letter queue",
        "the checkpoint of shard-1 says that it ended, and it is open",
    )


LEDGER = {
    "event": "shutdown 7: ledger",
    "mapping": "m",
    "balanced": True,
    "received": 5,
    "deleted": 3,
    "checkpointed": 0,
}
LEDGER |= {"discarded": 0, "returned": 0, "expired": 0, "in_flight": 2}
STARTED = {"event": "headrace started", "level": "info"}
CUT_SHORT = {"event": "shutdown 5: not everything was handed back in time", "level": "error"}


def log(*lines: dict[str, object]) -> str:
    """A log of these lines, and a traceback that is not one of them."""
    return "Traceback\n" + "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "exit_code", "asked_to_stop", "faults"),
    [
        ([STARTED, LEDGER], 0, True, []),
        ([STARTED], -9, False, []),
        ([STARTED, LEDGER | {"balanced": False}], 0, True, ["run 1: the ledger of m does not balance"]),
        ([STARTED, LEDGER | {"balanced": False}, CUT_SHORT], 1, True, []),
        (
            [STARTED, LEDGER | {"balanced": False, "in_flight": 1}, CUT_SHORT],
            1,
            True,
            ["run 1: the ledger of m does not balance"],
        ),
        ([STARTED], 1, True, ["run 1: exit code 1 after SIGTERM"]),
        ([STARTED], 0, False, ["run 1: it ended by itself with exit code 0"]),
        ([], -15, True, []),
        ([], 1, False, []),
    ],
)
def test_a_runs_end_is_judged(
    lines: list[dict[str, object]], exit_code: int, asked_to_stop: bool, faults: list[str]
) -> None:
    """A stop without answers may leave messages in flight, if they are counted; a run that never started has nothing to say."""
    assert faults_of([], [life(log(*lines), exit_code, asked_to_stop=asked_to_stop)]) == faults


def test_errors_are_counted_without_what_differs_each_time() -> None:
    """Request ids, and all lines but the first."""
    lines: list[dict[str, object]] = [
        {"event": f"RequestId: {digit * 8}-1111-2222-3333-444444444444 Error: exit status 3\nmore", "level": "error"}
        for digit in "ab"
    ]

    assert life(log(*lines), 0, asked_to_stop=True).errors == {"Error: exit status 3": 2}


def test_faults_of_pages_name_their_mapping() -> None:
    """Beside those of runs."""
    killed = Life(-9, True, False, False, 0, ("m",), life("", 0, asked_to_stop=False).errors)

    assert faults_of([Page("q", 1, 0, 0, 0, ("1 lost: a",))], [killed]) == [
        "q: 1 lost: a",
        "run 1: the ledger of m does not balance",
    ]


def test_a_seed_gives_the_same_faults_and_every_kind() -> None:
    """Even a short soak has each of them once before any comes again."""
    faults = schedule(Random(3), 60, KINDS)

    assert faults == schedule(Random(3), 60, KINDS)
    assert {fault.kind for fault in faults[: len(KINDS)]} == set(KINDS)
    assert all(fault.at < 60 for fault in faults)
    assert schedule(Random(3), 60, ()) == []


def test_damage_never_makes_another_reply_that_is_whole() -> None:
    """Records are lost or mistyped with their whole member, and errors stay errors: a lie that nobody could tell proves nothing."""
    reply = Reply(200, json.dumps({"Records": [{"Data": "x"}], "NextShardIterator": "it"}).encode())
    for seed in range(300):
        random = Random(seed)
        body = mutated(reply, random).body
        assert b'"Records": []' not in body
        assert truncated(reply, random) != reply.encoded()
        assert reply.body.startswith(without_length(reply, random).partition(b"\r\n\r\n")[2])
        assert bad_gateway(random).status == 502
    assert mutated(Reply(400, b"{}"), Random(1)) == Reply(400, b"{}")

"""Lease items: written as the Kinesis Client Library writes them, and read whatever else is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON, LanesDone, OpenWindow, ShardCheckpoint
from pollers.leases.items import (
    COUNTER,
    GIVEN,
    OWNER,
    ask_value,
    expected,
    new_item,
    owner_given,
    progress,
    read_lease,
)
from pollers.leases.own_part import OWN, Stamp, left_by, reset_own, restamped
from pollers.leases.seen import OURS, Ask, Seen
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from pollers.leases.table import Item

STAMP = Stamp("clicks", "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1700000000")
NUMBER = "49590338271490256608559692538361571095921575989136588898"


def by_kcl(checkpoint: str, sub: int = 0, **more: dict[str, Any]) -> Item:
    """An item as version 2 of KCL writes it."""
    return {
        "leaseKey": {"S": "shardId-000000000000"},
        "leaseOwner": {"S": "worker-1"},
        "leaseCounter": {"N": "17"},
        "checkpoint": {"S": checkpoint},
        "checkpointSubSequenceNumber": {"N": str(sub)},
        "ownerSwitchesSinceCheckpoint": {"N": "2"},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": "340282366920938463463374607431768211455"},
        **more,
    }


def read_checkpoint(item: Item) -> ShardCheckpoint:
    """The checkpoint in an item that is a lease."""
    lease = read_lease(item)
    assert lease is not None
    return lease.checkpoint


numbers = st.integers(0, 10**56).map(str)
checkpoints = st.builds(
    ShardCheckpoint,
    sequence_number=st.one_of(st.none(), numbers),
    start=st.one_of(
        st.just(TRIM_HORIZON),
        st.just(StartAt("LATEST")),
        st.floats(0, 2e9).map(lambda when: StartAt("AT_TIMESTAMP", timestamp=when)),
        numbers.map(lambda number: StartAt("AT_SEQUENCE_NUMBER", sequence_number=number)),
    ),
    parents=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2).map(lambda ids: tuple(sorted(ids))),
    window=st.one_of(st.none(), st.builds(OpenWindow, st.floats(0, 2e9), st.floats(0, 2e9), st.binary())),
    ahead=st.lists(
        st.lists(st.one_of(st.none(), numbers), min_size=2, max_size=4).map(lambda upto: LanesDone(tuple(upto))),
        max_size=2,
    ).map(tuple),
)


@given(checkpoints)
def test_what_is_written_is_read_back(checkpoint: ShardCheckpoint) -> None:
    """Every part of a checkpoint survives."""
    assert read_checkpoint(new_item("shard", checkpoint, STAMP)) == checkpoint


@given(checkpoints)
def test_an_end_keeps_the_last_number_for_people(checkpoint: ShardCheckpoint) -> None:
    """KCL's SHARD_END stands in place of the number."""
    ended = replace(checkpoint, ended=True, window=None, ahead=())
    item = new_item("shard", ended, STAMP)
    assert item["checkpoint"] == {"S": "SHARD_END"}
    assert read_checkpoint(item) == ended


def test_a_new_item_has_what_kcl_needs_and_nothing_empty() -> None:
    """A missing counter stops KCL, an empty set or a NULL is not its way."""
    item = new_item("shard", ShardCheckpoint(NUMBER, parents=("b", "a")), STAMP)
    assert {name: value for name, value in item.items() if name != OWN} == {
        "leaseKey": {"S": "shard"},
        "leaseCounter": {"N": "0"},
        "checkpoint": {"S": NUMBER},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "parentShardId": {"SS": ["a", "b"]},
    }
    assert "parentShardId" not in new_item("shard", ShardCheckpoint(), STAMP)


@pytest.mark.parametrize("kind", ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"])
def test_a_beginning_is_kcl_s_word_for_it(kind: str) -> None:
    """Nothing is done: the checkpoint says from where."""
    assert new_item("shard", ShardCheckpoint(start=StartAt(kind)), STAMP)["checkpoint"] == {"S": kind}
    assert read_checkpoint(by_kcl(kind)).start == StartAt(kind)


def test_the_last_user_record_of_an_aggregate_is_written_as_kcl_counts() -> None:
    """KCL that takes over passes over all of it."""
    assert progress(ShardCheckpoint(NUMBER, user_record=2), STAMP)["checkpointSubSequenceNumber"] == {"N": "2"}


@pytest.mark.parametrize("sub", [0, 3])
def test_a_number_that_kcl_wrote_must_be_looked_at_again(sub: int) -> None:
    """It may lie inside of an aggregate."""
    assert read_checkpoint(by_kcl(NUMBER, sub)) == ShardCheckpoint(NUMBER, user_record=sub)


def test_a_number_of_ours_is_done_whole() -> None:
    """Also if its record is an aggregate."""
    item = new_item("shard", ShardCheckpoint(NUMBER, user_record=2), STAMP)
    assert read_checkpoint(item) == ShardCheckpoint(NUMBER)


def test_what_belongs_to_a_checkpoint_that_kcl_moved_past_is_dropped() -> None:
    """A window or lanes of before are of the past; the pin is not."""
    start = StartAt("AT_TIMESTAMP", timestamp=1.5)
    kept = ShardCheckpoint("5", start=start, window=OpenWindow(0, 60, b"{}"), ahead=(LanesDone(("7", None)),))
    item = {**new_item("shard", kept, STAMP), "checkpoint": {"S": "9"}}
    assert read_checkpoint(item) == ShardCheckpoint("9", start=start, user_record=0)


def test_a_lease_is_given_until_an_owner_has_written_to_it() -> None:
    """Whoever writes, and whether it knows the attribute or not; a worker of KCL that is named owns it from then on."""
    put, remove = owner_given(OURS + "b", 1)
    given_item = {**new_item("shard", ShardCheckpoint("5"), STAMP), COUNTER: {"N": "1"}, **put}
    assert seen_of(given_item) == Seen("shard", 1, OURS + "b", given=True)
    assert seen_of({**given_item, COUNTER: {"N": "2"}}) == Seen("shard", 2, OURS + "b")
    assert remove == ()
    assert owner_given("kcl", 1) == ({OWNER: {"S": "kcl"}}, (GIVEN,))
    assert owner_given(None, 1) == ({}, (OWNER, GIVEN))


def seen_of(item: Item) -> Seen:
    """What others need to know of a lease."""
    lease = read_lease(item)
    assert lease is not None
    return lease.seen


def test_a_new_owner_leaves_whatever_is_done_as_it_is() -> None:
    """Taking is no checkpoint: of an adopted number it is still KCL's word that counts."""
    item = by_kcl(NUMBER, 1)
    taken = {**item, OWN: left_by(restamped(item, STAMP), "me")}
    lease = read_lease(taken)
    assert lease is not None
    assert lease.checkpoint == ShardCheckpoint(NUMBER, user_record=1)
    assert (lease.own.stamp, lease.own.leaving) == (STAMP, "me")
    ours = new_item("shard", ShardCheckpoint("5", ahead=(LanesDone(("7", None)),)), STAMP)
    assert read_checkpoint({**ours, OWN: restamped(ours, STAMP)}) == ShardCheckpoint(
        "5", ahead=(LanesDone(("7", None)),)
    )


@pytest.mark.parametrize(
    "item",
    [
        {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}, "leaseOwner": {"S": "w"}},
        {**by_kcl("TRIM_HORIZON"), "entityType": {"S": "WORKER_METRIC_STATS"}},
        {"leaseKey": {"S": "shard"}, "leaseCounter": {"N": "1"}},
        {"leaseKey": {"S": "shard"}, "checkpoint": {"S": "TRIM_HORIZON"}},
        {"leaseKey": {"S": "shard"}, "checkpoint": {"NULL": True}, "leaseCounter": {"N": "1"}},
    ],
)
def test_what_is_no_lease_is_passed_over(item: Item) -> None:
    """Newer versions of KCL keep other things in the table, and so do people."""
    assert read_lease(item) is None


def test_nulls_are_absent_attributes() -> None:
    """Other libraries write them."""
    lease = read_lease(
        {**by_kcl("5"), "leaseOwner": {"NULL": True}, "parentShardId": {"NULL": True}, OWN: {"NULL": True}}
    )
    assert lease is not None
    assert lease.owner is None
    assert lease.checkpoint.parents == ()


def test_a_lease_of_kcl_3_says_who_hands_it_over() -> None:
    """Its present owner is in another attribute."""
    lease = read_lease(by_kcl("5", entityType={"S": "LEASE"}, checkpointOwner={"S": "worker-2"}))
    assert lease is not None
    assert (lease.owner, lease.seen.checkpoint_owner, lease.counter, lease.switches) == ("worker-1", "worker-2", 17, 2)


def test_somebody_asks() -> None:
    """By whom, and since when."""
    lease = read_lease(by_kcl("5", headrace_asked=ask_value(Ask("headrace/b/1/2", 17))))
    assert lease is not None
    assert lease.seen.asked == Ask("headrace/b/1/2", 17)


def test_a_condition_names_counter_and_owner() -> None:
    """An item that is gone meets neither."""
    assert expected(3, "me") == {"leaseCounter": {"N": "3"}, "leaseOwner": {"S": "me"}}
    assert expected(3, None) == {"leaseCounter": {"N": "3"}, "leaseOwner": None}


def test_a_reset_item_says_so() -> None:
    """And where its mapping begins."""
    lease = read_lease({**by_kcl("LATEST"), OWN: reset_own(STAMP, StartAt("LATEST"))})
    assert lease is not None
    assert (lease.own.reset, lease.own.start) == (True, StartAt("LATEST"))


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (by_kcl("five"), "no sequence number"),
        (by_kcl("5", streamName={"S": "1:clicks:2"}, shardId={"S": "s"}), "several streams in one table"),
        (by_kcl("5", headrace={"M": {"v": {"N": "2"}}}), "newer Headrace"),
        (by_kcl("5", headrace={"M": {"v": {"N": "1"}}}), "not as Headrace writes it"),
    ],
)
def test_what_cannot_be_understood_is_refused(item: Item, says: str) -> None:
    """Guessing would lose records."""
    with pytest.raises(StoreUnreadable, match=says):
        read_lease(item)

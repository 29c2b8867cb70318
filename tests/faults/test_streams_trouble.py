"""What goes wrong while a stream is read. Each fault happened to somebody."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from pollers.aws.errors import AwsError, CredentialsExpired, IteratorExpired, Throttled, Unavailable
from pollers.errors import SourceUnusable
from pollers.telemetry.facts import DiscardCondition, Discarded, Doing, Polled, PollFailed, State
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing
from tests.worlds.stream_rig import Rig, eventually

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_an_expired_iterator_is_made_anew_after_the_last_record(kind: Kind) -> None:
    """It was retried for ever elsewhere."""
    rig = Rig(kind)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.expire_iterators()
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"])


@virtual_time.test
async def test_iterators_that_expire_at_once_are_not_asked_for_in_a_hurry() -> None:
    """A service that calls every iterator too old is asked with growing delays."""
    rig = Rig()
    rig.stream.faults = Failing(IteratorExpired("ExpiredIteratorException", "no"), "records")
    async with rig.running():
        await anyio.sleep(60)
        assert rig.stream.calls["iterator"] < 30


@virtual_time.test
async def test_records_trimmed_away_above_the_checkpoint_are_reported_with_the_gap() -> None:
    """And reading goes on with what is left."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("lost")
    await anyio.sleep(10)
    rig.stream.trim(rig.clock.time())
    rig.put("2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    (gap,) = [entry for entry in rig.log if "trimmed" in entry["event"]]
    assert gap["after"] == "2"
    assert "4" in gap["upto"]
    assert [(fact.condition, fact.ids) for fact in rig.of(Discarded)] == [(DiscardCondition.TRIMMED, ())]


@virtual_time.test
async def test_a_shard_that_has_left_the_retention_unread_is_reported_and_its_children_are_read() -> None:
    """A child that waits for a parent nobody can read would wait for ever."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("lost")
    rig.stream.roll(rig.only_shard)
    await anyio.sleep(10)
    rig.stream.trim(rig.clock.time())
    rig.put("2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    assert [entry["after"] for entry in rig.log if "trimmed" in entry["event"]] == ["2"]


@virtual_time.test
async def test_a_shard_that_is_too_young_to_be_found_is_not_given_up() -> None:
    """The parent names it before the service knows it everywhere."""
    rig = Rig(stream={"lag_seconds": 9.0})
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.split(rig.only_shard)
        rig.put("a", key="a")
        rig.put("b", key="b")
        await eventually(lambda: sorted(rig.accepted) == ["a", "b"])
    assert not [entry for entry in rig.log if "trimmed" in entry["event"]]


@pytest.mark.parametrize(
    "error",
    [
        Throttled("ProvisionedThroughputExceededException", "slow down"),
        Unavailable("InternalFailure", "later"),
        CredentialsExpired("ExpiredTokenException", "expired"),
    ],
)
@virtual_time.test
async def test_what_passes_is_waited_out_with_growing_delays_and_said(error: AwsError) -> None:
    """Every call may be refused or its reply lost; nothing is lost for that."""
    rig = Rig()
    rig.put("1")
    rig.stream.faults = Failing(error, "describe", "shards", "iterator", "records", times=10)
    async with rig.running():
        await eventually(lambda: rig.of(PollFailed) != [])
        backing_off = next(fact for fact in rig.of(Doing) if fact.state is State.BACKING_OFF)
        assert error.code in backing_off.detail
        await eventually(lambda: rig.accepted == ["1"])
    waits = [fact.retry_seconds for fact in rig.of(PollFailed)]
    assert len(waits) >= 10
    assert 10 <= max(waits) <= 30
    assert waits[0] <= 0.5
    assert {fact.throttled for fact in rig.of(PollFailed) if fact.source != "stream"} == {isinstance(error, Throttled)}


@virtual_time.test
async def test_a_lost_reply_is_read_again() -> None:
    """The iterator has not moved."""
    rig = Rig()
    rig.put("1", "2")
    rig.stream.faults = Failing(Unavailable("ConnectionClosed", "lost"), "records", times=2, lost=True)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])


@virtual_time.test
async def test_a_stream_that_is_being_created_is_waited_for() -> None:
    """And it is said."""
    rig = Rig()
    rig.stream.status = "CREATING"
    rig.put("1")
    async with rig.running():
        await anyio.sleep(30)
        assert rig.of(Doing)[0].detail == "the stream is CREATING"
        rig.stream.status = "ACTIVE"
        await eventually(lambda: rig.accepted == ["1"])


@virtual_time.test
async def test_a_stream_that_is_being_deleted_is_not_read() -> None:
    """There is nothing to wait for."""
    rig = Rig()
    rig.stream.status = "DELETING"
    assert "deleted" in str(await rig.run_to_failure())


@virtual_time.test
async def test_a_disabled_stream_is_read_to_its_end() -> None:
    """Its records are there for a day; no more will come, and that counts as caught up."""
    rig = Rig("dynamodb")
    rig.put("1")
    rig.stream.close_for_good()
    rig.stream.status = "DISABLED"
    async with rig.running() as poller:
        await eventually(lambda: rig.accepted == ["1"])
        while not await poller.caught_up():
            await anyio.sleep(1)
    assert any("disabled" in entry["event"] for entry in rig.log)


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stream_deleted_while_it_is_read_ends_the_poller_in_order(kind: Kind) -> None:
    """What was accepted is checkpointed, and the error says what happened."""
    rig = Rig(kind)
    rig.put("1")

    async def delete() -> None:
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.deleted = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        failure = await rig.run_to_failure()
    assert isinstance(failure, SourceUnusable)
    assert "does not exist" in str(failure)
    assert (await rig.checkpoints())["shardId-000000000000"].sequence_number == "2"


@virtual_time.test
async def test_a_stream_created_again_is_read_afresh_and_that_is_said() -> None:
    """Its shards have the names of the old ones; the old checkpoints must not count."""
    rig = Rig()
    rig.put("old")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old"])
    rig.stream.recreate()
    rig.put("new")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old", "new"])
    assert any("afresh" in entry["event"] for entry in rig.log)


@virtual_time.test
async def test_a_stream_created_again_while_it_is_read_is_noticed() -> None:
    """Before anything of it is read with the old checkpoints."""
    rig = Rig()
    rig.put("old")

    async def recreate() -> None:
        await eventually(lambda: rig.accepted == ["old"])
        rig.stream.recreate()
        rig.put("new")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recreate)
        failure = await rig.run_to_failure()
    assert "created again" in str(failure)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old", "new"])

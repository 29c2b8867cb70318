"""Giving up on records: failure records first, then the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import anyio
import orjson

from pollers.aws.errors import AccessDenied, Unavailable
from pollers.destinations import DestinationUnusable
from pollers.errors import SourceUnusable
from pollers.telemetry.facts import (
    Checkpointed,
    DestinationFailed,
    Discarded,
    Invoking,
    Returned,
    State,
)
from tests.worlds import virtual_time
from tests.worlds.stream_records import values
from tests.worlds.stream_rig import RAISED, Rig, eventually, failing_on

if TYPE_CHECKING:
    from handlers.function import Result

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


def failing_and_losing(rig: Rig, bad: str, error: Exception) -> Any:  # noqa: ANN401 - a handler
    """A handler that raises on one value, whereupon the destination is out of reach."""
    fail = failing_on(bad)

    async def handler(event: dict[str, Any]) -> Result:
        result = await fail(event)
        if result is RAISED and rig.destination is not None:
            rig.destination.error = error
        return result

    return handler


@virtual_time.test
async def test_a_failure_record_says_what_happened() -> None:
    """Members as 4.10 has them; the event goes along for S3."""
    rig = Rig(batch_size=10, maximum_retry_attempts=1, destination=True)
    rig.put("1", "2")
    rig.function.handler = failing_on("1")
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert failure.as_dict() == {
        "requestContext": {
            "requestId": rig.of(Invoking)[-1].request_id,
            "functionArn": rig.function.arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": failure.as_dict()["timestamp"],
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": "2",
            "endSequenceNumber": "3",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.000Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.000Z",
            "batchSize": 2,
            "streamArn": rig.stream.arn,
        },
    }
    event = orjson.loads(rig.destination.events[0])
    assert [value for _, value in values(event)] == ["1", "2"]


@virtual_time.test
async def test_a_destination_out_of_reach_is_tried_until_it_is_back_and_the_checkpoint_waits() -> None:
    """The record must not be lost."""
    rig = Rig(maximum_retry_attempts=0, destination=True, batch_size=1)
    rig.put("1", "2")
    rig.function.handler = failing_and_losing(rig, "1", Unavailable("ServiceUnavailable", "out of reach"))
    assert rig.destination is not None
    destination = rig.destination
    async with rig.running():
        await anyio.sleep(600)
        assert rig.of(Discarded) == []
        assert rig.of(Checkpointed) == []
        assert rig.invoked == [["1"]]
        delivering = rig.doing("shardId-000000000000/0")
        assert delivering is not None
        assert delivering.state is State.DELIVERING
        assert 10 <= destination.attempts <= 30
        destination.error = None
        await eventually(lambda: rig.accepted == ["2"])
    assert len(destination.failures) == 1
    assert max(fact.retry_seconds for fact in rig.of(DestinationFailed)) <= 60


@virtual_time.test
async def test_a_destination_that_was_deleted_meanwhile_is_tried_too() -> None:
    """Somebody may create it again; until then the mapping says what it waits for."""
    rig = Rig(maximum_retry_attempts=0, destination=True)
    rig.put("1")
    rig.function.handler = failing_and_losing(rig, "1", DestinationUnusable("gone"))
    assert rig.destination is not None
    async with rig.running():
        await anyio.sleep(60)
        assert rig.of(DestinationFailed) != []
        rig.destination.error = None
        await eventually(lambda: rig.of(Discarded) != [])


@virtual_time.test
async def test_the_destination_is_checked_at_the_start() -> None:
    """Before anything is read: no batch could be discarded."""
    rig = Rig(destination=True)
    assert rig.destination is not None
    rig.destination.error = DestinationUnusable("the on-failure queue does not exist")
    failure = await rig.run_to_failure()
    assert isinstance(failure, SourceUnusable)
    assert "on-failure queue" in str(failure)
    assert "records" not in rig.stream.calls


@virtual_time.test
async def test_a_destination_that_cannot_be_asked_now_is_waited_for() -> None:
    """And one that may not be asked at all is taken on trust, with a warning."""
    rig = Rig(destination=True)
    rig.put("1")
    assert rig.destination is not None
    rig.destination.error = Unavailable("ServiceUnavailable", "later")
    rig.destination.warning = "nobody can tell whether it exists"
    async with rig.running():
        await anyio.sleep(10)
        assert rig.accepted == []
        rig.destination.error = None
        await eventually(lambda: rig.accepted == ["1"])
    assert any(entry["event"] == "nobody can tell whether it exists" for entry in rig.log)


@virtual_time.test
async def test_without_a_destination_a_discard_is_logged_and_counted() -> None:
    """Nothing is silent."""
    rig = Rig(maximum_retry_attempts=0, batch_size=1)
    rig.put("1", "2")
    rig.function.handler = failing_on("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["2"])
    (entry,) = [entry for entry in rig.log if "discarded" in entry["event"]]
    assert entry["condition"] == "RetryAttemptsExhausted"
    assert rig.ledger.discarded_by == {"RetryAttemptsExhausted": 1}


@virtual_time.test
async def test_a_crash_between_the_delivery_and_the_checkpoint_delivers_again() -> None:
    """A failure record twice is better than none."""
    rig = Rig(maximum_retry_attempts=0, destination=True)
    rig.put("1")
    rig.function.handler = failing_on("1")
    assert rig.destination is not None
    destination = rig.destination
    async with rig.crashing():
        await eventually(lambda: destination.failures != [], within=60)
    if (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number is None:
        async with rig.running():
            await eventually(lambda: len(destination.failures) == 2)


@virtual_time.test
async def test_a_stop_while_a_destination_is_out_of_reach_hands_the_records_back() -> None:
    """They are discarded after the next start."""
    rig = Rig(maximum_retry_attempts=0, destination=True)
    rig.put("1")
    rig.function.handler = failing_and_losing(rig, "1", AccessDenied("AccessDenied", "no longer"))
    assert rig.destination is not None
    async with rig.running():
        await anyio.sleep(100)
    assert [list(fact.ids) for fact in rig.of(Returned)] == [["2"]]
    rig.destination.error = None
    rig.function.handler = failing_on("1")
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])

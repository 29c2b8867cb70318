"""Failed batches of streams: retries and what they must never block."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import orjson
import pytest

from handlers.function import InfrastructureError, Payload, Result, Throttle
from pollers.telemetry.facts import (
    Checkpointed,
    DiscardCondition,
    Discarded,
    Doing,
    Invoked,
    Invoking,
    Outcome,
    State,
)
from tests.worlds import virtual_time
from tests.worlds.stream_records import values
from tests.worlds.stream_rig import RAISED, Rig, eventually, failing_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


def number_of(record: dict[str, Any]) -> str:
    """What a handler reports."""
    if "kinesis" in record:
        return str(record["kinesis"]["sequenceNumber"])
    return str(record["dynamodb"]["SequenceNumber"])


def reporting(*bad: str) -> Any:  # noqa: ANN401 - a handler
    """A handler that reports these values as failed."""

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(0.01)
        failed = [
            {"itemIdentifier": number_of(record)}
            for record, (_, value) in zip(event["Records"], values(event), strict=True)
            if value in bad
        ]
        return Payload(orjson.dumps({"batchItemFailures": failed}))

    return handler


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_the_recorded_partial_failure(kind: Kind) -> None:
    """As recorded on AWS (3.3): batches of 3, retries 3, record 6 always reported: delivered 5 times, the record says 4 of 1."""
    rig = Rig(
        kind,
        batch_size=3,
        maximum_retry_attempts=3,
        function_response_types=["ReportBatchItemFailures"],
        destination=True,
    )
    rig.put(*"123456")
    rig.function.handler = reporting("6")
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])
    assert rig.invoked == [["1", "2", "3"], ["4", "5", "6"], ["6"], ["6"], ["6"], ["6"]]
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert failure.invoke_count == 4
    assert failure.batch_size == 1
    assert failure.function_error is None
    assert failure.condition == DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED
    assert failure.request_id == rig.of(Invoking)[-1].request_id
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == failure.end_sequence_number


@pytest.mark.parametrize(
    "body",
    [
        b'{"batchItemFailures":[{"itemIdentifier":""}]}',
        b'{"batchItemFailures":[{"itemIdentifier":null}]}',
        b'{"batchItemFailures":[{"itemIdentifier":123}]}',
        b'{"batchItemFailures":[{"itemIdentifier":"of an earlier batch"}]}',
        b'{"batchItemFailures":[{"foo":"2"}]}',
        b'{"batchItemFailures":[' + b",".join(b'{"itemIdentifier":"%d"}' % number for number in range(10_000)) + b"]}",
        b'{"foo":[]}',
        b"not json",
    ],
)
@virtual_time.test
async def test_a_response_that_makes_no_sense_fails_the_whole_batch(body: bytes) -> None:
    """Nothing is lost by it, and the failure record knows of no error of the function (3.1)."""
    rig = Rig(maximum_retry_attempts=0, function_response_types=["ReportBatchItemFailures"], destination=True)
    rig.put("1", "2")

    async def handler(event: dict[str, Any]) -> Result:
        return Payload(body)

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert (failure.batch_size, failure.function_error) == (2, None)
    assert rig.of(Invoked)[0].outcome is Outcome.ERROR


@virtual_time.test
async def test_an_identifier_named_twice_counts_once() -> None:
    """The lowest one decides, in whatever order they come."""
    rig = Rig(function_response_types=["ReportBatchItemFailures"])
    rig.put("1", "2", "3")
    first = True

    async def handler(event: dict[str, Any]) -> Result:
        nonlocal first
        if not first:
            return Payload(b"{}")
        first = False
        numbers = [number_of(record) for record in event["Records"]]
        named = [{"itemIdentifier": numbers[index]} for index in (2, 1, 1, 2)]
        return Payload(orjson.dumps({"batchItemFailures": named}))

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: len(rig.invoked) == 2)
    assert rig.invoked == [["1", "2", "3"], ["2", "3"]]


@virtual_time.test
async def test_without_the_setting_the_response_is_ignored() -> None:
    """Whatever it says (3)."""
    rig = Rig()
    rig.put("1")
    rig.function.handler = reporting("1")
    async with rig.running():
        await eventually(lambda: sum(fact.count for fact in rig.of(Checkpointed)) == 1)
    assert rig.invoked == [["1"]]


@pytest.mark.parametrize("result", [Throttle("rate exceeded"), InfrastructureError("no worker")])
@virtual_time.test
async def test_what_did_not_run_costs_no_attempt(result: Result) -> None:
    """However often: the batch waits with growing delays and is delivered (4.3)."""
    rig = Rig(maximum_retry_attempts=0, destination=True)
    rig.put("1")
    left = 12

    async def handler(event: dict[str, Any]) -> Result:
        nonlocal left
        left -= 1
        return result if left else Payload(b"null")

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    gaps = [later - earlier for earlier, later in zip(rig.function.began, rig.function.began[1:], strict=False)]
    assert gaps[0] <= 0.51
    assert 20 <= max(gaps) <= 30.1
    assert {fact.attempt for fact in rig.of(Invoking)} == {1}


@virtual_time.test
async def test_a_retry_blocks_no_other_shard() -> None:
    """Nor its permits: none is held while waiting."""
    rig = Rig(shards=2, concurrency=1)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "poison")
    rig.stream.put_into(low, "k", "behind it")
    rig.function.handler = failing_on("poison")
    async with rig.running():
        await anyio.sleep(100)
        rig.stream.put_into(high, "j", "other shard")
        await eventually(lambda: rig.accepted == ["other shard"], within=5)
        retrying = rig.doing("shardId-000000000000/0")
        assert retrying is not None
        assert retrying.state is State.RETRYING
        assert "it raised" in retrying.detail


@virtual_time.test
async def test_a_retry_blocks_no_other_lane() -> None:
    """One poison record stops its own key's lane only."""
    rig = Rig(parallelization_factor=10, batch_size=1)
    rig.put("poison", key="a")
    for value in range(50):
        rig.put(str(value), key=f"k{value}")
    rig.function.handler = failing_on("poison")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 40, within=10)
        await anyio.sleep(60)
        assert "poison" not in rig.accepted


@virtual_time.test
async def test_a_record_that_is_too_old_when_it_is_read_is_never_invoked() -> None:
    """Only the expired part is discarded (4.5): one record with batchSize 1, the others delivered."""
    rig = Rig(batch_size=10, maximum_record_age_in_seconds=60, destination=True)
    rig.put("old")
    await anyio.sleep(61)
    rig.put(*"12345")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 5)
    assert rig.invoked == [["1", "2", "3", "4", "5"]]
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    document = failure.as_dict()
    assert (failure.condition, failure.batch_size) == (DiscardCondition.RECORD_AGE_EXCEEDED, 1)
    assert "responseContext" not in document
    assert document["requestContext"]["approximateInvokeCount"] == 1


@virtual_time.test
async def test_retries_until_the_record_is_too_old() -> None:
    """As recorded (4.3): about eight invocations in the 60 s."""
    rig = Rig(maximum_record_age_in_seconds=60, destination=True)
    rig.put("1")
    rig.function.handler = failing_on("1")
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])
        assert 59 <= rig.clock.time() - virtual_time.EPOCH <= 62
    assert 7 <= len(rig.invoked) <= 9
    assert rig.destination is not None
    assert rig.destination.failures[0].invoke_count == len(rig.invoked)


@virtual_time.test
async def test_endless_retries_end_with_the_streams_retention() -> None:
    """The record has expired at its source; it is given up on with a failure record, not silently."""
    rig = Rig(destination=True, stream={"retention_seconds": 3_600.0})
    rig.put("1")
    rig.function.handler = failing_on("1")
    async with rig.running():
        await anyio.sleep(3_500)
        assert rig.of(Discarded) == []
        await eventually(lambda: rig.of(Discarded) != [], within=200)
    assert rig.of(Discarded)[0].condition == DiscardCondition.EXPIRED
    assert rig.destination is not None
    assert rig.destination.failures[0].condition == DiscardCondition.RECORD_AGE_EXCEEDED


@virtual_time.test
async def test_bisecting_delivers_every_good_record() -> None:
    """And gives up on the bad one alone."""
    rig = Rig(batch_size=100, bisect_batch_on_function_error=True, maximum_retry_attempts=2, destination=True)
    rig.put(*map(str, range(100)))
    rig.function.handler = failing_on("57")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 99)
    assert rig.accepted == [str(value) for value in range(100) if value != 57]
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert (failure.batch_size, failure.invoke_count) == (1, 3)


@virtual_time.test
async def test_iterator_age_is_that_of_the_last_record() -> None:
    """When the batch is sent to the function (7.1)."""
    rig = Rig(maximum_batching_window_in_seconds=10)
    async with rig.running():
        rig.put("1")
        await anyio.sleep(4)
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"])
    (invoking,) = rig.of(Invoking)
    assert invoking.iterator_age_seconds is not None
    assert 5.5 <= invoking.iterator_age_seconds <= 7
    assert len(rig.of(Doing)) < 10


@virtual_time.test
async def test_a_function_that_always_fails_is_not_hammered() -> None:
    """A minute between attempts in the end, for as long as the record lives."""
    rig = Rig()
    rig.put("1")

    async def handler(event: dict[str, Any]) -> Result:
        return RAISED

    rig.function.handler = handler
    async with rig.running():
        await anyio.sleep(3_600)
    assert 55 <= len(rig.invoked) <= 90

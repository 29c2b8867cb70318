"""Powertools for AWS Lambda (Python): its batch processors run unchanged on the events that pollers make (docs/lambda 9.1)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import config.models as models
from config import load, parse_arn
from handlers.factory import make_function
from handlers.function import FunctionError, Payload
from pollers.sources.dynamodb import events as dynamodb
from pollers.sources.kinesis import events as kinesis
from pollers.sources.sqs.events import SqsEncoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handlers.function import Result

CODE = Path(__file__).parents[2] / "examples" / "powertools"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/customers/stream/2026-01-01T00:00:00.000"

both = pytest.mark.parametrize("runtime", ["python", "in_process"])


def batch(records: Iterable[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


def message(number: int, *, amount: int = 1, group: str | None = None) -> dict[str, Any]:
    """A message as SQS sends it."""
    attributes = {
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "SentTimestamp": "1545082649183",
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    if group is not None:
        attributes |= {"SequenceNumber": str(number), "MessageGroupId": group, "MessageDeduplicationId": str(number)}
    return {
        "MessageId": f"message-{number}",
        "ReceiptHandle": f"handle-{number}",
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Body": json.dumps({"id": number, "amount": amount}),
        "Attributes": attributes,
    }


def messages(wire: Iterable[dict[str, Any]], *, fifo: bool = False) -> bytes:
    encoder = SqsEncoder(parse_arn(QUEUE + (".fifo" if fifo else "")), window_seconds=0)
    return batch(encoder.encode(one) for one in wire)


def clicks(*data: dict[str, Any]) -> bytes:
    encode = kinesis.encoder(STREAM)("shardId-000000000000")
    return batch(
        encode(
            {
                "SequenceNumber": f"4959033827149025660855969253836157109592157598913658{number:04}",
                "ApproximateArrivalTimestamp": 1545084650.987,
                "Data": base64.b64encode(json.dumps(click).encode()).decode(),
                "PartitionKey": f"visitor-{number}",
            }
        )
        for number, click in enumerate(data)
    )


def changes(*images: dict[str, Any] | None) -> bytes:
    """Each an item that was written, or None for one that was removed by its time to live."""
    encode = dynamodb.encoder(TABLE)("shardId-00000001545084650987-abcdef12")
    return batch(encode(change(number, image)) for number, image in enumerate(images))


def change(number: int, image: dict[str, Any] | None) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "eventID": f"f07f8ca4b0b26cb9c4e5e77e69f274{number:02}",
        "eventName": "INSERT" if image else "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1480642020,
            "Keys": {"id": {"S": f"customer-{number}"}},
            "SequenceNumber": f"14054000000000020632828{number:02}",
            "SizeBytes": 54,
            "StreamViewType": "NEW_IMAGE",
        },
    }
    if image is None:
        return {**wire, "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}}
    wire["dynamodb"]["NewImage"] = image
    return wire


async def answer(runtime: str, handler: str, event: bytes) -> Result:
    """The handler's answer in a worker process, or in process, where a processor takes one batch at a time."""
    kind = models.PythonFunction if runtime == "python" else models.InProcessFunction
    model = kind.model_validate({"runtime": runtime, "code": CODE, "handler": handler, "timeout": 60, "concurrency": 1})
    async with make_function("powertools", model) as function:
        return (await function.invoke(event, request_id="r-1")).result


async def failed(runtime: str, handler: str, event: bytes) -> list[str]:
    """The identifiers that the handler reports."""
    result = await answer(runtime, handler, event)
    assert isinstance(result, Payload), result
    return [item["itemIdentifier"] for item in json.loads(result.body)["batchItemFailures"]]


@both
async def test_a_queue_s_failures_are_reported(runtime: str) -> None:
    """By message id; the others are done."""
    event = messages(message(number, amount=-1 if number in (2, 4) else 1) for number in range(6))

    assert await failed(runtime, "orders.handler", event) == ["message-2", "message-4"]


@both
async def test_a_batch_without_failures_reports_none(runtime: str) -> None:
    """An empty list is success."""
    assert await failed(runtime, "orders.handler", messages(message(number) for number in range(6))) == []


@both
async def test_a_batch_that_fails_entirely_is_a_function_error(runtime: str) -> None:
    """Powertools raises then, rather than reporting."""
    result = await answer(runtime, "orders.handler", messages(message(number, amount=-1) for number in range(3)))

    assert isinstance(result, FunctionError)
    assert result.error_type == "BatchProcessingError"


@both
async def test_a_fifo_queue_stops_at_the_first_failure(runtime: str) -> None:
    """Everything behind it is handed back."""
    event = messages((message(n, amount=-1 if n == 2 else 1, group="a") for n in range(5)), fifo=True)

    assert await failed(runtime, "orders.fifo_handler", event) == ["message-2", "message-3", "message-4"]


@both
async def test_a_fifo_queue_s_other_groups_go_on(runtime: str) -> None:
    """With ``skip_group_on_error`` only what follows in the failed group is handed back."""
    event = messages((message(n, amount=-1 if n == 2 else 1, group="ab"[n % 2]) for n in range(6)), fifo=True)

    assert await failed(runtime, "orders.fifo_by_group_handler", event) == ["message-2", "message-4"]


@both
async def test_a_kinesis_stream_s_failures_are_reported(runtime: str) -> None:
    """By sequence number."""
    event = clicks({"page": "/"}, {"no": "page"}, {"page": "/about"})

    assert await failed(runtime, "changes.kinesis_handler", event) == [
        "49590338271490256608559692538361571095921575989136580001"
    ]


@both
async def test_a_table_s_failures_are_reported(runtime: str) -> None:
    """By sequence number; a removal by time to live has no image and does no harm."""
    event = changes({"id": {"S": "a"}, "name": {"S": "Ann"}}, {"id": {"S": "b"}, "name": {"S": ""}}, None)

    assert await failed(runtime, "changes.dynamodb_handler", event) == ["1405400000000002063282801"]


def test_the_example_s_configuration_can_be_used() -> None:
    """With the defaults of its variables."""
    loaded = load(CODE / "headrace.yaml", environ={})

    assert set(loaded.config.event_source_mappings) == {"orders-queue", "payments-fifo", "clicks", "customers"}

"""On-failure records delivered through the AWS seam, read back with a stock client as their consumer would."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from config.models import Aws as AwsModel
from pollers.aws.services.clients import AwsClients
from pollers.destinations import (
    BatchDestination,
    DestinationUnusable,
    FailureRecord,
    make_destination,
    mapping_uuid,
)
from pollers.sources.kinesis.source import BATCH_INFO
from pollers.telemetry.facts import DiscardCondition
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.emulators import Emulator

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
EVENT = json.dumps({"Records": [{"kinesis": {"partitionKey": '"ключ"', "data": "eA=="}}]}).encode()
FAILURE = FailureRecord(
    form=BATCH_INFO,
    stream_arn=STREAM,
    shard_id="shardId-000000000001",
    start_sequence_number="1",
    end_sequence_number="2",
    first_arrival=1573691884.835,
    last_arrival=1573691885.58,
    batch_size=2,
    function_arn="arn:aws:lambda:us-east-1:000000000000:function:work",
    request_id="c9b8fa9f-5a7f-4a3b-af9c-0c604cde93a5",
    condition=DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED,
    invoke_count=3,
    timestamp=1573691886.021,
)


@asynccontextmanager
async def destination(arn: str, emulator: Emulator) -> AsyncIterator[BatchDestination]:
    """The destination of the mapping "clicks", through clients of our own."""
    async with AwsClients(AwsModel(region="us-east-1", endpoint_url=emulator.endpoint_url)) as aws:
        yield await make_destination(arn, aws, mapping="clicks", event_source_arn=STREAM)


async def received(sqs: Any, url: str) -> str:  # noqa: ANN401 - the SDK's clients have no types
    """The body of the one message in a queue."""
    reply = await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)
    (message,) = reply["Messages"]
    return str(message["Body"])


async def test_a_queue_receives_the_record_as_its_message(ministack: Emulator) -> None:
    """The body is the record and nothing else."""
    async with plain_client(ministack, "sqs") as sqs:
        name = unique("failed")
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        async with destination(f"arn:aws:sqs:us-east-1:000000000000:{name}", ministack) as queue:
            assert await queue.check() is None
            await queue.deliver(FAILURE, EVENT)
        assert await received(sqs, url) == FAILURE.encode().decode()


async def test_a_topics_subscriber_receives_the_record_as_its_message(ministack: Emulator) -> None:
    """What arrives in a subscribed queue is the notification whose ``Message`` is the record."""
    async with plain_client(ministack, "sns") as sns, plain_client(ministack, "sqs") as sqs:
        name = unique("failed")
        topic = (await sns.create_topic(Name=name))["TopicArn"]
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{name}")
        async with destination(topic, ministack) as target:
            assert await target.check() is None
            await target.deliver(FAILURE, EVENT)
        notification = json.loads(await received(sqs, url))
        assert notification["Message"] == FAILURE.encode().decode()


async def test_a_bucket_holds_the_record_with_the_whole_event(ministack: Emulator) -> None:
    """One object under the mapping's own key, the payload a string that is the event, byte for byte."""
    async with plain_client(ministack, "s3") as s3:
        bucket = unique("failed")
        await s3.create_bucket(Bucket=bucket)
        async with destination(f"arn:aws:s3:::{bucket}", ministack) as target:
            assert await target.check() is None
            await target.deliver(FAILURE, EVENT)
        (found,) = (await s3.list_objects_v2(Bucket=bucket))["Contents"]
        prefix = f"aws/lambda/{mapping_uuid('clicks', STREAM)}/shardId-000000000001/2019/11/14/2019-11-14T00.38.06-"
        assert found["Key"].startswith(prefix)
        record = json.loads(await _body_of(s3, bucket, found["Key"]))
        assert record.pop("payload").encode() == EVENT
        assert record == FAILURE.as_dict()


async def test_the_largest_event_fits_a_bucket(ministack: Emulator) -> None:
    """The payload of a full batch: 6 MiB of JSON, more when escaped."""
    event = b'{"Records":["' + b'\\"' * (3 * 1024 * 1024 - 10) + b'"]}'
    async with plain_client(ministack, "s3") as s3:
        bucket = unique("failed")
        await s3.create_bucket(Bucket=bucket)
        async with destination(f"arn:aws:s3:::{bucket}", ministack) as target:
            await target.deliver(FAILURE, event)
        (found,) = (await s3.list_objects_v2(Bucket=bucket))["Contents"]
        assert json.loads(await _body_of(s3, bucket, found["Key"]))["payload"].encode() == event


@pytest.mark.parametrize(
    "form", ["arn:aws:sqs:us-east-1:000000000000:{}", "arn:aws:sns:us-east-1:000000000000:{}", "arn:aws:s3:::{}"]
)
async def test_a_missing_destination_is_found_before_anything_is_read(ministack: Emulator, form: str) -> None:
    """Whatever code the service has for it."""
    arn = form.format(unique("missing"))
    async with destination(arn, ministack) as target:
        with pytest.raises(DestinationUnusable, match="cannot be used"):
            await target.check()


async def _body_of(s3: Any, bucket: str, key: str) -> bytes:  # noqa: ANN401 - the SDK's clients have no types
    reply = await s3.get_object(Bucket=bucket, Key=key)
    async with reply["Body"] as body:
        content: bytes = await body.read()
    return content

"""On-failure records, and where they go."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused, Unavailable
from pollers.destinations import (
    UNHANDLED,
    DestinationUnusable,
    FailureRecord,
    make_destination,
    mapping_uuid,
)
from pollers.destinations.batches import BatchReport
from pollers.errors import SourceUnusable
from pollers.sources.dynamodb import source as dynamodb
from pollers.sources.kinesis import source as kinesis
from pollers.telemetry.facts import DiscardCondition
from tests.unit.destinations.cloud import Cloud

if TYPE_CHECKING:
    from pollers.aws.api import Aws
    from pollers.destinations import BatchDestination

STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"
QUEUE = "arn:aws:sqs:us-west-2:123456789012:failed"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:failed"
BUCKET = "arn:aws:s3:::failed"
EVENT = '{"Records":[{"kinesis":{"partitionKey":"\\"ключ\\" \\u0000"}}]}'.encode()

KINESIS = FailureRecord(
    form=kinesis.BATCH_INFO,
    stream_arn=STREAM,
    shard_id="shardId-000000000001",
    start_sequence_number="49601189658422359378836298521827638475320189012309704722",
    end_sequence_number="49601189658422359378836298522902373528957594348623495186",
    first_arrival=1573691884.835,
    last_arrival=1573691885.58,
    batch_size=500,
    function_arn="arn:aws:lambda:us-east-2:123456789012:function:myfunction",
    request_id="c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
    condition=DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED,
    invoke_count=1,
    timestamp=1573691886.0219,
    function_error=UNHANDLED,
)
DYNAMODB = replace(
    KINESIS,
    form=dynamodb.BATCH_INFO,
    stream_arn="arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:09:16.226",
    first_arrival=1573690399.0,
    last_arrival=1573690399.9,
)


def test_the_record_of_a_kinesis_batch_is_lambdas() -> None:
    """AWS's own example (docs/lambda 4.10), member for member and in its order; times are cut to milliseconds."""
    assert KINESIS.encode().decode() == (
        '{"requestContext":{"requestId":"c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",'
        '"functionArn":"arn:aws:lambda:us-east-2:123456789012:function:myfunction",'
        '"condition":"RetryAttemptsExhausted","approximateInvokeCount":1},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z",'
        '"KinesisBatchInfo":{"shardId":"shardId-000000000001",'
        '"startSequenceNumber":"49601189658422359378836298521827638475320189012309704722",'
        '"endSequenceNumber":"49601189658422359378836298522902373528957594348623495186",'
        '"approximateArrivalOfFirstRecord":"2019-11-14T00:38:04.835Z",'
        '"approximateArrivalOfLastRecord":"2019-11-14T00:38:05.580Z",'
        '"batchSize":500,"streamArn":"arn:aws:kinesis:us-east-2:123456789012:stream/mystream"}}'
    )


def test_the_record_of_a_dynamodb_batch_has_its_own_block_with_whole_seconds() -> None:
    """DDBStreamBatchInfo has no fractions; the timestamp keeps its milliseconds."""
    record = DYNAMODB.as_dict()
    assert "KinesisBatchInfo" not in record
    assert list(record["DDBStreamBatchInfo"]) == list(KINESIS.as_dict()["KinesisBatchInfo"])
    assert record["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == "2019-11-14T00:13:19Z"
    assert record["DDBStreamBatchInfo"]["approximateArrivalOfLastRecord"] == "2019-11-14T00:13:19Z"
    assert record["timestamp"] == "2019-11-14T00:38:06.021Z"


def test_a_partial_batch_failure_has_a_null_function_error() -> None:
    """The function returned; it is its response that failed the batch."""
    response = replace(KINESIS, function_error=None).as_dict()["responseContext"]
    assert response == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}


@pytest.mark.parametrize("condition", [DiscardCondition.RECORD_AGE_EXCEEDED, DiscardCondition.OVERSIZED])
def test_what_no_response_decided_has_no_response_context(condition: DiscardCondition) -> None:
    """Also when the record was invoked before it grew too old."""
    record = replace(KINESIS, condition=condition, invoke_count=8).as_dict()
    assert list(record) == ["requestContext", "version", "timestamp", "KinesisBatchInfo"]
    assert record["requestContext"]["approximateInvokeCount"] == 8


def test_a_record_that_was_never_invoked_counts_one() -> None:
    """As the recordings of RecordAgeExceeded do."""
    record = replace(KINESIS, condition=DiscardCondition.RECORD_AGE_EXCEEDED, invoke_count=0).as_dict()
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_a_time_on_the_second_keeps_its_three_digits() -> None:
    """The format does not change with the value."""
    record = replace(KINESIS, timestamp=1573691886.0, first_arrival=1573691886).as_dict()
    assert record["timestamp"] == "2019-11-14T00:38:06.000Z"
    assert record["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"] == "2019-11-14T00:38:06.000Z"


def test_an_arrival_that_the_service_did_not_give_is_null() -> None:
    """It is optional in the API."""
    info = replace(KINESIS, first_arrival=None, last_arrival=None).as_dict()["KinesisBatchInfo"]
    assert (info["approximateArrivalOfFirstRecord"], info["approximateArrivalOfLastRecord"]) == (None, None)


async def made(arn: str, cloud: Cloud) -> BatchDestination:
    """The destination of the mapping "clicks"."""
    return await make_destination(arn, cast("Aws", cloud), mapping="clicks", event_source_arn=STREAM)


async def test_a_queue_gets_the_record_without_the_data() -> None:
    """In the queue's own region and account."""
    cloud = Cloud()
    destination = await made(QUEUE, cloud)
    assert await destination.check() is None
    await destination.deliver(KINESIS, EVENT)
    assert cloud.regions == ["us-west-2"]
    assert cloud.messages == [("http://queues/123456789012/failed", KINESIS.encode().decode())]
    assert (cloud.attributes, cloud.trace_headers) == ([{}], [None])


async def test_a_topic_gets_the_record_without_the_data() -> None:
    """As the notification's message."""
    cloud = Cloud()
    destination = await made(TOPIC, cloud)
    assert await destination.check() is None
    await destination.deliver(KINESIS, EVENT)
    assert cloud.regions == ["eu-west-1"]
    assert cloud.messages == [(TOPIC, KINESIS.encode().decode())]


async def test_a_bucket_gets_the_record_with_the_whole_event_as_a_string() -> None:
    """``payload`` is the event's text, escaped once, and comes last; the region is the source's, since a bucket names none."""
    cloud = Cloud()
    destination = await made(BUCKET, cloud)
    assert await destination.check() is None
    await destination.deliver(KINESIS, EVENT)
    ((bucket, key, body),) = cloud.objects
    record = json.loads(body)
    assert (bucket, cloud.regions) == ("failed", ["us-east-2"])
    assert record.pop("payload").encode() == EVENT
    assert record == KINESIS.as_dict()
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    folder = f"aws/lambda/{mapping_uuid('clicks', STREAM)}/shardId-000000000001/2019/11/14"
    assert re.fullmatch(rf"{re.escape(folder)}/2019-11-14T00\.38\.06-{uuid}", key)


async def test_an_event_of_any_size_is_escaped_whole() -> None:
    """An oversized record's event is far over 6 MiB, and has characters of more than one byte where pieces meet."""
    cloud = Cloud()
    event = ('{"Records":["' + '"\u20ac\U0001f600\\n' * 1_000_000 + '"]}').encode()
    await (await made(BUCKET, cloud)).deliver(KINESIS, event)
    assert json.loads(cloud.objects[0][2])["payload"].encode() == event


async def test_a_delivery_tried_again_writes_the_same_object() -> None:
    """A lost reply does not leave two records of one batch."""
    cloud = Cloud()
    destination = await made(BUCKET, cloud)
    await destination.deliver(KINESIS, EVENT)
    await destination.deliver(KINESIS, EVENT)
    assert cloud.objects[0] == cloud.objects[1]


def test_every_batch_has_an_object_of_its_own() -> None:
    """Two halves of one invocation, in the same second, do not overwrite each other."""
    mapping = mapping_uuid("clicks", STREAM)
    other = replace(KINESIS, start_sequence_number=KINESIS.end_sequence_number)
    one, two = (BatchReport(failure, EVENT, mapping).object_key() for failure in (KINESIS, other))
    assert one != two


def test_a_mappings_uuid_is_its_own_and_stays() -> None:
    """Written objects of one mapping lie together over restarts, apart from another's."""
    assert mapping_uuid("clicks", STREAM) == mapping_uuid("clicks", STREAM)
    assert len({mapping_uuid("clicks", STREAM), mapping_uuid("audit", STREAM), mapping_uuid("clicks", QUEUE)}) == 3
    assert str(mapping_uuid("clicks", STREAM)) == "c87ebe56-8975-540e-9fde-dc1f606b21ea"


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET])
@pytest.mark.parametrize("error", [NotFound("NonExistent", "no such thing"), Refused("InvalidParameter", "no")])
async def test_a_missing_destination_is_refused_before_anything_is_read(arn: str, error: AwsError) -> None:
    """The message names the ARN, the service's words and what to do; the mapping is retried slowly like a missing source."""
    destination = await made(arn, Cloud(error=error))
    with pytest.raises(
        DestinationUnusable, match=rf"{re.escape(arn)} cannot be used .*{error.code}.*create it"
    ) as found:
        await destination.check()
    assert isinstance(found.value, SourceUnusable)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC])
async def test_a_role_that_may_only_deliver_is_enough(arn: str) -> None:
    """Lambda needs sqs:SendMessage or sns:Publish and nothing else: a denied look is a warning, and deliveries work."""
    cloud = Cloud(look=AccessDenied("AccessDenied", "not authorized"))
    destination = await made(arn, cloud)
    warning = await destination.check()
    assert warning is not None
    assert arn in warning
    await destination.deliver(KINESIS, EVENT)
    assert cloud.messages[0][0] in (TOPIC, "https://sqs.us-west-2.amazonaws.com/123456789012/failed")


async def test_a_bucket_that_may_not_be_looked_at_is_refused() -> None:
    """Lambda needs s3:ListBucket there."""
    destination = await made(BUCKET, Cloud(look=AccessDenied("403", "Forbidden")))
    with pytest.raises(DestinationUnusable, match=r"s3:ListBucket and s3:PutObject"):
        await destination.check()


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET])
async def test_what_may_pass_is_left_to_the_caller(arn: str) -> None:
    """A connection loss neither condemns the destination nor counts as a delivery."""
    cloud = Cloud(error=Unavailable("ConnectionClosed"))
    destination = await made(arn, cloud)
    with pytest.raises(Unavailable):
        await destination.check()
    with pytest.raises(Unavailable):
        await destination.deliver(KINESIS, EVENT)
    cloud.error = None
    await destination.deliver(KINESIS, EVENT)
    assert cloud.deliveries == 1


@pytest.mark.parametrize("arn", ["arn:aws:lambda:us-east-1:1:function:f", "not an arn"])
async def test_anything_but_a_queue_a_topic_or_a_bucket_is_refused(arn: str) -> None:
    """With what it would have to be."""
    with pytest.raises(
        DestinationUnusable,
        match=r"found '.*', expected the ARN of a standard SQS queue, a standard SNS topic or an S3 bucket",
    ):
        await made(arn, Cloud())

"""A DynamoDB table's stream to a function, end to end, and what ministack shows that no other emulator does."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest

from pollers.destinations import mapping_uuid
from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.lying_proxy import lying_proxy
from tests.e2e.queues import queue
from tests.e2e.streams import READING, checkpoints, mapping_of, stream, table
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from pollers.emulators import Emulator
    from tests.e2e.queues import Queue

pytestmark = pytest.mark.timeout(300)

KEEPING = """
    def handler(event, context):
        for record in event["Records"]:
            note(record=record)
"""
ACCEPT = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record, source=record["eventSourceARN"])
"""
)
FAILING = """
    def handler(event, context):
        note(event=event, request=context.aws_request_id)
        raise ValueError("never")
"""


@pytest.fixture
def workplace(tmp_path: Path, ministack: Emulator) -> Workplace:
    return Workplace(tmp_path, ministack)


async def test_changes_of_items_arrive_in_order_as_lambda_writes_them(workplace: Workplace) -> None:
    """INSERT, MODIFY and REMOVE of each item in order, also in parallel lanes; records as in AWS's own events."""
    async with table(workplace.emulator) as source:
        items = [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1.5")]
        for pk, sk in items:
            await source.put(pk, sk, n={"N": "1"})
        for pk, sk in items:
            await source.put(pk, sk, n={"N": "2.5"}, bin={"B": b"foobar"}, nothing={"NULL": True})
        for pk, sk in items:
            await source.delete(pk, sk)
        workplace.function(KEEPING)
        workplace.configure({"s": mapping_of(source.arn, batch_size=2, parallelization_factor=2)})
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        records = [note["record"] for note in workplace.notes()]
        for pk, sk in items:
            own = [one for one in records if one["dynamodb"]["Keys"] == {"pk": {"S": pk}, "sk": {"N": sk}}]
            assert [one["eventName"] for one in own] == ["INSERT", "MODIFY", "REMOVE"]
        assert len(records) == 3 * len(items)
        modified = next(one for one in records if one["eventName"] == "MODIFY")
        _assert_shaped(modified, source.arn)
        new, old = modified["dynamodb"]["NewImage"], modified["dynamodb"]["OldImage"]
        assert (new["n"], new["bin"], new["nothing"]) == ({"N": "2.5"}, {"B": "Zm9vYmFy"}, {"NULL": True})
        assert old["n"] == {"N": "1"}
        inserted, removed = (next(one for one in records if one["eventName"] == name) for name in ("INSERT", "REMOVE"))
        assert "OldImage" not in inserted["dynamodb"]
        assert "NewImage" not in removed["dynamodb"]
        [ledger] = workplace.logged("shutdown 7: ledger")
        assert (ledger["checkpointed"], ledger["balanced"]) == (12, True)


async def test_enhanced_fan_out_pushes_records_and_resumes(workplace: Workplace) -> None:
    """A consumer's ARN: what is there and what comes is pushed; SIGTERM ends the subscription and a restart goes on after it."""
    async with stream(workplace.emulator) as source:
        consumer = await source.consumer()
        await source.put(["a", "b"])
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(consumer)})
        with workplace.headrace() as process:
            await until(lambda: workplace.count()["b"], running=process)
            await source.put(["c"])
            await until(lambda: workplace.count()["c"], running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        await source.put(["d"])
        with workplace.headrace() as process:
            await until(lambda: workplace.count()["d"], running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["a", "b", "c", "d"]
        assert {note["source"] for note in workplace.notes()} == {consumer}
        assert all(line["balanced"] for line in workplace.logged("shutdown 7: ledger"))


async def test_failure_records_reach_a_topic_and_a_bucket(workplace: Workplace) -> None:
    """SNS gets the record as its message; S3 gets it with the whole event, under Lambda's key."""
    emulator = workplace.emulator
    async with (
        stream(emulator) as kinesis,
        table(emulator) as changes,
        queue(emulator) as subscribed,
        plain_client(emulator, "sns") as sns,
        plain_client(emulator, "s3") as s3,
    ):
        topic = (await sns.create_topic(Name=unique("failed")))["TopicArn"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=subscribed.arn)
        bucket = unique("failed")
        await s3.create_bucket(Bucket=bucket)
        await kinesis.put(["a", "b"])
        await changes.put('\u00e4 \\ "quoted"', "1")
        workplace.function(FAILING)
        give_up = {"maximum_retry_attempts": 0}
        workplace.configure(
            {
                "clicks": mapping_of(kinesis.arn, **give_up, destination_config={"on_failure": {"destination": topic}}),
                "changes": mapping_of(
                    changes.arn, **give_up, destination_config={"on_failure": {"destination": f"arn:aws:s3:::{bucket}"}}
                ),
            }
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        sent = {note["event"]["Records"][0]["eventSource"]: note for note in workplace.notes()}
        assert len(workplace.notes()) == 2
        _assert_notified(await _message(subscribed), sent["aws:kinesis"], topic)
        [listed] = (await s3.list_objects_v2(Bucket=bucket))["Contents"]
        body = await (await s3.get_object(Bucket=bucket, Key=listed["Key"]))["Body"].read()
        _assert_stored(listed["Key"], json.loads(body), sent["aws:dynamodb"], changes.arn)
        assert all(line["discarded"] and line["balanced"] for line in workplace.logged("shutdown 7: ledger"))


async def test_records_past_their_maximum_age_are_discarded_without_an_invocation(workplace: Workplace) -> None:
    """By the service's clock, an hour later, all are an hour old: none runs, the destination gets one record."""
    emulator = workplace.emulator
    async with (
        stream(emulator) as source,
        queue(emulator) as failures,
        lying_proxy(emulator.endpoint_url, "") as an_hour_later,
    ):
        an_hour_later.ahead_seconds = 3_600
        await source.put(["a", "b", "c"])
        workplace.function(ACCEPT)
        workplace.configure(
            {
                "s": mapping_of(
                    source.arn,
                    maximum_record_age_in_seconds=1800,
                    destination_config={"on_failure": {"destination": failures.arn}},
                )
            },
            aws={"region": emulator.region, "endpoint_url": an_hour_later.url},
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert not workplace.notes()
        record = json.loads(await _message(failures))
        assert record["requestContext"]["condition"] == "RecordAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 1
        assert "responseContext" not in record
        numbers = [one["SequenceNumber"] for one in await source.records()]
        batch = record["KinesisBatchInfo"]
        assert (batch["batchSize"], batch["startSequenceNumber"], batch["endSequenceNumber"]) == (
            3,
            numbers[0],
            numbers[-1],
        )
        [kept] = checkpoints(workplace).values()
        assert kept.sequence_number == numbers[-1]
        [ledger] = workplace.logged("shutdown 7: ledger")
        assert (ledger["discarded_by"], ledger["balanced"]) == ({"RecordAgeExceeded": 3}, True)


# -- what several tests need -----------------------------------------------------------------------------------------------


def _assert_shaped(record: dict[str, Any], arn: str) -> None:
    """Exactly the members of an event record of a change with both images, with AWS's types."""
    assert list(record) == [
        *("eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN"),
    ]
    assert (record["eventSource"], record["awsRegion"], record["eventSourceARN"]) == ("aws:dynamodb", "us-east-1", arn)
    change = record["dynamodb"]
    assert set(change) == {
        *("ApproximateCreationDateTime", "Keys", "NewImage", "OldImage", "SequenceNumber", "SizeBytes"),
        "StreamViewType",
    }
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert type(change["ApproximateCreationDateTime"]) is float
    assert type(change["SizeBytes"]) is int
    assert type(change["SequenceNumber"]) is str


async def _message(source: Queue) -> str:
    """The body of the one message in a queue."""
    reply = await source.sqs.receive_message(QueueUrl=source.url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
    [message] = reply["Messages"]
    return str(message["Body"])


def _assert_notified(body: str, sent: dict[str, Any], topic: str) -> None:
    notification = json.loads(body)
    assert notification["TopicArn"] == topic
    record = json.loads(notification["Message"])
    assert record["requestContext"]["requestId"] == sent["request"]
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["KinesisBatchInfo"]["batchSize"] == 2
    assert "payload" not in record
    first = base64.b64encode(b"a").decode()
    assert sent["event"]["Records"][0]["kinesis"]["data"] == first


def _assert_stored(key: str, record: dict[str, Any], sent: dict[str, Any], arn: str) -> None:
    assert json.loads(record["payload"]) == sent["event"]
    assert record["requestContext"]["requestId"] == sent["request"]
    batch = record["DDBStreamBatchInfo"]
    assert (batch["batchSize"], batch["streamArn"]) == (1, arn)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", batch["approximateArrivalOfFirstRecord"])
    when = record["timestamp"]
    day, second = when[:10].replace("-", "/"), when[:19].replace(":", ".")
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    folder = f"aws/lambda/{mapping_uuid('changes', arn)}/{batch['shardId']}/{day}"
    assert re.fullmatch(rf"{re.escape(folder)}/{re.escape(second)}-{uuid}", key)


async def test_a_disabled_stream_is_read_to_its_end(workplace: Workplace) -> None:
    """Its open shard ends: read once more at its last record, borne out by the listing, written down, and --until-idle ends."""
    async with table(workplace.emulator) as source:
        for number in range(3):
            await source.put("a", str(number))
        await source.dynamodb.update_table(TableName=source.name, StreamSpecification={"StreamEnabled": False})
        workplace.function(KEEPING)
        workplace.configure({"s": mapping_of(source.arn)})
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert len(workplace.notes()) == 3
        assert [kept.ended for kept in checkpoints(workplace).values()] == [True]
        assert not workplace.logged("a shard's end is not believed: it is read on from its last record")

"""Records that are decoded no further than events need give the same events as records taken apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio

from config.models import Aws as AwsModel
from pollers.aws import services
from pollers.aws.api import StartAt
from pollers.aws.services.clients import AwsClients
from pollers.aws.wire.plain_records import PlainRecord
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.emulators import Emulator
    from pollers.sources.streams.source import StreamSource

ITEM = {
    "id": {"S": 'quoted "ключ" \u2028 \\ /'},
    "bin": {"B": b"\x00\xffbytes"},
    "numbers": {"NS": ["1", "2.50"]},
    "deep": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}, {"N": "1"}]}}},
}


async def _changed_table(emulator: Emulator) -> str:
    """The stream of a table with an insert, a change and a removal."""
    name = unique("sliced")
    async with plain_client(emulator, "dynamodb") as dynamodb:
        table = await dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        await dynamodb.put_item(TableName=name, Item=ITEM)
        await dynamodb.put_item(TableName=name, Item=ITEM | {"bin": {"B": b"other"}})
        await dynamodb.delete_item(TableName=name, Key={"id": ITEM["id"]})
    return str(table["TableDescription"]["LatestStreamArn"])


async def _read(source: StreamSource) -> list[Wire]:
    """The three records."""
    (shard,) = await source.shards()
    iterator: str | None = await source.iterator(shard.shard_id, StartAt("TRIM_HORIZON"))
    records: list[Wire] = []
    with anyio.fail_after(60):
        while len(records) < 3:
            assert iterator is not None
            page = await source.records(iterator, 100)
            records += page.records
            iterator = page.next_iterator
    return records


async def test_sliced_records_give_the_same_events_numbers_times_and_keys(ministack: Emulator) -> None:
    """Whatever the poller asks of a record has the same answer either way."""
    arn = await _changed_table(ministack)
    async with AwsClients(AwsModel(region="us-east-1", endpoint_url=ministack.endpoint_url)) as aws:
        api = await aws.client(services.DYNAMODB_STREAMS, "us-east-1")
        whole_source, sliced_source = DynamoDBSource(arn, api), DynamoDBSource(arn, api, items_needed=False)
        whole, sliced = await _read(whole_source), await _read(sliced_source)
    encode = whole_source.encoder("shard")
    events = [json.loads(event) for event in encode(whole)]
    assert [json.loads(event) for event in encode(sliced)] == events
    assert [event["eventName"] for event in events] == ["INSERT", "MODIFY", "REMOVE"]
    assert events[0]["dynamodb"]["NewImage"]["bin"] == {"B": "AP9ieXRlcw=="}
    assert not isinstance(sliced[0]["dynamodb"]["NewImage"], dict)
    assert sliced_source.sequence_numbers(sliced) == whole_source.sequence_numbers(whole)
    assert sliced_source.arrivals(sliced, 0.0) == whole_source.arrivals(whole, 0.0)
    assert sliced_source.keys(sliced) == whole_source.keys(whole)


async def test_plain_kinesis_records_give_the_same_events_numbers_times_and_keys(kinesis_local: Emulator) -> None:
    """Keys of any script go into events as they came."""
    name = unique("plain")
    async with plain_client(kinesis_local, "kinesis") as kinesis:
        await kinesis.create_stream(StreamName=name, ShardCount=1)
        await (kinesis.get_waiter("stream_exists")).wait(StreamName=name, WaiterConfig={"Delay": 1})
        arn = (await kinesis.describe_stream_summary(StreamName=name))["StreamDescriptionSummary"]["StreamARN"]
        entries = [
            {"PartitionKey": key, "Data": b"\x00\xff?>"} for key in ("a", "\u043a\u043b\u044e\u0447", "\U0001f511")
        ]
        await kinesis.put_records(StreamName=name, Records=entries)
    async with AwsClients(AwsModel(region="us-east-1", endpoint_url=kinesis_local.endpoint_url)) as aws:
        api = await aws.client(services.KINESIS, "us-east-1")
        whole_source, plain_source = KinesisSource(arn, api), KinesisSource(arn, api, records_needed=False)
        whole, plain = await _read(whole_source), await _read(plain_source)
    assert all(isinstance(record, PlainRecord) for record in plain)
    assert plain_source.encoder("shard")(plain) == whole_source.encoder("shard")(whole)
    assert plain_source.sequence_numbers(plain) == whole_source.sequence_numbers(whole)
    assert plain_source.arrivals(plain, 0.0) == whole_source.arrivals(whole, 0.0)
    assert plain_source.keys(plain) == whole_source.keys(whole)

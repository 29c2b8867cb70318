"""The sample of the kind DynamoDB."""

from __future__ import annotations

from pollers.aws import services
from pollers.sources.dynamodb import events
from pollers.sources.dynamodb.kind import DYNAMODB
from tests.unit.filtering.mappings import change_record
from tests.unit.sources.sample import Sample
from tests.worlds.memory_streams import MemoryStream

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
WIRE = change_record({"id": {"S": "x"}})

SAMPLE = Sample(
    DYNAMODB,
    ARN,
    settings={"starting_position": "LATEST"},
    services=lambda: {services.DYNAMODB_STREAMS.name: MemoryStream("dynamodb", lambda: 0.0)},
    wire=WIRE,
    event=events.encoder(ARN)("shardId-0")(WIRE),
    payload=b'{"ApproximateCreationDateTime":1480642020.0,"Keys":{"id":{"S":"x"}}',
    pattern={"eventName": ["INSERT"], "dynamodb": {"NewImage": {"id": {"S": ["x"]}}}},
)

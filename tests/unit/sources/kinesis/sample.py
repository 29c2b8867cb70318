"""The sample of the kind Kinesis."""

from __future__ import annotations

from pollers.aws import services
from pollers.sources.kinesis import events
from pollers.sources.kinesis.kind import KINESIS
from tests.unit.filtering.mappings import stream_record
from tests.unit.sources.sample import Sample
from tests.worlds.memory_streams import MemoryStream

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
WIRE = stream_record({"order": {"type": "buy"}})

SAMPLE = Sample(
    KINESIS,
    ARN,
    settings={"starting_position": "LATEST"},
    services=lambda: {services.KINESIS.name: MemoryStream("kinesis", lambda: 0.0)},
    wire=WIRE,
    event=events.encoder(ARN)("shardId-000000000000")(WIRE),
    payload=b'{"order": {"type": "buy"}}',
    pattern={"data": {"order": {"type": ["buy"]}}, "partitionKey": ["1"]},
)

"""The sample of the kind SQS."""

from __future__ import annotations

from config import parse_arn
from pollers.aws import services
from pollers.sources.sqs.events import SqsEncoder
from pollers.sources.sqs.kind import SQS
from tests.unit.filtering.mappings import message
from tests.unit.sources.sample import Sample
from tests.worlds.memory_sqs import MemorySqs, Queue

ARN = Queue("orders").arn
WIRE = message({"type": "created"})

SAMPLE = Sample(
    SQS,
    ARN,
    settings={},
    services=lambda: {services.SQS.name: MemorySqs(Queue("orders"))},
    wire=WIRE,
    event=SqsEncoder(parse_arn(ARN), window_seconds=0).encode(WIRE),
    payload=b'{"type": "created"}',
    pattern={"body": {"type": ["created"]}, "messageId": [WIRE["MessageId"]]},
)

"""An ARN of each form that is read, and the settings of a mapping of it."""

from __future__ import annotations

STANDARD = "arn:aws:sqs:us-east-1:000000000000:orders"
FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
CONSUMER = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/fan-out:1700000000"
DYNAMODB = "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2026-01-01T00:00:00.000"
QUEUES = (STANDARD, FIFO)
STREAMS = (KINESIS, CONSUMER, DYNAMODB)


def settings(arn: str, *lines: str) -> str:
    """A mapping of this source; streams start at TRIM_HORIZON unless a line says otherwise."""
    start = (
        ["starting_position: TRIM_HORIZON"]
        if arn in STREAMS and not any("starting_position:" in line for line in lines)
        else []
    )
    return "\n".join([f"event_source_arn: {arn}", "function_name: orders", *start, *lines])

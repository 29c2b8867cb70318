"""Streams: one engine for Kinesis and DynamoDB Streams; each source is one file behind ``StreamSource``."""

from __future__ import annotations

from pollers.streams.dynamodb import DynamoDBSource
from pollers.streams.kinesis import KinesisSource
from pollers.streams.poller import StreamPoller
from pollers.streams.source import StreamSource

__all__ = ["DynamoDBSource", "KinesisSource", "StreamPoller", "StreamSource"]

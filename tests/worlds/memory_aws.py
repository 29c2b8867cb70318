"""One region of AWS in memory: what pollers are made from in production is made from it in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pollers.aws.api import FanOutApi, SqsApi, StreamApi


class MemoryAws:
    """An :class:`pollers.aws.api.Aws` of the services that it is given. It has neither topics nor buckets."""

    def __init__(
        self,
        *,
        sqs: SqsApi | None = None,
        kinesis: FanOutApi | None = None,
        dynamodb_streams: StreamApi | None = None,
    ) -> None:
        self._sqs = sqs
        self._kinesis = kinesis
        self._dynamodb_streams = dynamodb_streams

    async def sqs(self, region: str) -> SqsApi:
        """Its queues."""
        return self._sqs or _missing("queues")

    async def kinesis(self, region: str) -> FanOutApi:
        """Its Kinesis streams."""
        return self._kinesis or _missing("Kinesis streams")

    async def dynamodb_streams(self, region: str) -> StreamApi:
        """Its tables' streams."""
        return self._dynamodb_streams or _missing("tables' streams")

    async def sns(self, region: str) -> NoReturn:
        """No topics."""
        _missing("topics")

    async def s3(self, region: str) -> NoReturn:
        """No buckets."""
        _missing("buckets")


def _missing(what: str) -> NoReturn:
    raise LookupError(f"this world has no {what}")

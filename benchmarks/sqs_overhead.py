"""What Headrace's own code takes of the CPU for each SQS message, without any AWS client: ``python -m benchmarks.sqs_overhead``.

A canned source hands out messages of 1 KB, the function is a coroutine that returns at once, deletes always work.
docs/design, decision 7
allows 20 µs a message for batches of ten; the printed figures include the event loop's own work.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from config.models import SqsMapping
from handlers.function import PLAIN, Call, Function, FunctionStatus, Invocation, Payload
from pollers.aws.api import NO_ATTRIBUTES
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.poller import SqsPoller
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pollers.aws.api import EntryFailed, MessageAttribute, Wire

CONCURRENCY = 20
BODY = "x" * 1_000


class CannedSqs:
    """Hands out ``count`` messages as fast as they are asked for."""

    def __init__(self, count: int, *, fifo: bool) -> None:
        self.count = count
        self.deleted = 0
        self.done = anyio.Event()
        self._next = 0
        self._messages = [_wire(number, fifo) for number in range(count)]

    async def queue_url(self, name: str, owner: str) -> str:
        return name

    async def attributes(self, url: str) -> dict[str, str]:
        return {"VisibilityTimeout": "30"}

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        await anyio.lowlevel.checkpoint()
        if self._next >= self.count:
            await anyio.sleep(min(0.2, wait_seconds))
            return []
        messages = self._messages[self._next : self._next + maximum]
        self._next += maximum
        return messages

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        await anyio.lowlevel.checkpoint()
        self.deleted += len(handles)
        if self.deleted >= self.count:
            self.done.set()
        return []

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        await anyio.lowlevel.checkpoint()
        return []

    async def send(
        self,
        url: str,
        body: str,
        *,
        attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES,
        trace_header: str | None = None,
    ) -> None:
        await anyio.lowlevel.checkpoint()


class Instant:
    """A function that does nothing."""

    name = "instant"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:instant"
    concurrency = CONCURRENCY
    timeout_seconds = 3.0

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        return Invocation(request_id, Payload(b"null"), 0.0)

    def status(self) -> FunctionStatus:
        return FunctionStatus(0, 0)

    async def __aenter__(self) -> Function:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


def _wire(number: int, fifo: bool) -> Wire:
    attributes: dict[str, Any] = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    if fifo:
        attributes |= {"MessageGroupId": f"g{number // 10 % 500}", "SequenceNumber": str(10**19 + number)}
    return {
        "MessageId": f"{number:08d}-0000-4000-8000-000000000000",
        "ReceiptHandle": f"AQEB{'h' * 300}{number}",
        "MD5OfBody": "e" * 32,
        "Body": BODY,
        "Attributes": attributes,
    }


async def measure(count: int, *, fifo: bool = False, **settings: Any) -> float:  # noqa: ANN401 - a mapping's settings
    """Microseconds of CPU for each message."""
    arn = "arn:aws:sqs:us-east-1:000000000000:orders" + (".fifo" if fifo else "")
    mapping = SqsMapping(name="orders", event_source_arn=arn, function_name="instant", **settings)
    sqs, stop = CannedSqs(count, fifo=fifo), Stop()
    claim = Permits(CONCURRENCY).claim()
    facts = Facts("orders", [Ledger()])
    around = Surroundings(Instant(), claim, facts, SQS.shown.first_payload, stop, random=random.Random(1))
    poller = SqsPoller(mapping, sqs, around, long_poll_seconds=1)
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        began = time.process_time()
        await sqs.done.wait()
        took = time.process_time() - began
        stop.request()
    return took / count * 1e6


CASES: dict[str, dict[str, Any]] = {
    "batches of 10": {"count": 100_000},
    "batches of 1": {"count": 30_000, "batch_size": 1},
    "batches of 1,000 with a window": {
        "count": 100_000,
        "batch_size": 1_000,
        "maximum_batching_window_in_seconds": 1,
    },
    "FIFO, batches of 10": {"count": 50_000, "fifo": True},
    "FIFO, batches of 1": {"count": 20_000, "fifo": True, "batch_size": 1},
}


def main() -> None:
    """Print every case, or those whose name contains an argument."""
    wanted = sys.argv[1:]
    for name, case in CASES.items():
        if not wanted or any(word in name for word in wanted):
            microseconds = anyio.run(lambda case=case: measure(**case))  # type: ignore[misc]
            print(f"{name:32} {microseconds:6.1f} µs of CPU a message")


if __name__ == "__main__":
    main()

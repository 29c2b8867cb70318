"""The two Python clients of the SQS benchmark, each a process of its own: ``python -m benchmarks.sqs_clients NAME PORT SECONDS``.

Each receives tens with ``RECEIVES`` calls at a time, hands them to a function that does nothing, and deletes them. After a warm-up
it counts, for ``SECONDS``, the messages whose delete was confirmed, and prints that with the CPU time of its process as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from config.models import Aws, InProcessFunction, SqsMapping
from handlers.in_process import InProcessFunction as InProcess
from pollers.aws import services
from pollers.aws.services.clients import AwsClients
from pollers.aws.wire.collector import tune_gc
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.poller import SqsPoller
from pollers.telemetry.facts import Deleted, Fact
from pollers.telemetry.sinks import Facts

RECEIVES = 10
WARM_UP_SECONDS = 1.5
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


@dataclass(slots=True)
class Measured:
    """Messages done, and the CPU time that they took, since :meth:`start`."""

    messages: int = 0
    _before: tuple[int, float, float] = field(default=(0, 0.0, 0.0))

    def __call__(self, mapping: str, fact: Fact) -> None:
        """A sink of facts: confirmed deletes."""
        if type(fact) is Deleted:
            self.messages += len(fact.ids)

    def start(self) -> None:
        """The warm-up is over."""
        self._before = (self.messages, time.process_time(), time.monotonic())

    def report(self) -> None:
        """Print what there is to say, as one JSON object."""
        messages, cpu, wall = self._before
        found = {
            "messages": self.messages - messages,
            "cpu_seconds": time.process_time() - cpu,
            "wall_seconds": time.monotonic() - wall,
        }
        print(json.dumps(found), flush=True)


async def headrace(port: int, seconds: float) -> None:
    """A whole SQS mapping: poller, in-process function, ledger's facts, visibility heartbeat, AWS seam."""
    measured = Measured()
    mapping = SqsMapping(name="orders", event_source_arn=QUEUE_ARN, function_name="noop")
    model = InProcessFunction(
        runtime="in_process", code=Path(__file__).parent / "noop", handler="app.handler", concurrency=RECEIVES
    )
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(AwsClients(Aws(endpoint_url=f"http://127.0.0.1:{port}")))
        function = await stack.enter_async_context(InProcess("noop", "arn:aws:lambda:us-east-1:0:function:noop", model))
        claim = Permits(RECEIVES).claim()
        surroundings = Surroundings(
            function=function, claim=claim, facts=Facts("orders", [measured]), first_payload=SQS.shown.first_payload
        )
        poller = SqsPoller(mapping, await clients.client(services.SQS, "us-east-1"), surroundings)
        tune_gc()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poller.run)
            await anyio.sleep(WARM_UP_SECONDS)
            measured.start()
            await anyio.sleep(seconds)
            measured.report()
            surroundings.stop.request()


async def plain(port: int, seconds: float) -> None:
    """What one writes with aiobotocore in ten lines."""
    measured = Measured()
    ends_at = time.monotonic() + WARM_UP_SECONDS + seconds
    client: Any
    async with get_session().create_client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        config=AioConfig(max_pool_connections=2 * RECEIVES),
    ) as client:
        url = (await client.get_queue_url(QueueName="orders"))["QueueUrl"]

        async def handler(messages: list[dict[str, Any]]) -> None:
            return None

        async def loop() -> None:
            while time.monotonic() < ends_at:
                received = await client.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=10,
                    WaitTimeSeconds=20,
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
                await handler(received["Messages"])
                entries = [
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(received["Messages"])
                ]
                deleted = await client.delete_message_batch(QueueUrl=url, Entries=entries)
                measured.messages += len(deleted["Successful"])

        async with anyio.create_task_group() as tasks:
            for _ in range(RECEIVES):
                tasks.start_soon(loop)
            await anyio.sleep(WARM_UP_SECONDS)
            measured.start()
            await anyio.sleep(seconds)
            measured.report()


if __name__ == "__main__":
    name, port_text, seconds_text = sys.argv[1:]
    try:
        import uvloop  # noqa: F401 - asked for by name below
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    main = {"headrace": headrace, "plain": plain}[name]
    anyio.run(main, int(port_text), float(seconds_text), backend_options=options)

"""A source that cannot be reached for a while, or is gone: told once, survived without a restart, and nobody else's business."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Workplace, until, until_true
from tests.e2e.queues import queue
from tests.emulators import unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

NOTE = """
    def handler(event, context):
        for record in event["Records"]:
            note(id=record["body"])
"""


@dataclass(eq=False)
class Wire:
    """A TCP relay on loopback that can be cut: connections end where they are, and new ones are refused."""

    to: int
    port: int = 0
    cut: bool = False
    refused: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def sever(self) -> None:
        """Cut every connection, and refuse new ones until :meth:`mend`."""
        self.cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.cut = False

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        if self.cut:
            self.refused += 1
            writer.transport.abort()
            return
        onward, back = await asyncio.open_connection("127.0.0.1", self.to)
        ends = {writer, back}
        self._writers |= ends
        await asyncio.gather(_pump(reader, back), _pump(onward, writer))
        self._writers -= ends


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def wire_to(emulator: Emulator) -> AsyncIterator[Wire]:
    """A relay to the emulator, for as long as it is needed."""
    wire = Wire(emulator.port)
    server = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    async with server:
        yield wire
        wire.sever()


async def test_a_lost_connection_is_told_and_survived(tmp_path: Path, ministack: Emulator) -> None:
    """Tries go on with back-off while nobody answers; what was sent meanwhile is handled, and the end of the outage is told."""
    async with wire_to(ministack) as wire, queue(ministack, visibility=2, maximum_receives=50) as source:
        workplace = Workplace(tmp_path, replace(ministack, port=wire.port))
        workplace.function(NOTE)
        workplace.configure({"q": {"event_source_arn": source.arn}}, function={"timeout": 2})
        with workplace.headrace() as process:
            await source.send(["before"])
            await until(lambda: workplace.count()["before"], running=process)
            wire.sever()
            await until(lambda: wire.refused >= 3, running=process, what="several tries")
            await source.send(["meanwhile"])
            assert not workplace.logged("the source is read again")
            wire.mend()
            await until(lambda: workplace.count()["meanwhile"], running=process)
            await until(lambda: workplace.logged("the source is read again"), running=process)
            await until_true(source.empty)
        told, *_ = workplace.logged("waiting before another try")
        assert told["level"] == "warning"
        assert "ReceiveMessage" in told["why"]


async def test_a_mapping_goes_on_by_itself_once_its_queue_is_there(tmp_path: Path, ministack: Emulator) -> None:
    """What is missing is said once; its neighbour never notices; that it is there at last is said, too."""
    workplace = Workplace(tmp_path, ministack)
    workplace.function(NOTE)
    name = unique("late")
    late = f"arn:aws:sqs:{ministack.region}:{ministack.account}:{name}"
    async with queue(ministack) as other:
        workplace.configure({"late": {"event_source_arn": late}, "other": {"event_source_arn": other.arn}})
        with workplace.headrace() as process:
            await until(lambda: workplace.logged("mapping cannot run and is tried again slowly"), running=process)
            await other.send(["other"])
            await until(lambda: workplace.count()["other"], running=process)
            url = (await other.sqs.create_queue(QueueName=name))["QueueUrl"]
            await other.sqs.send_message(QueueUrl=url, MessageBody="late")
            await until(lambda: workplace.count()["late"], running=process)
            await until(lambda: workplace.logged("the source is read again"), running=process)
        [told] = workplace.logged("mapping cannot run and is tried again slowly")
        assert told["mapping"] == "late"
        assert "QueueDoesNotExist" in told["error"]
        assert [line["mapping"] for line in workplace.logged("the source is read again")] == ["late"]

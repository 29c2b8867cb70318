"""Functions of ours as each other's destinations: records go through the queue that they come from."""

from __future__ import annotations

import json
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio

from handlers.function import Payload
from pollers.destinations import EndedInvocation, Post, PostedDeliveries, QueuedFunctions, Role, Ways
from pollers.invocations import QueueFull
from tests.worlds import virtual_time
from tests.worlds.async_world import IN_MEMORY, AsyncWorld, Settings
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import Aws

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


class OwnWorld(AsyncWorld):
    """A world whose targets are its own functions."""

    async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
        """As a running Headrace does."""
        own = QueuedFunctions(self.functions, lambda name: ARN + name, lambda: self.queue)
        self.tried[target_arn] += 1
        await PostedDeliveries(Post(Ways(cast("Aws", None), "us-east-1", own))).deliver(role, target_arn, ended)


@asynccontextmanager
async def own_world(limit_bytes: int = 1024**2) -> AsyncIterator[OwnWorld]:
    """Function ``orders`` tells ``audit`` of its successes."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="own-world-") as folder:
        yield OwnWorld(
            Path(folder),
            functions_of={"orders": 2, "audit": 1},
            settings={"orders": Settings(on_success=f"{ARN}audit")},
            limit_bytes=limit_bytes,
            began=anyio.current_time(),
        )


@virtual_time.test
async def test_the_record_of_one_is_the_event_of_the_other() -> None:
    """With a request id of its own; both books balance."""
    async with own_world() as world, world.life() as queue:
        await queue.accept("orders", b'{"order":1}', request_id="one")
        await eventually(lambda: len(world.runs) == 2 and not queue.snapshot().depth)
        first, second = world.runs
        record = json.loads(second.event)
        assert (first.function, second.function) == ("orders", "audit")
        assert record["requestContext"]["requestId"] == first.request_id == "one"
        assert record["requestPayload"] == {"order": 1}
        assert second.request_id != "one"
        assert all(books.balanced for books in queue.snapshot().functions.values())


@virtual_time.test
async def test_a_full_queue_works_off_what_it_has_to_tell_itself() -> None:
    """Each record takes the place of its event: otherwise nothing would ever leave, and every record would be given up."""
    async with own_world(limit_bytes=20_000) as world, world.life() as queue:
        accepted = 0
        with suppress(QueueFull):
            while await queue.accept("orders", json.dumps("x" * 1000).encode(), request_id=f"r{accepted}"):
                accepted += 1
        await eventually(lambda: sum(run.function == "audit" for run in world.runs) == accepted)
        await eventually(lambda: not queue.snapshot().bytes)
        assert world.tried[f"{ARN}audit"] == accepted > 10
        assert await queue.accept("orders", b"1", request_id="again")


@virtual_time.test
async def test_a_report_that_comes_again_after_a_crash_is_one_event() -> None:
    """While the first is still queued: the queue knows its request id."""
    async with own_world() as world:
        async with world.life(serve=False) as queue:
            own = QueuedFunctions(world.functions, lambda name: ARN + name, lambda: queue)
            for _ in range(2):
                await own.accept(f"{ARN}audit", b'{"record":1}')
        async with world.life() as queue:
            await eventually(lambda: not queue.snapshot().depth)
            assert [run.function for run in world.runs] == ["audit"]


@virtual_time.test
async def test_an_endless_chain_is_stopped_and_said() -> None:
    """Two functions that are each other's destinations: after sixteen calls of one of them, as on Lambda."""
    async with own_world() as world, world.life() as queue:
        world.settings["audit"] = Settings(on_success=f"{ARN}orders")
        await queue.accept("orders", b'{"order":1}', request_id="one")
        await eventually(lambda: not queue.snapshot().bytes)
        assert queue.snapshot().functions["audit"].destination_failures == 1
        assert [run.function for run in world.runs] == ["orders", "audit"] * 16
        assert all(books.balanced for books in queue.snapshot().functions.values())


@virtual_time.test
async def test_records_with_large_answers_do_not_grow_in_the_queue_without_bound() -> None:
    """Each is an event again, with the answer in it; where everything grows beyond twice the limit, answers are left out."""
    async with own_world(limit_bytes=100_000) as world, world.life() as queue:
        world.answer = lambda *_: Payload(json.dumps("x" * 20_000).encode())
        world.functions["audit"].permits.resize(1)
        with world.functions["audit"].caller() as other:
            await other.claim.acquire()
            for number in range(100):
                await queue.accept("orders", b"1", request_id=f"r{number}")
            largest = 0
            for _ in range(200):
                await anyio.sleep(1)
                largest = max(largest, queue.snapshot().bytes)
            assert 150_000 < largest < 350_000
            assert queue.snapshot().functions["orders"].succeeded == 100
        await eventually(lambda: not queue.snapshot().bytes)
        assert sum(run.function == "audit" for run in world.runs) == 100

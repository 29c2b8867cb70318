"""Reports of ended invocations: each is delivered, or given up and said (docs/lambda 12.5, 12.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.destinations.ended import Role
from pollers.storage import StoreUnwritable
from tests.worlds import virtual_time
from tests.worlds.async_world import FAILED, AsyncWorld, Settings, world_of
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from pollers.destinations.ended import EndedInvocation
    from pollers.invocations import AsyncQueue

BOTH = Settings(maximum_retry_attempts=0, on_failure="arn:q", dead_letters="arn:dlq")


async def failing(queue: AsyncQueue, events: int = 1) -> None:
    """Events that fail at once."""
    for number in range(events):
        await queue.accept("orders", b"1", request_id=f"r{number}")


@virtual_time.test
async def test_a_target_out_of_reach_is_tried_again_and_holds_up_no_other() -> None:
    """It is shown with its problem, and takes all that has waited when it is back."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": BOTH}, down={"arn:q"}) as world:
        async with world.life() as queue:
            await failing(queue, 20)
            await eventually(lambda: len(world.delivered) == 20)
            assert {report.target for report in world.delivered} == {"arn:dlq"}
            await anyio.sleep(3_600)
            standing = queue.snapshot().targets["arn:q"]
            assert (standing.waiting, standing.problem) == (20, "arn:q is out of reach")
            assert queue.left() == ""
            assert world.tried["arn:q"] < 120
            world.down.clear()
            await eventually(lambda: len(world.delivered) == 40, within=900)
            await eventually(lambda: not queue.snapshot().bytes)
            assert queue.snapshot().targets["arn:q"].problem is None
        assert queue.snapshot().functions["orders"].reported == 40
        assert queue.books().balanced


@virtual_time.test
async def test_a_report_is_given_up_after_six_hours_and_counted() -> None:
    """Destinations and dead letters apart; then nothing is left of the event."""
    down = {"arn:q", "arn:dlq"}
    async with (
        world_of(answer=lambda *_: FAILED, settings={"orders": BOTH}, down=down) as world,
        world.life() as queue,
    ):
        await failing(queue)
        await anyio.sleep(21_000)
        assert queue.snapshot().functions["orders"].reporting == 1
        await eventually(lambda: not queue.snapshot().bytes, within=2_000)
        books = queue.snapshot().functions["orders"]
        assert (books.destination_failures, books.dead_letter_errors, books.reported) == (1, 1, 0)
        assert books.reporting == 0


@virtual_time.test
async def test_what_a_target_never_takes_is_given_up_at_once() -> None:
    """Trying again would not help."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": BOTH}, refusing={"arn:q"}) as world:
        async with world.life() as queue:
            await failing(queue)
            await eventually(lambda: not queue.snapshot().bytes)
        assert world.tried["arn:q"] == 1
        assert queue.snapshot().functions["orders"].destination_failures == 1
        assert [report.role for report in world.delivered] == [Role.DEAD_LETTER]


@virtual_time.test
async def test_what_has_been_told_is_not_told_again_by_the_next_process() -> None:
    """An end is kept until everybody who is to be told was, and each is told once."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": BOTH}, down={"arn:q"}) as world:
        async with world.life() as queue:
            await failing(queue)
            await eventually(lambda: len(world.delivered) == 1)
            await anyio.sleep(10)
            world.crashed = True
        world.down.clear()
        async with world.life() as queue:
            await eventually(lambda: not queue.snapshot().bytes, within=600)
        assert [report.target for report in world.delivered] == ["arn:dlq", "arn:q"]
        assert len(world.runs) == 1
        assert {report.ended.invoke_count for report in world.delivered} == {1}


@virtual_time.test
async def test_a_delivery_that_hangs_counts_as_failed() -> None:
    """After a minute; then the next one has its turn."""

    class Hanging(AsyncWorld):
        async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
            if self.tried[target_arn] < 1:
                self.tried[target_arn] += 1
                await anyio.sleep_forever()
            await super().deliver(role, target_arn, ended)

    async with world_of() as plain:
        world = Hanging(plain.folder, answer=lambda *_: FAILED, settings={"orders": Settings(0, on_failure="arn:q")})
        async with world.life() as queue:
            await failing(queue)
            await eventually(lambda: bool(world.tried))
            await anyio.sleep(60)
            assert queue.snapshot().targets["arn:q"].problem == "no answer within 60 s"
            await eventually(lambda: bool(world.delivered), within=5)
            assert queue.snapshot().targets["arn:q"].problem is None


@virtual_time.test
async def test_a_delivery_that_cannot_be_written_is_written_once_there_is_room() -> None:
    """The report is not delivered a second time for that."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": Settings(0, on_failure="arn:q")}) as world:
        async with world.life() as queue:
            await failing(queue)
            await eventually(lambda: bool(world.tried), every=0.01)
            world.state.problem = StoreUnwritable("state.db could not be written (disk full)")
            await anyio.sleep(100)
            assert len(world.delivered) == 1
            world.state.problem = None
            await eventually(lambda: not queue.snapshot().bytes)
        assert len(world.delivered) == 1


@virtual_time.test
async def test_a_stop_waits_for_no_target() -> None:
    """The reports are there for the next process."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": BOTH}, down={"arn:q", "arn:dlq"}) as world:
        async with world.life() as queue:
            await failing(queue, 5)
            await anyio.sleep(30)
            asked = world.now
        assert world.now - asked < 1.0
        assert queue.books().figures["reporting"] == 5
        assert queue.books().balanced


@virtual_time.test
async def test_a_report_does_not_wait_behind_one_that_fails_by_itself() -> None:
    """The target takes others, so it is not down."""

    class Picky(AsyncWorld):
        async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
            if ended.event.request_id == "r0":
                raise OSError("not this one")
            await super().deliver(role, target_arn, ended)

    async with world_of() as plain:
        world = Picky(plain.folder, answer=lambda *_: FAILED, settings={"orders": Settings(0, on_failure="arn:q")})
        async with world.life() as queue:
            await failing(queue, 2)
            for number in range(2, 12):
                await anyio.sleep(61)
                told, began = len(world.delivered), anyio.current_time()
                await queue.accept("orders", b"1", request_id=f"r{number}")
                await eventually(lambda told=told: len(world.delivered) > told)  # type: ignore[misc]
                # Its run, and its delivery.
                assert anyio.current_time() - began < 3.0

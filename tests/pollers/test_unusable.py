"""A source that cannot be used is reported as SourceUnusable, with nothing held; when it is mended, it is used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import AccessDenied
from pollers.errors import SourceUnusable
from tests.pollers.function import takes
from tests.pollers.trial import Trial
from tests.pollers.worlds import each_world
from tests.worlds.call_faults import Failing, NoFaults

if TYPE_CHECKING:
    from tests.pollers.world import World


@each_world()
async def test_a_source_that_does_not_exist_is_unusable_until_it_does(world: World) -> None:
    """The error names it, and says what would be right."""
    trial = Trial(world)
    trial.put("event")
    world.remove()
    with pytest.raises(
        SourceUnusable, match=r"does not exist \(in this region and account\); correct event_source_arn or create"
    ) as raised:
        raise await trial.failure()
    assert trial.mapping.event_source_arn in str(raised.value)
    assert not trial.function.calls

    world.restore()
    async with trial.running():
        await trial.finish()


@each_world()
async def test_a_source_is_unusable_when_any_call_that_it_needs_is_denied(world: World) -> None:
    """Whichever it is; nothing is acknowledged that was not accepted, and permission given later is enough."""
    for operation in world.needed:
        fresh = type(world)()
        trial = Trial(fresh)
        trial.put("event")
        fresh.faults = Failing(AccessDenied("AccessDenied", f"no {operation} for you", status=403), operation)
        with pytest.raises(SourceUnusable, match=f"no {operation} for you"):
            raise await trial.failure()

        fresh.faults = NoFaults()
        async with trial.running():
            await trial.finish()


@each_world()
async def test_a_source_that_vanishes_while_it_is_read_ends_the_poller_in_order(world: World) -> None:
    """What runs finishes first, what is held is handed back; when the source is back, so is what was not done."""
    trial = Trial(world, takes(10), batch_size=2, timeout_seconds=20)
    async with anyio.create_task_group() as group:

        async def vanish() -> None:
            await trial.until_invoked()
            await anyio.sleep(1)
            world.remove()

        group.start_soon(vanish)
        trial.put(*(f"event {number}" for number in range(4)))
        failure = await trial.failure()
    assert isinstance(failure, SourceUnusable)
    assert all(call.answer is not None for call in trial.function.calls), "an invocation was abandoned"

    world.restore()
    async with trial.running():
        await trial.finish()


@each_world()
async def test_a_fault_of_ours_ends_the_poller_loudly_and_loses_nothing(world: World) -> None:
    """Not as an unusable source. Everything that is held is handed back all the same."""
    for operation in world.needed:
        fresh = type(world)()
        trial = Trial(fresh, batch_size=2)
        trial.put(*(f"event {number}" for number in range(5)))
        fresh.faults = Failing(ZeroDivisionError("a fault"), operation, times=1)
        failure = await trial.failure()
        assert isinstance(failure, ZeroDivisionError)

        async with trial.running():
            await trial.finish()


@each_world()
async def test_a_function_that_raises_ends_the_poller_loudly_and_loses_nothing(world: World) -> None:
    """Functions promise not to; should one, its batch is handed back."""

    async def raises(call: object) -> object:
        await anyio.sleep(0.01)
        raise LookupError("a fault of the runner")

    trial = Trial(world, raises)  # type: ignore[arg-type] # that is the point
    trial.put("event")
    assert isinstance(await trial.failure(), LookupError)
    assert world.left() == {"event"}

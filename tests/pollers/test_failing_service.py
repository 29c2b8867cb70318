"""A service that fails now and then, in every way that it can: all events are done in the end, and the books balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import (
    AccessDenied,
    AwsError,
    CredentialsExpired,
    IteratorExpired,
    NotFound,
    Refused,
    ResourceInUse,
    Throttled,
    Trimmed,
    Unavailable,
)
from pollers.telemetry.facts import Deleted, DeleteRetried
from tests.pollers.trial import Trial
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time
from tests.worlds.call_faults import EveryNth, Failing, NoFaults

if TYPE_CHECKING:
    from tests.pollers.world import World

PASSING = (Throttled, Unavailable, CredentialsExpired, IteratorExpired, ResourceInUse)
HOPELESS = (AccessDenied, NotFound, Refused)


def trial_of(world: World) -> Trial:
    """A trial with a few events of several keys."""
    trial = Trial(world, batch_size=3)
    for number in range(12):
        trial.put(f"event {number}", key=f"key {number % 4}")
    return trial


@pytest.mark.parametrize("error", [*PASSING, Trimmed], ids=lambda error: error.__name__)
@pytest.mark.parametrize("every", [2, 3])
@each_world()
async def test_every_nth_call_may_fail(world: World, error: type[AwsError], every: int) -> None:
    """Each operation's first call is among them."""
    world.faults = faults = EveryNth(lambda: error("Now", "and then"), every)
    trial = trial_of(world)
    async with trial.supervised():
        await trial.finish()
    assert faults.failed >= 3


@pytest.mark.parametrize("error", HOPELESS, ids=lambda error: error.__name__)
@each_world()
async def test_every_nth_call_may_fail_as_if_there_were_no_hope(world: World, error: type[AwsError]) -> None:
    """The supervisor starts the mapping again and again, and it gets on."""
    world.faults = faults = EveryNth(lambda: error("Never", "they said"), 4)
    trial = trial_of(world)
    async with trial.supervised():
        await trial.finish()
    assert faults.failed >= 1


@pytest.mark.parametrize("every", [2, 3])
@each_world()
async def test_every_nth_reply_may_be_lost(world: World, every: int) -> None:
    """The call had its effect, and nobody was told."""
    world.faults = faults = EveryNth(lambda: Unavailable("ConnectionClosed", "after it was applied"), every, lost=True)
    trial = trial_of(world)
    async with trial.supervised():
        await trial.finish()
    assert faults.failed >= 1


@each_world()
async def test_an_outage_of_any_call_is_waited_out(world: World) -> None:
    """Of five minutes; then the rest is done soon."""
    for operation in world.needed:
        fresh = type(world)()
        trial = trial_of(fresh)
        async with trial.supervised():
            fresh.faults = Failing(Unavailable("ServiceUnavailable", "sorry", status=503), operation)
            await anyio.sleep(300)
            fresh.faults = NoFaults()
            await virtual_time.eventually(lambda trial=trial: trial.all_done, within=120)  # type: ignore[misc]


@pytest.mark.parametrize("share", [0.3, 0.8])
@each_world(lambda features: features.batch_calls)
async def test_entries_of_batch_calls_may_fail(world: World, share: float) -> None:
    """They are tried again until each is confirmed, and none is counted as deleted twice.

    Where most fail, a message may be seen again before anybody could extend or delete it.
    """
    world.fail_entries(share)  # type: ignore[attr-defined] # of worlds that have the feature
    trial = trial_of(world)
    async with trial.running():
        await trial.finish()
    assert trial.of(DeleteRetried)
    assert len(trial.accepted) == 12 or share > 0.5
    assert sum(len(fact.ids) for fact in trial.of(Deleted)) == 12

"""Clocks that are wrong or are set while we run: the service's decides, and nothing is given up on, begun or closed by ours."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from handlers.function import Payload, Result
from pollers.telemetry.facts import DiscardCondition, Discarded, Invoking
from tests.worlds import virtual_time
from tests.worlds.stream_rig import Rig, eventually, failing_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]
SKEWS = [-86_400.0, -3_600.0, -120.0, 120.0, 3_600.0, 86_400.0]
TOLD = pytest.mark.parametrize("dates", [True, False], ids=["dates", "no dates"])


@TOLD
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_clock_discards_nothing_before_it_ran(kind: Kind, skew: float, *, dates: bool) -> None:
    """Fresh records are younger than their maximum age, whatever this machine's clock says."""

    async def main() -> None:
        rig = Rig(kind, maximum_record_age_in_seconds=60, destination=True)
        rig.stream.dates = dates
        rig.clock.skew = skew
        async with rig.running():
            for value in range(20):
                rig.put(str(value))
                await anyio.sleep(3)
            await eventually(lambda: len(rig.accepted) == 20)
        assert rig.of(Discarded) == []

    virtual_time.run(main)


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_records_that_are_too_old_by_the_services_clock_are_discarded(kind: Kind, skew: float) -> None:
    """Before their first invocation too, as Lambda does it; fresh ones of the same batch go on."""

    async def main() -> None:
        rig = Rig(kind, maximum_record_age_in_seconds=60, destination=True)
        rig.clock.skew = skew
        rig.put("old", "old too")
        await anyio.sleep(100)
        rig.put("fresh")
        async with rig.running():
            await eventually(lambda: rig.accepted == ["fresh"])
        [discarded] = rig.of(Discarded)
        assert (len(discarded.ids), discarded.condition) == (2, DiscardCondition.RECORD_AGE_EXCEEDED)
        assert rig.invoked == [["fresh"]]

    virtual_time.run(main)


@TOLD
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_while_a_batch_is_retried_does_not_matter(kind: Kind, skew: float, *, dates: bool) -> None:
    """It is given up on when it has become too old, a second or two later at most, and not before."""

    async def main() -> None:
        rig = Rig(kind, maximum_record_age_in_seconds=120, destination=True)
        rig.stream.dates = dates
        rig.function.handler = failing_on("bad")
        async with rig.running():
            await anyio.sleep(10.5)
            rig.put("bad")
            written = anyio.current_time()
            await anyio.sleep(30)
            rig.clock.skew = skew
            await anyio.sleep(80)
            assert rig.of(Discarded) == []
            await eventually(lambda: rig.of(Discarded) != [], within=30)
            assert 120 <= anyio.current_time() - written <= 123
        assert len(rig.invoked) >= 8

    virtual_time.run(main)


@virtual_time.test
async def test_without_dates_nothing_is_discarded_before_it_ran() -> None:
    """Nothing says how old it is, but for how long we have had it."""
    rig = Rig(maximum_record_age_in_seconds=60)
    rig.stream.dates = False
    rig.put("1")
    await anyio.sleep(1_000)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    assert rig.of(Discarded) == []


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_latest_misses_nothing_by_a_wrong_clock(kind: Kind, skew: float) -> None:
    """What is written after the start is read, also when a crash comes before anything was read; what is older is not."""

    async def main() -> None:
        rig = Rig(kind, starting_position="LATEST")
        rig.clock.skew = skew
        rig.put("before")
        await anyio.sleep(10)
        async with rig.crashing():
            await anyio.sleep(1)
        rig.put("1")
        await anyio.sleep(5)
        async with rig.running():
            rig.put("2")
            await eventually(lambda: rig.accepted == ["1", "2"])

    virtual_time.run(main)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_window_is_open_for_as_long_as_the_service_says(skew: float) -> None:
    """A clock that is set must not close it early and split its state, nor keep it open."""

    async def main() -> None:
        rig = Rig(tumbling_window_in_seconds=30)

        async def handler(event: object) -> Result:
            return Payload(b'{"state": {}}')

        rig.function.handler = handler
        async with rig.running():
            await anyio.sleep(5)
            rig.put("1")
            await anyio.sleep(5)
            rig.clock.skew = skew
            await eventually(lambda: len(rig.function.events) == 2, within=400)
        [_, closed] = rig.function.began
        assert rig.function.events[1]["isFinalInvokeForWindow"]
        # The window ends with a multiple of 30 s, at most 30 s after the record, and is kept open for two minutes more.
        assert 120 <= closed - rig.function.began[0] <= 153

    virtual_time.run(main)


@virtual_time.test
async def test_ages_and_failure_records_go_by_the_services_clock() -> None:
    """What is told of a record agrees with when it arrived."""
    rig = Rig(maximum_retry_attempts=0, destination=True)
    rig.clock.skew = 7_200
    rig.function.handler = failing_on("bad")
    async with rig.running():
        await anyio.sleep(10)
        rig.put("bad")
        await eventually(lambda: rig.of(Discarded) != [])
    assert rig.destination is not None
    [failure] = rig.destination.failures
    assert failure.first_arrival is not None
    assert -2 <= failure.timestamp - failure.first_arrival <= 2
    [invoking] = rig.of(Invoking)
    assert invoking.iterator_age_seconds is not None
    assert 0 <= invoking.iterator_age_seconds <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_record_is_younger_than_new(kind: Kind) -> None:
    """The service's clock is known to a second at best, and console and metrics show no negative ages."""

    async def main() -> None:
        rig = Rig(kind)
        async with rig.running():
            for value in range(30):
                rig.put(str(value))
                await anyio.sleep(0.37)
            await eventually(lambda: len(rig.accepted) == 30)
        ages = [invoking.iterator_age_seconds for invoking in rig.of(Invoking)]
        assert all(age is not None and age >= 0 for age in ages), ages

    virtual_time.run(main)


@virtual_time.test
async def test_a_clock_that_is_not_the_services_is_said_at_the_start() -> None:
    """Somebody should set it: beyond five minutes AWS refuses signatures."""
    rig = Rig(starting_position="LATEST")
    rig.clock.skew = 500
    async with rig.running():
        await anyio.sleep(1)
        [said] = [entry for entry in rig.log if "this machine's clock" in entry["event"]]
        assert 499 <= said["ahead_seconds"] <= 502

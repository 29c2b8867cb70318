"""Permits: never too many, none lost, fairly handed out."""

from __future__ import annotations

import random

import anyio
import pytest

from pollers.engine.permits import Permits, Share
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


async def _wait(share: Share, order: list[str], name: str, *, urgent: bool = False) -> None:
    await share.acquire(urgent=urgent)
    order.append(name)


def test_a_claim_takes_what_is_free_and_no_more() -> None:
    """The function's concurrency bounds all its mappings together, the mapping's own limit each."""
    permits = Permits(3)
    one, two = permits.claim(2), permits.claim()

    assert (one.limit, two.limit) == (2, 3)
    assert [one.try_acquire() for _ in range(3)] == [True, True, False]
    assert [two.try_acquire() for _ in range(2)] == [True, False]
    assert (one.held, two.held, permits.held) == (2, 1, 3)


def test_what_is_available_is_what_could_be_taken_now() -> None:
    """The least of what the function has free and what the mapping may still have."""
    permits = Permits(4)
    one, two = permits.claim(2), permits.claim()

    assert (one.available, two.available) == (2, 4)
    for _ in range(3):
        assert two.try_acquire()
    assert (one.available, two.available) == (1, 1)
    assert one.try_acquire()
    assert (one.available, two.available) == (0, 0)


def test_a_permit_that_is_not_held_cannot_be_given_back() -> None:
    """Counting drifts nowhere unseen."""
    permits = Permits(1)

    with pytest.raises(RuntimeError, match="not held"):
        permits.claim().release()


@virtual_time.test
async def test_waiting_mappings_are_served_the_one_with_the_fewest_first() -> None:
    """Two that always want more end up with equal shares."""
    permits = Permits(4)
    one, two = permits.claim(), permits.claim()
    order: list[str] = []
    for _ in range(4):
        assert one.try_acquire()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(_wait, one, order, "one")
        for _ in range(2):
            group.start_soon(_wait, two, order, "two")
        await settle()
        assert one.contended
        for _ in range(4):
            one.release()
        await settle()

    assert (one.held, two.held) == (2, 2)
    assert order[:2] == ["two", "two"]


@virtual_time.test
async def test_urgent_goes_first() -> None:
    """Whoever holds messages already goes before those who would receive some."""
    permits = Permits(1)
    one, two = permits.claim(), permits.claim()
    order: list[str] = []
    assert one.try_acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, two, order, "patient")
        await settle()
        group.start_soon(lambda: _wait(one, order, "urgent", urgent=True))
        await settle()
        one.release()
        await settle()
        one.release()

    assert order == ["urgent", "patient"]


@virtual_time.test
async def test_urgency_starves_nobody() -> None:
    """After being passed over some times, the patient one has its turn."""
    permits = Permits(1)
    busy, patient = permits.claim(), permits.claim()
    order: list[str] = []
    assert busy.try_acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, patient, order, "patient")
        for _ in range(20):
            group.start_soon(lambda: _wait(busy, order, "urgent", urgent=True))
        await settle()
        for _ in range(21):
            (busy if busy.held else patient).release()
            await settle()

    assert order.index("patient") == Permits.PATIENCE


@virtual_time.test
async def test_a_cancelled_wait_takes_no_permit_with_it() -> None:
    """Neither before it was granted nor at that very moment."""
    permits = Permits(1)
    one, two = permits.claim(), permits.claim()
    assert one.try_acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(two.acquire)
        await settle()
        group.cancel_scope.cancel()
    assert not one.contended

    order: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, two, order, "granted")
        await settle()
        one.release()
        group.cancel_scope.cancel()

    assert permits.held == two.held == len(order)


@virtual_time.test
async def test_a_mapping_at_its_own_limit_does_not_block_the_others() -> None:
    """Free permits go to who can use them."""
    permits = Permits(3)
    one, two = permits.claim(1), permits.claim()
    assert one.try_acquire()
    order: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, one, order, "one")
        await settle()
        assert two.try_acquire()
        assert not two.contended
        one.release()
        await settle()

    assert order == ["one"]


@virtual_time.test
async def test_a_mapping_that_leaves_gives_everything_back() -> None:
    """Also when it died with permits in hand."""
    permits = Permits(2)
    one, two = permits.claim(), permits.claim()
    assert one.try_acquire()
    assert one.try_acquire()
    order: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, two, order, "two")
        await settle()
        one.close()
        one.close()
        await settle()

    assert order == ["two"]
    assert permits.held == 1


@virtual_time.test
async def test_fewer_permits_take_none_from_who_holds_it_and_grant_none_until_enough_have_come_back() -> None:
    """What runs goes on; the next begins when less than the new number runs."""
    permits = Permits(3)
    share, order = permits.claim(), list[str]()
    for _ in range(3):
        assert share.try_acquire()
    permits.resize(1)
    assert (share.held, share.limit, share.available) == (3, 1, 0)
    assert not share.try_acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(_wait, share, order, "next")
        for running in (2, 1):
            share.release()
            await settle()
            assert (share.held, order) == (running, [])
        share.release()
        await settle()

    assert (share.held, order) == (1, ["next"])


@virtual_time.test
async def test_no_permits_at_all_let_everybody_wait_and_more_of_them_wake_as_many() -> None:
    """A reserved concurrency of 0 begins nothing; one that is raised is used at once."""
    permits = Permits(2)
    share, order = permits.claim(), list[str]()
    permits.resize(0)
    async with anyio.create_task_group() as group:
        for name in ("one", "two", "three"):
            group.start_soon(_wait, share, order, name)
        await settle()
        assert order == []
        permits.resize(2)
        await settle()
        assert order == ["one", "two"]
        permits.resize(3)

    assert order == ["one", "two", "three"]


def test_there_are_never_fewer_permits_than_none() -> None:
    """A negative number would be a mistake of who asks."""
    with pytest.raises(ValueError, match="-1 permits"):
        Permits(1).resize(-1)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_no_permit_is_lost_or_made(seed: int) -> None:
    """Random acquiring, cancelling and releasing: bounds hold, everybody is served in the end, all come back."""

    async def story() -> None:
        draw = random.Random(seed)
        permits = Permits(draw.randint(1, 4))
        claims = [permits.claim(draw.choice([None, 1, 2])) for _ in range(draw.randint(1, 4))]
        served = [0] * len(claims)

        async def mapping(number: int) -> None:
            claim = claims[number]
            for _ in range(15):
                with anyio.move_on_after(draw.choice([0.0, 0.5, 1_000])):
                    await claim.acquire(urgent=draw.random() < 0.3)
                    try:
                        served[number] += 1
                        assert permits.held <= permits.concurrency
                        assert claim.held <= claim.limit
                        await anyio.sleep(draw.choice([0.0, 0.3, 1.0]))
                    finally:
                        claim.release()

        async with anyio.create_task_group() as group:
            for number in range(len(claims)):
                for _ in range(draw.randint(1, 3)):
                    group.start_soon(mapping, number)
        assert permits.held == 0
        assert all(served)

    virtual_time.run(story)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_while_the_number_of_permits_changes_none_is_lost_or_made(seed: int) -> None:
    """Random resizing beside acquiring, cancelling and releasing: no grant exceeds the number of the moment, no free permit is
    kept from who waits, everybody is served in the end, all come back.
    """

    async def story() -> None:
        draw = random.Random(seed)
        permits = Permits(2)
        claims = [permits.claim(draw.choice([None, 1, 2])) for _ in range(draw.randint(1, 4))]
        served = [0] * len(claims)
        waiting = [0] * len(claims)

        def idle_though_awaited() -> bool:
            free = permits.concurrency - permits.held
            return free > 0 and any(
                count and claim.held < claim.limit for count, claim in zip(waiting, claims, strict=True)
            )

        async def mapping(number: int) -> None:
            claim = claims[number]
            for _ in range(15):
                waiting[number] += 1
                try:
                    with anyio.move_on_after(draw.choice([0.0, 0.5, 1_000])) as scope:
                        await claim.acquire(urgent=draw.random() < 0.3)
                finally:
                    waiting[number] -= 1
                if scope.cancelled_caught:
                    continue
                served[number] += 1
                try:
                    await anyio.sleep(draw.choice([0.0, 0.3, 1.0]))
                finally:
                    claim.release()

        async def resizing() -> None:
            for _ in range(20):
                await anyio.sleep(draw.choice([0.1, 0.7]))
                held = permits.held
                permits.resize(draw.randint(0, 4))
                assert permits.held <= max(held, permits.concurrency)
                await settle()
                assert not idle_though_awaited()
            permits.resize(3)

        async with anyio.create_task_group() as group:
            group.start_soon(resizing)
            for number in range(len(claims)):
                for _ in range(draw.randint(1, 3)):
                    group.start_soon(mapping, number)
        assert permits.held == 0
        assert all(served)

    virtual_time.run(story)

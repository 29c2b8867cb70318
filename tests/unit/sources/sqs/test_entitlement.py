"""Permits of one mapping: reserved, lent, in use."""

from __future__ import annotations

import anyio
import pytest

from pollers.engine.permits import Permits
from pollers.sources.sqs.context import WakeUp
from pollers.sources.sqs.entitlement import Entitlement
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


def make(permits: Permits) -> Entitlement:
    return Entitlement(permits.claim(), WakeUp())


def obtainable(entitlement: Entitlement) -> int:
    return entitlement.obtainable(entitlement.allowed)


def test_a_reserved_permit_becomes_an_invocation_and_comes_back() -> None:
    """Reserved for the receive, in use by the batch, given back at its end."""
    permits = Permits(2)
    entitlement = make(permits)

    entitlement.reserve(1)
    assert entitlement.start()
    assert (entitlement.reserved, entitlement.running, permits.held) == (0, 1, 1)
    entitlement.finish()

    assert (entitlement.running, permits.held) == (0, 0)


def test_a_lent_permit_is_free_for_others_and_still_counts_as_ours() -> None:
    """So that a mapping lends one at most, and asks for no more than it may have."""
    permits = Permits(1)
    idle, busy = make(permits), make(permits)
    idle.reserve(1)
    idle.lend()

    assert permits.held == 0
    assert obtainable(idle) == 0
    busy.reserve(1)
    assert busy.start()
    assert not idle.start()
    assert idle.awaited


def test_a_start_ends_the_loan() -> None:
    """The next wait needs a permit again."""
    entitlement = make(Permits(3))
    entitlement.reserve(1)
    entitlement.lend()

    assert entitlement.start()

    assert not entitlement.lent


def test_what_is_not_obtainable_cannot_be_reserved() -> None:
    """The planner asks for what is free; more would be a fault of ours, which must not pass silently."""
    permits = Permits(2)
    entitlement = make(permits)

    with pytest.raises(RuntimeError, match="not obtainable"):
        entitlement.reserve(3)


def test_what_is_not_needed_goes_back() -> None:
    """Nothing is kept for nothing."""
    permits = Permits(5)
    entitlement = make(permits)
    entitlement.reserve(obtainable(entitlement))

    entitlement.keep(2)
    assert (entitlement.reserved, permits.held) == (2, 2)
    entitlement.close()

    assert permits.held == 0


def test_a_failing_function_is_allowed_fewer() -> None:
    """Neither reserved nor started beyond what is allowed."""
    entitlement = make(Permits(4))
    entitlement.reserve(4)
    for _ in range(40):
        entitlement.invocation_failed()

    assert entitlement.start()
    assert not entitlement.start()
    assert obtainable(entitlement) == 0


@virtual_time.test
async def test_a_wanted_permit_comes_into_hand_when_one_is_free() -> None:
    """In turn, or first where messages wait for it; a later urgency overtakes an earlier wait."""
    permits = Permits(1)
    ours, other, holder = make(permits), make(permits), make(permits)
    holder.reserve(1)
    async with anyio.create_task_group() as group:
        for entitlement in (ours, other):
            group.start_soon(entitlement.run)
        other.await_one()
        await settle()
        ours.await_one()
        await settle()
        ours.await_one(urgent=True)
        await settle()
        holder.close()
        await settle()
        assert (ours.reserved, other.reserved) == (1, 0)
        ours.close()
        await settle()
        assert (ours.reserved, other.reserved) == (0, 1)
        group.cancel_scope.cancel()
    other.close()

    assert permits.held == 0


@virtual_time.test
async def test_who_has_lent_a_permit_gets_the_next_one() -> None:
    """Before those that never had one, though they asked earlier: else lending would cost a mapping its turn."""
    permits = Permits(1)
    lender, other, busy = make(permits), make(permits), make(permits)
    lender.reserve(1)
    lender.lend()
    busy.reserve(1)
    assert busy.start()
    async with anyio.create_task_group() as group:
        for entitlement in (lender, other):
            group.start_soon(entitlement.run)
        other.await_one()
        await settle()
        assert not lender.start()
        await settle()
        busy.finish()
        await settle()
        group.cancel_scope.cancel()

    assert (lender.reserved, other.reserved) == (1, 0)


@virtual_time.test
async def test_an_urgent_wish_is_urgent_once() -> None:
    """The next one waits in turn."""
    permits = Permits(1)
    ours, other, holder = make(permits), make(permits), make(permits)
    holder.reserve(1)
    async with anyio.create_task_group() as group:
        for entitlement in (ours, other):
            group.start_soon(entitlement.run)
        ours.await_one(urgent=True)
        await settle()
        holder.close()
        await settle()
        ours.keep(0)
        holder.reserve(1)
        other.await_one()
        await settle()
        ours.await_one()
        await settle()
        holder.close()
        await settle()
        group.cancel_scope.cancel()

    assert (ours.reserved, other.reserved) == (0, 1)


def test_no_permit_is_waited_for_while_all_that_are_allowed_are_ours() -> None:
    """One of our own has to come back first, and that wakes the poller by itself."""
    entitlement = make(Permits(2))
    entitlement.reserve(2)
    assert entitlement.start()

    entitlement.await_one()

    assert not entitlement.awaited


@virtual_time.test
async def test_the_end_of_an_invocation_wakes_the_poller() -> None:
    """Its permit may start the batch that waits."""
    wake_up = WakeUp()
    entitlement = Entitlement(Permits(1).claim(), wake_up)
    assert entitlement.start()

    entitlement.finish()

    with anyio.fail_after(1):
        await wake_up.wait()


def test_permits_of_invocations_that_never_began_go_back_at_the_end() -> None:
    """A task that is cancelled before its first line gives nothing back itself."""
    permits = Permits(2)
    entitlement = make(permits)
    entitlement.reserve(1)
    assert entitlement.start()

    entitlement.close()

    assert (entitlement.running, permits.held) == (0, 0)

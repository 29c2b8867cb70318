"""Permits of one mapping: in hand, lent, spent."""

from __future__ import annotations

import anyio

from pollers.engine.permits import Permits
from pollers.sources.sqs.entitlement import Entitlement
from pollers.sources.sqs.scaling import Concurrency
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


def make(permits: Permits, concurrency: Concurrency | None = None) -> Entitlement:
    return Entitlement(permits.claim(), concurrency or Concurrency(), lambda: None)


def test_a_permit_in_hand_becomes_an_invocation_and_comes_back() -> None:
    """Taken for the receive, spent on the batch, given back at its end."""
    permits = Permits(2)
    entitlement = make(permits)

    assert entitlement.obtain()
    assert entitlement.spend()
    assert (entitlement.in_hand, entitlement.running, permits.held) == (0, 1, 1)
    entitlement.ended()

    assert (entitlement.running, permits.held) == (0, 0)


def test_a_lent_permit_is_free_for_others_and_still_counts_as_ours() -> None:
    """So that a mapping lends one at most, and asks for no more than it may have."""
    permits = Permits(1)
    idle, busy = make(permits), make(permits)
    assert idle.obtain()
    idle.lend()

    assert permits.held == 0
    assert not idle.obtain()
    assert busy.obtain()
    assert busy.spend()
    assert not idle.spend()
    assert idle.waits


def test_spending_uses_up_what_was_lent() -> None:
    """The next wait needs a permit again."""
    entitlement = make(Permits(3))
    assert entitlement.obtain()
    entitlement.lend()

    assert entitlement.spend()

    assert not entitlement.lent


def test_what_is_not_needed_goes_back() -> None:
    """Nothing is kept for nothing."""
    permits = Permits(5)
    entitlement = make(permits)
    while entitlement.obtain():
        pass

    entitlement.keep(2)
    assert (entitlement.in_hand, permits.held) == (2, 2)
    entitlement.close()

    assert permits.held == 0


def test_a_failing_function_is_allowed_fewer() -> None:
    """Neither obtained nor spent beyond what is allowed."""
    concurrency = Concurrency()
    entitlement = make(Permits(4), concurrency)
    for _ in range(4):
        assert entitlement.obtain()
    for _ in range(40):
        concurrency.failed(4)

    assert entitlement.spend()
    assert not entitlement.spend()
    assert not entitlement.obtain()


@virtual_time.test
async def test_a_wanted_permit_comes_into_hand_when_one_is_free() -> None:
    """In turn, or first where messages wait for it; a later urgency overtakes an earlier wait."""
    permits = Permits(1)
    ours, other, holder = make(permits), make(permits), make(permits)
    assert holder.obtain()
    async with anyio.create_task_group() as group:
        for entitlement in (ours, other):
            group.start_soon(entitlement.run)
        other.want()
        await settle()
        ours.want()
        await settle()
        ours.want(urgent=True)
        await settle()
        holder.close()
        await settle()
        assert (ours.in_hand, other.in_hand) == (1, 0)
        ours.close()
        await settle()
        assert (ours.in_hand, other.in_hand) == (0, 1)
        group.cancel_scope.cancel()
    other.close()

    assert permits.held == 0

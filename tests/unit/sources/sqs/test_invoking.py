"""One batch and its invocations: retries of the whole batch, the permit, and what a stop leaves of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from handlers.function import InfrastructureError, Throttle
from pollers.telemetry.facts import Doing, Invoked, Invoking, Outcome, Returned, State
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.sqs_world import FAILED, OK, Call, failures, takes
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.sources.sqs.message import Held


def in_turn(*results: Result) -> object:
    """A function that answers these, one after the other, and then accepts."""
    left = list(results)

    async def behaviour(_: Call) -> Result:
        await anyio.sleep(0.01)
        return left.pop(0) if left else OK

    return behaviour


async def started(rig: Rig, messages: int = 2) -> list[Held]:
    """A batch with a permit, as the starter hands it over."""
    await rig.receive(messages)
    assert rig.entitlement.start()
    return rig.take()


def outcomes(rig: Rig) -> list[Outcome]:
    return [fact.outcome for fact in rig.of_kind(Invoked)]


@virtual_time.test
async def test_a_batch_that_succeeds_is_deleted() -> None:
    """And the facts say what it was."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        batch = await started(rig)
        await rig.invoker.run(batch)
        await anyio.sleep(1)

    assert not rig.queue.messages
    assert outcomes(rig) == [Outcome.SUCCESS]
    assert rig.of_kind(Invoking)[0].ids == [message.id for message in batch]
    assert rig.permits.held == 0


@virtual_time.test
async def test_the_permit_goes_back_before_deletes_and_returns() -> None:
    """They need none: the next batch may begin meanwhile."""
    async with Rig(behaviour=takes(1, FAILED), visibility={"retry_delay": 3}).running() as rig:
        batch = await started(rig)
        rig.api.answers.append(5.0)
        rig.spawn(rig.invoker.run, batch)
        await anyio.sleep(0.5)
        assert (rig.entitlement.running, rig.permits.held) == (1, 1)
        await anyio.sleep(1)
        assert (rig.entitlement.running, rig.permits.held) == (0, 0)
        assert len(rig.held) == 2


@pytest.mark.parametrize("result", [Throttle("busy"), InfrastructureError("gone")], ids=lambda one: type(one).__name__)
@virtual_time.test
async def test_a_batch_that_could_not_be_run_is_invoked_again(result: Result) -> None:
    """The same batch, with growing pauses, each attempt with its number; and the pause is told."""
    async with Rig(behaviour=in_turn(result, result)).running() as rig:  # type: ignore[arg-type]
        rig.spawn(rig.deletes.run)
        batch = await started(rig)
        await rig.invoker.run(batch)
        await anyio.sleep(1)

    assert [fact.attempt for fact in rig.of_kind(Invoking)] == [1, 2, 3]
    assert outcomes(rig)[-1] is Outcome.SUCCESS
    assert not rig.queue.messages
    states = [fact.state for fact in rig.of_kind(Doing)]
    assert states == [State.RETRYING, State.ENDED] * 2


@virtual_time.test
async def test_a_throttle_says_when_to_come_back() -> None:
    """No earlier than that."""
    async with Rig(behaviour=in_turn(Throttle("busy", 9.0))).running() as rig:  # type: ignore[arg-type]
        await rig.invoker.run(await started(rig))

    first, second = rig.function.calls
    assert second.started_at - first.started_at >= 9


@virtual_time.test
async def test_it_is_given_up_when_its_visibility_timeout_would_have_run_out() -> None:
    """The messages come back by then, as on Lambda, and have had one receive."""
    async with Rig(behaviour=takes(0.1, Throttle("busy"))).running() as rig:
        batch = await started(rig)
        began = anyio.current_time()
        await rig.invoker.run(batch)

        assert anyio.current_time() - began < 30
        assert rig.visible_in(batch[0]) == pytest.approx(began + 30 - anyio.current_time())
    assert [fact.reason for fact in rig.of_kind(Returned)] == ["busy"]


@virtual_time.test
async def test_the_oldest_message_of_a_batch_decides_when_it_is_given_up() -> None:
    """After that another may have it."""
    async with Rig(behaviour=takes(0.1, Throttle("busy"))).running() as rig:
        batch = await started(rig)
        batch[0].received_at -= 20
        began = anyio.current_time()
        await rig.invoker.run(batch)

        assert anyio.current_time() - began < 10


@virtual_time.test
async def test_a_stop_ends_the_pause_between_attempts() -> None:
    """The batch goes back at once: another process may run it."""
    async with Rig(behaviour=takes(0.1, Throttle("busy", 20.0))).running() as rig:
        batch = await started(rig)
        rig.spawn(rig.invoker.run, batch)
        await anyio.sleep(3)
        rig.stop.request()
        await settle()

        assert [rig.visible_in(message) for message in batch] == [0, 0]
    assert len(rig.function.calls) == 1


@virtual_time.test
async def test_a_stop_lets_a_running_invocation_finish() -> None:
    """Only the second step cuts it."""
    async with Rig(behaviour=takes(5)).running() as rig:
        rig.spawn(rig.deletes.run)
        rig.spawn(rig.invoker.run, await started(rig))
        await anyio.sleep(1)
        rig.stop.request()
        await anyio.sleep(5)

    assert outcomes(rig) == [Outcome.SUCCESS]


@virtual_time.test
async def test_a_hurried_stop_cuts_the_invocation_and_hands_its_messages_back() -> None:
    """They are seen at once, and the permit is free."""
    async with Rig(behaviour=takes(5)).running() as rig:
        batch = await started(rig)
        rig.spawn(rig.invoker.run, batch)
        await anyio.sleep(1)
        rig.stop.hurry()
        await settle()

        assert [rig.visible_in(message) for message in batch] == [0, 0]
    assert outcomes(rig) == [Outcome.ABANDONED]
    assert [fact.reason for fact in rig.of_kind(Returned)] == ["the invocation was stopped"]
    assert rig.permits.held == 0


@virtual_time.test
async def test_after_a_hurried_stop_no_invocation_begins() -> None:
    """A batch whose task starts too late is only handed back."""
    async with Rig().running() as rig:
        batch = await started(rig)
        rig.stop.hurry()
        await rig.invoker.run(batch)

        assert [rig.visible_in(message) for message in batch] == [0, 0]
    assert not rig.function.calls
    assert not rig.of_kind(Invoking)


@virtual_time.test
async def test_only_the_messages_that_the_function_reports_go_back() -> None:
    """The others are deleted."""
    async with Rig(function_response_types=["ReportBatchItemFailures"]).running() as rig:
        rig.spawn(rig.deletes.run)
        good, bad = batch = await started(rig)

        async def report(_: Call) -> Result:
            return failures(bad.id)

        rig.function.behaviour = report
        await rig.invoker.run(batch)
        await anyio.sleep(1)

    assert list(rig.queue.messages) == [bad.id]
    assert good.id not in rig.queue.messages
    assert outcomes(rig) == [Outcome.PARTIAL]


@pytest.mark.parametrize(
    ("result", "settings", "allowed"),
    [
        (FAILED, {}, 4),
        (FAILED, {"function_response_types": ["ReportBatchItemFailures"]}, 5),
        (Throttle("busy", 60.0), {"function_response_types": ["ReportBatchItemFailures"]}, 4),
        (OK, {}, 5),
    ],
    ids=["it fails", "it fails and reports", "it is throttled", "it succeeds"],
)
@virtual_time.test
async def test_a_function_that_fails_is_invoked_fewer_times_at_once(
    result: Result, settings: dict[str, Any], allowed: int
) -> None:
    """Unless it reports its failures: then each message is its own business (docs/lambda 2.5)."""
    async with Rig(behaviour=takes(0.01, result), **settings).running() as rig:
        await rig.invoker.run(await started(rig))

    assert rig.entitlement.allowed == allowed


@virtual_time.test
async def test_how_long_an_invocation_takes_decides_what_is_read_ahead() -> None:
    """An invocation of half a second starts twice within one."""
    async with Rig(behaviour=takes(0.5)).running() as rig:
        await rig.invoker.run(await started(rig))

    assert rig.context.observed.pace.ahead(1, 1) == 2


@virtual_time.test
async def test_a_fault_of_ours_hands_the_batch_back_and_is_raised() -> None:
    """The poller stops because of it; the batch does not wait for that."""

    async def broken(_: Call) -> Result:
        raise ZeroDivisionError

    async with Rig(behaviour=broken).running() as rig:
        batch = await started(rig)
        with pytest.raises(ZeroDivisionError):
            await rig.invoker.run(batch)

        assert [rig.visible_in(message) for message in batch] == [0, 0]
    assert rig.permits.held == 0

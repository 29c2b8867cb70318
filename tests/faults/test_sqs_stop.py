"""Stops, hurried and not, and deaths of the SQS poller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import AccessDenied, NotFound, Unavailable
from pollers.errors import SourceUnusable
from pollers.sources.sqs.visibility import BRIEF_SECONDS
from pollers.telemetry.facts import Deleted, DeleteRetried, Invoked, Outcome, Returned
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.sqs_world import OK, Call, World, takes
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handlers.function import Result
    from pollers.aws.api import EntryFailed, Wire
    from pollers.sources.sqs.poller import SqsPoller


class Slow(MemorySqs):
    """A receive takes its messages and is then long on its way; other calls may break."""

    def __init__(self, *queues: Queue) -> None:
        super().__init__(*queues)
        self.reply_takes = 0.0
        self.receives_in_flight = 0
        self.opening_takes = 0.0
        self.broken_receive: Exception | None = None
        self.broken_delete: Exception | None = None
        self.broken_change: Exception | None = None

    async def queue_url(self, name: str, owner: str) -> str:
        await anyio.sleep(self.opening_takes)
        return await super().queue_url(name, owner)

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        if self.broken_receive is not None:
            raise self.broken_receive
        self.receives_in_flight += 1
        wires = await super().receive(
            url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
        )
        await anyio.sleep(self.reply_takes)
        self.receives_in_flight -= 1
        return wires

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        if self.broken_delete is not None:
            raise self.broken_delete
        return await super().delete(url, handles)

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        if self.broken_change is not None:
            raise self.broken_change
        return await super().change_visibility(url, entries)


async def ends(poller: SqsPoller, world: World, damage: Callable[[], None]) -> Exception | None:
    """Run the poller, do some damage when the function is first called, and tell how the run ended."""
    problem: Exception | None = None

    async def break_later() -> None:
        await eventually(lambda: bool(world.function.calls))
        damage()

    async with anyio.create_task_group() as group:
        group.start_soon(break_later)
        try:
            await poller.run()
        except Exception as error:
            problem = error
        group.cancel_scope.cancel()
    return problem


def slow_world(**settings: object) -> tuple[World, Slow]:
    queue = Queue("orders")
    api = Slow(queue)
    return World.of(queue=queue, api=api, **settings), api  # type: ignore[arg-type]


@virtual_time.test
async def test_a_receive_in_flight_at_the_stop_is_waited_for_and_handed_back() -> None:
    """One that was just sent is given a moment: its messages are visible again at once, and none of them is run."""
    world, api = slow_world()
    api.reply_takes = 1
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: world.queue.in_flight(anyio.current_time()) == 1)
        assert api.receives_in_flight == 1

    assert not world.function.calls
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "1"
    assert [fact.delay_seconds for fact in world.of_kind(Returned)] == [0]


@virtual_time.test
async def test_an_idle_long_poll_is_cut_at_once() -> None:
    """What was there when it was sent would have come long ago: waiting for it would gain nothing."""
    world = World.of()
    async with world.polling():
        await anyio.sleep(5)
        began = anyio.current_time()

    assert anyio.current_time() - began < 0.1


@virtual_time.test
async def test_what_a_cut_receive_has_hidden_comes_back_soon() -> None:
    """The service handed a message to a reply that is never read: the next poller gets it in seconds, not in 12 hours."""
    queue = Queue("orders", visibility_seconds=43_200)
    api = Slow(queue)
    world = World.of(queue=queue, api=api)
    api.reply_takes = 1_000
    async with world.polling():
        await anyio.sleep(3)
        queue.put("order")
        await anyio.sleep(1)
        began = anyio.current_time()
    assert anyio.current_time() - began <= 1.6
    assert queue.in_flight(anyio.current_time()) == 1

    api.reply_takes = 0
    async with world.polling():
        await eventually(lambda: not queue.messages)

    assert anyio.current_time() - began <= BRIEF_SECONDS + 1.6
    assert world.handled == ["order"]


@virtual_time.test
async def test_a_receive_in_flight_is_waited_for_while_invocations_run() -> None:
    """Nothing is gained by cutting it then, so what it brings goes back at once and not when its visibility runs out."""
    world, api = slow_world(behaviour=takes(30))
    world.queue.put("first")
    async with world.polling():
        await eventually(lambda: bool(world.function.calls))
        api.reply_takes = 8
        await eventually(lambda: api.receives_in_flight == 1)
        world.queue.put("second")
        await eventually(lambda: world.queue.in_flight(anyio.current_time()) == 2)

    assert world.handled == ["first"]
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "1"


@virtual_time.test
async def test_a_hurried_stop_cuts_receives_at_once() -> None:
    """However young."""
    world, api = slow_world(concurrency=1)
    api.reply_takes = 100
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: api.receives_in_flight == 1)
        began = anyio.current_time()
        world.stop.hurry()

    assert anyio.current_time() - began < 0.1


@virtual_time.test
async def test_a_stop_does_not_wait_for_a_service_that_does_not_answer_at_the_start() -> None:
    """Nothing is held yet, so the question is given up."""
    world, api = slow_world()
    api.opening_takes = 30
    async with world.polling():
        await anyio.sleep(1)
        began = anyio.current_time()
        world.stop.request()

    assert anyio.current_time() - began < 1


@virtual_time.test
async def test_a_stop_waits_for_running_invocations_and_deletes_their_messages() -> None:
    """Heartbeats go on meanwhile, so that a long one still owns its messages at the end."""
    world = World.of(behaviour=takes(100))
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: bool(world.function.calls))

    assert not world.queue.messages
    assert world.ledger.deleted == 1
    assert world.ledger.extended >= 5


@virtual_time.test
async def test_a_hurried_stop_cancels_invocations_and_hands_their_messages_back() -> None:
    """They are visible again at once."""
    world = World.of(behaviour=takes(1_000))
    world.queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: bool(world.function.calls))
        began = anyio.current_time()
        world.stop.hurry()

    assert anyio.current_time() - began <= 2
    assert [fact.outcome for fact in world.of_kind(Invoked)] == [Outcome.ABANDONED]
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "1"


@pytest.mark.parametrize("after", [0.0, 0.001, 0.0099, 0.01, 0.0101, 0.02, 1.0])
@virtual_time.test
async def test_a_second_signal_at_any_moment_of_the_stop_changes_nothing_but_its_length(after: float) -> None:
    """No deadlock, nothing counted twice, permits all back."""
    world = World.of(batch_size=2)
    for number in range(20):
        world.queue.put(str(number))
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: bool(world.function.calls), every=0.001)
        world.stop.request()
        await anyio.sleep(after)
        world.stop.hurry()
        world.stop.hurry()

    assert len(world.queue.messages) + world.ledger.deleted == 20


@pytest.mark.parametrize("error", [NotFound("NonExistentQueue"), AccessDenied("AccessDenied")], ids=["gone", "denied"])
@virtual_time.test
async def test_an_unusable_queue_ends_the_run_after_all_is_settled(error: Exception) -> None:
    """Running invocations finish and are acknowledged; then it is reported as unusable."""
    world, api = slow_world(behaviour=takes(10), concurrency=2)
    world.queue.put("order")
    poller = world.make_poller(long_poll_seconds=1)

    problem = await ends(poller, world, lambda: setattr(api, "broken_receive", error))

    assert isinstance(problem, SourceUnusable)
    assert "orders" in str(problem)
    assert not world.queue.messages
    world.check_books()


@virtual_time.test
async def test_a_denied_delete_stops_the_mapping_and_counts_nothing_as_deleted() -> None:
    """Without sqs:DeleteMessage every message would run again and again: it must not go unnoticed."""
    world, api = slow_world()
    api.broken_delete = AccessDenied("AccessDenied", "sqs:DeleteMessage")
    for number in range(3):
        world.queue.put(str(number))

    with pytest.raises(SourceUnusable, match="DeleteMessage"):
        await world.make_poller(long_poll_seconds=1).run()

    assert not world.of_kind(Deleted)
    world.check_books()


@pytest.mark.parametrize("call", ["broken_receive", "broken_delete", "broken_change"])
@virtual_time.test
async def test_any_task_that_dies_stops_the_poller_loudly(call: str) -> None:
    """A fault of ours escapes from run after everything held has been handed back; nothing hangs."""
    world, api = slow_world(behaviour=takes(20), concurrency=2)
    for number in range(15):
        world.queue.put(str(number))
    poller = world.make_poller(long_poll_seconds=1)

    problem = await ends(poller, world, lambda: setattr(api, call, ZeroDivisionError("a fault")))

    assert isinstance(problem, ZeroDivisionError)
    world.check_books()


@virtual_time.test
async def test_a_function_that_breaks_its_contract_stops_the_poller_and_loses_nothing() -> None:
    """Should an invocation raise, its batch goes back like all others."""

    async def raises(call: Call) -> Result:
        raise LookupError("a fault of the runner")

    world = World.of(behaviour=raises)
    world.queue.put("order")

    with pytest.raises(LookupError):
        await world.make_poller(long_poll_seconds=1).run()

    world.check_books()
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "1"


@virtual_time.test
async def test_deletes_are_flushed_at_the_stop_with_bounded_tries() -> None:
    """An outage at the end does not keep the process for ever; what could not be deleted is counted as expired."""
    world, api = slow_world(behaviour=takes(1))
    world.queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: bool(world.function.calls))
        api.broken_delete = Unavailable("ServiceUnavailable", "down")
        await anyio.sleep(3)
        began = anyio.current_time()

    assert anyio.current_time() - began < 30
    assert world.ledger.expired == 1
    assert world.ledger.deleted == 0


@virtual_time.test
async def test_a_crash_acknowledges_nothing() -> None:
    """When run is cancelled the function is stopped, permits are back, and every message comes again by itself."""
    world = World.of(behaviour=takes(10))
    for number in range(5):
        world.queue.put(str(number))
    poller = world.make_poller()
    with anyio.move_on_after(5):
        await poller.run()
    assert not world.function.running
    assert world.permits.held == 0
    assert len(world.queue.messages) == 5
    assert world.queue.in_flight(anyio.current_time()) == 5

    world.function.behaviour = takes(0.1, OK)
    world.ledger = type(world.ledger)()
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert sorted(set(world.handled)) == ["0", "1", "2", "3", "4"]


@virtual_time.test
async def test_a_stop_does_not_wait_for_the_next_try_of_a_delete() -> None:
    """By then it waits for seconds; it is made at once: what is confirmed before the end does not come again."""
    world, api = slow_world()
    api.broken_delete = Unavailable("ServiceUnavailable", "down")
    world.queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: sum(isinstance(fact, DeleteRetried) for fact in world.facts) >= 7)
        api.broken_delete = None
        began = anyio.current_time()
    assert world.ledger.deleted == 1
    assert anyio.current_time() - began <= 1.5

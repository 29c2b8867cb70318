"""Throttles, outages, limits, bad responses: what the SQS poller does when something does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.aws.errors import CredentialsExpired, Throttled, Unavailable
from pollers.telemetry.facts import Doing, Filtered, Invoked, Invoking, Outcome, PollFailed, Returned, State
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue, Redrive
from tests.worlds.sqs_world import FAILED, OK, Call, World, takes
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.aws.api import Wire


class Broken(MemorySqs):
    """Receives fail with ``error`` while there is one."""

    error: Exception | None = None
    attempts: int = 0

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        if self.error is not None:
            self.attempts += 1
            await anyio.sleep(0.01)
            raise self.error
        return await super().receive(
            url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
        )


def broken_world(**settings: object) -> tuple[World, Broken]:
    queue = Queue("orders")
    api = Broken(queue)
    return World.of(queue=queue, api=api, **settings), api  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [Throttled("RequestThrottled"), Unavailable("ServiceUnavailable"), CredentialsExpired("ExpiredToken")],
    ids=lambda error: type(error).__name__,
)
@virtual_time.test
async def test_failing_receives_are_tried_again_with_growing_jittered_delays(error: Exception) -> None:
    """Up to 20 seconds; said why; and back to work as soon as it works."""
    world, api = broken_world()
    api.error = error
    async with world.polling():
        await anyio.sleep(200)
        pauses = [fact.retry_seconds for fact in world.of_kind(PollFailed)]
        doing = [fact for fact in world.of_kind(Doing) if fact.task == "receive"][-1]
        api.error = None
        world.queue.put("order")
        await eventually(lambda: not world.queue.messages)

    assert pauses[0] <= 0.5
    assert 10 <= max(pauses) <= 20
    assert len(set(pauses)) == len(pauses)
    assert api.attempts <= 25
    assert doing.state is State.BACKING_OFF
    assert error.code in doing.detail  # type: ignore[attr-defined]


@virtual_time.test
async def test_an_outage_under_load_is_one_outage_however_many_receives_fail() -> None:
    """Twenty receives that fail together do not make the delay grow twenty times."""
    world, api = broken_world(concurrency=20, behaviour=takes(0.05))
    for number in range(2_000):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: len(world.function.calls) > 100)
        api.error = Unavailable("ServiceUnavailable")
        await eventually(lambda: bool(world.of_kind(PollFailed)))
        await anyio.sleep(0.2)
        assert len(world.of_kind(PollFailed)) == 1
        api.error = None
        await eventually(lambda: not world.queue.messages)


@virtual_time.test
async def test_too_many_messages_in_flight_is_waited_out() -> None:
    """OverLimit is no reason to ask again at once."""
    queue = Queue("orders", in_flight_limit=5)
    world = World.of(queue=queue, behaviour=takes(10))
    for number in range(20):
        queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not queue.messages)

    failures_seen = world.of_kind(PollFailed)
    assert failures_seen
    assert all(fact.throttled and fact.retry_seconds >= 5 for fact in failures_seen)


@pytest.mark.parametrize(
    "result", [Throttle("429"), InfrastructureError("no worker")], ids=["throttle", "infrastructure"]
)
@virtual_time.test
async def test_a_batch_that_cannot_be_run_is_retried_until_its_timeout_and_then_given_back(result: Result) -> None:
    """docs/lambda 2.5: the same batch again and again, with pauses, until its visibility timeout has run out."""
    world = World.of(behaviour=takes(0.01, result))
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: bool(world.of_kind(Returned)))
        returned_at = anyio.current_time()
        tries = len(world.function.calls)
        await eventually(lambda: len(world.function.calls) > tries)
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not world.queue.messages)

    first = world.function.calls[0].started_at
    again = world.function.calls[tries].started_at
    assert returned_at - first <= 30
    assert 29 <= again - first <= 32
    assert 3 <= tries <= 10
    attempts = [fact.attempt for fact in world.of_kind(Invoking)][:tries]
    assert attempts == list(range(1, tries + 1))


@virtual_time.test
async def test_a_throttle_says_when_to_come_back() -> None:
    """Retry-After is respected."""
    world = World.of(behaviour=takes(0.01, Throttle("429", retry_after_seconds=7)))
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: len(world.function.calls) == 1)
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not world.queue.messages)

    assert world.function.calls[1].started_at - world.function.calls[0].started_at >= 7


@virtual_time.test
async def test_nothing_is_received_that_cannot_be_run() -> None:
    """Lambda's overpull: with every permit taken by long invocations, the rest of the queue is not touched."""
    world = World.of(concurrency=2, behaviour=takes(600))
    for number in range(100):
        world.queue.put(str(number))
    async with world.polling() as poller:
        await anyio.sleep(300)
        assert poller.held() == 20
        assert sum(message.receive_count for message in world.queue.messages.values()) == 20
        world.stop.hurry()


@virtual_time.test
async def test_concurrency_shrinks_while_the_function_fails_and_recovers() -> None:
    """docs/lambda 2.5: gradually less while it fails, gradually more when it works again."""
    world = World.of(concurrency=10, batch_size=1, behaviour=takes(1, FAILED), visibility={"retry_delay": 0})
    for number in range(600):
        world.queue.put(str(number))
    async with world.polling():
        await anyio.sleep(60)
        world.function.most_running = 0
        await anyio.sleep(20)
        assert world.function.most_running == 1
        world.function.behaviour = takes(0.5)
        await eventually(lambda: not world.queue.messages)
        assert world.function.most_running == 10


@virtual_time.test
async def test_a_mapping_that_reports_failures_is_not_slowed_down() -> None:
    """docs/lambda 2.5: with ReportBatchItemFailures polling is not scaled down on failures."""
    world = World.of(
        concurrency=10,
        batch_size=1,
        behaviour=takes(1, FAILED),
        visibility={"retry_delay": 0},
        function_response_types=["ReportBatchItemFailures"],
    )
    for number in range(200):
        world.queue.put(str(number))
    async with world.polling():
        await anyio.sleep(60)
        world.function.most_running = 0
        await anyio.sleep(5)
        assert world.function.most_running == 10
        world.stop.hurry()


@pytest.mark.parametrize(
    ("response", "fails"),
    [
        (b'{"batchItemFailures":[]}', False),
        (b'{"batchItemFailures":null}', False),
        (b"null", False),
        (b"{}", False),
        (b"", False),
        (b'{"batchItemFailures":[{"itemIdentifier":""}]}', True),
        (b'{"batchItemFailures":[{"itemIdentifier":123}]}', True),
        (b'{"foo":1}', True),
        (b"{not json", True),
        (b"\xff\xfe garbage", True),
    ],
)
@virtual_time.test
async def test_each_response_has_its_verdict(response: bytes, fails: bool) -> None:
    """docs/lambda 3.1, end to end."""
    world = World.of(behaviour=takes(0.01, Payload(response)), function_response_types=["ReportBatchItemFailures"])
    for number in range(3):
        world.queue.put(str(number))
    async with world.polling():
        await anyio.sleep(5)

    assert len(world.queue.messages) == (3 if fails else 0)
    assert world.of_kind(Invoked)[0].outcome == (Outcome.ERROR if fails else Outcome.SUCCESS)


@virtual_time.test
async def test_messages_that_no_filter_matches_are_deleted_in_tens_without_an_invocation() -> None:
    """docs/lambda 6.4."""

    class OnlyEven:
        def matches(self, record: Wire) -> bool:
            return int(record["Body"]) % 2 == 0

    world = World.of()
    for number in range(60):
        world.queue.put(str(number))
    async with world.polling(event_filter=OnlyEven()):
        await eventually(lambda: not world.queue.messages)

    assert sorted(map(int, world.handled)) == list(range(0, 60, 2))
    assert world.ledger.filtered == 30
    assert world.ledger.deleted == 60
    assert sum(len(fact.ids) for fact in world.of_kind(Filtered)) == 30


@virtual_time.test
async def test_a_batch_of_large_messages_ends_at_six_mebibytes() -> None:
    """The serialised event is counted exactly."""
    world = World.of(batch_size=100, maximum_batching_window_in_seconds=5)
    for _ in range(13):
        world.queue.put("x" * 1_000_000)
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [len(call.records) for call in world.function.calls] == [6, 6, 1]
    assert all(call.size_bytes <= 6_291_456 for call in world.function.calls)
    assert [fact.size_bytes for fact in world.of_kind(Invoking)] == [call.size_bytes for call in world.function.calls]


@virtual_time.test
async def test_a_message_that_no_event_can_carry_is_reported_and_blocks_nothing() -> None:
    """A body of control characters grows sixfold in JSON: it goes back, until the redrive policy takes it."""
    dead = Queue("dead")
    world = World.of(queue=Queue("orders", redrive=Redrive(dead, 2), visibility_seconds=5))
    world.queue.put("\x01" * 1_048_576)
    for number in range(5):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert sorted(world.handled) == ["0", "1", "2", "3", "4"]
    assert len(dead.messages) == 1
    reasons = {fact.reason for fact in world.of_kind(Returned)}
    assert len(reasons) == 1
    assert "over the limit of 6,291,456" in reasons.pop()


@virtual_time.test
async def test_the_facts_of_a_failed_batch_say_what_failed() -> None:
    """Outcome, error, ids and the start of the first payload."""
    world = World.of(behaviour=takes(0.5, FunctionError("ValueError", "bad order", b"{}")))
    one = world.queue.put("order " + "x" * 2_000)
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: bool(world.of_kind(Invoked)))
        fact = world.of_kind(Invoked)[0]

    assert (fact.outcome, fact.error, list(fact.ids), list(fact.failed_ids)) == (
        "error",
        "ValueError: bad order",
        [one],
        [one],
    )
    assert fact.duration_seconds == pytest.approx(0.5)
    assert len(fact.first_payload) == 512
    assert fact.first_payload.startswith(b"order xxx")


@virtual_time.test
async def test_caught_up_means_visible_hidden_and_delayed_messages() -> None:
    """And nothing held by ourselves."""
    world = World.of(behaviour=takes(5, OK))
    world.queue.put("later", delay_seconds=10)
    async with world.polling() as poller:
        await anyio.sleep(1)
        assert not await poller.caught_up()
        await eventually(lambda: bool(world.function.calls))
        assert not await poller.caught_up()
        await eventually(lambda: not world.queue.messages and poller.held() == 0)
        assert await poller.caught_up()
        for number in range(3):
            world.queue.put(str(number))
        assert not await poller.caught_up()
        world.stop.hurry()


@virtual_time.test
async def test_a_burst_after_a_quiet_window_waits_no_longer_than_the_window() -> None:
    """A window that ran out empty opens again with the first message."""

    async def quick(call: Call) -> Result:
        return OK

    world = World.of(batch_size=50, maximum_batching_window_in_seconds=4, behaviour=quick)
    async with world.polling():
        await anyio.sleep(33)
        put_at = anyio.current_time()
        for number in range(5):
            world.queue.put(str(number))
        await anyio.sleep(2)
        world.queue.put("5")
        await eventually(lambda: not world.queue.messages)

    assert [len(call.records) for call in world.function.calls] == [6]
    assert world.function.calls[0].started_at - put_at == pytest.approx(4, abs=0.1)


@virtual_time.test
async def test_large_messages_are_not_received_by_the_thousand() -> None:
    """With a batch size of ten thousand as much is received as makes full events, not what would fill the memory."""
    world = World.of(batch_size=10_000, maximum_batching_window_in_seconds=20, concurrency=2, behaviour=takes(5))
    for _ in range(1_500):
        world.queue.put("x" * 100_000)
    most = 0
    async with world.polling() as poller:
        while world.ledger.deleted < 500:
            await anyio.sleep(0.05)
            most = max(most, poller.held())
        world.stop.hurry()

    assert 60 <= most <= 4 * 63


@virtual_time.test
async def test_trace_contexts_are_told_where_they_are_asked_for() -> None:
    """Each once for a batch; otherwise nobody looks."""
    world = World.of()
    for header in ("Root=1-a", "Root=1-b", "Root=1-a"):
        world.queue.put("order", trace_header=header)
    world.queue.put("order")
    world.traced = True
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert sorted(world.of_kind(Invoking)[0].trace_headers) == ["Root=1-a", "Root=1-b"]

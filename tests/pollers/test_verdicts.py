"""What a function's answer means: whole and partial failures, throttles, answers that cannot be read; and what never reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest

from handlers.function import PAYLOAD_LIMIT_BYTES, FunctionError, InfrastructureError, Payload, Throttle
from pollers.telemetry.facts import Discarded, Filtered, Invoked
from tests.pollers.function import BROKEN, Answer, fails_at_first, fails_on
from tests.pollers.trial import Trial
from tests.pollers.world import Order, Oversized, Partial, unwanted, wanted
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from handlers.function import Result
    from tests.pollers.function import Behaviour, Call
    from tests.pollers.world import World

REPORTING: dict[str, Any] = {"function_response_types": ["ReportBatchItemFailures"]}
BATCH = [f"event {number}" for number in range(5)]


@pytest.mark.parametrize(
    "result",
    [BROKEN, FunctionError("Sandbox.Timedout", "too long", b"{}"), Throttle("busy"), InfrastructureError("gone", 3.0)],
    ids=["raised", "timed-out", "throttled", "gone"],
)
@each_world()
async def test_a_batch_that_was_not_done_comes_again_until_it_is(world: World, result: Result) -> None:
    """Nothing of it is acknowledged before; a throttle is no failure."""
    trial = Trial(world, fails_at_first(2, lambda call: call.failed(result)), batch_size=5)
    trial.put(*BATCH)
    async with trial.running():
        await trial.finish()
    assert sorted(trial.accepted) == BATCH
    assert len(trial.function.calls) >= 3
    assert (trial.ledger.throttled > 0) == isinstance(result, Throttle)
    assert (trial.ledger.failed_invocations > 0) == (not isinstance(result, Throttle))


@each_world()
async def test_a_function_that_always_fails_is_not_called_without_a_pause(world: World) -> None:
    """Some calls a second at the very most, and fewer in the long run."""
    trial = Trial(world, fails_on("bad"), batch_size=1)
    trial.put("bad")
    async with trial.running():
        await anyio.sleep(600)
    assert 5 <= len(trial.function.calls) <= 200


@each_world()
async def test_a_partial_response_brings_again_what_it_names_and_no_more_than_the_kind_says(world: World) -> None:
    """Just the named events, or the first named one and all behind it."""
    trial = Trial(world, names("event 1", "event 3", times=1), batch_size=5, **REPORTING)
    trial.put(*BATCH)
    async with trial.running():
        await trial.finish()
    (first, *later) = trial.invoked
    assert sorted(first) == BATCH
    again = sorted(value for values in later for value in values)
    if world.features.partial is Partial.THE_NAMED:
        assert again == ["event 1", "event 3"]
    else:
        assert again == BATCH[1:]
    assert next(fact.outcome for fact in trial.of(Invoked)) == "partial"


@each_world()
async def test_what_a_partial_response_names_is_not_acknowledged(world: World) -> None:
    """While what it does not name is, as far as order lets it."""
    trial = Trial(world, names("event 2"), batch_size=5, **REPORTING)
    trial.put(*BATCH)
    async with trial.running():
        await trial.until_invoked(3)
    assert "event 2" in world.left()
    assert set(trial.acknowledged) >= {"event 0", "event 1"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"7",
        b'{"failures": []}',
        b'{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{}]}',
    ],
    ids=["no-json", "number", "other-member", "unknown", "empty", "nameless"],
)
@each_world()
async def test_a_response_that_cannot_be_understood_fails_the_whole_batch(world: World, body: bytes) -> None:
    """What it meant is unknown."""
    trial = Trial(world, fails_at_first(1, lambda call: Answer(Payload(body))), batch_size=5, **REPORTING)
    trial.put(*BATCH)
    async with trial.running():
        await trial.finish()
    assert sorted(trial.accepted) == BATCH


@pytest.mark.parametrize(
    "body", [b"null", b'""', b"", b"{}", b'{"batchItemFailures": []}', b'{"batchItemFailures": null}']
)
@each_world()
async def test_a_response_that_names_nothing_is_a_success(world: World, body: bytes) -> None:
    """Each form of nothing."""

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(0.01)
        return call.accepted(body)

    trial = Trial(world, behaviour, batch_size=5, **REPORTING)
    trial.put(*BATCH)
    async with trial.running():
        await trial.finish()
    assert sorted(trial.accepted) == BATCH


@each_world()
async def test_without_reporting_the_response_is_not_looked_at(world: World) -> None:
    """A function that returns without an error has done all of its batch."""

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(0.01)
        failed = call.named(call.values).result
        assert isinstance(failed, Payload)
        return call.accepted(failed.body)

    trial = Trial(world, behaviour, batch_size=5)
    trial.put(*BATCH)
    async with trial.running():
        await trial.finish()
    assert sorted(trial.accepted) == BATCH


@each_world(lambda features: features.filters)
async def test_what_no_filter_matches_is_done_without_an_invocation(world: World) -> None:
    """And counted; the rest is invoked as ever."""
    trial = Trial(world, filter_criteria=world.filter_criteria())
    kept = [wanted(number) for number in range(0, 12, 3)]
    trial.put(*(wanted(number) if number % 3 == 0 else unwanted(number) for number in range(12)))
    async with trial.running():
        await virtual_time.eventually(lambda: not world.left())
    assert sorted(trial.accepted) == sorted(kept)
    assert sum(len(fact.ids) for fact in trial.of(Filtered)) == trial.ledger.filtered == 8


@each_world(lambda features: features.filters)
async def test_a_source_of_which_nothing_matches_is_caught_up_without_an_invocation(world: World) -> None:
    """Filtering alone moves it on."""
    trial = Trial(world, filter_criteria=world.filter_criteria())
    trial.put(*map(unwanted, range(50)))
    async with trial.running():
        await virtual_time.eventually(lambda: not world.left())
        await trial.until_caught_up()
    assert not trial.function.calls


@each_world()
async def test_an_event_that_no_invocation_can_carry_blocks_nothing_but_its_own_order(world: World) -> None:
    """It is never invoked, and is returned or given up on as the kind says; what has no order with it goes on."""
    trial = Trial(world, batch_size=10)
    huge = "huge " + "x" * PAYLOAD_LIMIT_BYTES
    trial.put(huge, key="c")
    trial.put("behind", key="c")
    others = [] if world.features.apart is None else ["other"]
    for value in others:
        trial.put(value, key="d")
    held_up = world.features.oversized is Oversized.RETURNED and world.features.order is Order.GROUP
    expected = {*others, *([] if held_up else ["behind"])}
    async with trial.running():
        await virtual_time.eventually(lambda: set(trial.accepted) == expected, within=120)
        await anyio.sleep(5)
    assert not any(huge in values for values in trial.invoked)
    if world.features.oversized is Oversized.RETURNED:
        assert huge in world.left()
    else:
        assert not world.left()
        assert [fact.condition for fact in trial.of(Discarded)] == ["Oversized"]


@each_world(lambda features: features.retry_limits)
async def test_a_batch_whose_retries_are_used_up_is_given_up_on_with_a_failure_record(world: World) -> None:
    """Whole; what follows goes on."""
    trial = Trial(world, fails_on("event 2"), batch_size=3, maximum_retry_attempts=1)
    trial.put(*BATCH)
    async with trial.running():
        await virtual_time.eventually(lambda: not world.left())
    assert trial.witness.given_up == set(BATCH) - set(trial.accepted)
    assert "event 2" in trial.witness.given_up
    records = world.failure_records()  # type: ignore[attr-defined] # of worlds that have the feature
    assert [record["requestContext"]["condition"] for record in records] == ["RetryAttemptsExhausted"]


@each_world(lambda features: features.sharded)
async def test_a_failed_batch_is_split_until_the_bad_event_is_alone(world: World) -> None:
    """All others are accepted."""
    trial = Trial(
        world, fails_on("event 2"), batch_size=5, maximum_retry_attempts=1, bisect_batch_on_function_error=True
    )
    trial.put(*BATCH)
    async with trial.running():
        await virtual_time.eventually(lambda: not world.left())
    assert sorted(trial.accepted) == ["event 0", "event 1", "event 3", "event 4"]
    assert trial.witness.given_up == {"event 2"}
    records = world.failure_records()  # type: ignore[attr-defined] # of worlds that have the feature
    assert [record["requestContext"]["condition"] for record in records] == ["RetryAttemptsExhausted"]


@each_world(lambda features: features.tumbling_windows)
async def test_a_tumbling_window_carries_its_state_over_invocations_and_crashes(world: World) -> None:
    """Each accepted event is in the state of exactly one window when that ends."""
    finals: list[list[str]] = []

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(0.01)
        seen = [*call.event["state"].get("seen", []), *call.values]
        if call.event["isFinalInvokeForWindow"]:
            finals.append(seen)
        return call.accepted(orjson.dumps({"state": {"seen": seen}}))

    trial = Trial(world, behaviour, batch_size=2, tumbling_window_in_seconds=30)
    trial.put(*BATCH)
    await trial.crash_at(30)
    async with trial.running():
        await trial.finish()
        await virtual_time.eventually(lambda: bool(finals), within=300)
    assert [sorted(seen) for seen in finals] == [BATCH]


def names(*failed: str, times: int = 1_000_000) -> Behaviour:
    """A function that reports these values as failed, in so many of its invocations that have any of them."""
    left = times

    async def behaviour(call: Call) -> Answer:
        nonlocal left
        await anyio.sleep(0.01)
        bad = [value for value in call.values if value in failed] if left else []
        if not bad:
            return call.accepted()
        left -= 1
        return call.named(bad)

    return behaviour

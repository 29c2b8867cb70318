"""Enhanced fan-out: subscriptions that end, are torn, are in use, and end with their shard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from handlers.function import Payload, Result
from pollers.aws.errors import Throttled, Unavailable
from pollers.telemetry.facts import Checkpointed, Polled, PollFailed, ShardEnded
from tests.worlds import virtual_time
from tests.worlds.call_faults import NoFaults
from tests.worlds.stream_rig import Rig, eventually, failing_on

if TYPE_CHECKING:
    import pytest

    from pollers.aws.api import Pushed


def fan_out(**settings: Any) -> Rig:  # noqa: ANN401 - the mapping's own
    """A mapping on a consumer."""
    return Rig(stream={"consumer": "fast"}, **settings)


class Torn(NoFaults):
    """Subscriptions are torn after some events, so many times."""

    def __init__(self, events: int, times: int) -> None:
        self.events = events
        self.left = events
        self.times = times

    async def before(self, operation: str) -> None:
        """Tear it."""
        await super().before(operation)
        if operation != "event" or not self.times:
            return
        self.left -= 1
        if self.left <= 0:
            self.left = self.events
            self.times -= 1
            raise Unavailable("ConnectionClosed", "torn")


@virtual_time.test
async def test_records_are_pushed_and_name_the_consumer() -> None:
    """No GetRecords; eventSourceARN is the consumer's."""
    rig = fan_out()
    rig.put("1", "2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
        rig.put("3")
        await eventually(lambda: rig.accepted == ["1", "2", "3"], within=1)
    assert "records" not in rig.stream.calls
    assert {record["eventSourceARN"] for record in rig.function.events[0]["Records"]} == {rig.stream.arn}


@virtual_time.test
async def test_an_end_that_gives_a_continuation_as_well_is_told_by_the_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As an emulator does; the shard is not subscribed to for ever, and its children are read."""
    rig = fan_out()

    def continued(pushed: Pushed) -> Pushed:
        return replace(pushed, continuation=pushed.continuation or str(10**30))

    monkeypatch.setattr(rig.stream, "tampered_event", continued)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.split(rig.stream.open_shards()[0])
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"], within=20)


@virtual_time.test
async def test_a_subscription_is_renewed_when_its_five_minutes_are_over() -> None:
    """Without a gap and without a record twice."""
    rig = fan_out()
    async with rig.running():
        for value in range(20):
            rig.put(str(value))
            await anyio.sleep(45)
        await eventually(lambda: len(rig.accepted) == 20)
    assert rig.accepted == list(map(str, range(20)))
    assert 3 <= rig.stream.calls["subscribe"] <= 5


@virtual_time.test
async def test_a_torn_subscription_is_taken_up_where_it_was() -> None:
    """At the continuation sequence number; a second one within five seconds is refused and waited for."""
    rig = fan_out()
    rig.stream.faults = Torn(3, times=20)
    rig.put(*map(str, range(500)))
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 500)
    assert rig.accepted == list(map(str, range(500)))
    refused = [fact for fact in rig.of(PollFailed) if "ResourceInUse" in fact.error]
    assert all(fact.retry_seconds >= 5 for fact in refused)


@virtual_time.test
async def test_the_end_of_a_shard_brings_its_children() -> None:
    """Each subscribed to after its parent's last record is done."""
    rig = fan_out()
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.put("2")
        rig.stream.split(rig.only_shard)
        rig.put("3")
        await eventually(lambda: rig.accepted == ["1", "2", "3"], within=10)
        assert len(rig.of(ShardEnded)) == 1


@virtual_time.test
async def test_the_end_of_a_shard_is_not_missed_when_the_stream_is_torn_before_it() -> None:
    """The next subscription says it."""
    rig = fan_out()
    rig.stream.faults = Torn(2, times=5)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.split(rig.only_shard)
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"], within=120)


@virtual_time.test
async def test_the_continuation_is_checkpointed_though_nothing_was_written() -> None:
    """A restart of a quiet shard does not go back to its last record."""
    rig = fan_out(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")
    async with rig.running():
        for value in range(10):
            rig.stream.put_into(high, "j", str(value))
            await anyio.sleep(10)
    kept = await rig.checkpoints()
    assert int(kept[low.shard_id].sequence_number or 0) > 5
    assert sum(fact.count for fact in rig.of(Checkpointed)) == 11


@virtual_time.test
async def test_a_slow_function_holds_the_subscription_back() -> None:
    """What is held is bounded, whatever is pushed."""
    rig = fan_out(batch_size=100, concurrency=1)
    rig.put(*map(str, range(50_000)))

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(5)
        return Payload(b"null")

    rig.function.handler = handler
    async with rig.running() as poller:
        await anyio.sleep(60)
        assert poller.held() <= 20_100


@virtual_time.test
async def test_a_throttled_subscription_is_waited_out() -> None:
    """With growing delays."""

    class Busy(NoFaults):
        left = 5

        async def before(self, operation: str) -> None:
            await super().before(operation)
            if operation == "subscribe" and self.left:
                self.left -= 1
                raise Throttled("LimitExceededException", "slow down")

    rig = fan_out()
    rig.stream.faults = Busy()
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    assert len([fact for fact in rig.of(PollFailed) if fact.throttled]) == 5


@virtual_time.test
async def test_a_poison_record_is_retried_while_the_subscription_goes_on() -> None:
    """Reading and invoking are apart."""
    rig = fan_out(batch_size=1)
    rig.put("bad", "1")
    rig.function.handler = failing_on("bad", times=8)
    async with rig.running() as poller:
        await eventually(lambda: rig.accepted == ["bad", "1"])
        await anyio.sleep(10)
        assert await poller.caught_up()
        assert len(rig.of(Polled)) > 3

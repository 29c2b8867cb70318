"""Replicas that share a stream: who reads what, how a shard changes hands, and what a lease that is not renewed holds back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from handlers.errors import FunctionUnusable
from handlers.function import Payload, Result
from pollers.checkpoints.store import ShardCheckpoint
from pollers.sources.streams.poller import WARM_SECONDS
from pollers.storage.errors import StoreError, StoreUnwritable
from pollers.telemetry.facts import Checkpointed, Invoked, Outcome, Returned, State
from tests.worlds import virtual_time
from tests.worlds.shared_store import REFUSED, SharedTable
from tests.worlds.stream_records import values
from tests.worlds.stream_rig import Rig, eventually, failing_on, slow_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def replicas(table: SharedTable, shards: int = 2, **settings: Any) -> tuple[Rig, Rig]:  # noqa: ANN401 - the mapping's own
    """Two replicas on one stream; the first takes every shard that it can get."""
    one = Rig(shards=shards, store=table.replica("one"), **settings)
    other = Rig(shards=shards, store=table.replica("other"), **settings)
    other.stream = one.stream
    return one, other


@asynccontextmanager
async def both(one: Rig, other: Rig) -> AsyncIterator[None]:
    """Both at work; the second begins when the first has everything."""
    async with one.running():
        await anyio.sleep(5)
        async with other.running():
            await anyio.sleep(5)
            yield


@virtual_time.test
async def test_a_shard_that_another_replica_asks_for_is_handed_over_in_order() -> None:
    """What runs finishes and is written, what was read ahead goes back, and the other shards go on."""
    table = SharedTable()
    one, other = replicas(table, batch_size=2)
    low, high = one.stream.open_shards()
    one.function.handler = slow_on("1", seconds=30)
    for value in ("1", "2", "3", "4"):
        one.stream.put_into(low, "k", value)
    async with both(one, other):
        table.ask(low.shard_id, "other")
        one.stream.put_into(high, "j", "goes on")
        await anyio.sleep(10)
        assert other.accepted == []
        await eventually(lambda: other.accepted == ["3", "4"], within=25)
        assert one.accepted == ["goes on", "1", "2"]
        assert [(fact.reason, len(fact.ids)) for fact in one.of(Returned)] == [
            ("another replica took the shard over", 2)
        ]
        assert one.state(low.shard_id) is State.READ_ELSEWHERE
        assert other.state(low.shard_id) is State.POLLING
    assert not other.of(Returned)


@virtual_time.test
async def test_a_shard_that_was_handed_over_can_be_taken_again() -> None:
    """With the checkpoint that the other one left."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    (shard,) = one.stream.open_shards()
    async with one.running():
        async with other.running():
            await anyio.sleep(5)
            one.put("1")
            await eventually(lambda: one.accepted == ["1"])
            table.ask(shard.shard_id, "other")
            await eventually(lambda: table.rows[shard.shard_id].owner == "other")
            one.put("2")
            await eventually(lambda: other.accepted == ["2"])
        one.put("3")
        await eventually(lambda: one.accepted == ["1", "3"], within=2)
        assert one.state(shard.shard_id) is State.POLLING
    assert table.left == table.departed == ["other", "one"]


@virtual_time.test
async def test_a_stop_releases_each_shard_as_soon_as_its_own_batch_has_ended() -> None:
    """One invocation of a quarter of an hour keeps no other shard from being read."""
    table = SharedTable()
    one, other = replicas(table)
    low, high = one.stream.open_shards()
    one.function.handler = slow_on("slow", seconds=900)
    async with other.running():
        table.rows.clear()
    async with one.running():
        one.stream.put_into(low, "k", "slow")
        one.stream.put_into(high, "j", "quick")
        await eventually(lambda: one.function.busy == 1 and one.accepted == ["quick"])
        async with other.running():
            one.stop.request()
            one.stream.put_into(high, "j", "next")
            await eventually(lambda: other.accepted == ["next"], within=2)
            assert table.rows[low.shard_id].owner == "one"
            assert table.left[-1] == "one"
            await eventually(lambda: table.rows[low.shard_id].owner == "other", within=901)
    assert one.accepted == ["quick", "slow"]
    assert not one.of(Returned)


@virtual_time.test
async def test_leases_are_kept_until_the_last_shard_is_released() -> None:
    """A stop does not end the renewals: a batch may run on for long."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    kept: list[bool] = []
    rig.function.handler = slow_on("1", seconds=60)
    rig.put("1")
    checkpoints: Any = (await rig.store.open("rig", rig.stream.identity)).checkpoints

    async def keep(self: Any, changed: Any, trouble: Any) -> None:  # noqa: ANN401 - whatever it is bound to
        kept.append(True)
        try:
            await anyio.sleep_forever()
        finally:
            kept.append(rig.only_shard.shard_id in table.rows and table.rows[rig.only_shard.shard_id].owner is None)

    original, type(checkpoints).keep = type(checkpoints).keep, keep
    try:
        async with rig.running():
            await eventually(lambda: rig.function.busy == 1)
            rig.stop.request()
    finally:
        type(checkpoints).keep = original
    assert kept == [True, True]


@virtual_time.test
async def test_a_keeper_that_dies_stops_the_mapping_loudly() -> None:
    """Without renewals every lease would be lost one by one, and nothing would say why."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    opened = await rig.store.open("rig", rig.stream.identity)
    kind: Any = type(opened.checkpoints)

    async def keep(self: Any, changed: Any, trouble: Any) -> None:  # noqa: ANN401 - whatever it is bound to
        await anyio.sleep(5)
        raise StoreError("the table is gone")

    original, kind.keep = kind.keep, keep
    try:
        failure = await rig.run_to_failure()
    finally:
        kind.keep = original
    assert str(failure) == "the table is gone"
    assert table.rows[rig.only_shard.shard_id].owner is None


@virtual_time.test
async def test_a_take_that_gives_nothing_is_not_repeated_before_something_changes() -> None:
    """Another replica has the shard: it is asked for at each listing only."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    async with both(one, other):
        before = len(table.takes)
        await anyio.sleep(300)
        assert len(table.takes) - before <= 300 / 24 + 1


@virtual_time.test
async def test_a_shard_that_expired_under_its_owner_is_lost_and_taken_by_another() -> None:
    """The owner's write is refused: its records go back, and it does not read the shard again while the other has it."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    (shard,) = one.stream.open_shards()
    async with both(one, other):
        table.expire(shard.shard_id)
        await eventually(lambda: table.rows[shard.shard_id].owner is not None)
        one.put("1")
        await anyio.sleep(60)
        holder = table.rows[shard.shard_id].owner
        assert {"one": one, "other": other}[holder or ""].of(Checkpointed)
    assert sorted({*one.accepted, *other.accepted}) == ["1"]


@virtual_time.test
async def test_a_shard_handed_over_keeps_its_lease_while_the_store_refuses() -> None:
    """It is written and released when that works again; nothing fails meanwhile."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    (shard,) = one.stream.open_shards()
    async with both(one, other):
        one.put("1")
        await eventually(lambda: one.accepted == ["1"])
        table.problem = REFUSED
        table.ask(shard.shard_id, "other")
        await anyio.sleep(60)
        assert table.rows[shard.shard_id].owner == "one"
        table.problem = None
        await eventually(lambda: table.rows[shard.shard_id].owner == "other", within=20)


@virtual_time.test
async def test_a_stop_of_one_shard_that_the_store_refuses_ends_within_seconds() -> None:
    """Everything is accounted for, and the refusal is told."""
    table = SharedTable()
    rig = Rig(shards=2, store=table.replica("one"))
    rig.put("1")

    async def handler(event: dict[str, Any]) -> Result:
        table.problem = REFUSED
        rig.stop.request()
        return Payload(b"null")

    rig.function.handler = handler
    began = rig.clock.time()
    assert isinstance(await rig.run_to_failure(), StoreUnwritable)
    assert rig.clock.time() - began < 5
    assert [len(fact.ids) for fact in rig.of(Returned)] == [1]


@virtual_time.test
async def test_shards_that_another_replica_reads_are_not_ours_to_finish() -> None:
    """Nor are their children: this replica is caught up with those that it reads itself."""
    table = SharedTable()
    one, other = replicas(table)
    low, high = one.stream.open_shards()
    one.function.handler = slow_on("1", seconds=500)
    async with one.running() as first:
        await anyio.sleep(5)
        async with other.running() as second:
            one.stream.put_into(low, "k", "1")
            await eventually(lambda: one.function.busy == 1)
            one.stream.split(low)
            table.ask(high.shard_id, "other")
            await eventually(lambda: table.rows[high.shard_id].owner == "other")
            await anyio.sleep(40)
            assert await second.caught_up()
            assert not await first.caught_up()
            assert other.state(low.shard_id) is State.READ_ELSEWHERE


@virtual_time.test
async def test_children_that_another_replica_has_written_down_are_known_at_once() -> None:
    """They need not be listed before they are read here."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    (parent,) = one.stream.open_shards()
    async with both(one, other):
        one.stream.split(parent)
        await eventually(lambda: table.rows[parent.shard_id].checkpoint.ended)
        children = one.stream.open_shards()
        await eventually(lambda: all(table.rows[child.shard_id].owner == "one" for child in children), within=5)
        table.ask(children[0].shard_id, "other")
        one.stream.put_into(children[0], "k", "child")
        await eventually(lambda: "child" in {*one.accepted, *other.accepted}, within=3)
        await eventually(lambda: table.rows[children[0].shard_id].owner == "other", within=3)


@virtual_time.test
async def test_a_replica_that_reads_all_it_knows_of_learns_of_children_as_soon_as_they_are_written() -> None:
    """It may be given one of them, half a minute before its own listing shows them: the end of their parent did not name them."""
    table = SharedTable()
    one, other = replicas(table, kind="dynamodb")
    low, high = one.stream.open_shards()
    async with both(one, other):
        table.ask(high.shard_id, "other")
        await eventually(lambda: other.state(high.shard_id) is State.POLLING, within=2)
        one.stream.split(high)
        child = next(shard for shard in one.stream.open_shards() if shard not in (low, high))
        await eventually(
            lambda: child.shard_id in table.rows and table.rows[child.shard_id].owner is not None, within=20
        )
        if table.rows[child.shard_id].owner == "other":
            table.ask(child.shard_id, "one")
        await eventually(lambda: one.state(child.shard_id) is State.POLLING, within=2)


@virtual_time.test
async def test_nothing_is_started_while_the_lease_is_not_in_time() -> None:
    """Another replica may have the shard. It goes on when the lease is renewed, and gives its permit to others meanwhile."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"), concurrency=1)
    async with rig.running():
        await anyio.sleep(5)
        lease = table.lease(rig.only_shard.shard_id)
        lease.fall_behind()
        rig.put("1")
        await anyio.sleep(60)
        assert rig.invoked == []
        assert rig.state(f"{rig.only_shard.shard_id}/0") is State.WAITING_FOR_LEASE
        assert rig.permits.held == 0
        lease.renew()
        await eventually(lambda: rig.accepted == ["1"], within=1)


@virtual_time.test
async def test_a_batch_that_is_tried_again_waits_for_the_lease_as_well() -> None:
    """Each attempt is a beginning."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    rig.function.handler = failing_on("1")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: len(rig.invoked) == 2)
        table.lease(rig.only_shard.shard_id).fall_behind()
        await anyio.sleep(60)
        assert len(rig.invoked) == 2
        table.lease(rig.only_shard.shard_id).renew()
        await eventually(lambda: len(rig.invoked) == 3, within=1)


@virtual_time.test
async def test_a_stop_and_a_loss_cut_the_wait_for_the_lease() -> None:
    """Nobody waits for a renewal that may never come."""
    for lose in (False, True):
        table = SharedTable()
        rig = Rig(store=table.replica("one"))
        async with rig.running():
            await anyio.sleep(5)
            lease = table.lease(rig.only_shard.shard_id)
            lease.fall_behind()
            rig.put("1")
            await eventually(lambda: rig.state(f"{rig.only_shard.shard_id}/0") is State.WAITING_FOR_LEASE)  # noqa: B023
            if lose:
                lease.lost.set()
            else:
                rig.stop.request()
            await eventually(lambda: len(rig.of(Returned)) == 1, within=1)  # noqa: B023
        assert rig.invoked == []


@virtual_time.test
async def test_a_failure_record_waits_for_the_lease() -> None:
    """Another replica may succeed with the records: a failure record of them would be wrong."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"), destination=True, maximum_retry_attempts=0)
    assert rig.destination is not None

    async def handler(event: dict[str, Any]) -> Result:
        table.lease(rig.only_shard.shard_id).fall_behind()
        return await failing_on("1")(event)

    rig.function.handler = handler
    rig.put("1")
    async with rig.running():
        await eventually(lambda: len(rig.invoked) == 1)
        await anyio.sleep(60)
        assert rig.destination.attempts == 0
        table.lease(rig.only_shard.shard_id).renew()
        await eventually(lambda: len(rig.destination.failures if rig.destination else ()) == 1, within=1)


@virtual_time.test
async def test_a_lost_shard_abandons_what_runs_and_goes_back_to_waiting() -> None:
    """What the function says afterwards counts for nothing."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    rig.function.handler = slow_on("1", seconds=500)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.function.busy == 1)
        row = table.rows[rig.only_shard.shard_id]
        row.owner = "another"
        table.lease(rig.only_shard.shard_id).lost.set()
        await eventually(lambda: rig.function.busy == 0, within=1)
        assert [fact.outcome for fact in rig.of(Invoked)] == [Outcome.ABANDONED]
        await anyio.sleep(60)
        assert len(rig.invoked) == 1
        row.owner = None
        table.change()
        await eventually(lambda: len(rig.invoked) == 2, within=1)
        assert values(rig.function.events[1]) == values(rig.function.events[0])


@virtual_time.test
async def test_an_end_that_another_owner_took_back_is_taken_back_by_all() -> None:
    """Or the shard would be read by that one alone, and by nobody when it dies. Also a lease that was deleted, and put anew."""
    table = SharedTable()
    one, other = replicas(table, shards=1)
    (shard,) = one.stream.open_shards()
    async with both(one, other):
        one.put("1")
        one.stream.roll(shard)
        await eventually(lambda: table.rows[shard.shard_id].checkpoint.ended, within=60)
        await anyio.sleep(60)
        table.rows[shard.shard_id].checkpoint = ShardCheckpoint()
        table.expire(shard.shard_id)
        await eventually(lambda: table.rows[shard.shard_id].checkpoint.ended, within=60)
    assert [*one.accepted, *other.accepted] == ["1", "1"]


class Slow:
    """A function whose first worker takes its time to start, or fails to."""

    def __init__(self, rig: Rig, seconds: float, error: Exception | None = None) -> None:
        self._rig = rig
        self._seconds = seconds
        self._error = error
        self.asked = 0
        rig.function.prove = self.prove  # type: ignore[attr-defined]

    async def prove(self) -> None:
        """See ``Provable.prove``."""
        self.asked += 1
        await anyio.sleep(self._seconds)
        if self._error is not None:
            raise self._error


@virtual_time.test
async def test_a_newcomer_takes_and_asks_for_shards_when_its_function_is_warm() -> None:
    """Until then whoever has them reads on."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    slow = Slow(rig, seconds=5)
    async with rig.running():
        await anyio.sleep(4)
        assert table.takes == []
        await eventually(lambda: rig.state(rig.only_shard.shard_id) is State.POLLING, within=3)
    assert slow.asked == 1


@pytest.mark.parametrize("slow", [(900.0, None), (1.0, FunctionUnusable("no such module"))])
@virtual_time.test
async def test_a_function_that_does_not_start_keeps_no_shard_from_being_read(
    slow: tuple[float, FunctionUnusable | None],
) -> None:
    """What it answers to its batches says what is wrong."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    Slow(rig, *slow)
    async with rig.running():
        await eventually(lambda: rig.state(rig.only_shard.shard_id) is State.POLLING, within=WARM_SECONDS + 3)


@virtual_time.test
async def test_a_stop_does_not_wait_for_a_function_to_start() -> None:
    """Nothing is held yet."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    Slow(rig, seconds=900)
    async with rig.running():
        await anyio.sleep(4)
        began = anyio.current_time()
    assert anyio.current_time() - began < 1
    assert table.takes == []


@virtual_time.test
async def test_a_lane_tells_its_function_whether_the_lease_is_in_time_when_a_worker_is_there() -> None:
    """A worker may take longer to start than a lease lasts."""
    table = SharedTable()
    rig = Rig(store=table.replica("one"))
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        (call,) = rig.function.calls
        assert call.may_begin is not None
        assert call.may_begin()
        table.lease(rig.only_shard.shard_id).fall_behind()
        assert not call.may_begin()
        table.lease(rig.only_shard.shard_id).renew()

"""Stopping, failing and checkpointing: what is finished, what is handed back, and what a crash may repeat."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import orjson
import pytest

from handlers.function import Payload, Result
from pollers.checkpoints import LeaseLost, MemoryStore, StoreUnwritable
from pollers.checkpoints.store import Opened
from pollers.telemetry.facts import Checkpointed, Doing, Invoked, Outcome, Returned, State, WriteRefused
from tests.worlds import virtual_time
from tests.worlds.stream_records import lane_of, values
from tests.worlds.stream_rig import Rig, eventually, failing_on, slow_on

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from pollers.checkpoints.store import Lease, MappingCheckpoints, ShardCheckpoint

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stop_lets_running_invocations_finish_and_hands_the_rest_back(kind: Kind) -> None:
    """Nothing new is invoked; what finished is checkpointed before the poller ends."""
    rig = Rig(kind, batch_size=2)
    rig.put(*"123456")
    rig.function.handler = slow_on("1", seconds=30)
    async with rig.running():
        await eventually(lambda: rig.function.busy == 1)
        rig.stop.request()
        await anyio.sleep(20)
        assert rig.function.busy == 1
    assert rig.accepted == ["1", "2"]
    assert rig.invoked == [["1", "2"]]
    assert [list(fact.ids) for fact in rig.of(Returned)] == [["4", "5", "6", "7"]]
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "3"
    assert rig.clock.time() - virtual_time.EPOCH < 35


@virtual_time.test
async def test_a_hurried_stop_abandons_running_invocations() -> None:
    """Their records go back, and the permits too."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")
    rig.stream.put_into(high, "j", "2")
    rig.function.handler = slow_on("1", "2", seconds=10_000)
    async with rig.running():
        await eventually(lambda: rig.function.busy == 2)
        rig.stop.request()
        await anyio.sleep(5)
        rig.stop.hurry()
    assert rig.accepted == []
    assert {fact.outcome for fact in rig.of(Invoked)} == {Outcome.ABANDONED}
    assert len(rig.of(Returned)) == 2
    assert rig.clock.time() - virtual_time.EPOCH < 10


@virtual_time.test
async def test_a_stop_before_anything_was_opened_ends_at_once() -> None:
    """A stop that was asked for before run began is not lost."""
    rig = Rig()
    poller = rig.poller()
    rig.stop.request()
    await poller.run()
    assert poller.held() == 0
    assert rig.stream.calls.get("records", 0) == 0


@virtual_time.test
async def test_a_stop_does_not_wait_for_back_offs_permits_or_polls() -> None:
    """Retries, waits for permits and reads are cut short."""
    rig = Rig(shards=3, concurrency=1)
    low, middle, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "bad")
    rig.stream.put_into(middle, "j", "good")
    rig.function.handler = failing_on("bad")
    other = rig.permits.claim()
    async with rig.running():
        await anyio.sleep(300)
        await other.acquire()
        rig.stream.put_into(high, "l", "waits")
        await eventually(lambda: rig.state(f"{high.shard_id}/0") is State.WAITING_FOR_PERMIT)
        before = rig.clock.time()
        rig.stop.request()
        await eventually(lambda: len(rig.of(Returned)) == 2, within=1)
        other.release()
    assert rig.clock.time() - before < 1
    assert sorted(fact.source for fact in rig.of(Returned)) == [low.shard_id, high.shard_id]


@virtual_time.test
async def test_a_crash_repeats_what_was_in_flight_and_at_most_one_batch_more() -> None:
    """Three crashes under load: never more than two batches of ten each."""
    rig = Rig(batch_size=10, store=CountingStore())
    rig.put(*map(str, range(500)))
    for enough in (50, 100, 150):
        async with rig.crashing():
            await eventually(partial(lambda count: len(set(rig.accepted)) >= count, enough))
        assert len(set(rig.accepted)) < 500
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 500)
    again = sum(map(len, rig.invoked)) - 500
    assert again <= 3 * 2 * 10


@virtual_time.test
async def test_a_kill_while_a_stop_waits_repeats_no_more_than_any_other() -> None:
    """What finishes during the grace period is written at once, not when the last invocation has ended."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "quick")
    rig.stream.put_into(high, "j", "slow")

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(10_000 if values(event)[0][1] == "slow" else 20)
        return Payload(b"null")

    rig.function.handler = handler
    async with rig.crashing():
        await eventually(lambda: rig.function.busy == 2)
        rig.stop.request()
        await eventually(lambda: rig.accepted == ["quick"])
        await anyio.sleep(1)
    assert (await rig.checkpoints())[low.shard_id].sequence_number is not None


@virtual_time.test
async def test_a_slow_store_lets_one_batch_run_ahead_and_is_written_to_without_a_pause() -> None:
    """Batches wait for writes that take long, each of which covers what was done meanwhile."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    store.seconds = 1.0
    rig.put(*map(str, range(10)))
    began = rig.clock.time()
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 2)
        await anyio.sleep(0.5)
        assert len(rig.accepted) == 2
        await eventually(lambda: len(rig.accepted) == 10)
    assert 8 <= rig.clock.time() - began <= 11
    assert store.saves <= 11


@virtual_time.test
async def test_a_store_whose_writes_cost_money_is_written_to_at_its_interval() -> None:
    """What is done meanwhile shares a write, and batches go on."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    store.least_interval_seconds = 1.0
    rig.put(*map(str, range(500)))
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 500)
    assert store.saves <= 10
    assert sum(fact.count for fact in rig.of(Checkpointed)) == 500


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="one lane"),
        pytest.param({"parallelization_factor": 3}, id="lanes"),
        pytest.param({"tumbling_window_in_seconds": 30}, id="windows"),
        pytest.param({"stream": {"consumer": "fast"}}, id="fan-out"),
    ],
)
@virtual_time.test
async def test_a_store_that_cannot_be_written_stops_its_shards(how: dict[str, Any]) -> None:
    """Two batches of a shard at most (one more a further lane); they go on by themselves when it can be written again."""
    rig = Rig(shards=2, batch_size=10, store=(store := CountingStore()), **how)
    for shard in rig.stream.open_shards():
        for value in range(300):
            rig.stream.put_into(shard, f"k{value}", f"{shard.shard_id}:{value}")

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(0.01)
        return Payload(b'{"state":{}}')

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 100)
        store.problem = StoreUnwritable("the disk is full")
        before = len(rig.accepted)
        await anyio.sleep(600)
        assert len(rig.accepted) - before <= 2 * 10 * (1 + rig.mapping.parallelization_factor)
        assert len(rig.accepted) < 500
        assert {(said.state, said.detail) for said in lanes_of(rig) if said.state is not State.ENDED} == {
            (State.WAITING_FOR_WRITE, "the disk is full")
        }
        assert rig.of(WriteRefused)[-1].error == "the disk is full"
        store.problem = None
        await eventually(lambda: len(rig.accepted) == 600, within=60)
        assert {said.state for said in lanes_of(rig)} == {State.ENDED}
        assert rig.of(WriteRefused)[-1].error == ""
    assert len(set(rig.accepted)) == 600


def lanes_of(rig: Rig) -> list[Doing]:
    """What every lane of every shard was last said to do."""
    tasks = {fact.task for fact in rig.of(Doing) if "/" in fact.task}
    return [said for task in tasks if (said := rig.doing(task)) is not None]


@virtual_time.test
async def test_a_stop_is_quick_while_a_store_cannot_be_written() -> None:
    """Neither lanes that wait for a write nor the last tries hold it up."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    rig.put(*map(str, range(20)))
    store.problem = StoreUnwritable("the disk is full")

    async def stop() -> None:
        await anyio.sleep(120)
        rig.stop.request()

    began = rig.clock.time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        # The stop of the rig belongs to its poller, which run_to_failure makes first.
        assert isinstance(await rig.run_to_failure(), StoreUnwritable)
    assert rig.clock.time() - began < 123
    assert len(rig.accepted) == 2


@virtual_time.test
async def test_a_store_that_refuses_is_tried_again_and_that_is_said() -> None:
    """The disk is full: records are still delivered, the checkpoint follows when there is room."""
    rig = Rig(store=(store := CountingStore()))
    rig.put("1")
    async with rig.running() as poller:
        store.problem = StoreUnwritable("the disk is full")
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(60)
        said = rig.doing("checkpoints")
        assert said is not None
        assert (said.state, said.detail) == (State.BACKING_OFF, "the disk is full")
        assert poller.held() == 1
        store.problem = None
        await eventually(lambda: poller.held() == 0)
        assert rig.state("checkpoints") is State.ENDED


@virtual_time.test
async def test_a_store_that_refuses_to_the_end_fails_the_poller_and_the_records_go_back() -> None:
    """They are delivered again."""
    rig = Rig(store=(store := CountingStore()))
    rig.put("1")

    async def handler(event: dict[str, Any]) -> Result:
        store.problem = StoreUnwritable("the disk is full")
        rig.stop.request()
        return Payload(b"null")

    rig.function.handler = handler
    failure = await rig.run_to_failure()
    assert isinstance(failure, StoreUnwritable)
    store.problem = None
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "1"])


@virtual_time.test
async def test_an_end_of_a_shard_that_cannot_be_written_keeps_its_children_waiting() -> None:
    """Otherwise a crash would read the parent again, after its children."""
    rig = Rig("dynamodb", store=(store := CountingStore()))
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        store.problem = StoreUnwritable("the disk is full")
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await anyio.sleep(60)
        assert rig.accepted == ["1"]
        store.problem = None
        await eventually(lambda: rig.accepted == ["1", "child"])


@virtual_time.test
async def test_an_owner_that_lost_its_lease_stops_and_writes_nothing() -> None:
    """Its invocation is abandoned: the other owner delivers the records."""
    rig = Rig()
    rig.put("1")
    rig.function.handler = slow_on("1", seconds=30)
    poller = rig.poller()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.run)
        await eventually(lambda: rig.function.busy == 1)
        opened = await rig.store.open("rig", rig.stream.identity)
        taken = await opened.checkpoints.take([rig.only_shard.shard_id])
        await eventually(lambda: rig.function.busy == 0, within=1)
        assert [list(fact.ids) for fact in rig.of(Returned)] == [["2"]]
        assert taken[rig.only_shard.shard_id].counter == 2
        tasks.cancel_scope.cancel()
    assert rig.accepted == []


@virtual_time.test
async def test_a_lease_found_lost_while_writing_ends_the_shard_only() -> None:
    """Other shards go on."""
    rig = Rig(shards=2, store=(store := CountingStore()))
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")
    store.lost = low.shard_id
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(5)
        rig.stream.put_into(high, "j", "2")
        await eventually(lambda: "2" in rig.accepted)
    assert [fact.source for fact in rig.of(Checkpointed)] == [high.shard_id]


@virtual_time.test
async def test_a_child_is_read_when_another_owner_has_ended_its_parent() -> None:
    """The end of a shard counts whoever wrote it down."""
    rig = Rig("dynamodb", store=(store := CountingStore()))
    parent = rig.only_shard
    rig.put("the other's")
    rig.stream.roll(parent)
    rig.put("ours")
    store.withheld.add(parent.shard_id)
    async with rig.running():
        await anyio.sleep(60)
        assert rig.accepted == []
        (lease,) = (await store.checkpoints.take([parent.shard_id])).values()
        kept = (await store.checkpoints.load())[parent.shard_id]
        await store.checkpoints.end(lease, kept, {})
        await eventually(lambda: rig.accepted == ["ours"], within=40)


@virtual_time.test
async def test_a_fault_of_ours_ends_the_poller_in_order() -> None:
    """Loudly, with everything acknowledged that is done."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")

    async def broken(event: dict[str, Any]) -> Result:
        if rig.accepted:
            raise RuntimeError("a bug")
        return Payload(b"null")

    rig.function.handler = broken

    async def write() -> None:
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(2)
        rig.stream.put_into(high, "j", "2")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        failure = await rig.run_to_failure()
    assert str(failure) == "a bug"
    kept = await rig.checkpoints()
    assert kept[low.shard_id].sequence_number == "3"
    assert kept[high.shard_id].sequence_number is None


@virtual_time.test
async def test_a_second_poller_after_a_stop_needs_nothing_of_the_first() -> None:
    """Many starts and stops, one after another, lose and repeat nothing."""
    rig = Rig("dynamodb", batch_size=3, parallelization_factor=2)
    for value in range(30):
        rig.put(str(value), key=f"k{value}")
    for _ in range(10):
        async with rig.running():
            await anyio.sleep(0.15)
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 30)


@pytest.mark.parametrize("factors", [(3,), (4, 2, 1, 3)], ids=["one factor", "another at each start"])
@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_stops_in_order_repeat_nothing_with_lanes(kind: Kind, factors: tuple[int, ...]) -> None:
    """What lanes have done above the slowest one is passed over at the next start, and is in the books once."""
    rig = Rig(kind, batch_size=5, parallelization_factor=3)
    for value in range(2_000):
        rig.put(str(value), key=f"k{value % 97}")
    chance = random.Random(3)

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(chance.choice((0.001, 0.02, 0.3)))
        return Payload(b"null")

    rig.function.handler = handler
    booked = 0
    for run in range(12):
        factor = factors[run % len(factors)]
        rig.mapping = rig.mapping.model_copy(update={"parallelization_factor": factor})
        async with rig.running():
            await anyio.sleep(1.5)
        booked += rig.ledger.checkpointed
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 2_000)
    assert len(set(rig.accepted)) == sum(map(len, rig.invoked)) == 2_000
    assert booked + rig.ledger.checkpointed == 2_000


@virtual_time.test
async def test_a_crash_with_lanes_repeats_at_most_a_batch_a_lane_and_one() -> None:
    """However far the slowest lane is behind the others."""
    rig = Rig(batch_size=5, parallelization_factor=3, store=CountingStore())
    for value in range(600):
        rig.put(str(value), key=f"k{value % 97}")
    rig.function.handler = slow_on("0", seconds=10_000)
    async with rig.crashing():
        await eventually(lambda: len(rig.accepted) > 350)
        await anyio.sleep(100)
    done = set(rig.accepted)
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 600)
    again = [value for batch in rig.invoked for value in batch]
    assert len(again) - len(set(again)) <= 4 * 5
    assert len(done) > 350


@virtual_time.test
async def test_a_shard_ends_with_what_its_lanes_had_done_in_an_earlier_run() -> None:
    """Nothing is kept of it, and its child begins."""
    rig = Rig("dynamodb", batch_size=1, parallelization_factor=2)
    parent = rig.only_shard
    slow, quick = "a", next(key for key in "bcdefgh" if differ("a", key))
    rig.put("slow", key=slow)
    rig.put("quick", key=quick)
    rig.function.handler = slow_on("slow", seconds=10_000)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick"])
        rig.stop.request()
        await anyio.sleep(1)
        rig.stop.hurry()
    assert (await rig.checkpoints())[parent.shard_id].ahead
    rig.stream.roll(parent)
    rig.put("child", key=slow)
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick", "slow", "child"])
    ended = (await rig.checkpoints())[parent.shard_id]
    assert ended.ended
    assert not ended.ahead


def differ(one: str, other: str) -> bool:
    """Whether items with these keys have different lanes of two."""
    lanes = {lane_of(orjson.dumps({"id": {"S": key}}), 2) for key in (one, other)}
    return len(lanes) == 2


class CountingStore:
    """A store in memory that counts writes and refuses them with ``problem``.

    It says that the lease of ``lost`` is, and that other owners have ``withheld``.
    """

    def __init__(self) -> None:
        self.least_interval_seconds = 0.0
        self.inner = MemoryStore()
        self.saves = 0
        self.seconds = 0.002
        self.problem: StoreUnwritable | None = None
        self.lost: str | None = None
        self.withheld: set[str] = set()
        self.checkpoints: MappingCheckpoints

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self.inner.open(mapping, identity)
        self.checkpoints = opened.checkpoints
        checkpoints: Any = _Counting(opened.checkpoints, self)
        return Opened(checkpoints, opened.fresh, opened.previous_identity, opened.start)

    async def __aenter__(self) -> CountingStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class _Counting:
    def __init__(self, inner: Any, store: CountingStore) -> None:  # noqa: ANN401 - any checkpoints
        self._inner = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever is not watched
        return getattr(self._inner, name)

    async def take(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        taken: dict[str, Lease] = await self._inner.take(set(shard_ids) - self._store.withheld)
        return taken

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        self._check(lease)
        self._store.saves += 1
        await anyio.sleep(self._store.seconds)
        await self._inner.save(lease, checkpoint)

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        self._check(lease)
        await self._inner.end(lease, checkpoint, children)

    def _check(self, lease: Lease) -> None:
        if self._store.problem is not None:
            raise self._store.problem
        if self._store.lost == lease.shard_id:
            raise LeaseLost("taken")

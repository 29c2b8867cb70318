"""The store that replicas share, on a table in memory under virtual time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from structlog.testing import capture_logs

from pollers.aws.api import StartAt
from pollers.aws.errors import Unavailable
from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.leases.errors import OwnersElsewhere
from pollers.storage.errors import StoreUnreadable, StoreUnwritable
from tests.unit.leases.replicas import FAILOVER, IDENTITY, replica, store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable, Rates
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from pollers.checkpoints import MappingCheckpoints
    from tests.worlds.lease_table import TableHandle

SECOND = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1800000000"


@virtual_time.test
async def test_two_replicas_share_the_shards() -> None:
    """The second asks for its half and is given it, by name, without a pause."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        async with replica(table, "b") as b:
            await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
            before = (list(a.held), list(b.held))
            await anyio.sleep(10 * FAILOVER)
            assert (list(a.held), list(b.held)) == before
            assert [*a.lost, *b.lost] == []


@virtual_time.test
async def test_a_start_tells_the_table_and_the_owner_id() -> None:
    """The id is what others, and ``headrace leases show``, know this replica by."""
    table = MemoryLeaseTable()
    with capture_logs() as logs:
        async with store_on(table.handle("a")) as store:
            await store.open("m", IDENTITY)
    [line] = [line for line in logs if line["event"] == "shards are shared"]
    assert (line["mapping"], line["leases"]) == ("m", 0)
    assert line["table"] == table.handle("a").name
    assert line["owner"].startswith("headrace/")


@virtual_time.test
async def test_a_replica_that_stops_is_followed_at_once() -> None:
    """Whoever is named looks every half second."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
        stopped = loop_time()
        await a.stop()
        await eventually(lambda: len(b.held) == 4, within=FAILOVER)
        assert max(when for when, _ in b.taken) - stopped < 1.0


@virtual_time.test
async def test_of_two_first_starts_the_pin_of_the_first_counts() -> None:
    """Each found another end of the stream; whoever reads begins where the first one said, and both know it."""
    table = MemoryLeaseTable()
    early, late = (
        {"feed": ShardCheckpoint(start=StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=token))}
        for token in ("0163aa", "0163bb")
    )
    async with store_on(table.handle("a")) as one, store_on(table.handle("b")) as two:
        first, second = await one.open("m", IDENTITY), await two.open("m", IDENTITY)
        assert first.fresh
        assert second.fresh
        pinned: list[frozenset[str]] = []

        async def pin(checkpoints: MappingCheckpoints, shards: dict[str, ShardCheckpoint]) -> None:
            pinned.append(await checkpoints.pin(shards))

        async with anyio.create_task_group() as group:
            group.start_soon(pin, first.checkpoints, early)
            group.start_soon(pin, second.checkpoints, late)
        assert sorted(map(len, pinned)) == [0, 1]
        kept = await first.checkpoints.load()
        assert await second.checkpoints.load() == kept
        assert kept in (early, late)


@virtual_time.test
async def test_checkpoints_of_another_consumer_are_told_apart() -> None:
    """A kind of source whose positions are no sequence numbers refuses them."""
    table = MemoryLeaseTable()
    table.put_by_hand({"leaseKey": {"S": "theirs"}, "leaseCounter": {"N": "3"}, "checkpoint": {"S": "TRIM_HORIZON"}})
    async with store_on(table.handle("a")) as store:
        assert (await store.open("m", IDENTITY)).adopted == {"theirs"}


@virtual_time.test
async def test_the_shards_of_a_dead_replica_are_taken_within_two_failovers() -> None:
    """It said nothing, so its time has to run out."""
    table = MemoryLeaseTable()
    async with replica(table, "b") as b:
        async with replica(table, "a") as a:
            await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
        died = loop_time()
        await eventually(lambda: len(b.held) == 4, within=3 * FAILOVER)
        assert loop_time() - died <= 2 * FAILOVER


@virtual_time.test
async def test_the_next_owner_finds_what_was_saved_last() -> None:
    """Also what is done by lanes above the checkpoint, or a window."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == 1, within=1)
        await a.save("shard-0", "17")
        await a.stop()
        await eventually(lambda: len(b.held) == 1, within=FAILOVER)
        assert (await b.checkpoints.load())["shard-0"] == ShardCheckpoint("17")


@virtual_time.test
async def test_an_owner_that_was_cut_off_starts_nothing_and_its_late_write_changes_nothing() -> None:
    """Scenario 1: its time runs out before another takes its leases, and the fence holds its save."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.in_time) == 2, within=1)
        table.cut_off.add("a")
        async with replica(table, "b") as b:
            leases = dict(a.held)
            seen: list[tuple[int, int]] = []
            while len(b.held) < 2:
                seen.append((len(a.in_time), len(b.in_time)))
                await anyio.sleep(0.05)
            assert all(mine == 0 or theirs == 0 for mine, theirs in seen)
            await b.save("shard-0", "9")
            table.cut_off.clear()
            with pytest.raises(LeaseLost):
                await a.checkpoints.save(leases["shard-0"], ShardCheckpoint("3"))
            await eventually(lambda: sorted(a.lost) == ["shard-0", "shard-1"], within=FAILOVER)
            assert table.items["shard-0"]["checkpoint"] == {"S": "9"}


@virtual_time.test
async def test_an_owner_that_was_cut_off_alone_goes_on_when_the_table_answers_again() -> None:
    """Scenario 5: nobody took anything, so nothing is lost; meanwhile nothing is started."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.in_time) == 4, within=1)
        table.cut_off.add("a")
        await anyio.sleep(FAILOVER + 1)
        assert a.in_time == set()
        waited: list[str] = []

        async def wait(shard_id: str) -> None:
            await a.held[shard_id].until_in_time()
            waited.append(shard_id)

        async with anyio.create_task_group() as group:
            for shard_id in a.held:
                group.start_soon(wait, shard_id)
            table.cut_off.clear()
        assert len(waited) == len(a.in_time) == 4
        assert a.lost == []


@virtual_time.test
async def test_lost_replies_cost_no_lease() -> None:
    """Scenario 6: whatever took place without a reply is recognised as ours."""
    table = MemoryLeaseTable(seed=4)
    async with replica(table, "a", shards=3, rates=Rates()) as a:
        await eventually(lambda: len(a.held) == 3, within=1)
        a.handle.rates = Rates(reply_lost=0.3, latency_seconds=(0.001, 0.002))
        for number in range(1, 30):
            for shard_id in list(a.held):
                with suppress(StoreUnwritable):
                    await a.save(shard_id, str(number))
            await anyio.sleep(0.2)
        a.handle.rates = Rates()
        assert a.lost == []
        for shard_id in a.held:
            await a.save(shard_id, "99")
        assert {item["checkpoint"]["S"] for item in table.items.values()} == {"99"}


@virtual_time.test
async def test_renewals_and_saves_never_meet() -> None:
    """Scenario 7: no condition of a lone replica ever fails."""
    table = MemoryLeaseTable()
    async with replica(table, "a", failover_seconds=1.0) as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        for number in range(200):
            async with anyio.create_task_group() as group:
                for shard_id in a.held:
                    group.start_soon(a.save, shard_id, str(number))
        assert not [entry for entry in table.log if entry.outcome == "unmet"]


@virtual_time.test
async def test_a_lease_deleted_by_hand_is_lost() -> None:
    """Scenario 14: when the engine pins the shard anew, it goes on from what was known last."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.held) == 2, within=1)
        await a.save("shard-0", "17")
        table.delete_by_hand("shard-0")
        await eventually(lambda: a.lost == ["shard-0"], within=FAILOVER)
        assert "shard-0" not in table.items
        await a.checkpoints.pin({"shard-0": ShardCheckpoint()})
        await eventually(lambda: len(a.held) == 2, within=FAILOVER)
        assert (await a.checkpoints.load())["shard-0"] == ShardCheckpoint("17")


@virtual_time.test
async def test_a_released_lease_stays_released() -> None:
    """Scenario 15: the last renewal comes before the release or not at all."""
    table = MemoryLeaseTable()
    async with replica(table, "a", failover_seconds=1.0) as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await anyio.sleep(0.29)
        await a.stop()
        counters = {key: item["leaseCounter"] for key, item in table.items.items()}
        await anyio.sleep(5)
        assert {key: item["leaseCounter"] for key, item in table.items.items()} == counters
        assert all("leaseOwner" not in item for item in table.items.values())


@virtual_time.test
async def test_an_end_is_written_after_the_children_and_seen_by_the_others() -> None:
    """Scenario 12: whoever reads the children reads them once, after the parent."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == 1, within=1)
        lease = a.held.pop("shard-0")
        children = {f"shard-{number}": ShardCheckpoint(parents=("shard-0",)) for number in (1, 2)}
        await a.checkpoints.end(lease, ShardCheckpoint("7"), children)
        await eventually(lambda: len(a.held) == len(b.held) == 1, within=3 * FAILOVER)
        writes = [entry for entry in table.writes() if entry.operation == "add" or "childShardIds" in entry.put]
        assert [entry.key for entry in writes][:1] == ["shard-0"]
        assert sorted(entry.key for entry in writes[1:3]) == ["shard-1", "shard-2"]
        parent = table.items["shard-0"]
        assert parent["checkpoint"] == {"S": "SHARD_END"}
        assert parent["childShardIds"] == {"SS": ["shard-1", "shard-2"]}
        assert "leaseOwner" not in parent
        assert table.items["shard-1"]["parentShardId"] == {"SS": ["shard-0"]}


@virtual_time.test
async def test_replicas_that_start_at_once_read_from_one_position() -> None:
    """Whoever pins the first shard decides for all: a record between two starts would be lost else."""
    table = MemoryLeaseTable(exists=False, creation_seconds=0.5)
    kept: list[dict[str, ShardCheckpoint]] = []
    fresh: list[bool] = []
    all_open = anyio.Event()

    async def start(name: str, when: float) -> None:
        at = StartAt("AT_TIMESTAMP", timestamp=when)
        # The last shard ended between the first start and the second.
        pins = {f"shard-{number}": ShardCheckpoint(start=at, ended=number == 4 and when > 1) for number in range(5)}
        async with store_on(table.handle(name), name=name) as store:
            opened = await store.open("clicks", IDENTITY)
            fresh.append(opened.fresh)
            if len(fresh) == 4:
                all_open.set()
            await all_open.wait()
            await opened.checkpoints.pin(pins)
            kept.append(await opened.checkpoints.load())

    async with anyio.create_task_group() as group:
        for number, name in enumerate("abcd", 1):
            group.start_soon(start, name, float(number))
    assert table.made == 1
    assert all(fresh)
    starts = {checkpoint.start.timestamp for one in kept for checkpoint in one.values()}
    assert len(starts) == 1
    assert starts != {1.0} or not any(one["shard-4"].ended for one in kept)


@virtual_time.test
async def test_whoever_comes_second_to_a_first_start_has_put_nothing_as_it_was_given() -> None:
    """Also what the first was cut off from, and though both have the same whole second: its iterators are of a later moment."""
    table = MemoryLeaseTable()
    pins = {f"shard-{number}": ShardCheckpoint(start=StartAt("AT_TIMESTAMP", timestamp=1.0)) for number in range(3)}
    async with store_on(table.handle("a")) as first, store_on(table.handle("b")) as second:
        a, b = await first.open("clicks", IDENTITY), await second.open("clicks", IDENTITY)
        cut_off = {"shard-0": pins["shard-0"], "shard-1": pins["shard-1"]}
        assert await a.checkpoints.pin(cut_off) == cut_off.keys()
        assert await b.checkpoints.pin(pins) == frozenset()
        assert await b.checkpoints.load() == pins


@virtual_time.test
async def test_a_table_that_does_not_answer_is_told_once_and_once_when_it_answers_again() -> None:
    """Also by a replica that holds nothing: it could take nothing over."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a, replica(table, "spare", shards=0) as spare:
        await eventually(lambda: len(a.in_time) == 4, within=10)
        table.cut_off |= {"a", "spare"}
        await eventually(lambda: bool(a.troubles and spare.troubles), within=FAILOVER)
        await anyio.sleep(FAILOVER)
        assert None not in a.troubles + spare.troubles
        assert len(a.troubles) <= 2
        table.cut_off.clear()
        await eventually(lambda: a.troubles[-1] is None and spare.troubles[-1] is None, within=FAILOVER)


@virtual_time.test
async def test_a_pin_that_was_cut_off_is_completed_from_the_same_position() -> None:
    """A shard without a lease and without known parents belongs to the first start."""
    table = MemoryLeaseTable()
    at = StartAt("AT_TIMESTAMP", timestamp=1.0)
    async with store_on(table.handle("a")) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin({"shard-0": ShardCheckpoint(start=at)})
    async with store_on(table.handle("b")) as store:
        opened = await store.open("clicks", IDENTITY)
        assert not opened.fresh
        later = {"shard-1": ShardCheckpoint(), "shard-2": ShardCheckpoint(parents=("shard-0",))}
        await opened.checkpoints.pin(later)
        assert await opened.checkpoints.load() == {
            "shard-0": ShardCheckpoint(start=at),
            "shard-1": ShardCheckpoint(start=at),
            "shard-2": ShardCheckpoint(parents=("shard-0",)),
        }


@virtual_time.test
async def test_an_ended_parent_whose_lease_was_deleted_is_not_read_again() -> None:
    """Scenario 13: the listing shows it still, but its child has begun."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        opened = await store.open("clicks", IDENTITY)
        begun, waiting = ShardCheckpoint("7", parents=("shard-0",)), ShardCheckpoint(parents=("shard-1",))
        await opened.checkpoints.pin({"shard-2": begun, "shard-3": waiting})
        await opened.checkpoints.pin({"shard-0": ShardCheckpoint(), "shard-1": ShardCheckpoint()})
        kept = await opened.checkpoints.load()
        assert (kept["shard-0"].ended, kept["shard-1"].ended) == (True, False)
        assert set(await opened.checkpoints.take_leases(["shard-0", "shard-1"])) == {"shard-1"}


@virtual_time.test
async def test_an_ended_grandparent_whose_lease_was_deleted_is_not_read_again() -> None:
    """Nor any before it: the listing shows them all for as long as the stream keeps records."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        opened = await store.open("clicks", IDENTITY)
        await opened.checkpoints.pin({"shard-3": ShardCheckpoint("7", parents=("shard-2",))})
        chain = {f"shard-{number}": ShardCheckpoint(parents=(f"shard-{number - 1}",)) for number in (0, 1, 2)}
        await opened.checkpoints.pin({**chain, "shard-9": ShardCheckpoint()})
        kept = await opened.checkpoints.load()
        assert [kept[f"shard-{number}"].ended for number in (0, 1, 2, 9)] == [True, True, True, False]


@virtual_time.test
async def test_another_mapping_s_table_is_refused() -> None:
    """Scenario 20: its checkpoints would be moved by both."""
    table = MemoryLeaseTable("leases")
    async with replica(table, "a"), store_on(table.handle("b")) as store:
        with pytest.raises(StoreUnreadable, match="that of the mapping clicks: give other a table of its own"):
            await store.open("other", IDENTITY)


@virtual_time.test
async def test_another_stream_s_table_is_refused() -> None:
    """Scenario 20: two environments with one table."""
    table = MemoryLeaseTable()
    async with replica(table, "a"), store_on(table.handle("b")) as store:
        with pytest.raises(StoreUnreadable, match="that of another stream"):
            await store.open("clicks", IDENTITY.replace("us-east-1", "eu-west-1"))


@virtual_time.test
async def test_a_stream_made_again_starts_afresh() -> None:
    """Scenario 21: the same shard ids, with nothing done; shards of before are gone from the table."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await a.save("shard-0", "5")
        await a.stop()
    async with replica(table, "b", shards=2, identity=SECOND) as b:
        assert (b.opened.fresh, b.opened.previous_identity) == (True, IDENTITY)
        assert await b.checkpoints.load() == {"shard-0": ShardCheckpoint(), "shard-1": ShardCheckpoint()}
        assert sorted(table.items) == ["shard-0", "shard-1"]


@virtual_time.test
async def test_a_stream_made_again_waits_for_the_replicas_of_the_first_one() -> None:
    """They are told nothing, but they cannot be read over."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        async with store_on(table.handle("b")) as store:
            with pytest.raises(OwnersElsewhere, match="headrace/"):
                await store.open("clicks", SECOND)
    async with store_on(table.handle("b")) as store:
        assert (await store.open("clicks", SECOND)).fresh


@virtual_time.test
async def test_a_large_table_is_looked_at_by_its_index() -> None:
    """A whole look every five seconds; leases that are given away are found every half second."""
    table = MemoryLeaseTable(page_items=50)
    async with replica(table, "a", shards=120) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) + len(b.held) == 120 and len(b.held) > 50, within=10 * FAILOVER)
        before, begun = b.handle.spent.calls["scan"], loop_time()
        await anyio.sleep(2 * FAILOVER)
        assert b.handle.spent.calls["scan"] - before < 3 * (loop_time() - begun) / 3
        stopped = loop_time()
        await a.stop()
        await eventually(lambda: len(b.held) == 120, within=FAILOVER)
        assert max(when for when, _ in b.taken) - stopped < 2.0


@virtual_time.test
async def test_forgetting_a_mapping_deletes_its_leases_only_when_nobody_else_has_one() -> None:
    """Others may go on reading what was deleted here alone."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.held) == 2, within=1)
        async with store_on(table.handle("b")) as store:
            await store.forget("clicks")
            assert len(table.items) == 2
            await a.stop()
            await store.forget("clicks")
            assert table.items == {}


@virtual_time.test
async def test_opening_again_frees_what_was_held_before() -> None:
    """A mapping that restarts here need not wait for its own leases to expire."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        first = (await store.open("clicks", IDENTITY)).checkpoints
        await first.pin({"shard-0": ShardCheckpoint()})
        lease = (await first.take_leases(["shard-0"]))["shard-0"]
        second = (await store.open("clicks", IDENTITY)).checkpoints
        assert lease.lost.is_set()
        assert set(await second.take_leases(["shard-0"])) == {"shard-0"}


class Deaf:
    """What becomes of a replica's writes, and whether its single reads are answered."""

    def __init__(self, handle: TableHandle, monkeypatch: pytest.MonkeyPatch) -> None:
        self.happens = self.heard = self.read = True
        self._update, self._get = handle.update, handle.get
        monkeypatch.setattr(handle, "update", self.update)
        monkeypatch.setattr(handle, "get", self.get)

    async def update(self, *what: Any, **how: Any) -> Any:  # noqa: ANN401 - passed on
        """See ``LeaseTable.update``."""
        if self.happens:
            after = await self._update(*what, **how)
            if self.heard:
                return after
        await anyio.sleep(0.1)
        raise Unavailable("NoReplyInTime", "no reply")

    async def get(self, key: str) -> Any:  # noqa: ANN401 - passed on
        """See ``LeaseTable.get``."""
        if not self.read:
            raise Unavailable("NoReplyInTime", "no reply")
        return await self._get(key)


@virtual_time.test
async def test_what_is_found_after_a_lost_reply_may_be_an_earlier_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the lease is in time as long as that one says, and what was to be written last is not taken for written."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a:
        await eventually(lambda: len(a.in_time) == 1, within=1)
        deaf = Deaf(a.handle, monkeypatch)
        deaf.heard = deaf.read = False
        with pytest.raises(StoreUnwritable):
            await a.save("shard-0", "5")
        sent = loop_time()
        deaf.happens = False
        await anyio.sleep(0.8 * FAILOVER)
        deaf.read = True
        with pytest.raises(StoreUnwritable):
            await a.save("shard-0", "9")
        await anyio.sleep(sent + FAILOVER - loop_time())
        assert a.in_time == set()
        deaf.happens = deaf.heard = True
        await a.save("shard-0", "9")
        assert table.items["shard-0"]["checkpoint"] == {"S": "9"}
        assert a.in_time == {"shard-0"}


@virtual_time.test
async def test_a_save_after_a_scan_that_shows_the_loss_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the scan's other news are looked into."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.in_time) == 2, within=1)
        lease, scanned, scan = a.held["shard-0"], anyio.Event(), a.handle.scan

        async def and_tell() -> Any:  # noqa: ANN401 - passed on
            found = await scan()
            scanned.set()
            return found

        monkeypatch.setattr(a.handle, "scan", and_tell)
        taken = {"leaseCounter": {"N": "50"}, "leaseOwner": {"S": "headrace/b/1/2"}}
        table.put_by_hand(table.items["shard-0"] | taken)
        table.delete_by_hand("shard-1")
        await scanned.wait()
        with pytest.raises(LeaseLost):
            await a.checkpoints.save(lease, ShardCheckpoint())


@pytest.mark.parametrize("ends", [True, False])
@virtual_time.test
async def test_a_lease_that_is_seen_given_before_the_reply_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
    ends: bool,
) -> None:
    """A look overtakes the reply of the write that gives it up."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a:
        await eventually(lambda: len(a.in_time) == 1, within=1)
        lease, update = a.held["shard-0"], a.handle.update

        async def slowly(*what: Any, **how: Any) -> Any:  # noqa: ANN401 - passed on
            after = await update(*what, **how)
            await anyio.sleep(2)
            return after

        monkeypatch.setattr(a.handle, "update", slowly)
        if ends:
            await a.checkpoints.end(lease, ShardCheckpoint("7"), {})
            assert table.items["shard-0"]["checkpoint"] == {"S": "SHARD_END"}
        else:
            del a.held["shard-0"]
            a.checkpoints.leave()
            await a.checkpoints.release([lease])
            assert "leaseOwner" not in table.items["shard-0"]
        assert a.lost == []


@virtual_time.test
async def test_the_dead_are_followed_where_the_table_is_large_and_leases_are_short() -> None:
    """However seldom a large table is looked at as a whole, it is often enough to see that a counter stands still."""
    table = MemoryLeaseTable()
    async with replica(table, "b", shards=120, failover_seconds=3.0) as b:
        async with replica(table, "a", failover_seconds=3.0) as a:
            await eventually(lambda: len(a.held) == len(b.held) == 60, within=30)
        await eventually(lambda: len(b.held) == 120, within=9)

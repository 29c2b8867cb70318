"""What a replica believes when the table does not answer, when replies are lost, and when a look overtakes them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pollers.aws.errors import Unavailable
from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.storage.errors import StoreUnwritable
from tests.unit.leases.replicas import FAILOVER, replica
from tests.worlds import virtual_time
from tests.worlds.lease_handle import Rates
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from tests.worlds.lease_handle import TableHandle

SECOND = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1800000000"


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

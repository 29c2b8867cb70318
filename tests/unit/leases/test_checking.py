"""What is found of a lease table before anything runs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pollers.aws.errors import AccessDenied
from pollers.aws.findings import Finding, Level
from pollers.checkpoints.store import ShardCheckpoint
from pollers.leases.checking import examine_table
from pollers.leases.items import new_item
from pollers.leases.own_part import Stamp
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable

if TYPE_CHECKING:
    from pollers.leases.table import LeaseTable


async def found(table: LeaseTable) -> list[Finding]:
    """What is said of the table of a mapping, each finding that is not fine with what to do."""
    findings = [finding async for finding in examine_table(table, "clicks", mapping="clicks")]
    assert all(finding.fix for finding in findings if finding.level is not Level.OK)
    return findings


def table_with(*mappings: str) -> MemoryLeaseTable:
    """A table with a lease of each of these mappings."""
    table = MemoryLeaseTable()
    for number, mapping in enumerate(mappings):
        table.put_by_hand(new_item(f"shard-{number}", ShardCheckpoint("7"), Stamp(mapping, "somewhere")))
    return table


@virtual_time.test
async def test_a_sound_table_is_read_and_written_without_a_trace() -> None:
    """Its writes expect what no item has."""
    table = table_with("clicks", "clicks")
    before = table.items
    read, written = await found(table.handle("eye"))
    assert (read.level, read.what) == (Level.OK, "the lease table leases has 2 leases")
    assert (written.level, written.what) == (Level.OK, "GetItem, UpdateItem and DeleteItem are permitted")
    assert table.items == before


@virtual_time.test
async def test_a_table_that_is_not_there_is_no_fault_and_is_not_made() -> None:
    """A first start makes it."""
    table = MemoryLeaseTable(exists=False)
    [note] = await found(table.handle("eye"))
    assert (note.level, note.what) == (Level.NOTE, "the lease table leases does not exist yet")
    assert table.made == 0


@virtual_time.test
async def test_a_table_that_is_none_or_another_s_is_a_fault() -> None:
    """Both would stop the mapping."""
    keyed = MemoryLeaseTable()
    keyed.key = "id"
    [fault] = await found(keyed.handle("eye"))
    assert (fault.level, "found the key id" in fault.what) == (Level.FAULT, True)
    [_, fault] = (await found(table_with("orders").handle("eye")))[:2]
    assert (fault.level, fault.what) == (Level.FAULT, "the lease table leases is that of the mapping orders")


@pytest.mark.parametrize("operation", ["exists", "scan", "update", "delete"])
@virtual_time.test
async def test_a_permission_that_is_missing_is_a_fault(operation: str) -> None:
    """The operation is in what the service says."""
    handle = table_with("clicks").handle("eye")

    async def denied(*_arguments: object, **_more: object) -> None:
        raise AccessDenied("AccessDeniedException", f"may not {operation}", status=400, operation=operation)

    setattr(handle, operation, denied)
    [fault] = [finding for finding in await found(handle) if finding.level is Level.FAULT]
    assert f"may not {operation}" in fault.what
    assert fault.fix.startswith("allow ")


@virtual_time.test
async def test_a_table_out_of_reach_is_a_fault() -> None:
    """Nothing could be started."""
    table = table_with("clicks")
    table.cut_off.add("eye")
    [fault] = await found(table.handle("eye"))
    assert (fault.level, "does not answer" in fault.what) == (Level.FAULT, True)

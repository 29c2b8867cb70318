"""What ``headrace check --online`` asks of a lease table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pollers.aws.errors import AwsError
from pollers.aws.findings import Finding, Level
from pollers.leases.errors import LeaseTableUnusable, store_error
from pollers.leases.inspection import leases_of
from pollers.leases.items import COUNTER
from pollers.leases.table import ConditionFailed
from pollers.storage.errors import StoreError, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.leases.table import LeaseTable

UNUSED_KEY = "headrace-check"
"""No shard is called so."""
UNMET = {COUNTER: {"N": "-1"}}
"""No lease has such a counter: a write that expects it changes nothing, wherever it is made."""
OPERATIONS = "DescribeTable, GetItem, PutItem, UpdateItem, DeleteItem, Scan and Query"


async def examine_table(table: LeaseTable, name: str, *, mapping: str | None) -> AsyncIterator[Finding]:
    """Whether there is a lease table, whose it is, and whether it may be read and written. Changes nothing, and raises nothing.

    ``name``: of whom the findings are. ``mapping``: whose leases are to be in it; None: not a mapping's.
    """
    try:
        async for finding in _examined(table, name, mapping):
            yield finding
    except StoreError as error:
        yield Finding(name, Level.FAULT, str(error), _fix(error, table))


async def _examined(table: LeaseTable, name: str, mapping: str | None) -> AsyncIterator[Finding]:
    try:
        there = await table.exists()
    except AwsError as error:
        raise store_error(error, table.name) from error
    if not there:
        fix = "nothing to do where CreateTable is allowed: it is made when Headrace runs"
        yield Finding(name, Level.NOTE, f"the lease table {table.name} does not exist yet", fix)
        return
    leases = await leases_of(table)
    count = f"{len(leases)} lease{'' if len(leases) == 1 else 's'}"
    yield Finding(name, Level.OK, f"the lease table {table.name} has {count}")
    stamped = {lease.own.stamp.mapping for lease in leases if lease.own.stamp is not None}
    if mapping is not None and (others := ", ".join(sorted(stamped - {mapping}))):
        what = f"the lease table {table.name} is that of the mapping {others}"
        yield Finding(
            name, Level.FAULT, what, "name a table of its own, with {mapping} in the name in runtime.checkpoints"
        )
    await _try_writes(table)
    yield Finding(name, Level.OK, "GetItem, UpdateItem and DeleteItem are permitted")


async def _try_writes(table: LeaseTable) -> None:
    try:
        await table.get(UNUSED_KEY)
        with suppress(ConditionFailed):
            await table.update(UNUSED_KEY, put={COUNTER: {"N": "0"}}, expected=UNMET)
        with suppress(ConditionFailed):
            await table.delete(UNUSED_KEY, expected=UNMET)
    except AwsError as error:
        raise store_error(error, table.name) from error


def _fix(error: StoreError, table: LeaseTable) -> str:
    match error:
        case LeaseTableUnusable():
            return f"allow {OPERATIONS} on {table.name} and its indexes"
        case StoreUnwritable():
            return "check region, endpoint_url and the network"
        case _:
            return "name another table in runtime.checkpoints, or see to this one"

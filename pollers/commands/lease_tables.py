"""What ``headrace checkpoints``, ``headrace leases`` and ``headrace check --online`` do with checkpoints in DynamoDB."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from pollers.aws.services.clients import AwsClients
from pollers.commands.configuration import stream_mappings
from pollers.leases.checking import examine_table
from pollers.leases.inspection import Observed, leases_of, observe, reset_table
from pollers.leases.store import boot_time
from pollers.storage.errors import StoreError
from pollers.stores import lease_table, schedules_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from config.models import Config
    from pollers.aws.api import StartAt
    from pollers.aws.findings import Finding
    from pollers.leases import LeaseTable
    from pollers.leases.items import LeaseItem

T = TypeVar("T")

SCHEDULES = "(schedules)"
"""Stands for the schedules among the names of mappings, none of which is spelt so."""
SIGN_SHARE = 0.4
"""For what share of a failover a table is looked at: owners renew three times in one."""


def each_table(config: Config, mappings: Iterable[str], do: Callable[[str, LeaseTable], Awaitable[T]]) -> dict[str, T]:
    """Do something with the table of each mapping, all at the same time; the results by mapping. Raises StoreError.

    The name :data:`SCHEDULES` stands for the table of schedules.
    """
    names = list(mappings)
    found: dict[str, T] = {}
    refused: list[StoreError] = []

    async def one(aws: AwsClients, name: str) -> None:
        try:
            found[name] = await do(name, await _table(config, aws, name))
        except StoreError as error:
            refused.append(error)

    async def run() -> None:
        async with AwsClients(config.aws) as aws, anyio.create_task_group() as group:
            for name in names:
                group.start_soon(one, aws, name)

    anyio.run(run)
    if refused:
        raise refused[0]
    return {name: found[name] for name in names}


async def _table(config: Config, aws: AwsClients, name: str) -> LeaseTable:
    if name == SCHEDULES:
        return await schedules_table(config, aws)
    return await lease_table(config, aws, name, config.event_source_mappings[name].arn.region)


async def examine_tables(config: Config, aws: AwsClients) -> list[Finding]:
    """What is found of the lease tables of every stream mapping that is enabled, and of that of schedules."""
    mappings = config.event_source_mappings
    found: dict[str, list[Finding]] = {name: [] for name in stream_mappings(config) if mappings[name].enabled}
    if config.schedules:
        found[SCHEDULES] = []

    async def one(name: str) -> None:
        of, mapping = ("schedules", None) if name == SCHEDULES else (name, name)
        found[name] = [finding async for finding in examine_table(await _table(config, aws, name), of, mapping=mapping)]

    async with anyio.create_task_group() as group:
        for name in found:
            group.start_soon(one, name)
    return list(chain.from_iterable(found.values()))


def show_tables(config: Config, mappings: Iterable[str]) -> dict[str, list[LeaseItem]]:
    """The leases of each mapping."""
    return each_table(config, mappings, lambda _name, table: leases_of(table))


def observe_tables(config: Config, mappings: Iterable[str]) -> dict[str, list[Observed]]:
    """The leases of each mapping, and which owners give signs."""
    seconds = SIGN_SHARE * config.runtime.leases.failover
    return each_table(config, mappings, lambda _name, table: observe(table, seconds, boot_time))


def reset_tables(config: Config, mappings: Iterable[str], start: StartAt | None) -> dict[str, int]:
    """Reset each mapping's table; how many leases each had."""
    reset = partial(reset_table, start=start, failover_seconds=config.runtime.leases.failover, clock=boot_time)
    return each_table(config, mappings, lambda name, table: reset(table, name))


def lease_document(item: LeaseItem) -> dict[str, Any]:
    """A lease for ``--json``; the state of a window is left out, its bounds are not."""
    checkpoint, seen = item.checkpoint, item.seen
    window = checkpoint.window
    return {
        "shard": item.shard_id,
        "owner": seen.holder,
        "counter": item.counter,
        "asked_by": None if seen.asked is None else seen.asked.by,
        "given": seen.given,
        "leaving": seen.leaving is not None and seen.leaving == seen.owner,
        "sequence_number": checkpoint.sequence_number,
        "user_record": checkpoint.user_record,
        "start": asdict(checkpoint.start),
        "ended": checkpoint.ended,
        "parents": list(checkpoint.parents),
        "done_above": [list(lanes.upto) for lanes in checkpoint.ahead],
        "window": None if window is None else {"start": window.start, "end": window.end},
        "reset": item.own.reset,
    }

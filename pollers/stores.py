"""The checkpoint store that a configuration names, and how replicas share schedules, with what both need of AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws import services
from pollers.checkpoints import open_store
from pollers.leases import DynamoLeaseTable, DynamoStore
from pollers.leases.dynamodb import CALL_SECONDS
from pollers.schedules import SharedSchedules

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import Config
    from pollers.aws.api import Aws
    from pollers.checkpoints import ForgettingStore
    from pollers.leases import LeaseTable


def store_of(config: Config, aws: Aws, region_of: Callable[[str], str]) -> ForgettingStore:
    """The store of ``runtime.checkpoints``, not yet entered. ``region_of`` gives the region of a mapping's table: its stream's."""
    runtime = config.runtime
    if runtime.sqlite_path is not None:
        return open_store(runtime.checkpoints)

    async def table_of(mapping: str) -> LeaseTable:
        return await lease_table(config, aws, mapping, region_of(mapping))

    leases = runtime.leases
    return DynamoStore(
        table_of,
        failover_seconds=leases.failover,
        interval_seconds=leases.interval,
        with_kcl=leases.with_kcl,
    )


async def lease_table(config: Config, aws: Aws, mapping: str, region: str) -> DynamoLeaseTable:
    """The table of a mapping, which need not exist. ValueError where checkpoints are in a file."""
    return await _table(config, aws, config.runtime.lease_table(mapping), region)


def sharing_of(config: Config, aws: Aws) -> SharedSchedules | None:
    """How the schedules of this configuration are shared; None where checkpoints are in a file: then they are not."""
    runtime = config.runtime
    if runtime.schedules_table is None:
        return None

    return SharedSchedules(lambda: schedules_table(config, aws), runtime.leases.failover)


async def schedules_table(config: Config, aws: Aws) -> DynamoLeaseTable:
    """The table of schedules, which need not exist. ValueError where checkpoints are in a file."""
    return await _table(config, aws, config.runtime.schedules_table, config.api_region or config.aws.region or "")


async def _table(config: Config, aws: Aws, name: str | None, region: str) -> DynamoLeaseTable:
    if name is None:
        raise ValueError(f"{config.runtime.checkpoints} is no table")
    # A write and the look for it after a lost reply take half a failover at most, so that there is time to try again.
    call_seconds = min(CALL_SECONDS, config.runtime.leases.failover / 4)
    return DynamoLeaseTable(await aws.client(services.DYNAMODB, region), name, call_seconds=call_seconds)


def least_interval_seconds(config: Config) -> float:
    """The store's least time between two writes of a mapping, known before it is made (``CheckpointStore``)."""
    return 0.0 if config.runtime.sqlite_path is not None else config.runtime.leases.interval

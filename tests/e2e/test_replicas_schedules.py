"""Replicas of one configuration share schedules through a lease table: real processes on an emulator, SIGTERM and kill -9."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import Workplace, ended, terminate, until, until_true
from tests.e2e.replicas import command
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

FAILOVER = 3
NOTING = """
    def handler(event, context):
        note(id=event, request=context.aws_request_id)
"""
NAMES = [f"s{number}" for number in range(4)]


def at_times(moments: dict[str, float]) -> dict[str, Any]:
    """A schedule for each moment, with its name as the event."""
    return {
        name: {
            "schedule_expression": f"at({datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%S})",
            "function_name": "work",
            "input": f'"{name}"',
        }
        for name, moment in moments.items()
    }


def place(folder: Path, emulator: Emulator, prefix: str, schedules: dict[str, Any]) -> Workplace:
    """A folder for one replica, with a state of its own."""
    folder.mkdir()
    found = Workplace(folder, emulator)
    found.function(NOTING)
    found.configure(
        {},
        schedules=schedules,
        runtime={
            "checkpoints": f"dynamodb:{prefix}",
            "leases": {"failover": FAILOVER, "interval": 0},
            "state": str(folder / "state"),
        },
    )
    return found


async def test_replicas_run_each_due_time_once_and_follow_each_other(tmp_path: Path, ministack: Emulator) -> None:
    """Two share rates at the start; one is stopped right before a due time, and one is killed before the next."""
    prefix = unique("schedules")
    hourly = {
        name: {"schedule_expression": "rate(1 hour)", "function_name": "work", "input": f'"{name}"'} for name in NAMES
    }
    begun = time.time()
    moments = {"stopped": begun + 25, "killed": begun + 50}
    schedules = {**hourly, **at_times(moments)}
    one, two, three = (place(tmp_path / name, ministack, prefix, schedules) for name in ("one", "two", "three"))

    def counted() -> Counter[str]:
        total: Counter[str] = Counter()
        for each in (one, two, three):
            total += each.count()
        return total

    async with plain_client(ministack, "dynamodb") as client:

        async def owners() -> Counter[str]:
            try:
                items = (await client.scan(TableName=f"{prefix}-schedules", ConsistentRead=True))["Items"]
            except client.exceptions.ResourceNotFoundException:
                return Counter()
            return Counter(item["leaseOwner"]["S"] for item in items if "leaseOwner" in item)

        async def even() -> bool:
            return sorted((await owners()).values()) == [3, 3]

        async def all_of_one() -> bool:
            return len(await owners()) == 1

        with two.headrace() as second:
            with one.headrace() as first:
                await until_true(even, what="three schedules for each")
                await until(lambda: counted().keys() >= set(NAMES), what="the first runs")
                shown = json.loads((await command(one, "leases", "show", "--json")).stdout)["schedules"]
                assert (shown["table"], len(shown["schedules"])) == (f"{prefix}-schedules", 6)
                assert all(schedule["sign_seconds"] is not None for schedule in shown["schedules"])
                assert time.time() < moments["stopped"], "too slow to say anything"
                await until(lambda: time.time() > moments["stopped"] - 1.5)
                terminate(first)
                await until(lambda: counted()["stopped"], what="the run that was due at the stop")
                late = time.time() - moments["stopped"]
                assert await ended(first) == 0, one.log.read_text()
            assert late < FAILOVER, "the schedule was given, not waited for"
            with three.headrace() as third:
                await until_true(lambda: has_two(owners), what="schedules for the third")
                await until(lambda: time.time() > moments["killed"] - 0.5)
                second.kill()
                await ended(second)
                await until(lambda: counted()["killed"], what="the run that was due after the kill")
                await until_true(all_of_one, what="every schedule with the third")
                terminate(third)
                assert await ended(third) == 0, three.log.read_text()
        assert not await owners()
    assert counted() == dict.fromkeys([*NAMES, *moments], 1)
    for each in (one, three):
        [books] = [line for line in each.logged("shutdown 7: ledger") if line.get("service") == "schedules"]
        assert books["balanced"]


async def has_two(owners: Any) -> bool:  # noqa: ANN401 - a coroutine function
    """Whether two replicas have schedules."""
    return len(await owners()) == 2

"""What is shown of schedules: by status, console and metrics."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import anyio
from rich.console import Console

from pollers.schedules.views import views
from pollers.status.loop_monitor import LoopMonitor
from pollers.status.schedule_gauges import schedule_metrics
from pollers.status.schedules_table import schedules_table
from pollers.status.snapshot import Status
from pollers.storage import StoreUnwritable
from pollers.telemetry.board import Board
from tests.unit.schedules.fakes import NOW, World, config, schedule
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.supervisor.runtime import Runtime


@virtual_time.test
async def test_a_schedule_is_shown_with_its_next_and_its_last_run(tmp_path: Path) -> None:
    """And with what became of that; other services are none."""
    over, off = schedule("at(2020-01-01T00:00:00)", "over"), schedule(name="off", state="DISABLED")
    there = World(tmp_path, config(schedule("rate(5 minutes)"), over, off))
    async with there.process() as process:
        await anyio.sleep(60)
        found = list(views([object(), process.schedules]))

        assert [(one.name, one.state, one.next_due) for one in found] == [
            ("off", "disabled", None),
            ("over", "over", None),
            ("s", "enabled", NOW + 300),
        ]
        told = found[2].as_dict()
        assert (told["last_due"], told["last_at"], told["last_outcome"]) == (NOW, NOW, "accepted")
        assert (told["function"], told["expression"], told["timezone"]) == ("orders", "rate(5 minutes)", "UTC")

        process.queue.full = True
        await anyio.sleep(300)
        told = list(views([process.schedules]))[2].as_dict()
        assert (told["under_way"], told["problem"], told["accepted"]) == (1, "there is no room", 1)


@virtual_time.test
async def test_the_table_has_a_line_for_each_schedule(tmp_path: Path) -> None:
    """In UTC."""
    there = World(tmp_path, config(schedule("rate(5 minutes)")))
    async with there.process() as process:
        await anyio.sleep(60)
        console = Console(width=120, file=(text := StringIO()))
        console.print(schedules_table([one.as_dict() for one in views([process.schedules])]))
        line = text.getvalue().splitlines()[-1].split()
    assert line == ["s", "enabled", "2023-11-14", "22:18:20Z", "2023-11-14", "22:13:20Z", "accepted"]


@virtual_time.test
async def test_the_metrics_have_a_line_for_each_schedule(tmp_path: Path) -> None:
    """Times are seconds since 1970; what has no next run has no line for it."""
    there = World(tmp_path, config(schedule("rate(5 minutes)"), schedule("at(2020-01-01T00:00:00)", "over")))
    async with there.process() as process:
        await anyio.sleep(60)
        families = {metric.name: metric.samples for metric in schedule_metrics(lambda: views([process.schedules]))}
    runs = {(one.labels["schedule"], one.labels["outcome"]): one.value for one in families["headrace_schedule_runs"]}
    assert runs[("s", "accepted")] == 1
    assert [(one.labels, one.value) for one in families["headrace_schedule_next_run_timestamp_seconds"]] == [
        ({"schedule": "s"}, NOW + 300)
    ]


@virtual_time.test
async def test_schedules_that_cannot_be_written_are_not_ready(tmp_path: Path) -> None:
    """The queue need not have noticed: it is asked only when something is due."""
    there = World(tmp_path, config(schedule("rate(1 hour)")))
    async with there.process() as process:
        runtime = SimpleNamespace(mappings={}, stopping=False, service_runners=(), services=(process.schedules,))
        status = Status(cast("Runtime", runtime), Board(), LoopMonitor())
        process.state.problem = StoreUnwritable("the disk is full")
        await anyio.sleep(5)
        [problem] = status.unready()
        assert problem.reason == "schedules cannot be written, and do not run: the disk is full"
        assert status.problems() == []

        process.state.problem = None
        await anyio.sleep(15)
        assert status.unready() == []

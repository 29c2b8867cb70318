"""What is shown of schedules: by status, console and metrics."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import anyio
from rich.console import Console

from pollers.schedules.views import views
from pollers.status.schedule_gauges import schedule_metrics
from pollers.status.schedules_table import schedules_table
from tests.unit.schedules.fakes import NOW, World, config, schedule
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path


@virtual_time.test
async def test_a_schedule_is_shown_with_its_next_and_its_last_run(tmp_path: Path) -> None:
    """And with what became of that; other services are none."""
    over, off = schedule("at(2020-01-01T00:00:00)", "over"), schedule(name="off", state="DISABLED")
    there = World(tmp_path, config(schedule("rate(5 minutes)"), over, off))
    async with there.process() as process:
        await anyio.sleep(60)
        found = views([object(), process.schedules])

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
        told = views([process.schedules])[2].as_dict()
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
        families = {metric.name: metric.samples for metric in schedule_metrics(views([process.schedules]))}
    runs = {(one.labels["schedule"], one.labels["outcome"]): one.value for one in families["headrace_schedule_runs"]}
    assert runs[("s", "accepted")] == 1
    assert [(one.labels, one.value) for one in families["headrace_schedule_next_run_timestamp_seconds"]] == [
        ({"schedule": "s"}, NOW + 300)
    ]

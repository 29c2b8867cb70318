"""Schedules as they run: on time, once, across restarts, reloads, clocks that jump and disks that are full."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from pollers.aws.errors import Refused, Unavailable
from pollers.schedules.service import AT_ONCE
from pollers.storage import StoreUnwritable
from tests.unit.schedules.fakes import DEAD, NOW, World, config, due, schedule
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import Schedule

MINUTE, HOUR = 60, 3600
DISK_FULL = StoreUnwritable("the disk is full")
EACH_MINUTE = "cron(* * * * ? *)"
TO_MINUTE = 40
"""Seconds until the first full minute."""


def world(folder: Path, *schedules: Schedule) -> World:
    """A world with these schedules."""
    return World(folder, config(*schedules))


@virtual_time.test
async def test_runs_are_handed_over_when_they_are_due(tmp_path: Path) -> None:
    """At second 0, in order."""
    there = world(tmp_path, schedule(EACH_MINUTE))
    async with there.process() as process:
        await anyio.sleep(TO_MINUTE - 0.01)
        assert process.queue.tries == 0
        await anyio.sleep(0.02)
        assert process.queue.tries == 1
        await anyio.sleep(4 * MINUTE)
    assert await there.accepted() == due(*(TO_MINUTE + MINUTE * number for number in range(5)))


@virtual_time.test
async def test_a_rate_runs_at_once_and_that_of_a_rule_one_interval_later(tmp_path: Path) -> None:
    """A restart is no first sight: the count goes on."""
    there = world(tmp_path, schedule("rate(5 minutes)"))
    async with there.process():
        await anyio.sleep(MINUTE)
    async with there.process():
        await anyio.sleep(10 * MINUTE)
    assert await there.accepted() == due(0, 5 * MINUTE, 10 * MINUTE)

    other = world(tmp_path / "rule", schedule("rate(5 minutes)", event="rule", input=None))
    async with other.process():
        await anyio.sleep(11 * MINUTE)
    times = [json.loads(event)["time"] for event in await other.accepted()]
    assert [f'"{time}"' for time in times] == due(16 * MINUTE, 21 * MINUTE)


@virtual_time.test
async def test_of_what_fell_into_a_downtime_the_last_runs_once(tmp_path: Path) -> None:
    """With skip none does. Both are said once."""
    hourly = schedule("cron(0 * * * ? *)"), schedule("cron(30 * * * ? *)", "skipped", missed="skip")
    there = world(tmp_path, *hourly)
    async with there.process():
        await anyio.sleep(HOUR)
    await anyio.sleep(10 * HOUR)
    with capture_logs() as logs:
        async with there.process():
            await anyio.sleep(MINUTE)
        async with there.process():
            await anyio.sleep(MINUTE)
    first = 46 * MINUTE + TO_MINUTE  # 23:00
    assert await there.accepted() == due(first - HOUR // 2, first, first + 10 * HOUR)
    missed = {line["schedule"]: line for line in logs if line["event"] == "schedule: runs were missed"}
    assert len([line for line in logs if line["event"] == "schedule: runs were missed"]) == len(missed) == 2
    assert (missed["s"]["since"], missed["s"]["until"]) == ("2023-11-15T00:00:00Z", "2023-11-15T09:00:00Z")
    assert (missed["skipped"]["since"], missed["skipped"]["until"]) == ("2023-11-14T23:30:00Z", "2023-11-15T08:30:00Z")
    assert [missed[name]["runs_now"] for name in ("s", "skipped")] == ["2023-11-15T09:00:00Z", None]


@virtual_time.test
async def test_a_disabled_schedule_does_not_run_and_has_missed_nothing_when_enabled(tmp_path: Path) -> None:
    """By a reload or by a restart."""
    on, off = config(schedule(EACH_MINUTE)), config(schedule(EACH_MINUTE, state="DISABLED"))
    there = World(tmp_path, off)
    async with there.process() as process:
        await anyio.sleep(HOUR)
        process.schedules.apply(on)
        await anyio.sleep(2 * MINUTE)
        process.schedules.apply(off)
        await anyio.sleep(HOUR)
    there.config = on
    async with there.process():
        await anyio.sleep(MINUTE)
    first = HOUR + TO_MINUTE
    assert await there.accepted() == due(first, first + MINUTE, 2 * HOUR + 2 * MINUTE + TO_MINUTE)


@virtual_time.test
async def test_a_reload_adds_removes_and_changes_schedules(tmp_path: Path) -> None:
    """A changed expression begins anew; what stays goes on."""
    there = world(tmp_path, schedule("rate(10 minutes)", "a"), schedule("rate(10 minutes)", "b"))
    async with there.process() as process:
        await anyio.sleep(MINUTE)
        process.schedules.apply(
            config(schedule("rate(10 minutes)", "a"), schedule("rate(20 minutes)", "b"), schedule(name="c"))
        )
        await anyio.sleep(3 * MINUTE)
        assert [one.schedule.name for one in process.schedules.schedules()] == ["a", "b", "c"]
        process.schedules.apply(config(schedule("rate(20 minutes)", "b")))
        await anyio.sleep(18 * MINUTE)
        books = process.schedules.books()
        assert books is not None
        assert (books.balanced, books.figures["due"], books.figures["accepted"]) == (True, 5, 5)
    assert await there.accepted() == due(0, 0, MINUTE, MINUTE, 21 * MINUTE)


@virtual_time.test
async def test_a_schedule_that_comes_back_goes_on(tmp_path: Path) -> None:
    """A time that it has run is not run again, and nothing was missed while it was away."""
    once = schedule("at(2023-11-14T22:20:00)")
    there = world(tmp_path, once)
    async with there.process() as process:
        await anyio.sleep(10 * MINUTE)
        process.schedules.apply(config())
        await anyio.sleep(MINUTE)
        process.schedules.apply(config(once))
        await anyio.sleep(HOUR)
    assert await there.accepted() == due(400)


@virtual_time.test
async def test_a_time_that_had_passed_at_the_first_sight_does_not_run(tmp_path: Path) -> None:
    """It was never missed; and one that is over is never looked at again."""
    there = world(tmp_path, schedule("at(2023-11-14T22:00:00)"), schedule("cron(0 0 1 1 ? 2020)", "over"))
    async with there.process() as process:
        await anyio.sleep(HOUR)
        assert [one.next_due for one in process.schedules.schedules()] == [None, None]
    assert await there.accepted() == []


@virtual_time.test
async def test_a_full_queue_is_tried_again(tmp_path: Path) -> None:
    """Until it has room; other schedules go on meanwhile, and no due time is lost."""
    there = world(tmp_path, schedule(EACH_MINUTE))
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(TO_MINUTE + 5 * MINUTE)
        assert "no room" in (next(process.schedules.schedules()).problem or "")
        process.queue.full = False
        await anyio.sleep(8 * MINUTE)
        assert next(process.schedules.schedules()).problem is None
    assert sorted(await there.accepted()) == due(*(TO_MINUTE + MINUTE * number for number in range(13)))


@virtual_time.test
async def test_a_full_disk_is_tried_again(tmp_path: Path) -> None:
    """Neither the due time nor the event was written."""
    there = world(tmp_path, schedule(EACH_MINUTE))
    async with there.process() as process:
        await anyio.sleep(MINUTE)
        process.state.problem = DISK_FULL
        await anyio.sleep(MINUTE)
        process.state.problem = None
        await anyio.sleep(MINUTE)
    assert sorted(await there.accepted()) == due(*(TO_MINUTE + MINUTE * number for number in range(3)))


@virtual_time.test
async def test_a_disk_that_is_full_at_the_start_is_waited_for(tmp_path: Path) -> None:
    """Said once; the first sight comes when there is room, and so does what was missed of a schedule that was seen before."""
    there = world(tmp_path, schedule("cron(0 * * * ? *)", missed="skip"))
    async with there.process():
        await anyio.sleep(MINUTE)
    await anyio.sleep(3 * HOUR)
    there.config = config(*there.config.schedules.values(), schedule("rate(1 hour)", "new"))
    with capture_logs() as logs:
        async with there.process() as process:
            process.state.problem = DISK_FULL
            await anyio.sleep(10 * MINUTE)
            problems = [process.schedules.problem]
            process.state.problem = None
            await anyio.sleep(MINUTE)
            problems.append(process.schedules.problem)
    assert problems == ["the disk is full", None]
    first_sight = 3 * HOUR + 11 * MINUTE
    assert [line for line in await there.accepted() if line >= due(first_sight)[0]] == due(first_sight)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "schedules cannot be written: what is not written does not run"
    ]
    assert "schedule: runs were missed" in [line["event"] for line in logs]


@virtual_time.test
async def test_a_run_that_is_given_up_is_a_dead_letter(tmp_path: Path) -> None:
    """With the input, and why; the schedule goes on."""
    policy = {"maximum_retry_attempts": 2, "maximum_event_age_in_seconds": 60}
    there = world(tmp_path, schedule("rate(1 hour)", retry_policy=policy, dead_letter_config={"arn": DEAD}))
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(MINUTE)
        assert process.queue.tries == 3
        process.queue.full = False
        await anyio.sleep(HOUR)
        books = process.schedules.books()
        assert books is not None
        assert (books.balanced, books.figures["failed"], books.figures["accepted"]) == (True, 1, 1)
    async with there.process():
        await anyio.sleep(MINUTE)
    assert await there.accepted() == due(HOUR)
    [(url, body)] = there.cloud.messages
    assert (url, [body]) == ("http://queues/000000000000/schedules-dead", due(0))
    attributes = {name: one.value for name, one in there.cloud.attributes[0].items()}
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"] == "2"


@virtual_time.test
async def test_a_dead_letter_waits_for_a_queue_out_of_reach(tmp_path: Path) -> None:
    """One that is refused is lost, and said."""
    policy = {"maximum_retry_attempts": 0}
    there = world(tmp_path, schedule("rate(1 hour)", retry_policy=policy, dead_letter_config={"arn": DEAD}))
    there.cloud.error = Unavailable("x", "no way")
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(30 * MINUTE)
        there.cloud.error = None
        await anyio.sleep(20 * MINUTE)
        assert [body for _, body in there.cloud.messages] == due(0)
        there.cloud.error = Refused("x", "never")
        with capture_logs() as logs:
            await anyio.sleep(HOUR)
        assert "schedule: a dead letter is lost" in [line["event"] for line in logs]


@virtual_time.test
async def test_the_function_of_a_run_may_be_gone(tmp_path: Path) -> None:
    """Removed while its queue was full: nothing is tried again then (docs/lambda 14.1)."""
    there = world(tmp_path, schedule("rate(1 hour)", dead_letter_config={"arn": DEAD}))
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(MINUTE)
        process.schedules.apply(config(functions=()))
        await anyio.sleep(10 * MINUTE)
        books = process.schedules.books()
        assert books is not None
        assert (books.balanced, books.figures["failed"]) == (True, 1)
    assert there.cloud.attributes[0]["ERROR_CODE"].value == "ResourceNotFoundException"


@virtual_time.test
async def test_a_stop_leaves_what_is_not_handed_over_undecided(tmp_path: Path) -> None:
    """The next process hands it over."""
    there = world(tmp_path, schedule("rate(1 hour)"))
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(10 * MINUTE)
        process.stop.request()
        await virtual_time.settle()
        books = process.schedules.books()
        assert books is not None
        assert (books.balanced, books.figures["given_back"]) == (True, 1)
    async with there.process():
        await anyio.sleep(MINUTE)
    assert await there.accepted() == due(0)


@virtual_time.test
async def test_a_clock_that_jumps_forward_runs_the_last_due_time(tmp_path: Path) -> None:
    """As after a night asleep; and it is said."""
    there = world(tmp_path, schedule("cron(0 * * * ? *)"))
    with capture_logs() as logs:
        async with there.process():
            await anyio.sleep(MINUTE)
            there.clock.skew = 8 * HOUR
            await anyio.sleep(MINUTE)
    assert await there.accepted() == ['"2023-11-15T06:00:00Z"']
    assert [line["forward_seconds"] for line in logs if line["event"].startswith("the clock was set")] == [8 * HOUR]


@virtual_time.test
async def test_a_clock_that_is_set_back_runs_nothing_twice(tmp_path: Path) -> None:
    """And goes on when it has caught up."""
    there = world(tmp_path, schedule(EACH_MINUTE))
    async with there.process():
        await anyio.sleep(TO_MINUTE + 10 * MINUTE + 1)
        there.clock.skew = -5 * MINUTE
        await anyio.sleep(7 * MINUTE)
    assert await there.accepted() == due(*(TO_MINUTE + MINUTE * number for number in range(13)))


@virtual_time.test
async def test_a_clock_that_was_days_ahead_does_not_delay_what_is_due(tmp_path: Path) -> None:
    """What is next is looked for anew once the clock is right again."""
    there = world(tmp_path, schedule("cron(0 0 * * ? *)"))
    async with there.process():
        await anyio.sleep(MINUTE)
        there.clock.skew = 10 * 24 * HOUR
        await anyio.sleep(MINUTE)
        there.clock.skew = 0
        await anyio.sleep(2 * HOUR)
    assert await there.accepted() == ['"2023-11-24T00:00:00Z"', '"2023-11-15T00:00:00Z"']


@virtual_time.test
async def test_the_second_in_a_window_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """It is drawn from the name and the due time."""
    flexible = schedule(
        "cron(15 22 * * ? *)", flexible_time_window={"mode": "FLEXIBLE", "maximum_window_in_minutes": 30}
    )
    there = world(tmp_path, flexible)
    async with there.process() as process:
        await anyio.sleep(3 * MINUTE)
        looked = next(process.schedules.schedules()).look_at
    assert looked is not None
    assert looked > NOW + 3 * MINUTE
    async with there.process() as process:
        await anyio.sleep(looked - there.clock.time() - 0.5)
        assert process.queue.tries == 0
        await anyio.sleep(1)
        assert process.queue.tries == 1


@virtual_time.test
async def test_many_runs_that_wait_are_bounded(tmp_path: Path) -> None:
    """A schedule whose queue stays full holds a hundred of them at most."""
    there = world(tmp_path, schedule(EACH_MINUTE))
    async with there.process() as process:
        process.queue.full = True
        await anyio.sleep(3 * HOUR)
        assert len(next(process.schedules.schedules()).under_way) == 100
        process.queue.full = False
        await anyio.sleep(HOUR)
        books = process.schedules.books()
        assert books is not None
        assert books.balanced
    assert len(await there.accepted()) > 150


@pytest.mark.parametrize("turns", range(0, 60, 3))
@virtual_time.test
async def test_a_crash_at_any_moment_loses_no_run_and_repeats_none(tmp_path: Path, turns: int) -> None:
    """The due time and the event are one write: cut short at every turn of the loop around it."""
    there = world(tmp_path, schedule("rate(1 hour)"), schedule("rate(2 hours)", "t"))
    async with there.process(crash=True):
        await virtual_time.settle(turns)
    async with there.process():
        await anyio.sleep(MINUTE)
    events = await there.accepted()
    assert len(events) == 2, events
    assert len(set(events)) == 1


@virtual_time.test
async def test_until_idle_does_not_wait_for_schedules(tmp_path: Path) -> None:
    """Something is always due later."""
    there = world(tmp_path, schedule())
    async with there.process() as process:
        assert (process.schedules.left(), process.schedules.held(), process.schedules.running()) == ("", 0, 0)
        assert process.schedules.refusal(config()) is None


@virtual_time.test
async def test_thousands_that_are_due_in_one_second_are_begun_a_few_at_a_time(tmp_path: Path) -> None:
    """A task for each would hold up the event loop. A stop in between leaves the rest undecided."""
    many = [schedule(EACH_MINUTE, f"s{number:03}", input='"<aws.scheduler.schedule-arn>"') for number in range(200)]
    there = world(tmp_path, *many)
    most = 0
    async with there.process() as process:
        process.queue.seconds = 0.01
        await anyio.sleep(TO_MINUTE - 0.01)
        while process.queue.tries < 100:
            most = max(most, sum(len(one.under_way) for one in process.schedules.schedules()))
            await anyio.sleep(0.001)
        process.stop.request()
    assert most <= AT_ONCE + 1
    books = process.schedules.books()
    assert books is not None
    assert books.balanced
    assert 100 <= len(await there.accepted()) < 200
    async with there.process():
        await anyio.sleep(1)
    assert len(set(await there.accepted())) == len(await there.accepted()) == 200


@virtual_time.test
async def test_what_was_first_seen_by_a_clock_that_was_ahead_is_seen_again(tmp_path: Path) -> None:
    """It would wait until the clock has caught up: for a day, or for years."""
    there = world(tmp_path, schedule(EACH_MINUTE), schedule("rate(1 hour)", "r", input='"r"'))
    there.clock.skew = 24 * HOUR
    async with there.process() as process:
        await anyio.sleep(MINUTE)
        process.state.problem = DISK_FULL
        there.clock.skew = 0
        await anyio.sleep(20)
        process.state.problem = None
        await anyio.sleep(2 * MINUTE)
    accepted = await there.accepted()
    assert accepted.count('"r"') == 2
    assert [event for event in accepted if event != '"r"'] == due(
        24 * HOUR + TO_MINUTE, TO_MINUTE + MINUTE, TO_MINUTE + 2 * MINUTE
    )

"""Replicas that share schedules: each due time runs once, whoever comes, leaves, dies or is cut off."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from pollers.checkpoints.store import ShardCheckpoint
from pollers.leases.items import new_item
from pollers.leases.own_part import Stamp
from pollers.schedules.views import problems, views
from pollers.storage.errors import StoreUnreadable
from tests.unit.schedules.fakes import NOW, Process, config, due, schedule
from tests.unit.schedules.replicas import FAILOVER, Replicas
from tests.worlds import virtual_time
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from pathlib import Path

MINUTE, HOUR = 60, 3600
EACH_MINUTE = "cron(* * * * ? *)"
TO_MINUTE = 40
"""Seconds until the first full minute."""


def minutes(count: int, first: int = 0) -> list[str]:
    """The events of so many full minutes."""
    return due(*(TO_MINUTE + MINUTE * number for number in range(first, first + count)))


def holds(process: Process) -> set[str]:
    """The schedules that a process runs."""
    return {one.schedule.name for one in process.schedules.schedules() if one.hold is not None}


@virtual_time.test
async def test_each_due_time_runs_once_among_three_replicas(tmp_path: Path) -> None:
    """Which have even shares of the schedules, and clocks that differ by seconds."""
    there = Replicas(tmp_path)
    names = [f"s{number}" for number in range(6)]
    asked = config(*(schedule(EACH_MINUTE, name) for name in names))
    async with AsyncExitStack() as stack:
        skews = {"a": 0.0, "b": 5.0, "c": -5.0}
        processes = [
            await stack.enter_async_context(there.replica(name, asked, skew=skew).process())
            for name, skew in skews.items()
        ]
        await anyio.sleep(TO_MINUTE - 8)
        assert [len(holds(process)) for process in processes] == [2, 2, 2]
        await anyio.sleep(4 * MINUTE)
        for process in processes:
            process.stop.request()
            await anyio.sleep(2)
    accepted = await there.accepted()
    assert accepted == dict.fromkeys(minutes(4), 6)
    assert all(there.owner(name) is None for name in names)
    assert {there.item(name)["checkpoint"]["S"] for name in names} == {str(NOW + TO_MINUTE + 3 * MINUTE)}


@virtual_time.test
async def test_a_replica_that_stops_gives_its_schedules_at_once(tmp_path: Path) -> None:
    """To another by name; a due time right after the stop runs on time, and once."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    async with there.replica("b", asked).process() as second, there.replica("a", asked).process() as first:
        await anyio.sleep(TO_MINUTE - 1)
        leaver, stayer = (first, second) if holds(first) else (second, first)
        leaver.stop.request()
        await eventually(lambda: holds(stayer) == {"s"}, within=2)
        await anyio.sleep(MINUTE)
    assert await there.accepted() == dict.fromkeys(minutes(1), 1)


@virtual_time.test
async def test_schedules_of_a_replica_that_died_are_taken_over(tmp_path: Path) -> None:
    """After its failover. What fell due meanwhile runs, and not again when it comes back."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    first, second = there.replica("a", asked), there.replica("b", asked)
    async with anyio.create_task_group() as group:
        dying = await second.started(group)
        await anyio.sleep(5)
        heir = await first.started(group)
        await anyio.sleep(TO_MINUTE + MINUTE - 10)
        assert (holds(dying), holds(heir)) == ({"s"}, set())
        await dying.kill()
        await eventually(lambda: holds(heir) == {"s"}, within=2 * FAILOVER)
        again = await second.started(group)
        await anyio.sleep(2 * MINUTE)
        await again.end()
        await heir.end()
    assert await there.accepted() == dict.fromkeys(minutes(4), 1)


@virtual_time.test
async def test_a_crash_between_the_queue_and_the_table_repeats_a_run_and_loses_none(tmp_path: Path) -> None:
    """The table is cut off just before: the event is in the dead one's queue, and the other one runs it as well."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    first = there.replica("a", asked)
    async with first.process(crash=True) as process:
        await anyio.sleep(TO_MINUTE - 1)
        there.table.cut_off.add("a")
        await eventually(lambda: process.queue.tries == 1)
    there.table.cut_off.clear()
    async with there.replica("b", asked).process():
        await anyio.sleep(MINUTE - 2)
    assert await there.accepted() == dict.fromkeys(minutes(1), 2)


@virtual_time.test
async def test_the_one_that_died_knows_after_its_restart_what_it_ran(tmp_path: Path) -> None:
    """Its state says so, although the table does not."""
    there = Replicas(tmp_path)
    first = there.replica("a", config(schedule(EACH_MINUTE)))
    async with first.process(crash=True) as process:
        await anyio.sleep(TO_MINUTE - 1)
        there.table.cut_off.add("a")
        await eventually(lambda: process.queue.tries == 1)
    there.table.cut_off.clear()
    async with first.process():
        await anyio.sleep(MINUTE - 2)
        assert there.item()["checkpoint"]["S"] == str(NOW + TO_MINUTE)
    assert await there.accepted() == dict.fromkeys(minutes(1), 1)


@virtual_time.test
async def test_a_replica_that_is_cut_off_from_the_table_runs_nothing_after_a_failover(tmp_path: Path) -> None:
    """It says so; another one goes on, and both are even again when it is back."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE), schedule(EACH_MINUTE, "t"))
    async with there.replica("a", asked).process() as first, there.replica("b", asked).process() as second:
        await anyio.sleep(TO_MINUTE + 5)
        assert len(holds(first)) == len(holds(second)) == 1
        there.table.cut_off.add("a")
        await anyio.sleep(3 * MINUTE)
        assert len(holds(second)) == 2
        assert first.queue.tries == 1
        assert [problem for problem in problems([first.schedules]) if "does not answer" in problem]
        there.table.cut_off.clear()
        await anyio.sleep(MINUTE)
        assert len(holds(first)) == len(holds(second)) == 1
        assert not list(problems([first.schedules]))
    assert await there.accepted() == dict.fromkeys(minutes(5), 2)


@virtual_time.test
async def test_a_table_that_cannot_be_reached_at_the_start_runs_nothing(tmp_path: Path) -> None:
    """It is said, and begins when the table answers."""
    there = Replicas(tmp_path)
    there.table.cut_off.add("a")
    with capture_logs() as logs:
        async with there.replica("a", config(schedule(EACH_MINUTE))).process() as process:
            await anyio.sleep(2 * MINUTE)
            assert process.queue.tries == 0
            [problem] = problems([process.schedules])
            assert "does not answer" in problem
            there.table.cut_off.clear()
            await anyio.sleep(MINUTE)
            assert not list(problems([process.schedules]))
    assert [line["log_level"] for line in logs if "does not answer" in line["event"]] == ["error"]
    assert set((await there.accepted()).values()) == {1}


@virtual_time.test
async def test_what_another_replica_ran_was_not_missed(tmp_path: Path) -> None:
    """With once and with skip: only what nobody ran was missed, and it is made up for once."""
    there = Replicas(tmp_path)
    each_five = "cron(0/5 * * * ? *)"
    asked = config(schedule(each_five), schedule(each_five, "skipped", missed="skip"))
    first, second = there.replica("a", asked), there.replica("b", asked)
    with capture_logs() as logs:
        async with first.process():
            await anyio.sleep(105)
        async with second.process():
            await anyio.sleep(10 * MINUTE)
        await anyio.sleep(100)
        async with first.process():
            await anyio.sleep(MINUTE)
    assert not [line for line in logs if "missed" in line["event"]]
    await anyio.sleep(HOUR)
    with capture_logs() as logs:
        async with second.process(), first.process():
            await anyio.sleep(MINUTE)
    assert sorted(line["schedule"] for line in logs if "missed" in line["event"]) == ["s", "skipped"]
    made_up = due(100 + 14 * 5 * MINUTE)
    assert await there.accepted() == dict.fromkeys(due(100, 400, 700), 2) | dict.fromkeys(made_up, 1)


@virtual_time.test
async def test_a_schedule_that_is_over_is_nobodys_until_it_has_another_time(tmp_path: Path) -> None:
    """By a reload, in whichever replica; nothing is written for it meanwhile."""
    there = Replicas(tmp_path)
    asked = config(schedule("at(2023-11-14T22:14:00)"))
    again = config(schedule("at(2023-11-14T22:20:00)"))
    async with there.replica("a", asked).process() as first, there.replica("b", asked).process() as second:
        await anyio.sleep(TO_MINUTE + 2)
        assert (there.item()["checkpoint"]["S"], there.owner()) == ("SHARD_END", None)
        writes = len(there.table.writes())
        await anyio.sleep(2 * MINUTE)
        assert len(there.table.writes()) == writes
        assert {one.state for process in (first, second) for one in views([process.schedules])} == {"over"}
        second.schedules.apply(again)
        await anyio.sleep(2)
        assert holds(second) == {"s"}
        await anyio.sleep(6 * MINUTE)
    assert await there.accepted() == dict.fromkeys(due(TO_MINUTE, TO_MINUTE + 6 * MINUTE), 1)


@virtual_time.test
async def test_reloads_add_disable_and_remove_schedules(tmp_path: Path) -> None:
    """Replica by replica; one that comes back goes on from then."""
    there = Replicas(tmp_path)
    both = config(schedule(EACH_MINUTE), schedule(EACH_MINUTE, "t"))
    less = config(schedule(EACH_MINUTE, state="DISABLED"))
    async with there.replica("a", both).process() as first, there.replica("b", both).process() as second:
        await anyio.sleep(TO_MINUTE + 1)
        first.schedules.apply(less)
        await anyio.sleep(20)
        assert holds(first) == set()
        assert holds(second) == {"s", "t"}
        second.schedules.apply(less)
        await anyio.sleep(4 * MINUTE)
        assert holds(first) == holds(second) == set()
        second.schedules.apply(both)
        first.schedules.apply(both)
        await anyio.sleep(2 * MINUTE)
    assert await there.accepted() == dict.fromkeys([*minutes(1), *minutes(2, 5)], 2)


@virtual_time.test
async def test_what_nobody_has_in_its_configuration_any_more_goes_on_when_it_comes_back(tmp_path: Path) -> None:
    """And has missed nothing: whoever stays says so in the table."""
    there = Replicas(tmp_path)
    both = config(schedule(EACH_MINUTE), schedule(EACH_MINUTE, "t"))
    async with there.replica("a", both).process():
        await anyio.sleep(TO_MINUTE + 1)
    async with there.replica("b", config(schedule(EACH_MINUTE))).process() as process:
        await anyio.sleep(10 * MINUTE)
        assert there.item("t")["checkpoint"]["S"] == "SHARD_END"
        process.schedules.apply(both)
        await anyio.sleep(MINUTE)
    accepted = await there.accepted()
    assert accepted == dict.fromkeys(minutes(12), 1) | dict.fromkeys([*minutes(1), *minutes(1, 11)], 2)


@virtual_time.test
async def test_a_rate_counts_from_the_first_sight_of_the_first_replica(tmp_path: Path) -> None:
    """Replicas that come later, and their states of their own, begin nothing anew."""
    there = Replicas(tmp_path)
    asked = config(schedule("rate(10 minutes)"))
    async with there.replica("a", asked).process():
        await anyio.sleep(MINUTE)
    async with there.replica("b", asked).process():
        await anyio.sleep(5 * MINUTE)
        async with there.replica("c", asked).process():
            await anyio.sleep(7 * MINUTE)
    [first, second] = sorted(await there.accepted())
    assert first in due(0, 1, 2)
    assert [second] == due(10 * MINUTE + int(first[-4:-2]) - 20)


@virtual_time.test
async def test_what_one_process_knew_before_it_shared_goes_on(tmp_path: Path) -> None:
    """Its own state is the beginning of the table."""
    there = Replicas(tmp_path)
    one = there.replica("a", config(schedule("rate(10 minutes)")))
    shared, one.sharing = one.sharing, None
    async with one.process():
        await anyio.sleep(MINUTE)
    one.sharing = shared
    async with one.process():
        await anyio.sleep(10 * MINUTE)
    assert await there.accepted() == dict.fromkeys(due(0, 10 * MINUTE), 1)


@virtual_time.test
async def test_a_run_in_a_flexible_window_is_at_its_second_whoever_runs_it(tmp_path: Path) -> None:
    """Also when the schedule is handed over after its due time and before that second."""
    there = Replicas(tmp_path)
    window = {"mode": "FLEXIBLE", "maximum_window_in_minutes": 5}
    asked = config(schedule("cron(0/10 * * * ? *)", flexible_time_window=window))
    for name in "abcabc":
        world = there.worlds.get(name) or there.replica(name, asked)
        async with world.process():
            await anyio.sleep(5 * MINUTE)
    accepted = await there.accepted()
    assert len(accepted) in (2, 3)
    assert set(accepted.values()) == {1}


@virtual_time.test
async def test_a_hand_over_that_waits_for_a_full_queue_goes_to_another_replica(tmp_path: Path) -> None:
    """It is undecided when the first one stops."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    async with there.replica("a", asked).process() as first:
        first.queue.full = True
        await anyio.sleep(TO_MINUTE + 5)
        async with there.replica("b", asked).process():
            await anyio.sleep(5)
            first.stop.request()
            await anyio.sleep(5)
    assert await there.accepted() == dict.fromkeys(minutes(1), 1)


@virtual_time.test
async def test_views_tell_who_runs_a_schedule(tmp_path: Path) -> None:
    """And what another one ran last."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    async with there.replica("a", asked).process() as first:
        await anyio.sleep(5)
        async with there.replica("b", asked).process() as second:
            await anyio.sleep(TO_MINUTE)
            [mine], [others] = views([first.schedules]), views([second.schedules])
            assert (mine.state, mine.runs_here, others.state, others.runs_here) == ("enabled", True, "elsewhere", False)
            assert mine.owner == others.owner == there.owner()
            assert mine.as_dict()["last_due"] == others.as_dict()["last_due"] == NOW + TO_MINUTE


@virtual_time.test
async def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    """Of a mapping, such as when two names meet."""
    there = Replicas(tmp_path)
    there.table.put_by_hand(new_item("shard", ShardCheckpoint(), Stamp("clicks", "arn")))
    with pytest.RaisesGroup(
        pytest.RaisesExc(StoreUnreadable, match="has leases of the mapping clicks"), flatten_subgroups=True
    ):
        async with there.replica("a", config(schedule(EACH_MINUTE))).process():
            await anyio.sleep(MINUTE)


@virtual_time.test
async def test_two_configurations_on_one_table_are_told(tmp_path: Path) -> None:
    """By the one that does not run the schedule."""
    there = Replicas(tmp_path)
    with capture_logs() as logs:
        async with there.replica("a", config(schedule(EACH_MINUTE))).process():
            await anyio.sleep(5)
            async with there.replica("b", config(schedule("rate(5 minutes)"))).process():
                await anyio.sleep(MINUTE)
    assert len([line for line in logs if line["event"].startswith("another replica runs a schedule with another")]) == 1


@virtual_time.test
async def test_nothing_is_accepted_when_the_disk_stood_still_over_a_failover(tmp_path: Path) -> None:
    """The transaction looks at the lease once more: by then another replica may have run the due time, and has."""
    there = Replicas(tmp_path)
    asked = config(schedule(EACH_MINUTE))
    async with there.replica("a", asked).process() as first:
        await anyio.sleep(5)
        async with there.replica("b", asked).process() as second:
            await anyio.sleep(TO_MINUTE - 6)
            first.queue.seconds = 1.5 * FAILOVER
            there.table.cut_off.add("a")
            await anyio.sleep(MINUTE - 5)
            assert first.queue.tries == 1
            assert holds(second) == {"s"}
            there.table.cut_off.clear()
    assert await there.accepted() == dict.fromkeys(minutes(1), 1)


@virtual_time.test
async def test_a_lease_that_is_deleted_by_hand_is_put_back(tmp_path: Path) -> None:
    """With what was known: nothing runs twice."""
    there = Replicas(tmp_path)
    async with there.replica("a", config(schedule(EACH_MINUTE))).process() as process:
        await anyio.sleep(TO_MINUTE + 5)
        there.table.delete_by_hand("s")
        await anyio.sleep(FAILOVER)
        assert holds(process) == {"s"}
        assert there.item()["checkpoint"]["S"] == str(NOW + TO_MINUTE)
        await anyio.sleep(MINUTE)
    assert await there.accepted() == dict.fromkeys(minutes(2), 1)


@virtual_time.test
async def test_a_schedule_that_is_given_to_a_replica_without_it_goes_on_to_one_that_has_it(tmp_path: Path) -> None:
    """Soon: the one without it has the fewest, so it was given to that one, and it counts as its to take for half a failover."""
    there = Replicas(tmp_path)
    names = ["s0", "s1", "s2", "s3"]
    less, all_of_them = (config(*(schedule(EACH_MINUTE, name) for name in some)) for some in (names[:1], names))
    async with there.replica("without", less).process() as without:
        await anyio.sleep(2)
        async with there.replica("stays", all_of_them).process() as stays:
            await anyio.sleep(2)
            async with there.replica("leaves", all_of_them).process() as leaves:
                await eventually(lambda: len(holds(leaves)) == 1, within=10)
                assert (len(holds(without)), len(holds(stays))) == (1, 2)
            await eventually(lambda: len(holds(stays)) == 3, within=FAILOVER / 2 + 2)

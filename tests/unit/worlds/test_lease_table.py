"""The in-memory lease table: what goes wrong around it, and what it counts. What it does right is in ``tests/contract``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import AwsError, Throttled, Unavailable
from pollers.leases import ConditionFailed
from tests.worlds import virtual_time
from tests.worlds.lease_handle import Rates
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.lease_units import size_of

if TYPE_CHECKING:
    from pollers.leases import Item
    from tests.worlds.lease_handle import TableHandle


def lease(key: str = "a", counter: int = 0, owner: str | None = None) -> Item:
    """A small item."""
    owned = {} if owner is None else {"leaseOwner": {"S": owner}}
    return {"leaseKey": {"S": key}, "leaseCounter": {"N": str(counter)}} | owned


async def count_up(handle: TableHandle, counter: int, key: str = "a") -> None:
    """A renewal."""
    await handle.update(
        key, put={"leaseCounter": {"N": str(counter + 1)}}, expected={"leaseCounter": {"N": str(counter)}}
    )


def counter_of(table: MemoryLeaseTable, key: str = "a") -> int:
    """As it is now."""
    return int(table.items[key]["leaseCounter"]["N"])


@virtual_time.test
async def test_a_lost_reply_has_had_its_effect() -> None:
    """The caller waits for its whole time, and then does not know."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease())
    begun = anyio.current_time()
    with pytest.raises(Unavailable, match=r"update: NoReplyInTime: no reply within 2\.5 s"):
        await count_up(table.handle("one", Rates(reply_lost=1)), 0)
    assert anyio.current_time() - begun == 2.5
    assert counter_of(table) == 1


@virtual_time.test
async def test_what_was_never_sent_has_none() -> None:
    """Though the caller sees the same."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease())
    with pytest.raises(Unavailable, match="NoReplyInTime"):
        await count_up(table.handle("one", Rates(never_sent=1)), 0)
    await anyio.sleep(100)
    assert counter_of(table) == 0


@virtual_time.test
async def test_a_late_write_takes_place_after_its_caller_has_given_up() -> None:
    """If the item is then still as it expected."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease("a"))
    table.put_by_hand(lease("b"))
    late = table.handle("late", Rates(late=1, late_seconds=100))
    for key in ("a", "b"):
        with pytest.raises(Unavailable):
            await count_up(late, 0, key)
        if key == "b" and counter_of(table, "b") == 0:
            await count_up(table.handle("other"), 0, "b")
    await anyio.sleep(200)
    assert (counter_of(table, "a"), counter_of(table, "b")) == (1, 1)
    assert table.log[-1].at > virtual_time.START + 2.5


@virtual_time.test
async def test_some_failures_have_had_their_effect() -> None:
    """An HTTP 500 says nothing of the write; a throttled one has not taken place."""
    table = MemoryLeaseTable()
    failing, throttled = table.handle("failing", Rates(failed=1)), table.handle("throttled", Rates(throttled=1))
    for number in range(40):
        with pytest.raises(Unavailable, match="InternalServerError"):
            await failing.add(lease(f"failed-{number}"))
        with pytest.raises(Throttled):
            await throttled.add(lease(f"throttled-{number}"))
    made = list(table.items)
    assert 5 < len(made) < 35
    assert all(key.startswith("failed") for key in made)


@virtual_time.test
async def test_a_replica_that_is_cut_off_hears_nothing() -> None:
    """Others go on; afterwards it does, too. A call on its way when that happens has had its effect."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease())
    one, other = table.handle("one"), table.handle("other")
    table.cut_off.add("one")
    with pytest.raises(Unavailable):
        await one.scan()
    await count_up(other, 0)
    table.cut_off.clear()
    await count_up(one, 1)
    slow = table.handle("slow", Rates(latency_seconds=(1, 1)))
    async with anyio.create_task_group() as tasks:

        async def cut() -> None:
            await anyio.sleep(0.7)
            table.cut_off.add("slow")

        tasks.start_soon(cut)
        with pytest.raises(Unavailable):
            await count_up(slow, 2)
    assert counter_of(table) == 3


@virtual_time.test
async def test_scans_may_be_old_and_single_reads_may_not() -> None:
    """Each page by its own time, within the bound."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease())
    handle = table.handle("one", Rates(stale_seconds=5))
    await anyio.sleep(10)  # a younger item may not be there yet
    seen: set[int] = set()
    for counter in range(60):
        await anyio.sleep(0.5)
        await count_up(handle, counter)
        (item,) = await handle.scan()
        behind = counter + 1 - int(item["leaseCounter"]["N"])
        seen.add(behind)
        assert 0 <= behind <= 10
        assert (await handle.get("a") or {})["leaseCounter"] == {"N": str(counter + 1)}
    assert len(seen) > 3


@virtual_time.test
async def test_the_index_follows_after_a_while() -> None:
    """It may miss a new owner, and show one that is gone."""
    table = MemoryLeaseTable()
    table.put_by_hand(lease(owner="me"))
    handle = table.handle("one", Rates(index_seconds=1))
    await handle.ensure()
    await anyio.sleep(10)
    await handle.update("a", put={"leaseOwner": {"S": "you"}}, expected={"leaseCounter": {"N": "0"}})
    found = [await handle.owned_by("me") for _ in range(20)]
    assert ["a"] in found
    await anyio.sleep(1)
    assert await handle.owned_by("me") == []
    assert await handle.owned_by("you") == ["a"]


@virtual_time.test
async def test_a_scan_in_pages_sees_some_of_what_is_written_meanwhile() -> None:
    """What was there before and after is seen once, whatever comes and goes."""
    table = MemoryLeaseTable(page_items=3)
    for number in range(20):
        table.put_by_hand(lease(f"stays-{number}"))
    table.put_by_hand(lease("goes"))
    handle = table.handle("one", Rates(latency_seconds=(0.1, 0.1)))
    found: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def scan() -> None:
            found.extend(item["leaseKey"]["S"] for item in await handle.scan())

        tasks.start_soon(scan)
        await anyio.sleep(0.25)
        for number in range(20):
            table.put_by_hand(lease(f"comes-{number}"))
        table.delete_by_hand("goes")
    assert len(found) == len(set(found))
    assert {f"stays-{number}" for number in range(20)} <= set(found)
    assert 0 < sum(key.startswith("comes") for key in found) < 20
    assert handle.spent.calls["scan"] > 7


@virtual_time.test
async def test_every_request_is_in_the_log() -> None:
    """Who wrote what, on what condition, and what became of it."""
    table = MemoryLeaseTable()
    one, other = table.handle("one"), table.handle("other")
    await one.add(lease(owner="one"))
    await count_up(one, 0)
    with pytest.raises(ConditionFailed):
        await count_up(other, 0)
    await other.delete("a", expected={"leaseOwner": {"S": "one"}})
    assert [(entry.replica, entry.operation, entry.outcome) for entry in table.log] == [
        ("one", "add", "done"),
        ("one", "update", "done"),
        ("other", "update", "unmet"),
        ("other", "delete", "done"),
    ]
    assert table.log[1].before == lease(owner="one")
    assert table.log[1].after == lease(counter=1, owner="one")
    assert table.log[2].expected == {"leaseCounter": {"N": "0"}}
    assert table.writes("a") == [table.log[0], table.log[1], table.log[3]]
    assert table.items == {}


@virtual_time.test
async def test_units_are_counted_as_on_demand_tables_charge_them() -> None:
    """A write a KB, also one whose condition fails; an index entry is one more; reads by 4 KB, half where they may be old."""
    table = MemoryLeaseTable()
    handle = table.handle("one")
    await handle.ensure()
    spent = handle.spent
    await handle.add(lease(owner="one"))
    assert spent.write_units == 2  # the item, and its entry in the index
    await count_up(handle, 0)
    assert spent.write_units == 3
    with pytest.raises(ConditionFailed):
        await count_up(handle, 0)
    assert spent.write_units == 4
    await handle.update("a", put={"state": {"S": "x" * 2000}}, expected={"leaseCounter": {"N": "1"}})
    assert spent.write_units == 6
    await handle.update("a", put={"leaseOwner": {"S": "other"}}, expected={"leaseCounter": {"N": "1"}})
    assert spent.write_units == 10  # 2 KB, one entry goes, one comes
    await handle.get("a")
    assert spent.read_units == 1
    await handle.scan()
    assert spent.read_units == 1.5
    await handle.owned_by("one")
    assert spent.read_units == 2


def test_sizes_are_those_that_dynamodb_counts() -> None:
    """Names and values; 3 bytes around a map, one an entry."""
    assert size_of({"leaseKey": {"S": "abc"}}) == 11
    assert size_of({"a": {"B": "AAAA"}, "b": {"SS": ["x", "yz"]}}) == 8
    assert size_of({"m": {"M": {"k": {"S": "v"}}}}) == 1 + 3 + 1 + 2


@virtual_time.test
async def test_what_is_read_is_nobody_elses() -> None:
    """A caller may change what it got, or what it gave."""
    table = MemoryLeaseTable()
    handle = table.handle("one")
    given: Item = lease() | {"headrace": {"M": {"v": {"N": "1"}}}}
    await handle.add(given)
    given["headrace"]["M"]["v"]["N"] = "2"
    read = await handle.get("a")
    assert read is not None
    read["headrace"]["M"]["v"]["N"] = "3"
    assert table.items["a"]["headrace"] == {"M": {"v": {"N": "1"}}}


async def story(seed: int) -> list[object]:
    """What two replicas see of a bad day."""
    table = MemoryLeaseTable(seed=seed, exists=False)
    bad = Rates(throttled=0.1, failed=0.1, never_sent=0.05, reply_lost=0.1, late=0.1, stale_seconds=3, index_seconds=1)
    seen: list[object] = []

    async def replica(handle: TableHandle) -> None:
        for number in range(60):
            try:
                await handle.add(lease(f"{number % 5}", owner=handle.replica))
            except (AwsError, ConditionFailed) as error:
                seen.append((anyio.current_time(), handle.replica, str(error)))
            try:
                seen.append((anyio.current_time(), await handle.scan()))
            except AwsError as error:
                seen.append(error.code)

    await table.handle("maker").ensure()
    async with anyio.create_task_group() as tasks:
        for name in ("one", "other"):
            tasks.start_soon(replica, table.handle(name, bad))
    return [*seen, *table.log]


def test_a_seed_is_a_story() -> None:
    """The same one each time, and another for another seed."""
    first, again, another = (virtual_time.run(lambda seed=seed: story(seed)) for seed in (1, 1, 2))  # type: ignore[misc]
    assert first == again
    assert first != another

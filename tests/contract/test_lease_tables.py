"""What replicas rely on in a lease table: the same on DynamoDB and on the simulations' in-memory table."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pollers.aws.errors import NotFound, Refused
from pollers.leases import ConditionFailed
from pollers.storage.errors import StoreUnreadable
from tests.contract.lease_tables import new_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.leases import Item, LeaseTable
    from tests.contract.lease_tables import LeaseTables

A_LEASE: Item = {
    "leaseKey": {"S": "shardId-000000000001"},
    "leaseOwner": {"S": "headrace/here/1/x"},
    "leaseCounter": {"N": "7"},
    "checkpoint": {"S": "TRIM_HORIZON"},
    "parentShardId": {"SS": ["shardId-000000000000"]},
}
KEY = A_LEASE["leaseKey"]["S"]


@pytest.fixture
async def table(lease_tables: LeaseTables) -> LeaseTable:
    """A new table."""
    table = lease_tables.table(new_name())
    await table.ensure()
    return table


async def refused_item(table: LeaseTable, expected: Mapping[str, dict[str, Any] | None], key: str = KEY) -> Item | None:
    """What a write whose condition does not hold says that there is."""
    with pytest.raises(ConditionFailed) as failed:
        await table.update(key, put={"leaseCounter": {"N": "99"}}, expected=expected)
    return failed.value.item


async def test_a_new_item_is_read_back(table: LeaseTable) -> None:
    """And there is none before."""
    assert await table.get(KEY) is None
    await table.add(A_LEASE)
    assert await table.get(KEY) == A_LEASE
    assert await table.scan() == [A_LEASE]


async def test_an_item_that_is_there_is_not_put_again(table: LeaseTable) -> None:
    """It stays as it is, and is shown."""
    await table.add(A_LEASE)
    with pytest.raises(ConditionFailed) as failed:
        await table.add(A_LEASE | {"leaseCounter": {"N": "0"}})
    assert failed.value.item == A_LEASE == await table.get(KEY)


async def test_an_update_sets_and_removes_and_returns_the_item(table: LeaseTable) -> None:
    """Other attributes stay. The names may be words that DynamoDB reserves."""
    await table.add(A_LEASE | {"pendingCheckpoint": {"S": "1"}, "state": {"S": "kept"}})
    after = await table.update(
        KEY,
        put={"leaseCounter": {"N": "8"}, "checkpoint": {"S": "123"}, "status": {"S": "new"}},
        remove=("pendingCheckpoint", "leaseOwner", "never-there"),
        expected={"leaseCounter": {"N": "7"}, "leaseOwner": {"S": "headrace/here/1/x"}},
    )
    assert after == await table.get(KEY)
    assert after == {
        "leaseKey": {"S": KEY},
        "leaseCounter": {"N": "8"},
        "checkpoint": {"S": "123"},
        "parentShardId": {"SS": ["shardId-000000000000"]},
        "state": {"S": "kept"},
        "status": {"S": "new"},
    }


async def test_an_update_may_only_remove(table: LeaseTable) -> None:
    """A release without a successor."""
    await table.add(A_LEASE)
    after = await table.update(KEY, put={}, remove=("leaseOwner",), expected={"leaseCounter": {"N": "7"}})
    assert "leaseOwner" not in after


@pytest.mark.parametrize(
    "expected",
    [
        {"leaseCounter": {"N": "6"}},
        {"leaseCounter": {"N": "7"}, "leaseOwner": {"S": "another"}},
        {"leaseCounter": {"N": "7"}, "leaseOwner": None},
        {"leaseCounter": {"S": "7"}},
        {"checkpointOwner": {"S": "headrace/here/1/x"}},
    ],
)
async def test_an_item_that_is_not_as_expected_stays_and_is_shown(
    table: LeaseTable, expected: dict[str, dict[str, str] | None]
) -> None:
    """All of what is expected has to hold."""
    await table.add(A_LEASE)
    assert await refused_item(table, expected) == A_LEASE == await table.get(KEY)


async def test_what_is_expected_to_be_absent_may_be(table: LeaseTable) -> None:
    """Alone, or beside another expectation."""
    await table.add(A_LEASE)
    await table.update(KEY, put={"leaseCounter": {"N": "8"}}, expected={"checkpointOwner": None})
    after = await table.update(
        KEY, put={"leaseCounter": {"N": "9"}}, expected={"checkpointOwner": None, "leaseCounter": {"N": "8"}}
    )
    assert after["leaseCounter"] == {"N": "9"}


@pytest.mark.parametrize("expected", [{"leaseCounter": {"N": "7"}}, {"leaseOwner": None}])
async def test_an_update_makes_no_item(table: LeaseTable, expected: dict[str, dict[str, str] | None]) -> None:
    """Also not when nothing but absent attributes is expected, which an item that is gone has none of."""
    assert await refused_item(table, expected) is None
    assert await table.get(KEY) is None


async def test_a_write_without_an_expectation_is_a_mistake(table: LeaseTable) -> None:
    """It could make an item anew."""
    with pytest.raises(ValueError, match="expects something"):
        await table.update(KEY, put={"leaseCounter": {"N": "1"}}, expected={})
    with pytest.raises(ValueError, match="expects something"):
        await table.delete(KEY, expected={})


async def test_an_item_is_deleted_if_it_is_as_expected(table: LeaseTable) -> None:
    """Else it stays and is shown; once gone, there is nothing to show."""
    await table.add(A_LEASE)
    with pytest.raises(ConditionFailed) as failed:
        await table.delete(KEY, expected={"leaseCounter": {"N": "8"}})
    assert failed.value.item == A_LEASE
    await table.delete(KEY, expected={"leaseCounter": {"N": "7"}})
    assert await table.get(KEY) is None
    with pytest.raises(ConditionFailed) as failed:
        await table.delete(KEY, expected={"leaseCounter": {"N": "7"}})
    assert failed.value.item is None


async def test_values_of_every_kind_are_kept(table: LeaseTable) -> None:
    """Binary ones stay base64, empty ones stay, nested ones too; numbers of 38 digits lose none; sets have no order."""
    state = base64.b64encode(bytes(range(256))).decode()
    values: Item = {
        "pendingCheckpointState": {"B": state},
        "headrace": {
            "M": {"v": {"N": "1"}, "window": {"M": {"state": {"B": state}, "end": {"N": "1.5"}}}, "none": {"M": {}}}
        },
        "list": {"L": [{"S": ""}, {"BOOL": True}, {"NULL": True}, {"N": "-12345678901234567890123456789012345678"}]},
        "text": {"S": 'ä "quoted" \\ \u2028 🐟'},
        "childShardIds": {"SS": ["b", "a", "c"]},
    }
    await table.add(A_LEASE | {"checkpointOwner": {"S": "x"}})
    after = await table.update(KEY, put=values, expected={"leaseCounter": {"N": "7"}})
    read = await table.get(KEY)
    for item in (after, read, (await table.scan())[0]):
        assert item is not None
        assert sorted(item.pop("childShardIds")["SS"]) == ["a", "b", "c"]
        assert {name: item[name] for name in values if name in item} == {
            name: value for name, value in values.items() if name != "childShardIds"
        }


async def test_expected_maps_and_sets_and_bytes_are_compared_by_value(table: LeaseTable) -> None:
    """A set in another order is the same one."""
    state = base64.b64encode(b"\x00\xff").decode()
    held: Item = {"childShardIds": {"SS": ["b", "a"]}, "bytes": {"B": state}, "headrace": {"M": {"v": {"N": "1"}}}}
    await table.add(A_LEASE | held)
    expected = {**held, "childShardIds": {"SS": ["a", "b"]}}
    after = await table.update(KEY, put={"leaseCounter": {"N": "8"}}, expected=expected)
    assert after["leaseCounter"] == {"N": "8"}
    assert (await refused_item(table, {"headrace": {"M": {"v": {"N": "2"}}}})) is not None


async def test_more_than_a_page_is_read(table: LeaseTable) -> None:
    """A page of DynamoDB ends at 1 MB."""
    big = {"state": {"S": "x" * 150_000}}
    for number in range(12):
        await table.add({"leaseKey": {"S": f"shard-{number}"}, "leaseCounter": {"N": "0"}} | big)
    items = await table.scan()
    assert sorted(item["leaseKey"]["S"] for item in items) == sorted(f"shard-{number}" for number in range(12))
    assert all(item["state"] == big["state"] for item in items)


async def test_items_of_an_owner_are_found_by_the_index(table: LeaseTable) -> None:
    """Those of others and free ones are not; what a release or another owner changes is followed."""
    assert table.indexed
    for number, owner in enumerate(["me", "me", "you", None]):
        owned = {} if owner is None else {"leaseOwner": {"S": owner}}
        await table.add({"leaseKey": {"S": f"shard-{number}"}, "leaseCounter": {"N": "0"}} | owned)
    assert sorted(await table.owned_by("me")) == ["shard-0", "shard-1"]
    await table.update("shard-0", put={}, remove=("leaseOwner",), expected={"leaseCounter": {"N": "0"}})
    await table.update("shard-3", put={"leaseOwner": {"S": "me"}}, expected={"leaseOwner": None})
    assert sorted(await table.owned_by("me")) == ["shard-1", "shard-3"]
    assert await table.owned_by("nobody") == []


async def test_of_many_writers_one_wins_each_count(lease_tables: LeaseTables) -> None:
    """What fencing rests on: a counter that was expected by two has been moved by one."""
    name = new_name()
    replicas = [lease_tables.table(name) for _ in range(6)]
    await replicas[0].ensure()
    await replicas[0].add(A_LEASE | {"leaseCounter": {"N": "0"}})
    wins = 0

    async def race(table: LeaseTable) -> None:
        nonlocal wins
        item = await table.get(KEY)
        for _ in range(15):
            assert item is not None
            counter = item["leaseCounter"]
            try:
                following = {"leaseCounter": {"N": str(int(counter["N"]) + 1)}}
                item = await table.update(KEY, put=following, expected={"leaseCounter": counter})
            except ConditionFailed as failed:
                item = failed.item
            else:
                wins += 1

    async with anyio.create_task_group() as tasks:
        for table in replicas:
            tasks.start_soon(race, table)
    item = await replicas[0].get(KEY)
    assert item is not None
    assert wins == int(item["leaseCounter"]["N"]) > 0


async def test_two_that_make_the_table_at_once_use_the_same(lease_tables: LeaseTables) -> None:
    """Whoever is later finds it made."""
    name = new_name()
    one, other = lease_tables.table(name), lease_tables.table(name)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.ensure)
        tasks.start_soon(other.ensure)
    assert one.indexed
    assert other.indexed
    await one.add(A_LEASE)
    assert await other.get(KEY) == A_LEASE


async def test_a_table_that_exists_is_left_as_it_is(lease_tables: LeaseTables) -> None:
    """One of the Client Library before 3.0 has no index: it serves without."""
    name = new_name()
    await lease_tables.make(name, "leaseKey")
    table = lease_tables.table(name)
    await table.ensure()
    assert not table.indexed
    await table.add(A_LEASE)
    assert await table.scan() == [A_LEASE]


async def test_a_table_of_something_else_is_refused(lease_tables: LeaseTables) -> None:
    """With what its key is, and what it would have to be."""
    name = new_name()
    await lease_tables.make(name, "orderId")
    with pytest.raises(
        StoreUnreadable, match=rf"{name}: found the key orderId \(S, HASH\), expected leaseKey \(S, HASH\)"
    ):
        await lease_tables.table(name).ensure()


async def test_a_table_that_is_missing_is_not_found(lease_tables: LeaseTables) -> None:
    """Nothing but ``ensure`` makes it."""
    table = lease_tables.table(new_name())
    with pytest.raises(NotFound):
        await table.scan()
    with pytest.raises(NotFound):
        await table.get(KEY)
    with pytest.raises(NotFound):
        await table.add(A_LEASE)


async def test_a_key_is_not_updated(table: LeaseTable) -> None:
    """It is what the item is found by."""
    await table.add(A_LEASE)
    with pytest.raises(Refused, match="ValidationException"):
        await table.update(KEY, put={"leaseKey": {"S": "other"}}, expected={"leaseCounter": {"N": "7"}})


async def test_an_item_that_is_too_large_is_refused(table: LeaseTable) -> None:
    """More than 400 KB: what was there stays."""
    await table.add(A_LEASE)
    with pytest.raises(Refused, match="ValidationException"):
        await table.update(KEY, put={"state": {"S": "x" * 500_000}}, expected={"leaseCounter": {"N": "7"}})
    assert await table.get(KEY) == A_LEASE

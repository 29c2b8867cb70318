"""A lease table in DynamoDB, on scripted replies: what is believed, how long is waited, what is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest

from pollers.aws.errors import AccessDenied, AwsError, NotFound, ResourceInUse, Throttled, Unavailable
from pollers.aws.services.dynamodb import DynamoDBClient
from pollers.aws.wire.classify import json_failure
from pollers.leases import ConditionFailed, DynamoLeaseTable
from pollers.storage.errors import StoreUnreadable
from tests.worlds import virtual_time
from tests.worlds.wire_mutations import cuts, mutations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

KEY = "shardId-000000000001"
LEASE = {"leaseKey": {"S": KEY}, "leaseCounter": {"N": "7"}, "leaseOwner": {"S": "me"}}
EXPECTED = {"leaseCounter": {"N": "6"}}
COUNT = {"leaseCounter": {"N": "7"}}
HASH = [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
INDEX = {
    "IndexName": "LeaseOwnerToLeaseKeyIndex",
    "IndexStatus": "ACTIVE",
    "KeySchema": [
        {"AttributeName": "leaseOwner", "KeyType": "HASH"},
        {"AttributeName": "leaseKey", "KeyType": "RANGE"},
    ],
}


def description(status: str = "ACTIVE", **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What DescribeTable says of a lease table."""
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("leaseKey", "leaseOwner")]
    table = {"TableName": "leases", "TableStatus": status, "KeySchema": HASH, "AttributeDefinitions": definitions}
    return {"Table": table | members}


UNMET = json_failure(
    400,
    {},
    orjson.dumps(
        {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "", "Item": LEASE}
    ),
    operation="UpdateItem",
)
UNMET_WITHOUT_ITEM = json_failure(
    400, {}, b'{"__type":"ConditionalCheckFailedException","message":""}', operation="UpdateItem"
)


@dataclass
class Scripted:
    """Calls that are answered one after another: a reply, or an error; None never comes."""

    answers: list[Any]
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        self.made.append((operation, dict(parameters)))
        answer = self.answers.pop(0)
        if answer is None:
            await anyio.sleep_forever()
        if isinstance(answer, AwsError):
            raise answer
        return answer if isinstance(answer, bytes) else orjson.dumps(answer)

    @property
    def operations(self) -> list[str]:
        """What was called."""
        return [operation for operation, _ in self.made]


def table_of(*answers: object) -> tuple[DynamoLeaseTable, Scripted]:
    """A table whose calls are answered so."""
    calls = Scripted(list(answers))
    return DynamoLeaseTable(DynamoDBClient(calls), "leases"), calls


CALLS: dict[str, tuple[Callable[[DynamoLeaseTable], Awaitable[object]], dict[str, Any]]] = {
    "Scan": (lambda table: table.scan(), {"Items": [LEASE], "Count": 1, "ScannedCount": 1}),
    "Query": (lambda table: table.owned_by("me"), {"Items": [LEASE], "Count": 1, "ScannedCount": 1}),
    "GetItem": (lambda table: table.get(KEY), {"Item": LEASE}),
    "UpdateItem": (lambda table: table.update(KEY, put=COUNT, expected=EXPECTED), {"Attributes": LEASE}),
    "DeleteItem": (lambda table: table.delete(KEY, expected=EXPECTED), {"Attributes": LEASE}),
    "DescribeTable": (lambda table: table.ensure(), description(GlobalSecondaryIndexes=[INDEX])),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_a_reply_cut_anywhere_is_no_answer(operation: str) -> None:
    """Also where a proxy has announced the length of what it had."""
    call, reply = CALLS[operation]
    for mutation in cuts(orjson.dumps(reply)):
        table, _ = table_of(mutation.body)
        with pytest.raises(Unavailable):
            await call(table)


@pytest.mark.parametrize("operation", ["Scan", "Query", "UpdateItem", "DeleteItem", "DescribeTable"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"Attributes":null}', b'{"Items":[{}],"Count":1}']
)
async def test_a_success_that_confirms_nothing_is_a_failed_call(operation: str, body: bytes) -> None:
    """A write has then taken place or not: nobody knows."""
    table, _ = table_of(body)
    with pytest.raises(Unavailable, match="InvalidReply"):
        await CALLS[operation][0](table)


@pytest.mark.parametrize("operation", CALLS)
async def test_garbage_is_no_answer(operation: str) -> None:
    """Whatever is made of a reply, it raises nothing but Unavailable, or what a table of another form is refused with."""
    call, reply = CALLS[operation]
    for mutation in mutations(orjson.dumps(reply)):
        table, calls = table_of(mutation.body, *[description()] * 9)
        try:
            with anyio.fail_after(0.001) if operation == "DescribeTable" else anyio.CancelScope():
                await call(table)
        except (Unavailable, StoreUnreadable, TimeoutError):
            continue
        assert calls.operations[0] == operation


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem", "DeleteItem"])
async def test_another_item_is_no_answer(operation: str) -> None:
    """A reply belongs to the key that was asked for."""
    call, reply = CALLS[operation]
    ((member, item),) = reply.items()
    table, _ = table_of({member: item | {"leaseKey": {"S": "shardId-000000000002"}}})
    with pytest.raises(Unavailable, match="shardId-000000000002, asked for was shardId-000000000001"):
        await call(table)


async def test_a_page_that_counts_other_than_it_has_is_no_answer() -> None:
    """Something of it is lost."""
    table, _ = table_of({"Items": [LEASE], "Count": 2})
    with pytest.raises(Unavailable, match="has 1 items and counts 2"):
        await table.scan()


async def test_pages_are_read_to_the_last() -> None:
    """An empty page may be followed by others."""
    last = {"leaseKey": {"S": "a"}}
    other = LEASE | {"leaseKey": {"S": "b"}}
    table, calls = table_of(
        {"Items": [LEASE], "Count": 1, "LastEvaluatedKey": last},
        {"Items": [], "Count": 0, "LastEvaluatedKey": {"leaseKey": {"S": "aa"}}},
        {"Items": [other], "Count": 1},
    )
    assert await table.scan() == [LEASE, other]
    assert [parameters.get("ExclusiveStartKey") for _, parameters in calls.made] == [
        None,
        last,
        {"leaseKey": {"S": "aa"}},
    ]


async def test_a_page_that_leads_to_itself_ends_the_scan() -> None:
    """Else it would go on for ever."""
    page = {"Items": [LEASE], "Count": 1, "LastEvaluatedKey": {"leaseKey": {"S": "a"}}}
    table, _ = table_of(page, page)
    with pytest.raises(Unavailable, match="begins where this one did"):
        await table.scan()


@virtual_time.test
async def test_a_call_without_a_reply_ends_in_time() -> None:
    """2.5 s by default; which the caller gives, a quarter of the time until a lease expires."""
    for name, (call, _) in CALLS.items():
        if name == "DescribeTable":
            continue
        table, _ = table_of(None)
        begun = anyio.current_time()
        with pytest.raises(Unavailable, match=f"{name}: NoReplyInTime: no reply within 2.5 s"):
            await call(table)
        assert anyio.current_time() - begun == pytest.approx(2.5)


async def test_what_a_failed_condition_shows_is_believed() -> None:
    """No second call is made for it."""
    table, calls = table_of(UNMET)
    with pytest.raises(ConditionFailed) as failed:
        await table.update(KEY, put=COUNT, expected=EXPECTED)
    assert failed.value.item == LEASE
    assert calls.operations == ["UpdateItem"]


@pytest.mark.parametrize(("reply", "item"), [({}, None), ({"Item": LEASE}, LEASE)])
async def test_a_failed_condition_that_shows_nothing_is_looked_into(reply: dict[str, Any], item: object) -> None:
    """Some services, and the SDK, do not show the item; a consistent read does."""
    table, calls = table_of(UNMET_WITHOUT_ITEM, reply)
    with pytest.raises(ConditionFailed) as failed:
        await table.update(KEY, put=COUNT, expected=EXPECTED)
    assert failed.value.item == item
    assert calls.operations == ["UpdateItem", "GetItem"]
    assert calls.made[1][1]["ConsistentRead"] is True


async def test_errors_are_what_they_are() -> None:
    """For their reader to tell what passes from what does not."""
    for error in (
        Throttled("ThrottlingException"),
        AccessDenied("AccessDeniedException"),
        NotFound("ResourceNotFoundException"),
    ):
        table, _ = table_of(error)
        with pytest.raises(type(error)):
            await table.scan()


@virtual_time.test
async def test_a_missing_table_is_made_and_waited_for() -> None:
    """On demand, with the index by owner; also when the service does not see it at once."""
    creating = description("CREATING", GlobalSecondaryIndexes=[INDEX | {"IndexStatus": "CREATING"}])
    active = description(GlobalSecondaryIndexes=[INDEX])
    missing = NotFound("ResourceNotFoundException")
    table, calls = table_of(
        missing, {"TableDescription": {}}, missing, ResourceInUse("ResourceInUseException"), creating, active
    )
    await table.ensure()
    assert table.indexed
    assert calls.operations == [
        "DescribeTable",
        "CreateTable",
        "DescribeTable",
        "CreateTable",
        "DescribeTable",
        "DescribeTable",
    ]
    created = calls.made[1][1]
    assert created["BillingMode"] == "PAY_PER_REQUEST"
    assert created["KeySchema"] == HASH
    assert created["GlobalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}


@virtual_time.test
async def test_a_table_that_is_being_deleted_is_made_again() -> None:
    """When it has gone."""
    active = description(GlobalSecondaryIndexes=[INDEX])
    table, calls = table_of(
        description("DELETING"), NotFound("ResourceNotFoundException"), {"TableDescription": {}}, active
    )
    await table.ensure()
    assert calls.operations == ["DescribeTable", "DescribeTable", "CreateTable", "DescribeTable"]


@virtual_time.test
async def test_a_table_that_never_becomes_active_is_unavailable() -> None:
    """After a minute, with what it was."""
    table, _ = table_of(*[description("CREATING")] * 100)
    begun = anyio.current_time()
    with pytest.raises(Unavailable, match="table leases: CREATING after 60 s"):
        await table.ensure()
    assert anyio.current_time() - begun == pytest.approx(60)


@virtual_time.test
async def test_an_index_that_is_not_ready_is_not_used() -> None:
    """Being filled, it would show a part."""
    table, _ = table_of(*[description(GlobalSecondaryIndexes=[INDEX | {"IndexStatus": "CREATING"}])] * 100)
    await table.ensure()
    assert not table.indexed


@pytest.mark.parametrize(
    "index",
    [INDEX | {"IndexName": "another"}, INDEX | {"KeySchema": [{"AttributeName": "leaseOwner", "KeyType": "HASH"}]}],
)
async def test_another_index_is_not_used(index: dict[str, Any]) -> None:
    """By name and by key."""
    table, _ = table_of(description(GlobalSecondaryIndexes=[index]))
    await table.ensure()
    assert not table.indexed


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (
            {"KeySchema": [*HASH, {"AttributeName": "leaseOwner", "KeyType": "RANGE"}]},
            "leaseKey (S, HASH), leaseOwner (S, RANGE)",
        ),
        ({"AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "N"}]}, "leaseKey (N, HASH)"),
        ({"KeySchema": [{"AttributeName": "leaseOwner", "KeyType": "HASH"}]}, "leaseOwner (S, HASH)"),
    ],
)
async def test_a_table_of_something_else_is_refused(members: dict[str, Any], found: str) -> None:
    """With what its key is, and what it would have to be."""
    table, _ = table_of(description(**members))
    with pytest.raises(StoreUnreadable) as refused:
        await table.ensure()
    assert f"found the key {found}, expected leaseKey (S, HASH) alone: it is no lease table" in str(refused.value)


async def test_a_table_that_cannot_be_used_is_refused() -> None:
    """Waiting does not help."""
    table, _ = table_of(description("INACCESSIBLE_ENCRYPTION_CREDENTIALS"))
    with pytest.raises(StoreUnreadable, match="found it INACCESSIBLE_ENCRYPTION_CREDENTIALS, expected ACTIVE"):
        await table.ensure()

"""What one renewal of a lease takes of the CPU: Headrace's client beside aiobotocore's own. ``python -m benchmarks.lease_writes``.

The service is a process of its own that answers each UpdateItem with the same item, so what the client spends is all that there is.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from aiobotocore.session import AioSession

from benchmarks.canned import CannedEndpoint, serve, served
from config.models import Aws
from pollers.aws import services
from pollers.aws.services.clients import AwsClients
from pollers.leases import DynamoLeaseTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pollers.leases import Item

CALLS = 600
WARM_UP = 60
KEY = "shardId-000000000001"
ME = {"S": "headrace/orders-7d9c5b7c6f-x2x4q/1/5f3c9a"}
ITEM: Item = {
    "leaseKey": {"S": KEY},
    "leaseOwner": ME,
    "leaseCounter": {"N": "1234568"},
    "checkpoint": {"S": "49590338271490256608559692538361571095921575989136588898"},
    "checkpointSubSequenceNumber": {"N": "0"},
    "ownerSwitchesSinceCheckpoint": {"N": "0"},
    "parentShardId": {"SS": ["shardId-000000000000"]},
    "headrace": {"M": {"v": {"N": "1"}, "mapping": {"S": "clicks"}, "identity": {"S": "x" * 90}}},
}
PUT = {name: ITEM[name] for name in ("leaseCounter", "checkpoint", "checkpointSubSequenceNumber", "headrace")}
EXPECTED = {"leaseCounter": {"N": "1234567"}, "leaseOwner": ME}
REMOVE = ("pendingCheckpoint", "pendingCheckpointSubSequenceNumber", "pendingCheckpointState")


class CannedTable(CannedEndpoint):
    """Every write works."""

    _reply = orjson.dumps({"Attributes": ITEM})

    def answer(self, operation: str, request: dict[str, Any]) -> bytes:
        """See ``CannedEndpoint``."""
        return self._reply


async def ours(url: str) -> float:
    """Microseconds of CPU for each call."""
    async with AwsClients(Aws(region="us-east-1", endpoint_url=url)) as clients:
        table = DynamoLeaseTable(await clients.client(services.DYNAMODB, "us-east-1"), "leases")
        return await _measured(lambda: table.update(KEY, put=PUT, remove=REMOVE, expected=EXPECTED))


async def plain(url: str) -> float:
    """The same call by the SDK's own client, with the expressions written out."""
    client = AioSession().create_client(
        "dynamodb", region_name="us-east-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    )
    names = {
        "#o": "leaseOwner",
        "#c": "leaseCounter",
        "#p": "checkpoint",
        "#s": "checkpointSubSequenceNumber",
        "#h": "headrace",
    }
    names |= {f"#r{place}": name for place, name in enumerate(REMOVE)}
    values = {
        ":c": PUT["leaseCounter"],
        ":p": PUT["checkpoint"],
        ":s": PUT["checkpointSubSequenceNumber"],
        ":h": PUT["headrace"],
    }
    values |= {":ec": EXPECTED["leaseCounter"], ":eo": ME}
    async with client as sdk:
        return await _measured(
            lambda: sdk.update_item(
                TableName="leases",
                Key={"leaseKey": {"S": KEY}},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                UpdateExpression="SET #c = :c, #p = :p, #s = :s, #h = :h REMOVE #r0, #r1, #r2",
                ConditionExpression="#c = :ec AND #o = :eo",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        )


async def _measured(call: Callable[[], Awaitable[object]]) -> float:
    for _ in range(WARM_UP):
        await call()
    began = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - began) / CALLS * 1e6


async def main() -> None:
    """Both, in turns, on one service."""
    with served("benchmarks.lease_writes", "serve") as url:
        found = [(await plain(url), await ours(url)) for _ in range(3)]
    theirs, own = (sorted(each)[1] for each in zip(*found, strict=True))
    print(f"aiobotocore {theirs:6.0f} µs of CPU a renewal, Headrace {own:6.0f}: {theirs / own:.1f} x")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve(CannedTable)
    else:
        anyio.run(main)

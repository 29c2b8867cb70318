"""``headrace check --online`` as a user runs it, against an emulator."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Workplace
from tests.e2e.operator import Operator
from tests.e2e.queues import queue
from tests.e2e.streams import stream
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

QUEUES = "arn:aws:sqs:us-east-1:000000000000:"
NOTHING = "def handler(event, context): ...\n"


async def test_each_fault_and_note_is_told_with_its_fix(tmp_path: Path, ministack: Emulator) -> None:
    """Missing queue and stream, no redrive policy, a short visibility timeout, a missing destination; exit 1."""
    workplace = Workplace(tmp_path, ministack)
    workplace.function(NOTHING)
    gone = QUEUES + "never-made"
    async with plain_client(ministack, "sqs") as sqs, stream(ministack) as clicks:
        bare, other = unique("bare"), unique("other")
        for name in (bare, other):
            await sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5"})
        start = {"starting_position": "LATEST"}
        destination = {"destination_config": {"on_failure": {"destination": gone}}}
        workplace.configure(
            {
                "missing-queue": {"event_source_arn": gone},
                "bare-queue": {"event_source_arn": QUEUES + bare},
                "unprotected": {"event_source_arn": QUEUES + other, "visibility": {"heartbeat": False}},
                "missing-stream": {"event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/none", **start},
                "nowhere-to-fail": {"event_source_arn": clicks.arn, **start, **destination},
                "off": {"event_source_arn": QUEUES + "off", "enabled": False},
            },
            function={"timeout": 10},
        )
        told = await Operator().run("check", "--online", str(workplace.folder / "headrace.yaml"))
        assert told.code == 1, told.err
        lines = told.out.splitlines()
        faults = {line.split()[1].rstrip(":") for line in lines if line.startswith("FAULT")}
        assert faults == {"missing-queue", "unprotected", "missing-stream", "nowhere-to-fail"}
        notes = [line for line in lines if line.startswith("note  bare-queue")]
        assert any("Queue visibility timeout: 5 seconds is less than Function timeout: 10 seconds" in n for n in notes)
        assert any("no redrive policy" in note for note in notes)
        assert "note  off: is disabled: not looked at" in "\n".join(lines)
        assert any(line.startswith("ok    clock: the clock agrees") for line in lines)
        assert lines[-1] == "4 faults found online"


async def test_a_sound_configuration_exits_0_and_leaves_no_trace(tmp_path: Path, ministack: Emulator) -> None:
    """Nothing is received, and no message's receive count grows."""
    workplace = Workplace(tmp_path, ministack)
    workplace.function(NOTHING)
    async with queue(ministack, maximum_receives=5, visibility=60) as source, stream(ministack) as clicks:
        await source.send(["m1"])
        workplace.configure(
            {
                "q": {"event_source_arn": source.arn},
                "s": {"event_source_arn": clicks.arn, "starting_position": "TRIM_HORIZON"},
            },
            function={"timeout": 10},
        )
        told = await Operator().run("check", "--online", str(workplace.folder / "headrace.yaml"))
        assert (told.code, told.out.splitlines()[-1]) == (0, "0 faults found online"), told.out
        [message] = (
            await source.sqs.receive_message(
                QueueUrl=source.url, MessageSystemAttributeNames=["ApproximateReceiveCount"], WaitTimeSeconds=5
            )
        )["Messages"]
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"


async def test_lease_tables_are_looked_at_and_not_made(tmp_path: Path, ministack: Emulator) -> None:
    """One is not there yet, one may be used, and one is no lease table; no item is left in any."""
    workplace = Workplace(tmp_path, ministack)
    workplace.function(NOTHING)
    prefix = unique("check")
    async with AsyncExitStack() as stack:
        dynamodb = await stack.enter_async_context(plain_client(ministack, "dynamodb"))
        streams = {name: await stack.enter_async_context(stream(ministack)) for name in ("sound", "other", "none")}
        for name, key in (("sound", "leaseKey"), ("other", "id")):
            await dynamodb.create_table(
                TableName=f"{prefix}-{name}",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        workplace.configure(
            {name: {"event_source_arn": one.arn, "starting_position": "LATEST"} for name, one in streams.items()},
            runtime={"checkpoints": f"dynamodb:{prefix}-{{mapping}}"},
        )
        told = await Operator().run("check", "--online", str(workplace.folder / "headrace.yaml"))
        assert told.code == 1, told.out
        lines = told.out.splitlines()
        assert f"ok    sound: the lease table {prefix}-sound has 0 leases" in lines
        assert "ok    sound: GetItem, UpdateItem and DeleteItem are permitted" in lines
        assert any(line.startswith(f"note  none: the lease table {prefix}-none does not exist yet") for line in lines)
        [fault] = [line for line in lines if line.startswith("FAULT")]
        assert fault.startswith(f"FAULT other: table {prefix}-other: found the key id (S, HASH)")
        assert f"{prefix}-none" not in (await dynamodb.list_tables())["TableNames"]
        assert (await dynamodb.scan(TableName=f"{prefix}-sound"))["Count"] == 0

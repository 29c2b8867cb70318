"""The largest pages that services may send, through everything: each record comes once, in events that a function may get."""

from __future__ import annotations

import base64
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from pollers.emulators import Emulator
from tests.e2e import hanging as service
from tests.e2e.hanging import hanging
from tests.e2e.harness import Workplace, ended, until
from tests.e2e.streams import mapping_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

EVENT_BYTES = 6 * 1024 * 1024
MEMORY_MB = 300
"""Two and a half times what was seen."""
MEGABYTE = 1_000_000
SIZING = """
    def handler(event, context):
        size = len(json.dumps(event, separators=(",", ":")))
        note(size=size, ids=[(r.get("kinesis") or r["dynamodb"])[name] for r in event["Records"]
                             for name in ("sequenceNumber", "SequenceNumber") if name in (r.get("kinesis") or r["dynamodb"])])
"""


def kinesis_page() -> list[dict[str, Any]]:
    """10 MB in ten records, 13.3 MB as base64."""
    data = base64.b64encode(b"\x07" * MEGABYTE).decode()
    return [{**service.RECORD, "SequenceNumber": str(10**55 + number), "Data": data} for number in range(10)]


def dynamodb_page() -> list[dict[str, Any]]:
    """1 MB of two changes, each byte of which JSON writes with six."""

    def change(number: int, old: int, new: int) -> dict[str, Any]:
        images = {
            name: {"id": {"N": "1"}, "text": {"S": "\x01" * size}}
            for name, size in (("OldImage", old), ("NewImage", new))
        }
        return {
            "eventID": str(number),
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": int(time.time()),
                "Keys": {"id": {"N": "1"}},
                "SequenceNumber": str(10**24 + number),
                "SizeBytes": old + new,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
                **images,
            },
        }

    return [change(0, 400_000, 400_000), change(1, 120_000, 128_000)]


@pytest.mark.parametrize(
    ("arn", "known", "make"),
    [(service.STREAM, service.KINESIS, kinesis_page), (service.TABLE, service.DYNAMODB, dynamodb_page)],
    ids=["kinesis", "dynamodb"],
)
async def test_the_largest_page_is_delivered_once_in_events_of_lambdas_size(
    tmp_path: Path, arn: str, known: dict[str, Any], make: Callable[[], list[dict[str, Any]]]
) -> None:
    """Headrace's memory stays bounded."""
    records = make()
    wanted = [str(record.get("SequenceNumber") or record["dynamodb"]["SequenceNumber"]) for record in records]

    def page(request: dict[str, Any]) -> dict[str, Any]:
        first = request["ShardIterator"] == "first"
        return {"Records": records if first else [], "NextShardIterator": "next", "MillisBehindLatest": 0}

    async with hanging({**known, "GetRecords": page}) as scripted:
        workplace = Workplace(tmp_path, Emulator("scripted", scripted.port, tmp_path / "emulator"))
        workplace.function(SIZING)
        workplace.configure({"s": mapping_of(arn, batch_size=1000)})
        with workplace.headrace() as process:
            await until(
                lambda: sum(len(note["ids"]) for note in workplace.notes()) >= len(wanted),
                running=process,
                what="the page delivered",
            )
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:  # noqa: ASYNC230 - no disk behind it
                peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
            process.send_signal(signal.SIGTERM)
            assert await ended(process) == 0
    assert [number for note in workplace.notes() for number in note["ids"]] == wanted
    assert max(note["size"] for note in workplace.notes()) <= EVENT_BYTES
    assert peak < MEMORY_MB, f"{peak} MB"

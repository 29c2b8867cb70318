"""CPU time of a change event, from the server's reply to an acknowledged in-process no-op, beside a plain loop over ``watch()``.

``python -m benchmarks.documentdb`` starts SecantusDB in a process of its own, writes documents of about 400 bytes, and reads their
change events with both, each in a fresh process. The plain loop is pymongo's, synchronous (the cheapest), and makes the same events
with ``json_util``. CPU time is all of the client process, as in ``benchmarks.streams``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import bson
from bson import json_util
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from pymongo import MongoClient

import config.models as models
from benchmarks.metering import Hold, Meter

if TYPE_CHECKING:
    from pollers.telemetry.facts import Fact

ARN = "arn:aws:rds:us-east-1:000000000000:cluster:bench"
DATABASE, COLLECTION = "shop", "orders"
EVENTS = 40_000
PLAIN_EVENTS = 20_000
ROUNDS = 3
GOAL = 3.0
HANDLER = """
import json, pathlib

first = pathlib.Path(__file__).with_name("first.json")


def handler(event, context):
    global first
    if first is not None:
        first.write_text(json.dumps({**event, "events": event["events"][:1]}))
        first = None
"""
"""Does nothing, but for keeping its first event, by which both readers are held to the same."""


@dataclass
class Measured:
    """One run: CPU seconds for ``events`` after the warm-up, those of the event loop among them, and the first event."""

    events: int
    cpu_seconds: float
    loop_seconds: float
    first: Any
    page_events: float = 0.0
    hold_own_seconds: float = 0.0

    @property
    def microseconds(self) -> float:
        """CPU time an event."""
        return self.cpu_seconds / self.events * 1e6


def document(number: int) -> dict[str, Any]:
    """An order of about 400 bytes as BSON."""
    return {
        "_id": ObjectId(),
        "customer": f"customer-{number % 5_000:06d}",
        "status": "paid",
        "created": datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC) + timedelta(seconds=number),
        "total": 12.5 + number % 100,
        "items": [{"sku": f"sku-{number % 97:04d}", "count": 1 + number % 3, "price": 4.25} for _ in range(2)],
        "address": {"street": "Main Street 5", "city": "Springfield", "zip": "12345"},
        "express": number % 2 == 0,
        "note": "Please leave it at the door. " * 2,
    }


def fill(uri: str) -> int:
    """Write the documents; returns the second before the first of them."""
    with MongoClient[dict[str, Any]](uri) as client:
        began: Timestamp = client[DATABASE].command("ping")["operationTime"]
        for start in range(0, EVENTS, 1_000):
            client[DATABASE][COLLECTION].insert_many([document(number) for number in range(start, start + 1_000)])
    return began.time


def plain(uri: str, began: int, batch_size: int, folder: Path) -> Measured:
    """What one writes without Headrace."""
    scope: dict[str, Any] = {"__file__": str(folder / "app.py")}
    exec(HANDLER, scope)  # noqa: S102 - the very handler that Headrace loads
    handler, meter = scope["handler"], Meter(PLAIN_EVENTS)
    options = json_util.RELAXED_JSON_OPTIONS
    changes: list[dict[str, Any]] = []
    with MongoClient[dict[str, Any]](uri) as client:
        at = Timestamp(began, 1)
        with client[DATABASE][COLLECTION].watch(start_at_operation_time=at, batch_size=1_000) as stream:
            for change in stream:
                element = json.loads(
                    json_util.dumps({key: change[key] for key in sorted(change)}, json_options=options)
                )
                changes.append({"event": element})
                if len(changes) == batch_size:
                    handler({"eventSourceArn": ARN, "events": changes, "eventSource": "aws:docdb"}, None)
                    changes = []
                    if meter.seen(batch_size):
                        break
    assert meter.result is not None
    return Measured(*meter.result, _first(folder))


async def headrace(uri: str, began: int, batch_size: int, folder: Path, *, watch: bool = False) -> Measured:
    """The stream engine."""
    from benchmarks.engine import engine_of
    from pollers.telemetry.facts import Checkpointed

    meter, hold = Meter(EVENTS), Hold()

    def sink(_mapping: str, fact: Fact) -> None:
        if isinstance(fact, Checkpointed) and meter.seen(fact.count):
            running.stop.request()

    (folder / "app.py").write_text(HANDLER)
    async with engine_of(_mapping(uri, began, batch_size), models.Aws(), folder, sinks=(sink,)) as running:
        async with anyio.create_task_group() as group:
            if watch:
                group.start_soon(hold.watch)
            await running.poller.run()
            group.cancel_scope.cancel()
        assert running.ledger.balances(running.poller.held()), running.ledger
    assert meter.result is not None
    pages = running.decoding
    return Measured(*meter.result, _first(folder), pages.records / pages.pages, hold.own_seconds)


def _mapping(uri: str, began: int, batch_size: int) -> models.DocumentDBMapping:
    return models.DocumentDBMapping.model_validate(
        {
            "name": "bench",
            "event_source_arn": ARN,
            "function_name": "bench",
            "batch_size": batch_size,
            "starting_position": "AT_TIMESTAMP",
            "starting_position_timestamp": began,
            "connection_uri": uri,
            "document_db_event_source_config": {"database_name": DATABASE, "collection_name": COLLECTION},
        }
    )


def _first(folder: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((folder / "first.json").read_text())


async def one(kind: str, uri: str, began: int, batch_size: int) -> None:
    """One run, in this process; prints what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "plain":
            measured = plain(uri, began, batch_size, Path(folder))
        else:
            measured = await headrace(uri, began, batch_size, Path(folder), watch=kind == "watched")
    print(json.dumps(asdict(measured)))


def run(kind: str, uri: str, began: int, batch_size: int) -> Measured:
    """One run, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.documentdb", kind, uri, str(began), str(batch_size)]
    done = subprocess.run(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def compare(uri: str, began: int, batch_size: int) -> None:
    """A row: the best of some runs of each, taken in turn, since other work on the machine only ever adds."""
    turns = [[run(kind, uri, began, batch_size) for kind in ("plain", "headrace")] for _ in range(ROUNDS)]
    baseline, ours = (min(runs, key=lambda measured: measured.microseconds) for runs in zip(*turns, strict=True))
    watched = run("watched", uri, began, batch_size)
    assert ours.first == baseline.first, (ours.first, baseline.first)
    times, loop = baseline.microseconds / ours.microseconds, ours.loop_seconds / ours.events * 1e6
    print(
        f"{batch_size:5} {baseline.microseconds:9.1f} {ours.microseconds:9.1f} {loop:7.1f} {times:7.1f}x {GOAL:4.0f}x "
        f"{ours.page_events:8.0f} {watched.hold_own_seconds * 1e3:7.1f}",
        flush=True,
    )


def main() -> None:
    """The table, or with arguments one run."""
    if len(sys.argv) > 1:
        from pollers.commands.run import backend_options

        kind, at, since, size = sys.argv[1:]
        anyio.run(one, kind, at, int(since), int(size), backend_options=backend_options())
        return
    from pollers.emulators import SecantusDB, started

    with started(SecantusDB()) as server:
        uri = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
        began = fill(uri)
        print(f"documents of {len(bson.encode(document(1)))} bytes")
        print("batch   plain µs   ours µs  (loop)   times  goal page got  hold ms")
        for batch_size in (100, 1_000):
            compare(uri, began, batch_size)


if __name__ == "__main__":
    main()

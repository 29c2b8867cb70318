"""CPU time of a change event, from the server's reply to an acknowledged in-process no-op, beside plain loops over ``watch()``.

``python -m benchmarks.documentdb`` reads inserts of documents of about 400 bytes from a canned server, which gives 1,000 a reply;
with ``--secantusdb`` from SecantusDB as well, which gives 200. Servers run in processes of their own, each reader in a fresh one.
The plain loops are pymongo's, one synchronous (the cheapest) and one on the event loop that Headrace has, and make the same events
with ``json_util``. CPU time is all of the reader's process, as in ``benchmarks.streams``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import bson
from pymongo import MongoClient

import config.models as models
from benchmarks import plain_changes
from benchmarks.canned import served
from benchmarks.metering import Hold, Meter
from benchmarks.orders import ARN, COLLECTION, DATABASE, HANDLER, document

if TYPE_CHECKING:
    from bson.timestamp import Timestamp

    from pollers.telemetry.facts import Fact

CANNED_EVENTS = 200_000
"""So many that what is read ahead (20,000) counts little."""
FILLED_EVENTS = 40_000
REPLY_EVENTS = 1_000
ROUNDS = 3
GOAL = 3.0
KINDS = ("synchronous", "asynchronous", "headrace")
BATCHES = (100, 1_000)


@dataclass
class Measured:
    """One run: CPU seconds for ``events`` after the warm-up, those of the event loop among them, and the first event.

    ``read_events``: how many were read meanwhile, which are others where reading ahead grew or shrank.
    """

    events: int
    cpu_seconds: float
    loop_seconds: float
    first: Any
    page_events: float = 0.0
    read_events: int = 0
    hold_own_seconds: float = 0.0

    @property
    def microseconds(self) -> float:
        """CPU time an event."""
        return self.cpu_seconds / self.events * 1e6


def fill(uri: str) -> int:
    """Write the documents; returns the second before the first of them."""
    with MongoClient[dict[str, Any]](uri) as client:
        began: Timestamp = client[DATABASE].command("ping")["operationTime"]
        for start in range(0, FILLED_EVENTS, 1_000):
            client[DATABASE][COLLECTION].insert_many([document(number) for number in range(start, start + 1_000)])
    return began.time


async def plain(kind: str, uri: str, began: int, batch_size: int, folder: Path) -> Measured:
    """What one writes without Headrace."""
    if kind == "synchronous":
        meter = plain_changes.synchronous(uri, began, batch_size, folder)
    else:
        meter = await plain_changes.asynchronous(uri, began, batch_size, folder)
    assert meter.result is not None
    return Measured(*meter.result, _first(folder))


async def headrace(
    uri: str, began: int, batch_size: int, folder: Path, *, events: int = CANNED_EVENTS, watch: bool = False
) -> Measured:
    """The stream engine."""
    from benchmarks.engine import engine_of
    from pollers.telemetry.facts import Checkpointed

    meter, hold = Meter(events), Hold()
    read: list[int] = []

    def sink(_mapping: str, fact: Fact) -> None:
        if isinstance(fact, Checkpointed) and meter.result is None:
            enough = meter.seen(fact.count)
            if enough or (meter.started and not read):
                read.append(running.decoding.records)
            if enough:
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
    return Measured(*meter.result, _first(folder), pages.records / pages.pages, read[1] - read[0], hold.own_seconds)


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


async def one(kind: str, uri: str, began: int, batch_size: int, events: int) -> None:
    """One run, in this process; prints what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        if kind in ("synchronous", "asynchronous"):
            measured = await plain(kind, uri, began, batch_size, Path(folder))
        else:
            measured = await headrace(uri, began, batch_size, Path(folder), events=events, watch=kind == "watched")
    print(json.dumps(asdict(measured)))


def run(kind: str, uri: str, began: int, batch_size: int, events: int = CANNED_EVENTS) -> Measured:
    """One run, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.documentdb", kind, uri, str(began), str(batch_size), str(events)]
    done = subprocess.run(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def compare(server: str, uri: str, began: int, events: int) -> None:
    """A row for each size of batches: the best of some runs of each, taken in turn, since other work only ever adds."""
    for batch_size in BATCHES:
        turns = [[run(kind, uri, began, batch_size, events) for kind in KINDS] for _ in range(ROUNDS)]
        sync, loop, ours = (min(runs, key=lambda measured: measured.microseconds) for runs in zip(*turns, strict=True))
        watched = run("watched", uri, began, batch_size, events)
        assert _like(ours) == _like(sync) == _like(loop), (ours.first, sync.first, loop.first)
        print(
            f"{server:10} {batch_size:5} {sync.microseconds:8.1f} {loop.microseconds:9.1f} {ours.microseconds:8.1f} "
            f"{ours.loop_seconds / ours.events * 1e6:7.1f} {sync.microseconds / ours.microseconds:7.1f}x "
            f"{loop.microseconds / ours.microseconds:8.1f}x {GOAL:4.0f}x {ours.page_events:9.0f} "
            f"{ours.read_events / ours.events:5.2f} {watched.hold_own_seconds * 1e3:8.1f}",
            flush=True,
        )


def _like(measured: Measured) -> Any:  # noqa: ANN401 - JSON
    """The first event, but for its resume token: the canned server's stream goes on from reader to reader."""
    first = json.loads(json.dumps(measured.first))
    first["events"][0]["event"]["_id"]["_data"] = len(first["events"][0]["event"]["_id"]["_data"])
    return first


def main() -> None:
    """The table, or with more arguments one run."""
    if len(sys.argv) > 2:
        from pollers.commands.run import backend_options

        kind, at, *numbers = sys.argv[1:]
        since, size, events = map(int, numbers)
        anyio.run(one, kind, at, since, size, events, backend_options=backend_options())
        return
    print(f"documents of {len(bson.encode(document(1)))} bytes")
    print("server     batch  sync µs  async µs  ours µs  (loop)  to sync  to async  goal reply got  read  hold ms")
    began = int(time.time())
    with served("benchmarks.canned_changes", str(REPLY_EVENTS), str(began)) as url:
        compare("canned", f"mongodb://{url.removeprefix('http://')}/?directConnection=true", began, CANNED_EVENTS)
    if sys.argv[1:] == ["--secantusdb"]:
        from pollers.emulators import SecantusDB, started

        with started(SecantusDB()) as server:
            uri = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
            compare("SecantusDB", uri, fill(uri), FILLED_EVENTS)


if __name__ == "__main__":
    main()

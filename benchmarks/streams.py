"""Records per CPU-second, from GetRecords' reply to an acknowledged in-process no-op, beside a plain aiobotocore consumer.

``python -m benchmarks.streams`` runs both, each in a fresh process, against a canned endpoint in another, and prints what a record
costs, how many times more records a CPU-second that is, and for how long the event loop was held. CPU time is all of the client
process: its event loop (also shown alone), the function's thread, which parses the event, and the checkpoint writer's thread. A
hold is given in its own CPU time and by the wall clock, which also counts what else the machine did.
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

from benchmarks.canned import served
from benchmarks.metering import Hold, Meter
from benchmarks.plain_streams import consume

if TYPE_CHECKING:
    from pollers.telemetry.facts import Fact

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
HANDLER = """
import json, pathlib

first = pathlib.Path(__file__).with_name("first.json")


def handler(event, context):
    global first
    if first is not None:
        first.write_text(json.dumps(event["Records"][0]))
        first = None
"""
"""Does nothing, but for keeping its first record, by which both consumers are held to the same events."""

ROUNDS = 3


@dataclass(frozen=True)
class Case:
    """One row of the table. ``goal``: how many times the plain consumer's rate is wanted; ``batch_size``: if not a page's."""

    source: str
    page_records: int
    plain_records: int
    headrace_records: int
    goal: float
    batch_size: int | None = None


CASES = {
    "kinesis-1000": Case("kinesis", 1_000, 60_000, 600_000, 8),
    "kinesis-10000": Case("kinesis", 10_000, 60_000, 600_000, 8),
    "dynamodb-1000": Case("dynamodb", 1_000, 15_000, 150_000, 15),
    "kinesis-by-10": Case("kinesis", 1_000, 60_000, 60_000, 0, batch_size=10),
}


@dataclass
class Measured:
    """One run: CPU seconds for ``records`` records after the warm-up, and the first event record that the function got.

    ``loop_seconds`` is the event loop's part of them.
    """

    records: int
    cpu_seconds: float
    loop_seconds: float
    first: Any
    page_records: float = 0.0
    decode_seconds: float = 0.0
    hold_wall_seconds: float = 0.0
    hold_own_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Records a CPU-second."""
        return self.records / self.cpu_seconds

    @property
    def loop_microseconds(self) -> float:
        """What the event loop spends on a record."""
        return self.loop_seconds / self.records * 1e6


async def plain(case: Case, endpoint_url: str, folder: Path) -> Measured:
    """The plain consumer."""
    scope: dict[str, Any] = {"__file__": str(folder / "app.py")}
    exec(HANDLER, scope)  # noqa: S102 - the very handler that Headrace loads
    meter = Meter(case.plain_records)
    await consume(case.source, endpoint_url, case.page_records, scope["handler"], meter.seen)
    assert meter.result is not None
    return Measured(*meter.result, _first(folder), case.page_records)


async def headrace(case: Case, endpoint_url: str, folder: Path, *, watch: bool = False) -> Measured:
    """The stream engine."""
    from benchmarks.engine import engine
    from pollers.telemetry.facts import Checkpointed

    meter, hold = Meter(case.headrace_records), Hold()

    def sink(_mapping: str, fact: Fact) -> None:
        if isinstance(fact, Checkpointed) and meter.seen(fact.count):
            running.stop.request()

    (folder / "app.py").write_text(HANDLER)
    async with engine(
        case.source, endpoint_url, folder, batch_size=case.batch_size or case.page_records, sinks=(sink,)
    ) as running:
        async with anyio.create_task_group() as group:
            if watch:
                group.start_soon(hold.watch)
            await running.poller.run()
            group.cancel_scope.cancel()
        assert running.ledger.balances(running.poller.held()), running.ledger
    assert meter.result is not None
    pages = running.decoding
    return Measured(
        *meter.result,
        _first(folder),
        pages.records / pages.pages,
        pages.longest_seconds,
        hold.wall_seconds,
        hold.own_seconds,
    )


def _first(folder: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((folder / "first.json").read_text())


async def one(kind: str, case: Case, created: str) -> None:
    """One run, in this process; prints what it measured."""
    endpoint = served("benchmarks.canned_streams", case.source, str(case.page_records), created)
    with endpoint as endpoint_url, tempfile.TemporaryDirectory() as folder:
        match kind:
            case "plain":
                measured = await plain(case, endpoint_url, Path(folder))
            case _:
                measured = await headrace(case, endpoint_url, Path(folder), watch=kind == "watched")
    print(json.dumps(asdict(measured)))


def run(kind: str, name: str, created: str) -> Measured:
    """One run, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.streams", kind, name, created]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def compare(name: str, case: Case) -> None:
    """A row of the table: the best of some runs of each, taken in turn, since other work on the machine only ever adds."""
    created = str(int(time.time()) - 60)
    turns = [[run(kind, name, created) for kind in ("plain", "headrace")] for _ in range(ROUNDS)]
    baseline, ours = (max(runs, key=lambda measured: measured.rate) for runs in zip(*turns, strict=True))
    watched = run("watched", name, created)
    assert ours.first == baseline.first, (ours.first, baseline.first)
    print(
        f"{case.source:9} {case.page_records:6} {ours.page_records:8.0f} "
        f"{baseline.rate:9,.0f} {1e6 / baseline.rate:7.1f}   {ours.rate:9,.0f} {1e6 / ours.rate:7.1f} "
        f"{ours.loop_microseconds:7.1f}   {ours.rate / baseline.rate:5.1f}x {case.goal:4.0f}x   "
        f"{watched.decode_seconds * 1e3:6.1f} {watched.hold_own_seconds * 1e3:6.1f} {watched.hold_wall_seconds * 1e3:6.1f}",
        flush=True,
    )


def main() -> None:
    """The table, or with arguments one run."""
    if sys.argv[1:] and sys.argv[1] not in CASES:
        from pollers.commands.run import backend_options

        anyio.run(one, sys.argv[1], CASES[sys.argv[2]], sys.argv[3], backend_options=backend_options())
        return
    print(
        "                            plain consumer          headrace                                  longest hold, ms"
    )
    print(
        "source      page page got records/s  µs/rec   records/s  µs/rec  (loop)    times  goal   decode    own   wall"
    )
    names = sys.argv[1:] or list(CASES)
    for name in names:
        compare(name, CASES[name])


if __name__ == "__main__":
    main()

"""A Kinesis stream to a function, end to end: the command, real worker processes, reshards, signals and kill -9."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.streams import READING, by_key, checkpoints, first_acceptances, mapping_of, stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from pollers.emulators import Emulator
    from tests.e2e.streams import Stream

pytestmark = pytest.mark.timeout(300)

ACCEPT = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
"""
)
SLOW = (
    READING
    + """
    def handler(event, context):
        time.sleep(0.1)
        for record in event["Records"]:
            accept(record)
"""
)
PAUSING = (
    READING
    + """
    def paused():
        journal = os.environ["JOURNAL"]
        written = os.path.exists(journal) and len(open(journal).readlines()) >= 20
        return written and not os.path.exists(journal + ".open")

    def handler(event, context):
        while paused():
            time.sleep(0.02)
        for record in event["Records"]:
            accept(record)
"""
)
GATED = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            while text(record) == "gate" and not os.path.exists(os.environ["JOURNAL"] + ".open"):
                time.sleep(0.05)
            accept(record)
"""
)
TOGETHER = (
    READING
    + """
    def busy():
        marks = {}
        for line in open(os.environ["JOURNAL"]):
            mark = json.loads(line)
            marks[mark["pid"]] = mark.get("began", marks.get(mark["pid"]))
        return len(marks)

    def handler(event, context):
        note(began=True)
        while busy() < 3:
            time.sleep(0.02)
        for record in event["Records"]:
            accept(record)
"""
)


@pytest.fixture
def workplace(tmp_path: Path, kinesis_local: Emulator) -> Workplace:
    return Workplace(tmp_path, kinesis_local)


async def test_reshards_under_load_lose_nothing_and_keep_the_order_of_keys(workplace: Workplace) -> None:
    """Shards are split and merged while they are written to and read: all arrives in order, and --until-idle ends in balance."""
    async with stream(workplace.emulator, shards=3) as source, stream(workplace.emulator) as gate:
        # A second mapping is busy until all is written, so that no pause of the machine looks like the end.
        await gate.put(["gate"])
        workplace.function(GATED)
        workplace.configure(
            {"s": mapping_of(source.arn, function_name="work"), "gate": mapping_of(gate.arn, function_name="gate")},
            functions=_functions(workplace, work={"concurrency": 2}, gate={"timeout": 120, "concurrency": 1}),
        )
        pairs: list[tuple[str, str]] = []
        resharded = anyio.Event()
        with workplace.headrace("--until-idle", "1") as process:
            async with anyio.create_task_group() as group:
                group.start_soon(_write_until, resharded, source, pairs)
                await until(lambda: len(workplace.count()) >= 100, running=process)
                await source.split((await source.open_shards())[0])
                await source.merge(*(await source.open_shards())[2:4])
                await source.split((await source.open_shards())[-1])
                await source.merge(*(await source.open_shards())[:2])
                resharded.set()
            (workplace.folder / "journal.open").touch()
            assert await ended(process) == 0, workplace.log.read_text()
        notes = [note for note in workplace.notes() if note["id"] != "gate"]
        assert first_acceptances(notes) == by_key(pairs)
        assert len(notes) == len(pairs)
        _assert_parents_first(await source.shards(), notes)
        _assert_balanced(workplace, received=len(pairs))
        assert not workplace.workers()


async def test_kill_9_under_load_loses_nothing_and_resumes_from_the_checkpoint(workplace: Workplace) -> None:
    """After the restart, each shard goes on right after its checkpoint, below which everything had been accepted."""
    async with stream(workplace.emulator, shards=3) as source:
        pairs = [(f"k{n % 20}", f"{n:04}") for n in range(150)]
        await source.put_pairs(pairs)
        workplace.function(SLOW)
        workplace.configure({"s": mapping_of(source.arn, batch_size=3)}, function={"concurrency": 3, "timeout": 5})
        with workplace.headrace() as process:
            await until(lambda: _numbers(workplace) and len(workplace.count()) >= 30, running=process)
            process.kill()
            await ended(process)
        await until(lambda: not workplace.workers(), what="the end of every worker")
        before, kept = workplace.notes(), _numbers(workplace)
        assert kept
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert first_acceptances(workplace.notes()) == by_key(pairs)
        after = workplace.notes()[len(before) :]
        # Since all has arrived, what is not delivered again (everything up to the checkpoints) had been accepted before.
        assert all(int(note["number"]) > kept.get(note["shard"], 0) for note in after)
        assert len({note["id"] for note in after}) == len(after) >= len(pairs) - len(before)
        _assert_balanced(workplace, received=len(after))


async def test_sigterm_under_load_repeats_nothing(workplace: Workplace) -> None:
    """Running invocations finish and are checkpointed: each record is accepted exactly once over two runs, in order."""
    async with stream(workplace.emulator, shards=2) as source:
        pairs = [(f"k{n % 20}", f"{n:04}") for n in range(120)]
        await source.put_pairs(pairs)
        workplace.function(PAUSING)
        workplace.configure({"s": mapping_of(source.arn, batch_size=4)}, function={"concurrency": 2})
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 20, running=process)
            terminate(process)
            await until(lambda: workplace.logged("shutdown 1: no new receive or read"), running=process)
            (workplace.folder / "journal.open").touch()
            assert await ended(process) == 0, workplace.log.read_text()
        _assert_balanced(workplace, returned=True)
        assert 20 <= len(workplace.notes()) <= 32
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert len(workplace.notes()) == len(pairs)
        assert first_acceptances(workplace.notes()) == by_key(pairs)


async def test_a_reload_under_load_repeats_nothing(workplace: Workplace) -> None:
    """A changed mapping stops in order and goes on at its checkpoint, with what is new: each record is accepted exactly once."""
    async with stream(workplace.emulator, shards=2) as source:
        pairs = [(f"k{n % 20}", f"{n:04}") for n in range(120)]
        await source.put_pairs(pairs)
        workplace.function(PAUSING)
        settings: dict[str, Any] = {"function": {"concurrency": 2}, "runtime": {"http": {"port": 0}}}
        workplace.configure({"s": mapping_of(source.arn, batch_size=4)}, **settings)
        with workplace.headrace("--until-idle", "1") as process:
            await until(lambda: len(workplace.count()) >= 20, running=process)
            workplace.configure({"s": mapping_of(source.arn, batch_size=50)}, **settings)
            process.send_signal(signal.SIGHUP)
            await until(lambda: _state(workplace) == "stopping", running=process)
            (workplace.folder / "journal.open").touch()
            assert await ended(process) == 0, workplace.log.read_text()
        [reloaded] = workplace.logged("configuration reloaded")
        assert reloaded["changed"] == ["s"]
        assert len(workplace.notes()) == len(pairs)
        assert first_acceptances(workplace.notes()) == by_key(pairs)
        _assert_balanced(workplace, returned=True)


async def test_a_shards_batches_run_together_in_order_of_their_keys(workplace: Workplace) -> None:
    """parallelization_factor: batches of one shard are invoked at the same time, and each key's records stay in order."""
    async with stream(workplace.emulator) as source:
        pairs = [(f"k{n % 40}", f"{n:04}") for n in range(400)]
        await source.put_pairs(pairs)
        workplace.function(TOGETHER)
        workplace.configure(
            {"s": mapping_of(source.arn, batch_size=10, parallelization_factor=4)},
            function={"concurrency": 4, "timeout": 30},
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert len(workplace.count()) == len(pairs)
        assert first_acceptances(workplace.notes()) == by_key(pairs)
        _assert_balanced(workplace, received=len(pairs))


async def test_latest_is_pinned_at_the_first_start(workplace: Workplace) -> None:
    """What is written while a mapping that starts at LATEST is stopped, even by kill -9 before its first record, is not lost."""
    async with stream(workplace.emulator, shards=2) as source:
        await source.put_pairs([(f"k{n}", "before") for n in range(10)])
        written = time.time()
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(source.arn, starting_position="LATEST")})
        # The service's clock is known to the second: what was written in the last two before the start may be read too.
        await until(lambda: time.time() > written + 3, what="a distance from what was written before")
        with workplace.headrace() as process:
            await until(lambda: len(checkpoints(workplace)) == 2, running=process, what="the pins of both shards")
            process.kill()
            await ended(process)
        meanwhile = [(f"k{n}", f"{n}") for n in range(10)]
        await source.put_pairs(meanwhile)
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.count() == {value: 1 for _, value in meanwhile}


async def test_at_timestamp_begins_with_the_first_record_of_that_time(workplace: Workplace) -> None:
    """Records from before the time are not read, one of exactly that time is."""
    async with stream(workplace.emulator) as source:
        for value in ("a", "b", "c"):
            await source.put([value])
            await anyio.sleep(0.01)  # arrival times count milliseconds
        _, second, _ = await source.records()
        workplace.function(ACCEPT)
        workplace.configure(
            {
                "s": mapping_of(
                    source.arn,
                    starting_position="AT_TIMESTAMP",
                    starting_position_timestamp=second["ApproximateArrivalTimestamp"].isoformat(),
                )
            }
        )
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["b", "c"]


async def test_filtered_records_are_not_delivered_and_move_the_checkpoint(workplace: Workplace) -> None:
    """Patterns look into the data; polls of which nothing is left are checkpointed without an invocation."""
    async with stream(workplace.emulator) as source:
        await source.put(['{"type": "drop"}'] * 5 + ['{"type": "keep", "n": 1}', "not JSON"])
        workplace.function(ACCEPT)
        pattern = {"partitionKey": ["k"], "data": {"type": ["keep"]}}
        workplace.configure({"s": mapping_of(source.arn, filter_criteria={"filters": [{"pattern": pattern}]})})
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        await source.put(['{"type": "drop"}'] * 3)
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.count() == {'{"type": "keep", "n": 1}': 1}
        [(_, checkpoint)] = checkpoints(workplace).items()
        assert checkpoint.sequence_number == (await source.records())[-1]["SequenceNumber"]
        first, second = workplace.logged("shutdown 7: ledger")
        assert (first["received"], first["filtered"], first["invocations"]) == (7, 6, 1)
        assert (second["received"], second["filtered"], second["invocations"]) == (3, 3, 0)
        assert (second["checkpointed"], second["balanced"]) == (3, True)


async def test_a_window_keeps_its_state_over_a_crash_until_its_last_invocation(workplace: Workplace) -> None:
    """Two invocations add up in one window, kill -9 between them; the shard's end closes it with a last one."""
    length = _quiet_length()
    async with stream(workplace.emulator) as source:
        workplace.function(
            READING
            + """
    def handler(event, context):
        bounds = event["window"]
        parts = {name: event[name] for name in event if name not in ("Records", "window")}
        note(values=[text(record) for record in event["Records"]], **parts, **bounds)
        return {"state": {"seen": event["state"].get("seen", []) + [text(record) for record in event["Records"]]}}
"""
        )
        workplace.configure({"s": mapping_of(source.arn, batch_size=2, tumbling_window_in_seconds=length)})
        await source.put(["a", "b"])
        with workplace.headrace() as process:
            await until(lambda: any(one.window for one in checkpoints(workplace).values()), running=process)
            process.kill()
            await ended(process)
        await source.put(["c"])
        await source.split((await source.shards())[0])
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        notes = workplace.notes()
        assert [(note["values"], note["state"], note["isFinalInvokeForWindow"]) for note in notes] == [
            (["a", "b"], {}, False),
            (["c"], {"seen": ["a", "b"]}, False),
            ([], {"seen": ["a", "b", "c"]}, True),
        ]
        assert {note["eventSourceARN"] for note in notes} == {source.arn}
        assert {note["shardId"] for note in notes} == {"shardId-000000000000"}
        assert not any(note["isWindowTerminatedEarly"] for note in notes)
        assert len({(note["start"], note["end"]) for note in notes}) == 1


# -- what several tests need -----------------------------------------------------------------------------------------------


async def _write_until(resharded: anyio.Event, source: Stream, pairs: list[tuple[str, str]]) -> None:
    """Write under forty keys, and some more when all reshards are over, so that the last shards have records too."""
    ended = False
    while not ended:
        ended = resharded.is_set()
        more = [(f"k{n % 40}", f"{n:05}") for n in range(len(pairs), len(pairs) + 40)]
        await source.put_pairs(more)
        pairs += more
        await anyio.sleep(0.02)


def _functions(workplace: Workplace, **functions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Several functions of the same code."""
    code = {"code": "./functions", "handler": "app.handler", "environment": {"JOURNAL": str(workplace.journal)}}
    return {name: {**code, **settings} for name, settings in functions.items()}


def _state(workplace: Workplace) -> str:
    """What the one mapping of a running Headrace is doing as a whole."""
    [served] = workplace.logged("console, health and metrics")
    with urllib.request.urlopen(f"{served['url']}/api/status", timeout=30) as reply:  # noqa: S310 - Headrace's own
        [mapping] = json.load(reply)["mappings"]
    return str(mapping["state"])


def _quiet_length() -> int:
    """A window length in seconds whose current window does not end within the next minutes."""
    return max(range(600, 901, 50), key=lambda length: length - time.time() % length)


def _numbers(workplace: Workplace) -> dict[str, int]:
    """The sequence numbers of the checkpoints of shards that have one."""
    kept = checkpoints(workplace)
    return {shard: int(one.sequence_number) for shard, one in kept.items() if one.sequence_number is not None}


def _assert_parents_first(shards: Iterable[dict[str, Any]], notes: list[dict[str, Any]]) -> None:
    """Every record of a shard was accepted before the first of its children."""
    places: dict[str, list[int]] = {}
    for place, note in enumerate(notes):
        places.setdefault(note["shard"], []).append(place)
    compared = 0
    for shard in shards:
        for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")):
            if parent in places and shard["ShardId"] in places:
                compared += 1
                assert max(places[parent]) < min(places[shard["ShardId"]])
    assert compared


def _assert_balanced(workplace: Workplace, *, received: int | None = None, returned: bool = False) -> None:
    """The last run's books of mapping ``s``: nothing is left over, and nothing was handed back unless it was cut short."""
    ledger = [line for line in workplace.logged("shutdown 7: ledger") if line["mapping"] == "s"][-1]
    assert ledger["balanced"]
    assert ledger["received"] == ledger["checkpointed"] + ledger["returned"]
    assert bool(ledger["returned"]) == returned
    assert received is None or ledger["received"] == received

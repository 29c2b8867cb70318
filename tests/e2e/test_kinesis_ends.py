"""The end of a shard, end to end: a true one is found promptly, a false one ends nothing and is said."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from pollers.checkpoints import SqliteStore
from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.lying_proxy import lying_proxy
from tests.e2e.streams import READING, checkpoints, mapping_of, remembered, stream

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

ACCEPT = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record, at=time.time())
"""
)


@pytest.fixture
def workplace(tmp_path: Path, kinesis_local: Emulator) -> Workplace:
    return Workplace(tmp_path, kinesis_local)


def _mapping(workplace: Workplace) -> dict[str, Any]:
    [served] = workplace.logged("console, health and metrics")
    with urllib.request.urlopen(f"{served['url']}/api/status", timeout=30) as reply:  # noqa: S310 - Headrace's own
        [mapping] = json.load(reply)["mappings"]
    return dict(mapping)


async def test_children_are_read_as_soon_as_ever_after_a_true_end(workplace: Workplace) -> None:
    """Whether or not the reply names them (this emulator does): seconds, not the half minute between two listings."""
    async with stream(workplace.emulator) as source:
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(source.arn)})
        with workplace.headrace() as process:
            await source.put(["before"])
            await until(lambda: len(workplace.count()) == 1, running=process)
            await source.split((await source.open_shards())[0])
            await source.put(["after"])
            written = time.time()
            await until(lambda: len(workplace.count()) == 2, running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.notes()[-1]["at"] - written < 20
        assert sum(kept.ended for kept in checkpoints(workplace).values()) == 1


@pytest.mark.parametrize("lie", ["ended", "{}", "empty", "closed"])
async def test_replies_that_have_lost_the_next_iterator_end_nothing(workplace: Workplace, lie: str) -> None:
    """A proxy gives wrong replies for a while: all is read afterwards, nothing was written down as ended, the status says so."""
    emulator = workplace.emulator
    async with stream(emulator) as source, lying_proxy(emulator.endpoint_url, "GetRecords") as proxy:
        workplace.function(ACCEPT)
        workplace.configure(
            {"s": mapping_of(source.arn)},
            runtime={"http": {"port": 0}},
            aws={"region": emulator.region, "endpoint_url": proxy.url},
        )
        with workplace.headrace() as process:
            await source.put(["1"])
            await until(lambda: len(workplace.count()) == 1, running=process)
            proxy.lie = lie
            await until(lambda: proxy.lies >= 4, running=process)
            await source.put(["2"])
            seen = proxy.lies
            await until(lambda: proxy.lies > seen, running=process)
            await until(lambda: _troubled(workplace), running=process)
            proxy.lie = None
            await source.put(["3"])
            await until(lambda: len(workplace.count()) == 3, running=process)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["1", "2", "3"]
        assert not any(kept.ended for kept in checkpoints(workplace).values())


async def test_a_shard_that_a_checkpoint_calls_ended_and_the_stream_lists_as_open_is_read_again(
    workplace: Workplace,
) -> None:
    """From its last record: what came after it is read once, what came before is not repeated; --until-idle waits for it."""
    async with stream(workplace.emulator) as source:
        await source.put(["1", "2"])
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(source.arn)})
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        await _end(workplace)
        assert [kept.ended for kept in checkpoints(workplace).values()] == [True]
        await source.put(["3"])
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["1", "2", "3"]
        assert [kept.ended for kept in checkpoints(workplace).values()] == [False]
        [said] = workplace.logged(
            "a checkpoint says that a shard has ended, but the stream lists it as open: it is read again"
        )
        assert said["level"] == "error"


async def _end(workplace: Workplace) -> None:
    """Write down that the one shard has ended, as an earlier version did for a reply that had lost its next iterator."""
    found = remembered(workplace)
    assert found is not None
    assert found.identity is not None
    async with SqliteStore(workplace.folder / "checkpoints.db") as store:
        kept = (await store.open("s", found.identity)).checkpoints
        [(shard_id, checkpoint)] = (await kept.load()).items()
        await kept.end((await kept.take_leases([shard_id]))[shard_id], checkpoint, {})


def _troubled(workplace: Workplace) -> bool:
    """Whether the status says what is wrong."""
    sentence = _mapping(workplace)["sentence"]
    return any(words in sentence for words in ("nothing bears that out", "backing off after"))

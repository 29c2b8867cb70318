"""What a crash repeats and what a store that cannot be written stops, end to end: the command, real workers, kill -9."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.e2e.harness import Workplace, ended, terminate, until, until_true
from tests.e2e.operator import Operator
from tests.e2e.streams import READING, mapping_of, stream

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

BATCH = 10
STEADY = (
    READING
    + """
    def held():
        journal, limit = os.environ["JOURNAL"], int(os.environ["LIMIT"])
        if os.path.exists(journal + ".open") or not os.path.exists(journal):
            return False
        return len(open(journal).readlines()) >= limit

    def handler(event, context):
        time.sleep(0.02)
        while held():
            time.sleep(0.02)
        for record in event["Records"]:
            accept(record)
"""
)
"""Takes its time, and stops at ``LIMIT`` records until it is let go on: however slow the test, not all is done before it acts."""


@pytest.fixture
def workplace(tmp_path: Path, kinesis_local: Emulator) -> Workplace:
    return Workplace(tmp_path, kinesis_local)


async def test_three_kills_repeat_at_most_what_was_in_flight_and_one_batch_more_each(workplace: Workplace) -> None:
    """500 records in batches of 10, killed three times under load: nothing lost, two batches repeated by each kill at most."""
    async with stream(workplace.emulator) as source:
        written = [f"{n:04}" for n in range(500)]
        await source.put(written)
        workplace.function(STEADY)
        workplace.configure({"s": mapping_of(source.arn, batch_size=BATCH)}, function=_stopping_at(workplace, 400))
        for kill in range(1, 4):
            with workplace.headrace() as process:
                await until(partial(_accepted, workplace, kill * 100), running=process)
                process.kill()
                await ended(process)
            await until(lambda: not workplace.workers(), what="the end of every worker")
        assert len(workplace.count()) < 500
        (workplace.folder / "journal.open").touch()
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        accepted = workplace.count()
        assert sorted(accepted) == written
        assert sum(accepted.values()) - 500 <= 3 * 2 * BATCH


async def test_stops_with_lanes_repeat_nothing(workplace: Workplace) -> None:
    """Several stops under load with a parallelization factor of 3: every record exactly once."""
    async with stream(workplace.emulator) as source:
        pairs = [(f"k{n % 41}", f"{n:04}") for n in range(900)]
        await source.put_pairs(pairs)
        workplace.function(STEADY)
        mapping = mapping_of(source.arn, batch_size=5, parallelization_factor=3)
        workplace.configure({"s": mapping}, function=_stopping_at(workplace, 10_000) | {"concurrency": 3})
        for stop in range(1, 5):
            with workplace.headrace() as process:
                await until(partial(_accepted, workplace, stop * 120), running=process)
                terminate(process)
                assert await ended(process) == 0, workplace.log.read_text()
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.count() == Counter([value for _, value in pairs])


async def test_a_store_that_cannot_be_written_stops_its_stream_and_health_says_so(workplace: Workplace) -> None:
    """Two batches at most are invoked; with the file in its place again they go on by themselves, and nothing comes twice."""
    operator = Operator()
    async with stream(workplace.emulator) as source:
        written = [f"{n:04}" for n in range(400)]
        await source.put(written)
        workplace.function(STEADY)
        workplace.configure(
            {"s": mapping_of(source.arn, batch_size=BATCH)},
            function=_stopping_at(workplace, 100),
            runtime={"http": operator.http},
        )
        file, away = workplace.folder / "checkpoints.db", workplace.folder / "away.db"
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 50, running=process)
            file.rename(away)
            before = len(workplace.count())
            (workplace.folder / "journal.open").touch()
            await until_true(lambda: _is(operator, 503), what="red health")
            assert "no checkpoint could be written" in (await _health(operator))[1]
            after = len(workplace.count())
            # One batch may be under way when the count is taken, and two may begin.
            assert after - before <= 4 * BATCH
            assert after < 400
            away.rename(file)
            await until(lambda: len(workplace.count()) == 400, running=process)
            await until_true(lambda: _is(operator, 200), what="green health")
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        assert workplace.count() == Counter(written)


def _stopping_at(workplace: Workplace, limit: int) -> dict[str, Any]:
    environment = {"JOURNAL": str(workplace.journal), "LIMIT": str(limit)}
    return {"concurrency": 2, "timeout": 120, "environment": environment}


def _accepted(workplace: Workplace, count: int) -> bool:
    return len(workplace.count()) >= count


async def _health(operator: Operator) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{operator.url}/healthz") as reply:
        return reply.status, await reply.text()


async def _is(operator: Operator, status: int) -> bool:
    return (await _health(operator))[0] == status

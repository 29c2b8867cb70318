"""Replicas of one configuration share a queue, which needs nothing of them: real processes on emulators, and kill -9."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import Workplace, ended, terminate, until, until_true
from tests.e2e.queues import queue

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

TAKING_TIME = """
    def handler(event, context):
        bodies = [record["body"] for record in event["Records"]]
        note(began=bodies)
        time.sleep(0.2)
        for body in bodies:
            note(id=body, replica=os.environ["REPLICA"])
"""


class Replicas:
    """Two replicas with a folder each, whose functions note into one journal."""

    def __init__(self, folder: Path, emulator: Emulator, arn: str, **settings: Any) -> None:  # noqa: ANN401 - YAML
        self.journal = Workplace(folder, emulator)
        self.one, self.two = (self._place(folder / name, arn, settings) for name in ("one", "two"))

    def _place(self, folder: Path, arn: str, settings: dict[str, Any]) -> Workplace:
        folder.mkdir()
        place = Workplace(folder, self.journal.emulator)
        place.function(TAKING_TIME)
        environment = {"JOURNAL": str(self.journal.journal), "REPLICA": folder.name}
        mapping = {"event_source_arn": arn, "batch_size": 5, **settings}
        place.configure({"q": mapping}, function={"concurrency": 2, "environment": environment})
        return place

    def both_take_part(self) -> bool:
        """Whether each has done something."""
        return len(self.journal.count("replica")) == 2

    def deleted(self) -> int:
        """How many messages are deleted by both ledgers, which have to be balanced."""
        total = 0
        for place in (self.one, self.two):
            [ledger] = [line for line in place.logged("shutdown 7: ledger") if "deleted" in line]
            assert ledger["balanced"]
            total += ledger["deleted"]
        return total


async def test_two_replicas_share_a_queue(tmp_path: Path, ministack: Emulator) -> None:
    """Every message once, some by each; what both have deleted is what was sent."""
    async with queue(ministack, visibility=60) as source:
        shared = Replicas(tmp_path, ministack, source.arn)
        bodies = [f"m{number}" for number in range(200)]
        with shared.one.headrace() as first, shared.two.headrace() as second:
            await source.send(bodies)
            await until_true(source.empty, what="an empty queue")
            for process in (first, second):
                terminate(process)
                assert await ended(process) == 0
        assert shared.journal.count() == dict.fromkeys(bodies, 1)
        assert shared.both_take_part()
        assert shared.deleted() == len(bodies)


async def test_what_a_killed_replica_held_comes_back_to_the_other(tmp_path: Path, ministack: Emulator) -> None:
    """After the visibility timeout: what it had not deleted is run again, and nothing is lost."""
    async with queue(ministack, visibility=5, maximum_receives=10) as source:
        shared = Replicas(tmp_path, ministack, source.arn)
        bodies = [f"m{number}" for number in range(150)]
        with shared.one.headrace() as first, shared.two.headrace() as second:
            await source.send(bodies)
            await until(shared.both_take_part, what="the work of both")
            first.kill()
            await ended(first)
            await until_true(source.empty, what="an empty queue")
            terminate(second)
            assert await ended(second) == 0
        assert shared.journal.count().keys() == set(bodies)
        # Two invocations of five at most ran, and two more batches may have been done and not deleted yet.
        assert sum(shared.journal.count().values()) <= len(bodies) + 4 * 5
        assert await source.dead() == []


async def test_message_groups_keep_their_order_across_replicas(tmp_path: Path, ministack: Emulator) -> None:
    """Also when one of them is killed: what is repeated is repeated in order."""
    async with queue(ministack, fifo=True, visibility=5, maximum_receives=10) as source:
        shared = Replicas(tmp_path, ministack, source.arn)
        groups = {f"g{group}": [f"g{group}-{number:02}" for number in range(20)] for group in range(6)}
        for group, bodies in groups.items():
            await source.send(bodies, group=group)
        with shared.one.headrace() as first, shared.two.headrace() as second:
            await until(shared.both_take_part, what="the work of both")
            first.kill()
            await ended(first)
            await until_true(source.empty, what="an empty queue")
            terminate(second)
            assert await ended(second) == 0
        done = [note["id"] for note in shared.journal.notes() if "id" in note]
        for group, bodies in groups.items():
            of_group = [body for body in done if body.startswith(f"{group}-")]
            assert list(dict.fromkeys(of_group)) == bodies
        assert len(done) <= 6 * 20 + 4 * 5

"""The depth of each source that has one is sampled regularly, and a fault loses only that sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import anyio

from pollers.aws import services
from pollers.aws.errors import Unavailable
from pollers.status.depths import EVERY_SECONDS, Depths
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import Depth, Fact
from tests.unit.sources.kinesis.sample import SAMPLE as STREAM
from tests.unit.sources.sqs.sample import SAMPLE as QUEUE
from tests.worlds import virtual_time
from tests.worlds.memory_aws import MemoryAws
from tests.worlds.memory_sqs import MemorySqs, Queue

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.board import Board


@dataclass
class Calls:
    """Notes each call; those named in ``failing`` raise, those in ``hanging`` never come back."""

    noted: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)

    async def before(self, call: str) -> None:
        """See ``Faults.before``."""
        self.noted.append(call)
        if call in self.failing:
            raise Unavailable("ServiceUnavailable", "later")
        if call in self.hanging:
            await anyio.sleep_forever()

    async def after(self, call: str) -> None:
        """See ``Faults.after``."""


class Sampled:
    """A queue and a stream that are sampled; ``told`` is what the board got."""

    def __init__(self, *mappings: Mapping, state: MappingState = MappingState.RUNNING) -> None:
        self.queue, self.calls = Queue("orders"), Calls()
        self.told: list[tuple[str, Fact]] = []
        runners = {one.name: SimpleNamespace(model=one, state=state) for one in mappings}
        aws = MemoryAws({services.SQS.name: MemorySqs(self.queue, faults=self.calls)})
        self._depths = Depths(
            cast("Runtime", SimpleNamespace(mappings=runners)),
            aws,
            cast("Board", lambda mapping, fact: self.told.append((mapping, fact))),
        )

    async def sample(self, times: int) -> None:
        """Run for so many rounds."""
        with anyio.move_on_after(EVERY_SECONDS * (times - 1) + 12):
            await self._depths.run()


@virtual_time.test
async def test_a_queue_is_asked_again_and_again() -> None:
    """Its URL is asked for once."""
    sampled = Sampled(QUEUE.mapping())
    sampled.queue.put("m1")
    await sampled.sample(3)
    assert sampled.told == [("sample", Depth(1, 0, 0))] * 3
    assert sampled.calls.noted == ["queue_url", *["attributes"] * 3]


@virtual_time.test
async def test_two_mappings_of_one_queue_ask_for_its_url_once() -> None:
    """Each has its depth."""
    sampled = Sampled(QUEUE.mapping(), QUEUE.mapping(name="other"))
    await sampled.sample(1)
    assert [mapping for mapping, _ in sampled.told] == ["sample", "other"]
    assert sampled.calls.noted.count("queue_url") == 1


@virtual_time.test
async def test_a_stream_is_not_asked() -> None:
    """It has no depth: there is not even a client of its service here."""
    sampled = Sampled(STREAM.mapping())
    await sampled.sample(2)
    assert sampled.told == []


@virtual_time.test
async def test_a_mapping_that_does_not_run_is_not_asked() -> None:
    """A pause costs nothing."""
    sampled = Sampled(QUEUE.mapping(), state=MappingState.PAUSED)
    await sampled.sample(2)
    assert sampled.calls.noted == []


@virtual_time.test
async def test_a_queue_that_fails_or_hangs_is_asked_again() -> None:
    """The depth that was last seen stays."""
    sampled = Sampled(QUEUE.mapping())
    sampled.calls.failing.add("attributes")
    await sampled.sample(1)
    sampled.calls.failing.clear()
    sampled.calls.hanging.add("attributes")
    await sampled.sample(1)
    assert sampled.told == []
    sampled.calls.hanging.clear()
    await sampled.sample(1)
    assert sampled.told == [("sample", Depth(0, 0, 0))]

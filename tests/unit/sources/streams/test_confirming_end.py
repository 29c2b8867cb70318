"""What a reader does when a reply says that its shard has ended."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar, cast

import pytest

from pollers.aws.api import ShardListing, StreamDescription
from pollers.checkpoints.store import ShardCheckpoint
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.streams.confirming_end import FIND_SECONDS, EndConfirmation
from pollers.sources.streams.ending import CONFIRMED, UNANCHORED, Sight
from pollers.sources.streams.place import Place
from pollers.telemetry.facts import EndDoubted, Fact
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pollers.aws.errors import AwsError
    from pollers.sources.streams.context import StreamContext

T = TypeVar("T")

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
CHILD = ShardListing("child", ("shard",), "1", None)


class Reading:
    """A reader that keeps what its end's confirmation asks of it."""

    def __init__(self, *, last: str | None, sight: Sight, status: str = "ACTIVE") -> None:
        source = KinesisSource(ARN, None)  # type: ignore[arg-type] # never asked
        self.place = Place(ShardCheckpoint(sequence_number=last), source)
        self.dropped = 0
        self.waits: list[float | None] = []
        self.ends: list[Sequence[ShardListing] | None] = []
        self.told: list[Fact] = []
        facts = Facts("m", [lambda _, fact: self.told.append(fact)])
        context = SimpleNamespace(
            mapping=SimpleNamespace(name="m"),
            surroundings=SimpleNamespace(random=random.Random(1), facts=facts),
            stream=SimpleNamespace(description=StreamDescription(ARN, "identity", status)),
        )

        async def look(_: str) -> Sight:
            return sight

        self.end = EndConfirmation(self, "shard", cast("StreamContext", context), look)

    def drop_iterator(self) -> None:
        """Count it."""
        self.dropped += 1

    def ended(self, children: Sequence[ShardListing] | None) -> None:
        """Keep it."""
        self.ends.append(children)

    async def attempt(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """It works."""
        return await call()

    async def back_off(self, error: AwsError, seconds: float | None = None) -> None:
        """Keep for how long."""
        self.waits.append(seconds)

    async def claim(self, *, again: bool = True) -> None:
        """A reply without a next iterator, with the last record once more."""
        if again:
            self.end.last_came_again()
        await self.end.end_claimed(None, None, progressed=False)


@virtual_time.test
async def test_a_reply_that_names_the_children_ends_the_shard() -> None:
    """That is evidence that is there."""
    reading = Reading(last="10", sight=Sight.OPEN)
    await reading.end.end_claimed([CHILD], None, progressed=True)
    assert reading.ends == [[CHILD]]
    assert reading.dropped == 1


@virtual_time.test
async def test_one_reply_without_a_next_iterator_ends_nothing() -> None:
    """What is missing in it may have got lost: it is read once more, with an iterator of its own."""
    reading = Reading(last="10", sight=Sight.CLOSED)
    await reading.claim()
    assert reading.end.under_way
    assert reading.ends == []
    await reading.claim()
    assert reading.ends == [None]
    assert reading.dropped == CONFIRMED


@virtual_time.test
async def test_an_end_that_the_listing_contradicts_is_doubted_until_the_shard_goes_on() -> None:
    """It waits, it is a fact, and so is the end of the doubt."""
    reading = Reading(last="10", sight=Sight.OPEN)
    for _ in range(CONFIRMED + 1):
        await reading.claim()
    assert reading.ends == []
    assert len(reading.waits) == 2
    reading.end.end_denied(progressed=True)
    assert not reading.end.under_way
    doubts = [fact.why for fact in reading.told if isinstance(fact, EndDoubted)]
    assert [bool(why) for why in doubts] == [True, True, False]


@virtual_time.test
async def test_a_shard_that_is_not_listed_is_looked_for_at_a_slow_pace() -> None:
    """Listings lag behind."""
    reading = Reading(last="10", sight=Sight.MISSING)
    for _ in range(CONFIRMED):
        await reading.claim()
    assert reading.waits == [FIND_SECONDS]


@pytest.mark.parametrize("status", ["DISABLED", "ACTIVE"])
def test_a_disabled_stream_takes_no_more_records(status: str) -> None:
    """Its shards stay listed as open for ever, and have ended all the same."""

    @virtual_time.test
    async def claimed() -> None:
        reading = Reading(last=None, sight=Sight.OPEN, status=status)
        for _ in range(UNANCHORED):
            await reading.claim(again=False)
        assert bool(reading.ends) == (status == "DISABLED")

    claimed()

"""Positions that do not compare: what a source of resume tokens may count on besides what the suite tries with every kind."""

from __future__ import annotations

from typing import ClassVar

import pytest
from structlog.testing import capture_logs

from config.models import ShardedStreamMapping
from pollers.telemetry.facts import DiscardCondition, Discarded
from tests.pollers.function import fails_on
from tests.pollers.streams import Feed
from tests.pollers.trial import Trial
from tests.pollers.worlds import STEP_LIMIT
from tests.worlds import virtual_time


class ShardedFeedMapping(ShardedStreamMapping):
    """A feed whose mappings may ask for several batches at a time."""

    kind: ClassVar[str] = "feed"


def test_a_token_that_has_left_the_retention_is_a_gap_that_is_reported() -> None:
    """Reading goes on at the oldest change that is left, and the checkpoint with it."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        trial.put("first", "second")
        async with trial.running():
            await trial.finish()
        world.feed.put("k", "lost")
        world.feed.trim()
        trial.put("third", "fourth")
        async with trial.running():
            await trial.finish()
        assert trial.accepted == ["first", "second", "third", "fourth"]
        assert [fact.condition for fact in trial.of(Discarded)] == [DiscardCondition.TRIMMED]

    with capture_logs() as logs:
        virtual_time.run(main, step_limit=STEP_LIMIT)
    (told,) = [line for line in logs if line["event"] == "records were trimmed away before they were read"]
    assert told["after"] != told["upto"]


@pytest.mark.parametrize("factor", [1, 10])
def test_crashes_repeat_no_more_than_what_was_read_ahead_whatever_the_factor(factor: int) -> None:
    """Without an order a shard has one lane: nothing is done above the checkpoint, and every key keeps its order."""

    async def main() -> None:
        world = Feed(ShardedFeedMapping)
        trial = Trial(world, fails_on("3", times=2), batch_size=2, parallelization_factor=factor)
        for number in range(12):
            trial.put(str(number), key=f"key {number % 5}")
        for step in range(5, 95, 15):
            await trial.crash_at(step)
        async with trial.running():
            await trial.finish()
        trial.check()
        firsts = list(dict.fromkeys(trial.accepted))
        assert firsts == sorted(firsts, key=int)

    virtual_time.run(main, step_limit=STEP_LIMIT)

"""Hundreds of seeded stories of the SQS poller: nothing lost, books balanced, order kept."""

from __future__ import annotations

from tests.worlds import virtual_time
from tests.worlds.seeds import in_slices, replayable
from tests.worlds.sqs_simulation import Simulation
from tests.worlds.unread_logs import logs_of


@in_slices(300, of=50)
def test_nothing_is_lost_whatever_breaks(seeds: range) -> None:
    """Crashes, duplicates, half-failed deletes, throttles, lost replies, unread logs: every message is handled or rightly dead."""
    for seed in seeds:
        with replayable(seed), logs_of(seed):
            virtual_time.run(lambda seed=seed: Simulation(seed).run())  # type: ignore[misc]

"""Seeded stories of the asynchronous queue: nothing lost, books balanced, retries kept."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.worlds import virtual_time
from tests.worlds.async_simulation import Simulation
from tests.worlds.seeds import in_slices, replayable


@in_slices(80, of=20)
def test_no_event_is_lost_whatever_breaks(seeds: range) -> None:
    """Crashes at any step, stops, a full disk, functions and targets that fail: every event ends, and is told of as it ended."""
    for seed in seeds:
        with replayable(seed), capture_logs():  # writing tracebacks would take longer than the stories
            virtual_time.run(lambda seed=seed: Simulation(seed).run())  # type: ignore[misc]

"""Seeded stories of the asynchronous queue: nothing lost, books balanced, retries kept. ``HEADRACE_SEED=n`` replays one."""

from __future__ import annotations

import os

import pytest
from structlog.testing import capture_logs

from tests.worlds import virtual_time
from tests.worlds.async_simulation import Simulation

SEEDS = 200
SLICES = 10

_ONE = os.environ.get("HEADRACE_SEED")


def _seeds() -> list[range]:
    if _ONE is not None:
        return [range(int(_ONE), int(_ONE) + 1)]
    size = SEEDS // SLICES
    return [range(start, start + size) for start in range(0, SEEDS, size)]


@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_no_event_is_lost_whatever_breaks(seeds: range) -> None:
    """Crashes at any step, stops, a full disk, functions and targets that fail: every event ends, and is told of as it ended."""
    for seed in seeds:
        try:
            with capture_logs():  # writing tracebacks would take longer than the stories
                virtual_time.run(lambda seed=seed: Simulation(seed).run())  # type: ignore[misc]
        except BaseException as error:
            error.add_note(f"replay with HEADRACE_SEED={seed}")
            raise

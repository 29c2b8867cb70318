"""A thousand seeded stories of the SQS poller: nothing lost, books balanced, order kept. ``HEADRACE_SEED=n`` replays one."""

from __future__ import annotations

import os

import pytest

from tests.worlds import virtual_time
from tests.worlds.sqs_simulation import Simulation
from tests.worlds.unread_logs import logs_of

SEEDS = 1_000
SLICES = 20

_ONE = os.environ.get("HEADRACE_SEED")


def _seeds() -> list[range]:
    if _ONE is not None:
        return [range(int(_ONE), int(_ONE) + 1)]
    size = SEEDS // SLICES
    return [range(start, start + size) for start in range(0, SEEDS, size)]


@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_nothing_is_lost_whatever_breaks(seeds: range) -> None:
    """Crashes, duplicates, half-failed deletes, throttles, lost replies, unread logs: every message is handled or rightly dead."""
    for seed in seeds:
        try:
            with logs_of(seed):
                virtual_time.run(lambda seed=seed: Simulation(seed).run())  # type: ignore[misc]
        except BaseException as error:
            error.add_note(f"replay with HEADRACE_SEED={seed}")
            raise

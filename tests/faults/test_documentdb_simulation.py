"""Change streams under virtual time: seeded runs with many faults at once."""

from __future__ import annotations

import pytest

from tests.worlds.change_simulation import simulate

SEEDS = 120
SEEDS_A_TEST = 30


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_nothing_is_lost_reordered_or_checkpointed_too_early(first: int) -> None:
    """Whatever fails, every event is accepted or discarded with a record, in the order of the stream, and the books balance."""
    for seed in range(first, first + SEEDS_A_TEST):
        try:
            simulate(seed)
        except BaseException as failure:
            failure.add_note(f"replay with tests.worlds.change_simulation.simulate({seed})")
            raise

"""The whole stream engine under virtual time: a thousand seeded runs of faults, crashes and resharding."""

from __future__ import annotations

import pytest

from tests.faults.stream_simulation import simulate

SEEDS = 1_000
SEEDS_A_TEST = 50


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_nothing_is_lost_reordered_or_checkpointed_too_early(first: int) -> None:
    """Whatever fails, every record is accepted or discarded with a record, in order of its key, and the books balance."""
    for seed in range(first, first + SEEDS_A_TEST):
        try:
            simulate(seed)
        except BaseException as failure:
            failure.add_note(f"replay with tests.faults.stream_simulation.simulate({seed})")
            raise

"""Replicas that share a stream, under virtual time: seeded runs of deaths, stalls, restarts, resharding and a bad table."""

from __future__ import annotations

import pytest

from tests.worlds.replica_hand_overs import HandOvers
from tests.worlds.replica_simulation import simulate
from tests.worlds.seeds import EFFORT, in_slices, replayable

HAND_OVER_SEEDS = 2 * EFFORT


@in_slices(24, of=6)
def test_replicas_lose_nothing_and_never_own_a_shard_twice(seeds: range) -> None:
    """Whatever happens to them and their table: see tests.worlds.replica_watch for all that must hold."""
    for seed in seeds:
        with replayable(seed):
            simulate(seed)


@pytest.mark.parametrize("seed", range(HAND_OVER_SEEDS))
def test_a_shard_changes_hands_within_a_second_and_leaves_the_dead_within_two_failovers(seed: int) -> None:
    """Deploys, scaling and deaths under load; no record comes twice after an orderly release."""
    gaps = simulate(seed, HandOvers).watch.gaps
    assert gaps


def test_a_seed_tells_the_same_story_each_time() -> None:
    """Or a failure could not be looked into."""
    assert simulate(7).watch.timeline == simulate(7).watch.timeline

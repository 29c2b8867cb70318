"""Replicas that share a stream, under virtual time: seeded runs of deaths, stalls, restarts, resharding and a table at its worst.

``HEADRACE_SEED=n`` replays one; ``HEADRACE_REPLICA_SEEDS=n`` runs so many instead of the usual ones; both, so many from there on.
"""

from __future__ import annotations

import os

import pytest

from tests.worlds.replica_hand_overs import HandOvers
from tests.worlds.replica_simulation import simulate

SEEDS = 40
HAND_OVER_SEEDS = 3
SLICES = 6

_FIRST = os.environ.get("HEADRACE_SEED")
_MANY = int(os.environ.get("HEADRACE_REPLICA_SEEDS", SEEDS if _FIRST is None else 1))


def _seeds() -> list[range]:
    first, size = int(_FIRST or 0), max(1, _MANY // SLICES)
    return [range(start, min(start + size, first + _MANY)) for start in range(first, first + _MANY, size)]


@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_replicas_lose_nothing_and_never_own_a_shard_twice(seeds: range) -> None:
    """Whatever happens to them and their table: see tests.worlds.replica_watch for all that must hold."""
    for seed in seeds:
        simulate(seed)


@pytest.mark.parametrize("seed", range(HAND_OVER_SEEDS))
def test_a_shard_changes_hands_within_a_second_and_leaves_the_dead_within_two_failovers(seed: int) -> None:
    """Deploys, scaling and deaths under load; no record comes twice after an orderly release."""
    gaps = simulate(seed, HandOvers).watch.gaps
    assert gaps


def test_a_seed_tells_the_same_story_each_time() -> None:
    """Or a failure could not be looked into."""
    assert simulate(7).watch.timeline == simulate(7).watch.timeline

"""Mutated replies for every operation, through the real clients: nothing lost, nothing ended, nothing deleted that was not done.

``HEADRACE_SEED=n`` replays one.
"""

from __future__ import annotations

import os

import pytest

from tests.worlds import virtual_time, wire_sqs, wire_streams
from tests.worlds.unread_logs import logs_of

QUEUE_SEEDS = 400
STREAM_SEEDS = 200
SLICES = 10

_ONE = os.environ.get("HEADRACE_SEED")


def _seeds(count: int) -> list[range]:
    if _ONE is not None:
        return [range(int(_ONE), int(_ONE) + 1)]
    size = count // SLICES
    return [range(start, start + size) for start in range(0, count, size)]


def _named(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


@pytest.mark.parametrize("seeds", _seeds(QUEUE_SEEDS), ids=_named)
def test_whatever_a_queue_answers_nothing_is_lost(seeds: range) -> None:
    """Every message is handled or rightly dead, what counts as deleted is, and the books balance."""
    for seed in seeds:
        try:
            with logs_of(seed):
                virtual_time.run(lambda seed=seed: wire_sqs.WireSimulation(seed).run())  # type: ignore[misc]
        except BaseException as error:
            error.add_note(f"replay with HEADRACE_SEED={seed}")
            raise


@pytest.mark.parametrize("seeds", _seeds(STREAM_SEEDS), ids=_named)
def test_whatever_a_stream_answers_nothing_is_lost(seeds: range) -> None:
    """Every record is accepted or discarded with a record, in order of its key, whatever claims that its shard has ended."""
    for seed in seeds:
        try:
            wire_streams.simulate(seed)
        except BaseException as error:
            error.add_note(f"replay with HEADRACE_SEED={seed}")
            raise

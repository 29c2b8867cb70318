"""Mutated replies for every operation, through the real clients: nothing lost, nothing ended, nothing deleted that was not done."""

from __future__ import annotations

from tests.worlds import virtual_time, wire_sqs, wire_streams
from tests.worlds.seeds import in_slices, replayable
from tests.worlds.unread_logs import logs_of


@in_slices(120, of=40)
def test_whatever_a_queue_answers_nothing_is_lost(seeds: range) -> None:
    """Every message is handled or rightly dead, what counts as deleted is, and the books balance."""
    for seed in seeds:
        with replayable(seed), logs_of(seed):
            virtual_time.run(lambda seed=seed: wire_sqs.WireSimulation(seed).run())  # type: ignore[misc]


@in_slices(80, of=20)
def test_whatever_a_stream_answers_nothing_is_lost(seeds: range) -> None:
    """Every record is accepted or discarded with a record, in order of its key, whatever claims that its shard has ended."""
    for seed in seeds:
        with replayable(seed):
            wire_streams.simulate(seed)

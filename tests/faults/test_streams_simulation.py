"""The whole stream engine under virtual time: hundreds of seeded runs of faults, crashes, resharding and bit rot."""

from __future__ import annotations

from tests.worlds.seeds import in_slices, replayable
from tests.worlds.stream_simulation import DISK_EVERY, simulate
from tests.worlds.unread_logs import UNREAD_EVERY, lines_put, nobody_reads


@in_slices(300, of=50)
def test_nothing_is_lost_reordered_or_checkpointed_too_early(seeds: range) -> None:
    """Whatever fails, every record is accepted or discarded with a record, in order of its key, and the books balance."""
    for seed in seeds:
        with replayable(seed):
            simulate(seed)


def test_bits_of_the_checkpoint_file_do_flip() -> None:
    """In some of the seeds: some flips are refused, others change nothing."""
    disks = [simulate(seed).disk for seed in range(0, 12 * DISK_EVERY, DISK_EVERY)]
    assert sum(disk.refused for disk in disks if disk is not None) > 0
    assert sum(disk.harmless for disk in disks if disk is not None) > 0
    assert simulate(1).disk is None


def test_nobody_reads_the_logs_of_some_of_them() -> None:
    """They are logged all the same."""
    with nobody_reads() as outlet:
        before = lines_put(outlet)
    for seed in range(0, 12 * UNREAD_EVERY, UNREAD_EVERY):
        simulate(seed)
    assert lines_put(outlet) > before

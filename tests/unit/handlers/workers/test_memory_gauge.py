"""How much memory a worker holds, and whether it is too much."""

from __future__ import annotations

import os

import pytest

from handlers.workers import memory_gauge
from handlers.workers.memory_gauge import MemoryGauge

WORKER, CHILD, KEEPER = 11, 12, 10


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """What each process holds, in MiB; the exact look finds all of them."""
    processes: dict[int, int] = {}
    monkeypatch.setattr(memory_gauge, "resident_mib", lambda pid: processes.get(pid, 0))
    monkeypatch.setattr(memory_gauge, "held_mib", lambda pids, limit: sum(processes.get(pid, 0) for pid in pids))
    monkeypatch.setattr(memory_gauge, "descendants", lambda keeper: list(processes))
    return processes


def test_a_worker_and_its_children_count_together(held: dict[int, int]) -> None:
    """As on Lambda, where all of them share the function's memory."""
    held.update({WORKER: 80, CHILD: 70})

    assert MemoryGauge(128).beyond_limit(WORKER, KEEPER, {KEEPER: [WORKER, CHILD]}) == 150


def test_nothing_is_killed_by_a_look_that_may_be_wrong(held: dict[int, int]) -> None:
    """A process that only the quick look counts to the worker is found to be another's by the exact one."""
    held.update({WORKER: 80})
    families = {KEEPER: [WORKER, WORKER]}

    assert MemoryGauge(128).beyond_limit(WORKER, KEEPER, families) is None


def test_without_a_limit_nothing_is_beyond_it(held: dict[int, int]) -> None:
    """The machine's memory is the only bound."""
    held.update({WORKER: 10**6})

    assert MemoryGauge(None).beyond_limit(WORKER, KEEPER, {}) is None


def test_the_peak_is_the_most_that_was_seen_and_no_more_than_the_limit(held: dict[int, int]) -> None:
    """Lambda never reports more than the memory size."""
    gauge = MemoryGauge(128)
    held[WORKER] = 90
    gauge.sample(WORKER, now=0.0)
    held[WORKER] = 60
    gauge.sample(WORKER, now=10.0)
    assert gauge.peak_mib == 90

    gauge.ended(max_rss_kib=500 * 1024)

    assert gauge.peak_mib == 128


def test_a_sample_is_not_taken_again_at_once(held: dict[int, int]) -> None:
    """It reads a file, and thousands of invocations a second may ask for it."""
    gauge = MemoryGauge(None)
    gauge.sample(WORKER, now=1.0)
    held[WORKER] = 50
    gauge.sample(WORKER, now=1.05)
    assert gauge.peak_mib == 0

    gauge.sample(WORKER, now=1.2)

    assert gauge.peak_mib == 50


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_this_process_holds_some_memory() -> None:
    """Without any double."""
    gauge = MemoryGauge(None)
    gauge.sample(os.getpid(), now=1.0)

    assert gauge.peak_mib > 1

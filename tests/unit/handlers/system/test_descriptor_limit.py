"""The limit of file descriptors: what is asked for, and what workers get."""

from __future__ import annotations

import os
import resource

import pytest

from handlers.system import descriptor_limit
from handlers.system.descriptor_limit import ENOUGH, candidates, require_room

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1_024, 4_096, [4_096]),
        (256, UNLIMITED, [ENOUGH, 65_536, 10_240]),
        (1_024, 524_288, [524_288, 65_536, 10_240]),
        (1_024, 10**9, [ENOUGH, 65_536, 10_240]),
        (4_096, 4_096, []),
        (UNLIMITED, UNLIMITED, []),
        (2 * ENOUGH, UNLIMITED, []),
    ],
)
def test_the_most_that_may_be_had_is_asked_for_first(soft: int, hard: int, expected: list[int]) -> None:
    """Never less than there is, never beyond the hard limit; less where the system grants less than it says."""
    assert candidates(soft, hard) == expected


def test_a_few_are_left_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number that the next open would get."""
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(16)]
    free = taken.pop()
    os.close(free)
    monkeypatch.setattr(descriptor_limit, "KEPT", 4)
    monkeypatch.setattr(descriptor_limit, "_limit", free + 4 + 3)
    require_room()
    require_room(3)
    with pytest.raises(OSError, match="Too many open files"):
        require_room(4)
    for descriptor in taken:
        os.close(descriptor)

"""Which seeds a simulation runs: enough of them in the suite, one to see a failure again, many on demand.

``HEADRACE_SEED=n`` runs the one seed n, ``HEADRACE_SEEDS=n`` the first n, both so many from there on. ``HEADRACE_EFFORT=n`` runs n
times as many as the suite does.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EFFORT = int(os.environ.get("HEADRACE_EFFORT", "1"))
"""How many times the usual number of seeds, and of examples of properties, is tried."""
_FIRST = os.environ.get("HEADRACE_SEED")
_MANY = os.environ.get("HEADRACE_SEEDS")


def in_slices(usual: int, *, of: int) -> pytest.MarkDecorator:
    """Run a test with ``seeds``, ``of`` of them at a time, until ``usual`` have been run, or what the environment asks for."""
    first = int(_FIRST or 0)
    end = first + int(_MANY or (usual * EFFORT if _FIRST is None else 1))
    slices = [range(start, min(start + of, end)) for start in range(first, end, of)]
    return pytest.mark.parametrize("seeds", slices, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")


@contextmanager
def replayable(seed: int) -> Iterator[None]:
    """A failure in here says how to see it again."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"replay with HEADRACE_SEED={seed}")
        raise

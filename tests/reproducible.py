"""Jitter is another one in every run, and a run can be repeated: ``--randomly-seed=N``, N being what its head printed.

pytest-randomly seeds the generator of the module ``random`` before each test. Generators of their own (``random.Random()``)
would take their seed from the operating system: what they made fail could never be seen again.
"""

from __future__ import annotations

import random


class Reproducible(random.Random):
    """A generator that takes its seed from the module's one where it is given none."""

    def __init__(self, seed: int | float | str | bytes | bytearray | None = None) -> None:
        super().__init__(random.getrandbits(64) if seed is None else seed)


def let_one_seed_rule() -> None:
    """For the whole process, from now on; before what makes generators is imported."""
    random.Random = Reproducible  # type: ignore[misc, assignment]

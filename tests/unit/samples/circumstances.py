"""What samples are made of in tests: a fixed moment, and ids from a seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from pollers.samples import SAMPLES, Circumstances, Document

NOW = datetime(2026, 1, 31, 12, 0, 0, 123_000, UTC)


def circumstances(seed: int = 1) -> Circumstances:
    """The same ids for the same seed."""
    return Circumstances(NOW, random.Random(seed), region="eu-west-1", account="210987654321")


def document(name: str, seed: int = 1) -> Document:
    """The sample of that name."""
    return SAMPLES[name].make(circumstances(seed))

"""Growing delays."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.backoff import Backoff


@given(st.integers(), st.floats(min_value=0.01, max_value=10), st.floats(min_value=10, max_value=100))
def test_delays_double_up_to_the_maximum_with_jitter(seed: int, initial: float, maximum: float) -> None:
    """Each is drawn from the upper half of its step."""
    backoff = Backoff(random.Random(seed), initial=initial, maximum=maximum)
    for failure in range(20):
        step = min(maximum, initial * 2**failure)
        assert step / 2 <= backoff.next() <= step
        assert backoff.failures == failure + 1


def test_success_starts_over() -> None:
    """The next failure waits as briefly as the first did."""
    backoff = Backoff(random.Random(1), initial=1, maximum=64)
    for _ in range(6):
        backoff.next()

    backoff.reset()

    assert backoff.failures == 0
    assert backoff.next() <= 1

"""The conclusions from an asynchronous event's timeline: why it was late, where it is, and whom it was told to (decider)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pollers.telemetry.durations import age

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pollers.telemetry.recorder import Moment

OVER = ("ended", "given up")
REPORTS = ("told", "not told", "report lost")
OWN_WORDS = frozenset({"queued", *OVER, *REPORTS})
"""Only asynchronous events have these."""
LATE_SECONDS = 1.0


def async_conclusions(moments: Sequence[Moment], now: float) -> Iterator[str]:
    """In sentences. ``now`` is seconds since the epoch."""
    over = next((moment for moment in moments if moment.what in OVER), None)
    if over is None:
        last = moments[-1]
        yield f"not over yet: last {last.what}, {age(now - last.at)} ago"
        return
    yield from _why_late(moments, over)
    yield from _reports(moments)


def _why_late(moments: Sequence[Moment], over: Moment) -> Iterator[str]:
    first = moments[0]
    if first.what != "queued" or over.at - first.at <= LATE_SECONDS:
        return
    before = [moment for moment in moments if moment.at <= over.at and moment.what not in REPORTS]
    attempts = sum(moment.what == "invoked" for moment in before)
    largest = max(pairwise(before), key=lambda pair: pair[1].at - pair[0].at)
    yield (
        f"{over.what} {age(over.at - first.at)} after it was queued, with {attempts} attempt{'' if attempts == 1 else 's'}; the "
        f"longest wait was {age(largest[1].at - largest[0].at)}, from {largest[0].what} to {largest[1].what}"
    )


def _reports(moments: Sequence[Moment]) -> Iterator[str]:
    """What became of each report at last."""
    last = {moment.detail.partition(": ")[0]: moment for moment in moments if moment.what in REPORTS}
    for target, moment in last.items():
        if moment.what == "not told":
            yield f"{target} has not been told yet: {moment.detail.partition(': ')[2]}"
        elif moment.what == "report lost":
            yield f"{target} was never told: {moment.detail.partition(': ')[2]}"

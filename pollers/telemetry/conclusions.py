"""The conclusions from an event's timeline: why it came twice, why it was late, where it is (decider)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.telemetry.async_conclusions import OWN_WORDS, async_conclusions
from pollers.telemetry.durations import age

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pollers.telemetry.recorder import Moment

RECEIVED = ("received", "found again")
CAUSES = ("failed", "returned", "expired", "throttled", "delete retried")
LATE_SECONDS = 1.0
UNSEEN_SECONDS = 60.0
"""After this long without another receive, a returned event is reported as probably no longer in the queue."""


def conclusions(moments: Sequence[Moment], now: float) -> Iterator[str]:
    """The conclusions from a timeline, in sentences. ``now`` is seconds since the epoch.

    Where several mappings read a stream, each has received its records once: what follows is told for each by itself.
    """
    if not moments:
        return
    if any(moment.what in OWN_WORDS for moment in moments):
        yield from async_conclusions(moments, now)
        return
    mappings = list(dict.fromkeys(moment.mapping for moment in moments))
    for mapping in mappings:
        prefix = f"{mapping}: " if len(mappings) > 1 else ""
        for sentence in _of_one_mapping([moment for moment in moments if moment.mapping == mapping], now):
            yield prefix + sentence


def _of_one_mapping(moments: Sequence[Moment], now: float) -> Iterator[str]:
    yield from _why_twice(moments)
    yield from _why_late(moments)
    yield from _where(moments, now)


def _why_twice(moments: Sequence[Moment]) -> Iterator[str]:
    again = [index for index, moment in enumerate(moments) if moment.what in RECEIVED][1:]
    if again:
        cause = next((m for m in reversed(moments[: again[0]]) if m.what in ("failed", "expired")), None)
        cause = cause or next((m for m in reversed(moments[: again[0]]) if m.what in CAUSES), None)
        why = (
            f"{cause.what} {cause.detail}"
            if cause
            else "no failure here: another consumer, or the queue delivered it twice"
        )
        yield f"received {len(again) + 1} times; why again: {why}"
    accepted = sum(moment.what == "accepted" for moment in moments)
    if accepted > 1:
        yield f"accepted {accepted} times: at least once allows that, so the function should be idempotent"


def _why_late(moments: Sequence[Moment]) -> Iterator[str]:
    first = next((moment for moment in moments if moment.what in RECEIVED), None)
    accepted = next((moment for moment in moments if moment.what == "accepted"), None)
    if first is None or accepted is None or accepted.at - first.at <= LATE_SECONDS:
        return
    before = moments[: moments.index(accepted)]
    tries = sum(moment.what == "invoked" for moment in before)
    largest = max(zip(before, moments[1:], strict=False), key=lambda pair: pair[1].at - pair[0].at)
    waited = largest[1].at - largest[0].at
    yield (
        f"accepted {age(accepted.at - first.at)} after it was first received here, at attempt {tries}; the longest wait was "
        f"{age(waited)}, from {largest[0].what} to {largest[1].what}"
    )


def _where(moments: Sequence[Moment], now: float) -> Iterator[str]:
    last = moments[-1]
    if last.what in ("deleted", "checkpointed", "discarded"):
        return
    if last.what in ("returned", "expired"):
        seen = sum(moment.what in RECEIVED for moment in moments)
        ago = now - last.at
        yield f"{last.what} {age(ago)} ago, after {seen} receive{'' if seen == 1 else 's'} here, and not seen since"
        if ago > UNSEEN_SECONDS:
            yield (
                "if that was its last allowed receive (maxReceiveCount), SQS has moved it to the dead-letter queue, of which it "
                "tells nobody; else another consumer has it, or it waits behind others"
            )
    elif not any(moment.what in ("accepted", "filtered") for moment in moments):
        yield f"not accepted yet: last {last.what}, {age(now - last.at)} ago"
    else:
        yield f"not acknowledged yet: last {last.what}, {age(now - last.at)} ago"

"""What becomes of a failed stream batch: tried again, split, or given up on (docs/lambda 3.3, 4.3 to 4.5). A decider.

A :class:`Work` is one batch on its way: parts that are still owed, in order, the first of which is invoked next. The caller
does what :meth:`Work.next` says and reports what came of it, until ``next`` returns None.

Back-off is ours, since AWS publishes none: after the n-th failure in a row a wait of ``1 s * 1.7**(n-1)``, at most 60 s,
times a random factor from 0.8 to 1.0. With an age limit of 60 s that makes about eight invocations, as AWS was recorded to make.
Throttles and failures of the infrastructure wait likewise, from half a second to 30 s, or as long as they ask for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pollers.sources.streams.records import Records
from pollers.telemetry.facts import DiscardCondition

if TYPE_CHECKING:
    import random

FAILURE_SECONDS = (1.0, 1.7, 60.0)
"""First wait, growth and longest wait after a failed invocation."""
NOT_RUN_SECONDS = (0.5, 1.7, 30.0)
"""The same after an invocation that did not run."""
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Rules:
    """A mapping's settings, as far as retries go. ``None`` is no limit.

    ``retention_seconds`` is how long the stream keeps its records: a batch that has been held for so long has expired at the
    source. (Its records' age would say so earlier, but only if this machine's clock is right, and nobody asked for an age.)
    """

    maximum_retry_attempts: int | None = None
    maximum_record_age_seconds: float | None = None
    bisect: bool = False
    retention_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke with these records. ``attempt`` counts from 1."""

    records: Records
    attempt: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Come back after ``seconds``: ``why`` (an error), before ``attempt`` with ``count`` records."""

    seconds: float
    why: str
    attempt: int
    count: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Deliver a failure record for these records, then call :meth:`Work.discarded`.

    ``invoke_count`` is the number of attempts since the last progress. ``request_id`` is the last one's.
    ``function_error`` is what the failure record says of it.
    """

    records: Records
    condition: DiscardCondition
    invoke_count: int
    request_id: str | None = None
    function_error: str | None = None


Next: TypeAlias = Invoke | Wait | Discard


@dataclass(slots=True)
class _Part:
    """Records that are invoked together, and how often they have been without progress."""

    records: Records
    attempts: int = 0
    request_id: str | None = None
    function_error: str | None = None


class Work:
    """One batch until every record of it is accepted or discarded; without records, the last invocation of a window.

    ``now`` is the monotonic time at which the batch was made. ``oversized``: it is one record that does not fit into an event,
    to be discarded at once. ``rules`` may be replaced while it lasts.
    """

    def __init__(
        self, records: Records, rules: Rules, random: random.Random, now: float = 0.0, *, oversized: bool = False
    ) -> None:
        self.rules = rules
        self._records = records
        self._parts = [_Part(records)]
        self._random = random
        self._began = now
        self._oversized = oversized
        self._discard: Discard | None = None
        self._not_before = float("-inf")
        self._why = ""
        self._failures = 0

    @property
    def remaining(self) -> int:
        """How many records are still owed."""
        return sum(len(part.records) for part in self._parts)

    @property
    def lowest(self) -> int | None:
        """The offset of the lowest record still owed."""
        return self._parts[0].records.offsets[0] if self.remaining else None

    @property
    def done_upto(self) -> str | None:
        """The sequence number of the last record below which nothing is owed; None when that is nothing yet."""
        records, lowest = self._records, self.lowest
        done = len(records) if lowest is None else bisect_left(records.offsets, lowest)
        return records.sequence_numbers[done - 1] if done else None

    def next(self, now: float, wall: float) -> Next | None:
        """What to do now. ``now`` is a monotonic time, ``wall`` the wall clock; None: the batch is done with."""
        if self._discard is None and self._parts:
            self._discard = self._due(now, wall)
        if self._discard is not None:
            return self._discard
        if not self._parts:
            return None
        part = self._parts[0]
        if now < self._not_before:
            return Wait(self._until(now, wall), self._why, part.attempts + 1, len(part.records))
        return Invoke(part.records, part.attempts + 1)

    def _due(self, now: float, wall: float) -> Discard | None:
        """What must be given up on before anything else happens."""
        part, rules = self._parts[0], self.rules
        if self._oversized:
            return Discard(part.records, DiscardCondition.OVERSIZED, 0)
        if rules.maximum_retry_attempts is not None and part.attempts > rules.maximum_retry_attempts:
            exhausted = DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED
            return Discard(part.records, exhausted, part.attempts, part.request_id, part.function_error)
        if rules.retention_seconds is not None and now >= self._began + rules.retention_seconds:
            return Discard(part.records, DiscardCondition.EXPIRED, part.attempts, part.request_id)
        limit = rules.maximum_record_age_seconds
        if limit is None or min(part.records.arrivals, default=wall) >= wall - limit:
            return None
        old = [arrival < wall - limit for arrival in part.records.arrivals]
        too_old = part.records.chosen(old)
        return Discard(too_old, DiscardCondition.RECORD_AGE_EXCEEDED, part.attempts, part.request_id)

    def _until(self, now: float, wall: float) -> float:
        """The end of the back-off, or the moment at which a record becomes too old or expires, if that is earlier."""
        wait = self._not_before - now
        rules = self.rules
        if rules.retention_seconds is not None:
            wait = min(wait, self._began + rules.retention_seconds - now)
        if rules.maximum_record_age_seconds is not None:
            expiry = min(self._parts[0].records.arrivals, default=wall) + rules.maximum_record_age_seconds - wall
            wait = min(wait, max(expiry, 0.0) + 0.001)
        return wait

    def discarded(self) -> Records:
        """The failure record that :meth:`next` asked for has been delivered; returns what is so accounted for."""
        discard, self._discard = self._discard, None
        if discard is None:
            raise RuntimeError("nothing was to be discarded")
        part, self._oversized = self._parts[0], False
        if len(discard.records) == len(part.records):
            self._parts.pop(0)
            self._progressed()
        else:
            gone = set(discard.records.offsets)
            part.records = part.records.chosen([offset not in gone for offset in part.records.offsets])
        return discard.records

    def succeeded(self) -> Records:
        """The function accepted the first part; returns what is so done."""
        part = self._parts.pop(0)
        self._progressed()
        return part.records

    def failed_from(self, index: int, now: float, request_id: str) -> Records:
        """The function returned and reported records of the first part, ``index`` the lowest of them; returns what is done.

        That is what is below it. The rest starts with a fresh count of attempts, since the checkpoint moves
        (docs/lambda 3.3); where nothing is below, the attempt counts as any other failure.
        """
        if index == 0:
            self.failed(now, "the function reported the first record", request_id, function_error=None)
            return Records()
        records = self._parts[0].records
        self._parts[0] = _Part(records.part(index))
        self._progressed()
        self._back_off(now, "the function reported failed records", FAILURE_SECONDS)
        return records.part(0, index)

    def failed(self, now: float, why: str, request_id: str, *, function_error: str | None) -> None:
        """The function failed on the whole first part.

        With bisecting, a part of several records is split in halves; that costs no attempt and no wait.
        """
        part = self._parts[0]
        if self.rules.bisect and len(part.records) > 1:
            self._halve()
            return
        part.attempts += 1
        part.request_id, part.function_error = request_id, function_error
        self._back_off(now, why, FAILURE_SECONDS)

    def too_large(self) -> None:
        """The first part does not fit into an event any more, since the state that goes with it has grown."""
        if len(self._parts[0].records) > 1:
            self._halve()
        else:
            self._oversized = True

    def _halve(self) -> None:
        records = self._parts[0].records
        middle = (len(records) + 1) // 2
        self._parts[:1] = [_Part(records.part(0, middle)), _Part(records.part(middle))]

    def not_run(self, now: float, why: str, retry_after_seconds: float | None) -> None:
        """The function did not run: that costs no attempt (docs/lambda 4.3)."""
        self._back_off(now, why, NOT_RUN_SECONDS)
        if retry_after_seconds is not None:
            self._not_before = now + retry_after_seconds

    def _back_off(self, now: float, why: str, schedule: tuple[float, float, float]) -> None:
        first, growth, longest = schedule
        wait = min(longest, first * growth ** min(self._failures, 64))
        self._failures += 1
        self._not_before = now + wait * (1 - JITTER * self._random.random())
        self._why = why

    def _progressed(self) -> None:
        self._failures = 0
        self._not_before = float("-inf")
        self._why = ""

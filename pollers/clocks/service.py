"""What time it is for a service, by its own word. A decider.

This machine's wall clock may be wrong, and may be set while we run; nothing that cannot be taken back hangs on it. Every reply has
the service's time in its ``Date`` header, cut to the second. Taken together with our monotonic clock, which nobody sets, that gives
the *least* that the service's clock can show at any later moment: a reply is never older than its date.

The least of the last five dates is what counts: one reply with a wrong date, or a service whose own clock is set back, must not
make a record too old. Where replies have no date, records say the least themselves: none has arrived later than now.
"""

from __future__ import annotations

from collections import deque

from handlers.http_dates import moment

SAMPLES = 5
"""Dates that are remembered."""
TRUSTED_SAMPLES = 2
"""Dates that are needed before any is believed."""
APART_SECONDS = 1.0
"""Once enough are known, replies are asked for their date no more often than this: a header is cheap to read, but not free."""


class ServiceClock:
    """One service's clock, in one region, at one endpoint. Times called ``now`` are monotonic seconds."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=SAMPLES)
        self._due = float("-inf")
        self._stamped: float | None = None

    def heard(self, head: bytes, now: float) -> None:
        """A reply came, with this status line and these headers."""
        if now < self._due:
            return
        at = head.lower().find(b"\r\ndate:")
        if at >= 0:
            self.told(head[at + 7 :].partition(b"\r\n")[0].decode("latin-1"), now)

    def told(self, date: str, now: float) -> None:
        """A reply that came had this ``Date``. One that is no date says nothing."""
        told = moment(date)
        if told is None:
            return
        self._offsets.append(told - now)
        if len(self._offsets) == SAMPLES:
            self._due = now + APART_SECONDS

    def stamped(self, arrival: float, now: float) -> None:
        """A record was read that arrived then."""
        self._stamped = max(arrival - now, self._stamped if self._stamped is not None else arrival - now)

    def at_least(self, now: float) -> float | None:
        """The least that the service's clock can show, in seconds since the epoch: at most a second or two below what it does
        show where replies have dates. None while nothing is known."""
        if len(self._offsets) >= TRUSTED_SAMPLES:
            return min(self._offsets) + now
        return None if self._stamped is None else self._stamped + now

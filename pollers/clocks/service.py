"""What time a service's own clock shows, at least. A decider.

This machine's wall clock may be wrong, and may be set while we run. So nothing that cannot be undone, such as giving up a record
for its age, depends on it. Every reply has the service's time in its ``Date`` header, cut to the second. Together with our
monotonic clock, which is never set, that gives the *least* time that the service's clock can show at any later moment: when a
reply arrives, the service's clock is at or past its date.

Of the last five dates the lowest counts: one reply with a wrong date, or a service whose own clock is set back, must not make a
record too old. Where replies have no date, the arrival times of records give a lower bound: no record has arrived after now.
"""

from __future__ import annotations

from collections import deque

from handlers.http_dates import moment

SAMPLES = 5
"""How many of the last dates are kept."""
TRUSTED_SAMPLES = 2
"""How many dates are needed before any is used."""
APART_SECONDS = 1.0
"""Once enough dates are known, one reply in this time is read for its date: reading a header is cheap, but not free."""


class ServiceClock:
    """One service's clock, in one region, at one endpoint. Times called ``now`` are monotonic seconds."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=SAMPLES)
        self._due = float("-inf")
        self._newest_arrival: float | None = None

    def read_head(self, head: bytes, now: float) -> None:
        """Read the date of a reply from its status line and headers."""
        if now < self._due:
            return
        at = head.lower().find(b"\r\ndate:")
        if at >= 0:
            self.read_date(head[at + 7 :].partition(b"\r\n")[0].decode("latin-1"), now)

    def read_date(self, date: str, now: float) -> None:
        """Take the ``Date`` of a reply into account; text that is not a date is ignored."""
        shown = moment(date)
        if shown is None:
            return
        self._offsets.append(shown - now)
        if len(self._offsets) == SAMPLES:
            self._due = now + APART_SECONDS

    def read_arrival(self, arrival: float, now: float) -> None:
        """Take the arrival time of a record that was read into account."""
        self._newest_arrival = max(
            arrival - now, arrival - now if self._newest_arrival is None else self._newest_arrival
        )

    def at_least(self, now: float) -> float | None:
        """The least that the service's clock can show, in seconds since the epoch; None while nothing is known.

        Where replies have dates, it is at most a second or two below what the clock shows.
        """
        if len(self._offsets) >= TRUSTED_SAMPLES:
            return min(self._offsets) + now
        return None if self._newest_arrival is None else self._newest_arrival + now

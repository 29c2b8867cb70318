"""What was seen of a lease, and for how long it has not changed. A decider.

A lease has no time in it. Whoever renews it adds 1 to its counter, and whoever looks measures on a clock of its own for how long
the counter has stood still. So no two clocks are ever compared.
"""

from __future__ import annotations

from dataclasses import dataclass

OURS = "headrace/"
"""How the owner ids of replicas of Headrace begin. All others are the Kinesis Client Library's, or another consumer's."""


@dataclass(frozen=True, slots=True)
class Ask:
    """``by`` asks the owner of a lease for it. ``beat`` grows as long as ``by`` still wants it, as the counter of a lease does."""

    by: str
    beat: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One lease as the table showed it.

    ``owner`` is None for a free one. ``given``: the owner was named by the one before, and has not taken it yet. ``ended``: the
    whole shard is done, so nobody reads it. ``asked``: who wants it, if anybody.
    ``leaving``: an owner id whose replica is about to stop. ``checkpoint_owner``: only while the Kinesis Client Library 3 moves a
    lease: the present owner; ``owner`` is then the next one.
    """

    shard_id: str
    counter: int
    owner: str | None = None
    ended: bool = False
    asked: Ask | None = None
    leaving: str | None = None
    checkpoint_owner: str | None = None
    given: bool = False

    @property
    def holder(self) -> str | None:
        """Whose it is, or to whom it was given."""
        return self.checkpoint_owner or self.owner

    @property
    def taken_by(self) -> str | None:
        """Who may write its checkpoint now: whoever has it, not by name alone."""
        return None if self.given else self.holder


class Still:
    """For how long something was seen not to change: ``seconds``, counted from look to look.

    A look has two times: ``at`` from before its request, ``now`` from after its reply; what it shows was true somewhere between.
    So the first look counts from its end, and the last one up to its beginning.

    Time in which nobody looked proves little: this process or the whole machine may have been stopped, or the table out of reach,
    and then the owner too could do nothing. Of the time between two looks at most half a failover counts, and after a whole one
    everything begins again.
    """

    __slots__ = ("_failover", "_looked", "seconds")

    def __init__(self, failover: float, now: float) -> None:
        self._failover = failover
        self.begin(now)

    def begin(self, now: float) -> None:
        """It has changed, or was seen for the first time, by a look that ended at ``now``."""
        self._looked = now
        self.seconds = 0.0

    def look(self, at: float, now: float) -> None:
        """It was seen again, unchanged."""
        gap = at - self._looked
        if gap >= self._failover:
            self.begin(now)
        elif gap > 0:
            self._looked = at
            self.seconds += min(gap, self._failover / 2)

    @property
    def looked(self) -> float:
        """The time of the last look."""
        return self._looked


class Watched:
    """One lease as it was seen last, with the time for which its counter and its ask have not changed.

    ``owner`` is its owner, or the one that it was given to; None when it is free or expired, so that anybody may take it.
    ``asked`` is the ask on it, unless the asker has been silent for a failover. ``moved``: its counter was seen to move under
    the present owner, so that this one lives, or lived a moment ago.
    """

    __slots__ = ("_ask", "_counter", "_failover", "asked", "moved", "owner", "seen")

    def __init__(self, seen: Seen, failover: float, now: float) -> None:
        self.seen = seen
        self.moved = False
        self.owner = seen.holder
        self.asked = seen.asked
        self._failover = failover
        self._counter = Still(failover, now)
        self._ask = Still(failover, now)

    def look(self, seen: Seen, at: float, now: float) -> None:
        """It was seen again. What is older than what is known changes nothing: reads may lag behind writes."""
        old = self.seen
        if self._is_older(seen, at):
            return
        self.seen = seen
        if seen.counter == old.counter and seen.holder == old.holder:
            self._counter.look(at, now)
        else:
            self._counter.begin(now)
            self.moved = seen.holder is not None and seen.counter != old.counter
        if seen.asked == old.asked:
            self._ask.look(at, now)
        else:
            self._ask.begin(now)
        self.owner = seen.holder if self._counter.seconds < self._failover else None
        self.asked = seen.asked if self._ask.seconds < self._failover else None

    def _is_older(self, seen: Seen, at: float) -> bool:
        # A lower counter can also be a new item in the place of one that was deleted. No read lags by a whole failover.
        if seen.counter < self.seen.counter:
            return at - self._counter.looked < self._failover
        return seen.counter == self.seen.counter and at < self._counter.looked and seen != self.seen

    @property
    def looked(self) -> float:
        """When it was looked at last."""
        return self._counter.looked

    @property
    def silent_seconds(self) -> float:
        """For how long its counter has not been seen to move."""
        return self._counter.seconds

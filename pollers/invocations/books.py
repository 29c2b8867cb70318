"""The books of the asynchronous queue: every event that was accepted is accounted for (docs/design, promise 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pollers.destinations.ended import Condition, Role

if TYPE_CHECKING:
    from pollers.invocations.rows import Kept


@dataclass(slots=True)
class FunctionBooks:
    """One function's books, since this process began: found + accepted = succeeded + failed + dropped + queued.

    ``found``: were queued already when it began. ``duplicates``: known already when they came, and not queued again. ``refused``:
    there was no room. ``failed``: the retries were used up. ``dropped``: too old, or the reserved concurrency is 0. ``reporting``:
    have ended, and somebody is still to be told. ``attempts`` that began; of them ``errors`` of the function, and ``not_run``.

    ``age_seconds``: the sum of the events' ages when their attempts began. ``oldest_at``: when the oldest queued event was accepted
    (seconds since the epoch), as of the last look at it. ``last_error``: of the last attempt that failed, at ``last_error_at``.
    """

    found: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    succeeded: int = 0
    failed: int = 0
    dropped: int = 0
    queued: int = 0
    running: int = 0
    reporting: int = 0
    bytes: int = 0
    attempts: int = 0
    errors: int = 0
    not_run: int = 0
    age_seconds: float = 0.0
    oldest_at: float | None = None
    reported: int = 0
    destination_failures: int = 0
    dead_letter_errors: int = 0
    last_error: str | None = None
    last_error_at: float | None = None

    @property
    def balanced(self) -> bool:
        """Whether every event is accounted for. ``queued`` is compared with the disk by :meth:`Books.recounted`."""
        return self.found + self.accepted == self.succeeded + self.failed + self.dropped + self.queued

    def ended(self, condition: Condition) -> None:
        """An invocation has ended."""
        self.queued -= 1
        if not self.queued:
            self.oldest_at = None
        if condition is Condition.SUCCESS:
            self.succeeded += 1
        elif condition is Condition.RETRIES_EXHAUSTED:
            self.failed += 1
        else:
            self.dropped += 1

    def attempt_failed(self, error: str, now: float) -> None:
        """An attempt failed, or the function did not run: why, in one line."""
        self.last_error, self.last_error_at = error, now

    def given_up(self, role: Role) -> None:
        """A report could not be delivered."""
        if role is Role.DEAD_LETTER:
            self.dead_letter_errors += 1
        else:
            self.destination_failures += 1


@dataclass(slots=True)
class TargetStanding:
    """A target of reports: how many are ``waiting``, and why it takes none, since when (seconds since the epoch)."""

    waiting: int = 0
    problem: str | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at one moment, with the functions that had events.

    ``problem``: why the disk takes nothing, if it does not; ``cramped``: why it takes no more events, though those that are queued
    go on.
    """

    functions: dict[str, FunctionBooks]
    targets: dict[str, TargetStanding]
    limit_bytes: int
    problem: str | None = None
    cramped: str | None = None

    @property
    def depth(self) -> int:
        """Events that are queued, those that run included."""
        return sum(one.queued for one in self.functions.values())

    @property
    def bytes(self) -> int:
        """What is counted against the limit."""
        return sum(one.bytes for one in self.functions.values())

    @property
    def running(self) -> int:
        """Attempts that run."""
        return sum(one.running for one in self.functions.values())

    @property
    def oldest_at(self) -> float | None:
        """When the oldest queued event was accepted, in seconds since the epoch."""
        return min((one.oldest_at for one in self.functions.values() if one.oldest_at is not None), default=None)


@dataclass(slots=True)
class Books:
    """All books. Events of a function are counted under its name, whether it is configured or not."""

    limit_bytes: int
    functions: dict[str, FunctionBooks] = field(default_factory=dict)
    targets: dict[str, TargetStanding] = field(default_factory=dict)
    problem: str | None = None
    cramped: str | None = None
    opened: bool = False
    bytes: int = 0
    reporting_bytes: int = 0
    """Of :attr:`bytes`, what is only kept until targets take it."""
    lost_track: int = 0
    """Events by which the books differed from the disk at the last recount. Anything but 0 is a fault of ours."""

    def of(self, function: str) -> FunctionBooks:
        """One function's books."""
        books = self.functions.get(function)
        if books is None:
            books = self.functions[function] = FunctionBooks()
        return books

    def target(self, target: str) -> TargetStanding:
        """One target's standing."""
        standing = self.targets.get(target)
        if standing is None:
            standing = self.targets[target] = TargetStanding()
        return standing

    def room(self, more: int) -> bool:
        """Whether ``more`` bytes fit."""
        return self.bytes + more <= self.limit_bytes

    def room_for_answers(self, more: int) -> bool:
        """Whether an end may take ``more`` bytes. As many as events, since answers may have to wait for targets like them."""
        return self.bytes + more <= 2 * self.limit_bytes

    @property
    def overfull(self) -> bool:
        """Whether reports that nobody takes need all the room that there is."""
        return self.reporting_bytes >= self.limit_bytes

    def reporting(self, function: str, events: int, change: int) -> None:
        """So many events (less, where negative) are kept until targets take their reports; ``change`` is what these take."""
        self.of(function).reporting += events
        self.reporting_bytes += change

    def resized(self, function: str, change: int) -> None:
        """The events of a function take more or, with a negative ``change``, less room."""
        self.bytes += change
        self.of(function).bytes += change

    def accepted(self, function: str, size: int, now: float) -> None:
        """An event is on the disk."""
        books = self.of(function)
        books.accepted += 1
        books.queued += 1
        if books.oldest_at is None:
            books.oldest_at = now
        books.bytes += size
        self.bytes += size

    def recounted(self, kept: Kept) -> int:
        """Compare with what is on the disk, and go on from that; by how many events the two differed.

        The first time, what is there was found there.
        """
        differing, self.reporting_bytes = 0, 0
        for function in {*self.functions, *kept.queued, *kept.ended}:
            books = self.of(function)
            queued, queued_bytes, oldest = kept.queued.get(function, (0, 0, None))
            books.reporting, reporting_bytes = kept.ended.get(function, (0, 0))
            self.reporting_bytes += reporting_bytes
            if not self.opened:
                books.found = queued - books.accepted
            elif books.queued != queued:
                differing += abs(books.queued - queued)
            books.queued, books.bytes, books.oldest_at = queued, queued_bytes + reporting_bytes, oldest
            books.running = 0
        self.bytes = sum(books.bytes for books in self.functions.values())
        self.targets = {target: TargetStanding(waiting) for target, waiting in kept.reports.items()}
        self.opened = True
        self.lost_track = differing
        return differing

    @property
    def balanced(self) -> bool:
        """Whether every event is accounted for, and the disk agreed when it was last counted."""
        return not self.lost_track and all(books.balanced for books in self.functions.values())

    def snapshot(self) -> QueueSnapshot:
        """All of it, to be kept while the queue goes on."""
        functions = {name: replace(books) for name, books in self.functions.items()}
        targets = {name: replace(standing) for name, standing in self.targets.items()}
        return QueueSnapshot(functions, targets, self.limit_bytes, self.problem, self.cramped)

"""What a function's answer says of a stream batch: which records failed, and the state of its window. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.engine.responses import SUCCESS, Verdict, failed_ids
from pollers.sources.streams.windows import StateMissing, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Judgement:
    """Judges the answer to one batch.

    ``identifiers`` are what the function calls the records at ``positions``. ``reports_failures``: the mapping has
    ReportBatchItemFailures. ``windowed``: the answer must have the window's new ``state``. ``lowest_failed`` is the index of the
    first record that failed; everything from there on counts as failed, since a stream's checkpoint cannot leave one out
    (docs/lambda 3.3).
    """

    __slots__ = ("_identifiers", "_positions", "_reports_failures", "_windowed", "lowest_failed", "state")

    def __init__(
        self, positions: Sequence[str], identifiers: Sequence[str], *, reports_failures: bool, windowed: bool
    ) -> None:
        self._positions = positions
        self._identifiers = identifiers
        self._reports_failures = reports_failures and bool(positions)
        self._windowed = windowed
        self.state = b""
        self.lowest_failed = 0

    def of(self, answer: bytes) -> Verdict:
        """What the answer says. One that cannot be understood fails the whole batch."""
        positions, reports_failures = self._positions, self._reports_failures
        if self._windowed:
            try:
                windowed = read_answer(answer)
            except StateMissing as missing:
                return Verdict(frozenset(positions), str(missing))
            self.state = windowed.state
            reports_failures = reports_failures and windowed.names_failures
        verdict = failed_ids(answer, self._identifiers) if reports_failures else SUCCESS
        if verdict.success:
            return verdict
        if verdict.problem is not None:
            return Verdict(frozenset(positions), verdict.problem)
        failed = map(verdict.failed.__contains__, self._identifiers)
        self.lowest_failed = next(index for index, has_failed in enumerate(failed) if has_failed)
        return Verdict(frozenset(positions[self.lowest_failed :]))

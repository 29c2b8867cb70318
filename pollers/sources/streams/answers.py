"""What a function's answer says of a stream batch: which records failed, and the state of its window. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.engine.responses import SUCCESS, Verdict, failed_ids
from pollers.sources.streams.windows import StateMissing, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Judgement:
    """Judges the answer to one batch.

    ``reports_failures``: the mapping has ReportBatchItemFailures. ``windowed``: the answer must have the window's new ``state``.
    ``lowest_failed`` is the index of the first record that failed; everything from there on counts as failed, since a stream's
    checkpoint cannot leave one out (docs/lambda 3.3).
    """

    __slots__ = ("_numbers", "_reports_failures", "_windowed", "lowest_failed", "state")

    def __init__(self, sequence_numbers: Sequence[str], *, reports_failures: bool, windowed: bool) -> None:
        self._numbers = sequence_numbers
        self._reports_failures = reports_failures and bool(sequence_numbers)
        self._windowed = windowed
        self.state = b""
        self.lowest_failed = 0

    def of(self, answer: bytes) -> Verdict:
        """What the answer says. One that cannot be understood fails the whole batch."""
        numbers, reports_failures = self._numbers, self._reports_failures
        if self._windowed:
            try:
                windowed = read_answer(answer)
            except StateMissing as missing:
                return Verdict(frozenset(numbers), str(missing))
            self.state = windowed.state
            reports_failures = reports_failures and windowed.names_failures
        verdict = failed_ids(answer, numbers) if reports_failures else SUCCESS
        if verdict.success or verdict.problem is not None:
            return verdict
        self.lowest_failed = next(index for index, number in enumerate(numbers) if number in verdict.failed)
        return Verdict(frozenset(numbers[self.lowest_failed :]))

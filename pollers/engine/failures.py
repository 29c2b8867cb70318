"""What failed, where several tasks of ours may have failed at once: one cause decides, and none is lost.

Task groups raise an ``ExceptionGroup``, with groups inside it, as soon as anything below them fails; and while a poller stops
because of one failure, other tasks may fail as well. Everything that acts on a failure takes it apart here, by one rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable
from pollers.aws.errors import AwsError
from pollers.errors import SourceUnusable, WatchingUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SAID = 3
"""How many siblings are named beside the cause."""

_SERIOUS: tuple[tuple[type[Exception], ...], ...] = ((AwsError,), (SourceUnusable, FunctionUnusable, WatchingUnusable))
"""From what passes by itself to what somebody must repair. Whatever is not named here is a fault of ours and comes above all:
our own state may be wrong then, so nothing that runs is waited for, and the fault must not hide behind a source's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``cause`` decides what is done; ``siblings`` are all others that failed with it, in the order that they were found."""

    cause: Exception
    siblings: tuple[Exception, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it is a fault of ours, rather than of a source, a function or a service."""
        return is_ours(self.cause)

    @property
    def text(self) -> str:
        """The failure in words: the cause, and the first few siblings that say something else."""
        texts = list(dict.fromkeys(_text(one) for one in (self.cause, *self.siblings)))
        others = texts[1 : SAID + 1]
        more = len(texts) - 1 - len(others)
        return "; also: ".join([texts[0], *others]) + (f"; and {more} more" if more else "")


def is_ours(error: Exception) -> bool:
    """Whether an error is a fault of ours, rather than of a source, a function or a service."""
    return not isinstance(error, SourceUnusable | FunctionUnusable | WatchingUnusable | AwsError)


def taken_apart(raised: Exception) -> Failure:
    """The failure that is inside ``raised``. Among equally serious causes the first one decides."""
    return _decided(_leaves(raised))


class CollectedFailures:
    """Collects what fails while a poller runs and stops. ``meaning`` says what an error means for the source, if it differs."""

    def __init__(self, meaning: Callable[[Exception], Exception] = lambda error: error) -> None:
        self._meaning = meaning
        self._found: dict[tuple[type, str], Exception] = {}

    def add(self, raised: Exception) -> Failure:
        """One more; returns it, taken apart. An error that is told in the same words as one before is kept once."""
        errors = [self._meaning(error) for error in _leaves(raised)]
        for error in errors:
            self._found.setdefault((type(error), str(error)), error)
        return _decided(errors)

    def raise_found(self) -> None:
        """Raise what was found, if anything: the one error itself, or all of them in a group."""
        found = list(self._found.values())
        if len(found) == 1:
            raise found[0]
        if found:
            raise ExceptionGroup("several tasks failed", found)


def _leaves(raised: Exception) -> list[Exception]:
    if not isinstance(raised, ExceptionGroup):
        return [raised]
    return [leaf for inner in raised.exceptions for leaf in _leaves(inner)]


def _decided(errors: Iterable[Exception]) -> Failure:
    errors = list(errors)
    cause = max(errors, key=_seriousness)  # of equals, max gives the first
    return Failure(cause, tuple(error for error in errors if error is not cause))


def _seriousness(error: Exception) -> int:
    return next((index for index, kinds in enumerate(_SERIOUS) if isinstance(error, kinds)), len(_SERIOUS))


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__

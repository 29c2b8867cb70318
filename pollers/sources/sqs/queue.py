"""One queue as its poller reaches it, and what its refusals of single entries mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused
from pollers.errors import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import EntryFailed, SqsApi

T = TypeVar("T")

ENTRIES_AT_MOST = 10
"""A batch call takes at most ten entries."""

STALE_CODES = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "MessageNotInflight",
        "InvalidIdFormat",
        "InvalidAddress",
    }
)
"""What SQS and its emulators call a receipt handle that is expired, superseded or of a message that has gone."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The calls of one queue; see :class:`pollers.aws.api.SqsApi`."""

    api: SqsApi
    url: str


def tens(items: Sequence[T]) -> list[Sequence[T]]:
    """The items in slices that a batch call takes; none for none, as an empty call is refused."""
    return [items[start : start + ENTRIES_AT_MOST] for start in range(0, len(items), ENTRIES_AT_MOST)]


def is_stale(entry: EntryFailed) -> bool:
    """Whether an entry was refused because our claim to its message is over; anything else may work when tried again."""
    return entry.code in STALE_CODES or (entry.sender_fault and "hrottl" not in entry.code)


def is_hopeless(error: AwsError) -> bool:
    """Whether trying the same call again soon is of no use."""
    return isinstance(error, AccessDenied | NotFound | Refused)


def unusable(arn: str, error: AwsError) -> SourceUnusable:
    """What a hopeless error means for the mapping of the queue ``arn``, with what would be right."""
    if isinstance(error, NotFound):
        what = "does not exist (in this region and account); correct event_source_arn or create it"
        return SourceUnusable(f"the queue {arn} {what}: {error}")
    return SourceUnusable(f"{arn}: {error}")

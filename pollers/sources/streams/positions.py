"""How the positions of a stream compare. Only the source knows: to the engine and to checkpoints a position is a text.

Kinesis and DynamoDB Streams number their records; other services give out tokens, which may have an order of their own or none.
What the engine needs of positions goes through here: which records of a page follow the last one, whether a continuation lies
behind what was read, and which records of a lane were done in an earlier run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Positions(Protocol):
    """The positions of one kind of stream.

    Two equal texts are one position, whatever the kind. Nothing else is taken for granted.
    """

    @property
    def ordered(self) -> bool:
        """Whether positions can be compared. If not, a shard has one lane (see :mod:`pollers.sources.streams.done_ahead`)."""

    @property
    def before_first(self) -> str:
        """What a failure record says where no record is done yet."""

    def valid(self, text: str) -> bool:
        """Whether a service's text is a position, so that reading can be taken up there."""

    def identifiers(self, positions: Sequence[str]) -> Sequence[str]:
        """What functions call the records at these positions when they report failures (``itemIdentifier``)."""

    def order(self, position: str) -> Any | None:  # noqa: ANN401 - whatever compares with its like
        """What the position is compared by with others of its shard: greater is later. None: nobody can tell."""


def is_after(positions: Positions, position: str, other: str) -> bool | None:
    """Whether one position is behind another of the same shard; None where positions cannot be compared."""
    if position == other:
        return False
    ours, theirs = positions.order(position), positions.order(other)
    if ours is None or theirs is None:
        return None
    return bool(ours > theirs)


class SequenceNumbers:
    """Decimal numbers of up to 129 digits, some with leading zeros: Kinesis and DynamoDB Streams; implements ``Positions``."""

    ordered = True
    before_first = "0"

    def valid(self, text: str) -> bool:
        """See ``Positions.valid``."""
        return text.isdecimal()

    def identifiers(self, positions: Sequence[str]) -> Sequence[str]:
        """See ``Positions.identifiers``."""
        return positions

    def order(self, position: str) -> int | None:
        """See ``Positions.order``."""
        try:
            return int(position)
        except ValueError:
            return None


SEQUENCE_NUMBERS = SequenceNumbers()

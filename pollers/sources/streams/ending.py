"""Whether a shard has ended (docs/design, decision 12). A decider.

A reply that ends a shard has no next iterator, or no continuation: what is missing in it may just as well have got lost. An end
cannot be taken back (the shard's later records would never be read, and its children would be read too early), so it needs
evidence that is there and not evidence that is missing:

- the reply itself names the shard's children; or
- reading was taken up again at the last record, with an iterator of its own, and brought that record once more, none after it and
  no next iterator, **and** the stream's listing has an ending sequence number for the shard or a shard whose parent it is. A shard
  that listings have not shown for a minute has left the retention, and one of a disabled stream takes no more records: both have
  ended as well.

The sequence number at which a shard ends cannot be held against that of the last record read: it is the bound of a range, and no
record need have it. That every record was read is shown by the second reading: it brings a record that is known to be there, so it
is no reply that has lost its records, and nothing comes after it.
"""

from __future__ import annotations

from enum import Enum

CONFIRMED = 2
"""Replies in a row that claim it, each to an iterator of its own, the first of them perhaps with records."""
CONTRADICTED = 8
"""The same where the last record did not come again, or where a distance from the tip says that there is more to come."""
UNANCHORED = 4
"""The same where no record is known that would have to come again."""
REPLIES_BETWEEN = 3
"""Replies without new records that may come between: a service may say that a shard goes on and only then that it has ended."""
TRIES_TO_FIND = 12
"""Listings that must miss a shard before it counts as gone: listings lag behind a new shard's birth."""


class Sight(Enum):
    """What the stream's own listing says of a shard."""

    CLOSED = "closed"
    OPEN = "open"
    MISSING = "missing"


class Ending:
    """What is known of one shard's end. ``claims`` counts the replies in a row that said that it has ended."""

    def __init__(self) -> None:
        self.claims = 0
        self._came_again = False
        self._needed = CONFIRMED
        self._missed = 0
        self._without_progress = 0

    def last_came_again(self) -> None:
        """The last record read came once more."""
        self._came_again = True

    def claimed(self, *, progressed: bool, children: bool, behind: bool, anchored: bool) -> bool:
        """A reply said that the shard has ended; whether it has, by that alone.

        ``progressed``: it brought records as well. ``children``: it named the shard's children. ``behind``: it said that there is
        more to come. ``anchored``: the last record read is known, so that it must have come again.
        """
        self.claims = 1 if progressed else self.claims + 1
        if behind or (anchored and not self._came_again):
            self._needed = CONTRADICTED
        else:
            self._needed = CONFIRMED if anchored else UNANCHORED
        self._came_again, self._without_progress = False, 0
        return children and (not behind or self.confirmed)

    @property
    def confirmed(self) -> bool:
        """Whether it was claimed often enough to ask the listing."""
        return self.claims >= self._needed

    @property
    def doubtful(self) -> bool:
        """Whether what was claimed contradicts itself, more than once."""
        return CONFIRMED < self.claims < self._needed == CONTRADICTED

    def denied(self, *, progressed: bool) -> None:
        """A reply said that the shard goes on. ``progressed``: it brought records."""
        self._without_progress += 1
        if progressed or self._without_progress > REPLIES_BETWEEN:
            self.claims = self._missed = 0

    def borne_out(self, sight: Sight, *, disabled: bool) -> bool:
        """Whether the listing bears out what was claimed often enough. ``disabled``: the stream takes no more records."""
        self._missed = self._missed + 1 if sight is Sight.MISSING else 0
        return sight is Sight.CLOSED or disabled or self._missed >= TRIES_TO_FIND

"""The seam between the source and the driver: one change stream, of a collection or of a database, as plain calls.

Change events cross it as the BSON that the server sent, so that the driver need not know what they are for: the source decodes
them, once. Everything else is plain values. Operation times are pairs of seconds since the epoch and an increment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pollers.clocks.service import ServiceClock

ResumeToken: TypeAlias = "Mapping[str, Any]"
"""A resume token: the document that the server sent, decoded. Never altered; only the server knows what it says.

Nearly always ``{"_data": "hexadecimal digits"}``; servers before MongoDB 4.2 may give binary values.
"""

OperationTime: TypeAlias = tuple[int, int]
"""A BSON timestamp: seconds since the epoch, and a number that counts the operations of that second from 1."""

Cursor: TypeAlias = object
"""An open change stream, as its client made it. Nobody else looks into it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a change stream begins. At most one is given; none: now."""

    resume_after: ResumeToken | None = None
    """Behind the event with this token. Servers refuse that of an invalidate event."""
    start_after: ResumeToken | None = None
    """Likewise, also behind an invalidate event. Amazon DocumentDB may not know it."""
    at_operation_time: OperationTime | None = None
    """With what happened at this time, and behind it."""


NOW = Opening()


@dataclass(frozen=True, slots=True)
class Opened:
    """A change stream was opened. Nothing has been read (the first batch is asked for with size 0)."""

    cursor: Cursor
    token: ResumeToken | None
    """The reply's ``postBatchResumeToken``: nothing between where the stream begins and here. None: the server gives none."""
    operation_time: OperationTime | None
    """The reply's ``operationTime``."""


@dataclass(frozen=True, slots=True)
class Changes:
    """One reply: the next change events of a stream, which may be none."""

    events: Sequence[bytes]
    """Each is the BSON document of one change event, byte for byte as the server sent it."""
    token: ResumeToken | None
    """The reply's ``postBatchResumeToken``: up to here there is nothing else for this stream. None: the server gives none."""
    ended: bool = False
    """The server has closed the cursor (its id is 0), as after an invalidate event: it must not be asked again."""
    size_bytes: int = 0
    """The reply's length."""
    decode_seconds: float = 0.0
    """How long the client held the event loop to take the reply apart."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself (``hello`` and ``buildInfo``)."""

    version: str
    """Such as ``5.0.0``."""
    wire_version: int
    """The newest that it speaks."""
    set_name: str | None
    """Its replica set's. None: it is in none, and has no change streams."""
    product: str
    """``DocumentDB`` or ``MongoDB``, as far as it can be told."""


class ChangeStreamApi(Protocol):
    """One mapping's change stream: its cluster, database, collection and ``fullDocument`` are the client's.

    Calls raise :class:`pollers.aws.errors.AwsError` and nothing else for what the server or the network does: ``Unavailable`` for
    what a new try may cure, ``AccessDenied``, ``Trimmed`` when the place asked for has left the log, ``IteratorExpired`` when the
    server does not know the cursor (any more), ``NotFound`` when there is no such cluster, ``Refused`` for the rest. The
    ``code`` of an error that the server told is its number as text, ``message`` its own words.

    Any call may be cancelled; a cursor whose call was cut short is dead, and says IteratorExpired from then on.
    """

    @property
    def service_clock(self) -> ServiceClock:
        """The server's own clock, as its replies show it."""

    async def server(self) -> ServerFacts:
        """What the server is."""

    async def open(self, opening: Opening) -> Opened:
        """Open the stream (``aggregate`` with ``$changeStream``). Raises Trimmed where the log begins later."""

    async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
        """The next events, at most ``limit`` (``getMore``). While there are none, the server waits for up to ``wait_seconds``."""

    async def close_cursor(self, cursor: Cursor) -> None:
        """Tell the server that the stream is not read any more (``killCursors``). Raises nothing, takes two seconds at most."""

    async def oldest(self) -> OperationTime | None:
        """The time of the oldest operation that the log still has, as far as that can be known."""

    async def aclose(self) -> None:
        """Close every connection. Raises nothing."""

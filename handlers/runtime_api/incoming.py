"""The body of a request while it still comes: what has arrived and nobody has taken yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOM_BYTES = 256 * 1024
"""How much of it is held before its client has to wait; what one read of the socket brings comes on top."""


def _nothing() -> None:
    """Nobody is interested yet."""


class Incoming:
    """Fed by the reader of a connection, which reads on only while it is not :attr:`full`; emptied by one taker.

    ``changed`` is called when something came, or nothing more will; ``taken`` when there is room again. ``trailers`` are there
    once it is ``whole``: it came to its proper end.
    """

    __slots__ = (
        "_dropping",
        "_held",
        "changed",
        "ended",
        "refused",
        "room_bytes",
        "size",
        "taken",
        "trailers",
        "whole",
    )

    def __init__(self) -> None:
        # One array and not a list of parts: parts of a byte or two would take twenty times their size.
        self._held = bytearray()
        self._dropping = False
        self.room_bytes = ROOM_BYTES
        self.size = 0
        self.ended = False
        self.whole = False
        self.refused = False
        self.trailers: dict[bytes, bytes] = {}
        self.changed: Callable[[], None] = _nothing
        self.taken: Callable[[], None] = _nothing

    @property
    def full(self) -> bool:
        """Whether no more is to be read before some of it is taken."""
        return len(self._held) >= self.room_bytes

    def take(self) -> bytes:
        """All that is held."""
        held = bytes(self._held)
        if held:
            self._held.clear()
            self.taken()
        return held

    def drop(self) -> None:
        """Throw away what is held and what will still come."""
        self._dropping = True
        self._held.clear()
        self.taken()

    def refuse(self, at_end: Callable[[], None]) -> None:
        """Throw it away because its request is refused; ``at_end`` is called once it is whole.

        The answer comes then: a client that still writes would not read it.
        """
        self.refused = True
        self.drop()
        self.changed = lambda: at_end() if self.whole else None

    # What the reader does

    def announce(self, count: int) -> None:
        """See :meth:`handlers.http1.body.KeptBody.announce`. Whoever takes it has its own limit."""

    def add(self, part: bytes) -> None:
        """Something came."""
        self.size += len(part)
        if not self._dropping:
            self._held += part
        self.changed()

    def finish(self, trailers: Iterable[bytes] = ()) -> None:
        """It is whole; ``trailers`` are the lines after its last chunk. Those that are none are passed over."""
        for line in trailers:
            name, colon, value = line.partition(b":")
            if colon:
                self.trailers[name.strip().lower()] = value.strip()
        self.ended = self.whole = True
        self.changed()

    def cut(self) -> None:
        """Its connection is gone."""
        if not self.ended:
            self.ended = True
            self.changed()

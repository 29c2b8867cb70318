"""A streamed reply: what a function writes goes on to the client at once, after the head that it states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from multidict import CIMultiDict

from handlers.errors import ReaderGone
from handlers.function import Payload
from pollers.function_urls.preludes import OCTETS, Prelude, is_integration
from pollers.function_urls.replies import BODYLESS, JSON
from pollers.function_urls.reply_headers import InvalidReply, typed
from pollers.lambda_api import CutShort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handlers.function import Invocation
    from pollers.function_urls.replies import Headers
    from pollers.lambda_api import Outgoing


PIECE_BYTES = 64 * 1024
"""What is written at once, so that a client that reads slowly is noticed, and one that reads at all is not given up."""


class Beginning(Protocol):
    """Where a reply begins: a request, :class:`pollers.lambda_api.incoming.Incoming`."""

    @property
    def method(self) -> str:
        """The request's method."""

    async def begin(self, status: int, headers: Mapping[str, str], content_type: str | None) -> Outgoing:
        """Send the head of the reply. Raises ReaderGone."""


class StreamedReply:
    """The stream of one invocation (:class:`handlers.function.ResponseStream`).

    ``added`` are headers that every reply of the URL gets. ``invalid`` says what is wrong with a reply that cannot be sent; the
    function runs on then, and what it writes is dropped.
    """

    def __init__(self, client: Beginning, added: Headers) -> None:
        self._client = client
        self._added = added
        self._prelude: Prelude | None = None
        self._head: tuple[int, Headers] = (200, (OCTETS,))
        self._outgoing: Outgoing | None = None
        self._bodyless = client.method == "HEAD"
        self._gone = False
        self.invalid: InvalidReply | None = None

    def begin(self, content_type: str) -> None:
        """The function streams. Whether the reply's head is in the stream, its type says."""
        if is_integration(content_type):
            self._prelude = Prelude()
            return
        try:
            self._head = 200, (typed(content_type),) if content_type else (OCTETS,)
        except InvalidReply as wrong:
            self.invalid = wrong

    async def write(self, chunk: bytes) -> None:
        """Pass a chunk on. Raises ReaderGone."""
        if self.invalid is not None:
            raise ReaderGone("what the function streams is no reply")
        if self._prelude is not None:
            try:
                found = self._prelude.take(chunk)
            except InvalidReply as wrong:
                self.invalid = wrong
                raise ReaderGone("what the function streams is no reply") from wrong
            if found is None:
                return
            self._prelude = None
            status, headers, chunk = found
            self._head = status, headers
        await self._pass_on(chunk)

    async def _pass_on(self, body: bytes) -> None:
        if self._gone:
            raise ReaderGone("the client has gone")
        try:
            outgoing = await self._begun()
            if self._bodyless:
                return
            whole = memoryview(body)
            for start in range(0, len(body), PIECE_BYTES):
                await outgoing.write(whole[start : start + PIECE_BYTES])
        except ReaderGone:
            # Not asked again: each time would wait for as long. The exception itself is not kept: its frames keep the reply.
            self._gone = True
            raise

    async def finish(self, invocation: Invocation) -> Outgoing | None:
        """End the reply, once the function has ended; None if none has begun, so that another can be given.

        Raises ReaderGone when the client has gone, and CutShort when it has to be told, by an end that is none, that the rest is
        missing.
        """
        whole = isinstance(invocation.result, Payload) and self.invalid is None
        if whole and self._prelude is not None:
            self.invalid = self._prelude.ended()
            return None
        if not whole and self._outgoing is None:
            return None
        if not whole:
            raise CutShort("the function failed after a part of its reply was sent")
        return await self._ended()

    async def buffered(self, body: bytes) -> Outgoing:
        """The reply of a function that did not stream: what it returned, and nothing in it means anything (docs/lambda 13.6)."""
        self._head = 200, (JSON,)
        await self._pass_on(body)
        return await self._ended()

    async def _ended(self) -> Outgoing:
        if self._gone:
            raise ReaderGone("the client has gone")
        outgoing = await self._begun()
        await outgoing.end()
        return outgoing

    async def _begun(self) -> Outgoing:
        if self._outgoing is None:
            status, headers = self._head
            self._bodyless = self._bodyless or status in BODYLESS
            self._outgoing = await self._client.begin(status, CIMultiDict(headers + self._added), None)
        return self._outgoing

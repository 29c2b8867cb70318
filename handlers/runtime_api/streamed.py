"""A response that a runtime writes piece by piece (docs/lambda 8.6): passed on while it comes, or gathered."""

from __future__ import annotations

import asyncio
import base64
import binascii
from contextlib import suppress
from typing import TYPE_CHECKING

from handlers import error_documents
from handlers.function import RESPONSE_LIMIT_BYTES, STREAMED_LIMIT_BYTES, FunctionError, Payload, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.runtime_api.incoming import Incoming

_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"
_ANY_TYPE = "application/octet-stream"


class StreamedResponse:
    """One such response. With ``passed_on`` a reader takes the pieces by :meth:`next`; else they become the payload.

    ``over`` is told once how it ended: with its result, or None where its connection broke before. A passed-on response that
    came to its end has an empty payload as its result.
    """

    def __init__(
        self, incoming: Incoming, content_type: bytes | None, over: Callable[[Result | None], None], *, passed_on: bool
    ) -> None:
        self.content_type = content_type.decode("latin-1") if content_type else _ANY_TYPE
        self.passed_on = passed_on
        self.is_over = False
        self.broken = False
        self.too_large = False
        self._incoming = incoming
        self._over = over
        self._waiter: asyncio.Future[None] | None = None
        self._limit = STREAMED_LIMIT_BYTES if passed_on else RESPONSE_LIMIT_BYTES
        if not passed_on:
            incoming.room_bytes = RESPONSE_LIMIT_BYTES + 1

    def begin(self) -> None:
        """Look at what has come already, and from then on at what comes."""
        self._incoming.changed = self._changed
        self._changed()

    async def next(self) -> bytes | None:
        """What has come since the last time, as soon as anything has; None when nothing more will."""
        while not (piece := self._incoming.take()):
            if self.is_over:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return piece

    def drop(self) -> None:
        """Nobody reads any more: the rest is read and thrown away, so that the runtime comes to its end."""
        self._incoming.drop()

    def close(self) -> None:
        """Its invocation is over: nobody is told anything any more. What has come can still be taken."""
        self.is_over = True
        self._wake()

    def _changed(self) -> None:
        if not self.is_over:
            incoming = self._incoming
            if incoming.size > self._limit:
                incoming.drop()
                self.too_large = True
                self._end(error_documents.response_too_large(self._limit))
            elif incoming.ended:
                self.broken = not incoming.whole
                self._end(None if self.broken else self._outcome())
        self._wake()

    def _end(self, result: Result | None) -> None:
        self.is_over = True
        self._over(result)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _outcome(self) -> Result:
        error = _error_of(self._incoming.trailers)
        if error is not None:
            return error
        return Payload(b"" if self.passed_on else self._incoming.take())


def _error_of(trailers: dict[bytes, bytes]) -> FunctionError | None:
    """The error that ended a stream. Its type may be any text; its body is base64, or taken as it is where it is none."""
    kind, body = trailers.get(_ERROR_TYPE), trailers.get(_ERROR_BODY)
    if kind is None and body is None:
        return None
    document = body or b""
    with suppress(binascii.Error):
        document = base64.b64decode(document, validate=True)
    return error_documents.reported(document, error_type=kind.decode("latin-1") if kind else None)

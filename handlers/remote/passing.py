"""Passes a reply on to a stream while it comes (docs/lambda 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers import error_documents
from handlers.errors import ReaderGone
from handlers.function import STREAMED_LIMIT_BYTES, FunctionError, Payload, Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from handlers.function import ResponseStream

ANY_TYPE = "application/octet-stream"


class Passing:
    """One reply on its way into ``stream``. ``begun``: the caller has been told that it gets the reply there."""

    def __init__(self, stream: ResponseStream) -> None:
        self.begun = False
        self._stream = stream
        self._wanted = True
        self._size = 0

    def begin(self, content_type: str | None) -> None:
        """It is of this type."""
        if not self.begun:
            self.begun = True
            self._stream.begin(content_type or ANY_TYPE)

    async def pass_on(self, chunks: AsyncIterable[bytes]) -> Result:
        """All of it; the result is empty, or that it was too large.

        When nobody reads any more the rest is read and thrown away: whoever writes it is not to be stopped by that.
        """
        async for chunk in chunks:
            if (error := await self.write(chunk)) is not None:
                return error
        return Payload(b"")

    async def write(self, chunk: bytes) -> FunctionError | None:
        """A piece of it; an error where that is more than Lambda streams."""
        self._size += len(chunk)
        if self._size > STREAMED_LIMIT_BYTES:
            return error_documents.response_too_large(STREAMED_LIMIT_BYTES)
        if self._wanted and chunk:
            try:
                await self._stream.write(chunk)
            except ReaderGone:
                self._wanted = False
        return None

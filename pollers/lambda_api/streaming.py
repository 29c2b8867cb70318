"""InvokeWithResponseStream: the response goes out while the function writes it (docs/lambda 11.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.errors import ReaderGone
from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.lambda_api import eventstream
from pollers.lambda_api.names import LATEST

if TYPE_CHECKING:
    from handlers.function import Invocation
    from pollers.lambda_api.incoming import Incoming, Outgoing

PIECE_BYTES = 64 * 1024


class FrameStream:
    """A response as frames (:class:`handlers.function.ResponseStream`). Nothing is sent before the first piece or the end."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._outgoing: Outgoing | None = None
        self._gone = False

    def begin(self, content_type: str) -> None:
        """The function's own type is nothing to whoever reads frames."""

    async def write(self, chunk: bytes) -> None:
        """Pass a piece on. Raises ReaderGone."""
        if not chunk:
            return
        head, payload, checksum = eventstream.payload_chunk(chunk)
        if len(payload) <= PIECE_BYTES:
            await self._send(head + payload + checksum)
            return
        await self._send(head)
        whole = memoryview(payload)
        for start in range(0, len(payload), PIECE_BYTES):
            await self._send(whole[start : start + PIECE_BYTES])
        await self._send(checksum)

    async def finish(self, invocation: Invocation, log_result: str | None) -> Outgoing:
        """Send what is left of a function's answer, and the last frame. Raises ReaderGone."""
        code = details = None
        match invocation.result:
            case Payload(body):
                async with self._incoming.sending(len(body)):
                    await self.write(body)
            case FunctionError() as error:
                code, details = error.error_type, error.document.decode("utf-8", "replace")
            case Throttle(message) | InfrastructureError(message):
                code, details = "ServiceException", message
        await self._send(eventstream.invoke_complete(code, details, log_result))
        outgoing = await self._begun()
        await outgoing.end()
        return outgoing

    async def _send(self, data: bytes | memoryview) -> None:
        if self._gone:
            raise ReaderGone("the client has gone")
        try:
            await (await self._begun()).write(data)
        except ReaderGone:
            self._gone = True
            raise

    async def _begun(self) -> Outgoing:
        if self._outgoing is None:
            headers = {"X-Amz-Executed-Version": LATEST}
            self._outgoing = await self._incoming.begin(200, headers, eventstream.CONTENT_TYPE)
        return self._outgoing

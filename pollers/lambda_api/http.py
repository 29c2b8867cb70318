"""aiohttp's HTTP, and what the API does otherwise: no name of the library, errors in its own form, broken bodies told at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE, HttpProcessingError, RawRequestMessage
from aiohttp.web_protocol import RequestPayloadError

from pollers.lambda_api.errors import ApiError, malformed, service_error
from pollers.lambda_api.operations import JSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.streams import StreamReader

log = structlog.stdlib.get_logger(__name__)

_SHOWN = 80
"""Letters of the parser's words: after them comes what the client has sent, of any length."""


class Request(web.BaseRequest):
    """A request whose answer names no library: AWS sends no Server header. A function's own is kept."""

    async def _prepare_hook(self, resp: web.StreamResponse) -> None:
        if resp.headers.get(hdrs.SERVER) == SERVER_SOFTWARE:
            del resp.headers[hdrs.SERVER]


class Handler(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request. When they break its body, whoever reads it is told; aiohttp leaves it waiting for the rest."""
        super().data_received(data)
        if self._messages and (request := self._current_request) is not None:
            # What is no message stands last, since nothing is read after it.
            broken = not isinstance(self._messages[-1][0], RawRequestMessage)
            if broken and not request.content.is_eof():
                request.content.set_exception(RequestPayloadError("it is not framed as HTTP wants it"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, and to a fault of ours in answering."""
        if isinstance(exc, HttpProcessingError):
            error = malformed((message or "").partition("\n")[0][:_SHOWN].rstrip(": "))
        else:
            if not isinstance(exc, ConnectionError):
                log.error("an answer could not be sent, by a fault of ours", exc_info=exc)
            error = service_error("an error of Headrace, which is in its log")
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer has been sent")
        response = refusal(error, str(uuid4()))
        response.force_close()
        return response


class Server(web.Server):
    """Makes a handler for each connection. ``options`` are those of :class:`aiohttp.web.RequestHandler`."""

    def __init__(self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **options: object) -> None:
        super().__init__(answer, request_factory=self._request)
        self._options = options

    def __call__(self) -> Handler:
        """A new connection's handler."""
        return Handler(self, loop=asyncio.get_running_loop(), **self._options)  # type: ignore[arg-type] # aiohttp checks them

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> Request:
        return Request(message, payload, protocol, writer, task, self._loop)


def refusal(error: ApiError, request_id: str) -> web.Response:
    """The answer that an error is."""
    headers = {**error.headers, "x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.error_type}
    return web.Response(status=error.status, headers={**headers, hdrs.CONTENT_TYPE: JSON}, body=error.body())

"""Lambda's Runtime API for one worker: what AWS's service does with each call, in each state (docs/lambda 8.4).

No I/O of its own: it is handed requests by :mod:`handlers.runtime_api.connection` and tells its worker what happened.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import orjson

from handlers import error_documents
from handlers.function import RESPONSE_LIMIT_BYTES, FunctionError, Payload, Result
from handlers.runtime_api.requests import RESPONSE_MODE_HEADER
from handlers.runtime_api.responses import Response
from handlers.runtime_api.streamed import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.runtime_api.delivery import Delivery
    from handlers.runtime_api.incoming import Incoming
    from handlers.runtime_api.requests import Request

_PREFIX = b"/2018-06-01/runtime/"
_INVOCATION = _PREFIX + b"invocation/"
_NEXT = _PREFIX + b"invocation/next"
_ACCEPTED = Response(HTTPStatus.ACCEPTED, b'{"status":"OK"}\n')
_ERROR_TYPE_HEADER = b"lambda-runtime-function-error-type"


class RuntimeState(Enum):
    """Where a worker's runtime is; the names are those that AWS's error texts use."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    INVOCATION_RESPONSE = "InvocationResponse"
    RESPONSE_SENT = "ResponseSent"


class Caller(Protocol):
    """The connection that a ``/next`` waits on, or that a response is streamed by."""

    @property
    def usable(self) -> bool: ...

    def answer(self, head: bytes, body: bytes) -> None: ...

    def close(self) -> None: ...

    def respond(self, response: Response) -> None: ...

    def refuse_pending(self, response: Response) -> None: ...


class RuntimeObserver(Protocol):
    """Who is told what the runtime did: its worker."""

    def runtime_ready(self) -> None:
        """It asked for its next invocation and has none."""

    def runtime_responded(self, result: Result) -> None:
        """It answered its invocation."""

    def runtime_failed_to_initialise(self, error: FunctionError) -> None:
        """It reported an error of its initialisation."""

    def runtime_left(self) -> None:
        """It was waiting for an invocation and its connection is gone."""

    def runtime_streams(self, response: StreamedResponse) -> None:
        """It has begun a response that is passed on while it comes; :meth:`runtime_responded` follows at its end."""

    def runtime_broke_off(self) -> None:
        """The connection by which it streamed a response is gone before the end."""


class RuntimeApi:
    """The state of one worker's runtime, and its answers."""

    def __init__(self, observer: RuntimeObserver, allows: Callable[[Caller], bool] = lambda _: True) -> None:
        self._observer = observer
        self._allows = allows
        self._waiting: Caller | None = None
        self._delivery: Delivery | None = None
        self._streamed: StreamedResponse | None = None
        self._closed = False
        self.state = RuntimeState.STARTED

    @property
    def available(self) -> bool:
        """Whether :meth:`deliver` would reach the runtime."""
        return self.state is RuntimeState.READY and self._waiting is not None and self._waiting.usable

    @property
    def running(self) -> bool:
        """Whether it has an invocation that it has not answered to the end."""
        return self.state in (RuntimeState.RUNNING, RuntimeState.INVOCATION_RESPONSE)

    @property
    def streaming(self) -> bool:
        """Whether a response is being passed on while it comes."""
        return self._streamed is not None and not self._streamed.is_over

    def deliver(self, delivery: Delivery) -> None:
        """Hand an invocation to the runtime, which must be :attr:`available`."""
        waiting, self._waiting = self._waiting, None
        assert waiting is not None  # noqa: S101 - the caller asked `available`
        self._delivery = delivery
        self.state = RuntimeState.RUNNING
        waiting.answer(delivery.head(), delivery.event)

    def abandon(self) -> None:
        """The invocation is over (it timed out): a late response to it is refused like one to an unknown id."""
        self._delivery = None
        if self._streamed is not None:
            self._streamed.close()

    def close(self) -> None:
        """Tell the runtime to exit instead of giving it an invocation: AWS's 500, "runtime should exit promptly".

        A client that waits inside a C library can only then run its signal handlers.
        """
        self._closed = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.refuse_pending(_exit_promptly())

    def allows(self, connection: Caller) -> bool:
        """Whether this client may speak to this worker's endpoint."""
        return self._allows(connection)

    def closed(self, connection: Caller) -> None:
        """A connection is gone."""
        if connection is self._waiting:
            self._waiting = None
            self._observer.runtime_left()

    def handle(self, request: Request, connection: Caller) -> Response | None:
        """Answer a request; None if it is answered when an invocation comes."""
        path = request.path
        if path == _NEXT:
            return self._next(connection) if request.method == b"GET" else _method_not_allowed()
        if path.startswith(_INVOCATION):
            return self._about_invocation(request, path[len(_INVOCATION) :], connection)
        if path == _PREFIX + b"init/error":
            return self._init_error(request) if request.method == b"POST" else _method_not_allowed()
        if path == b"/2018-06-01/ping":
            return Response(HTTPStatus.OK, b"pong", b"text/plain; charset=utf-8")
        # SnapStart's restore calls and the Extensions, Logs and Telemetry APIs do not exist here.
        return _error(HTTPStatus.NOT_FOUND, "NotFound", f"No such call: {path.decode('latin-1')[:200]}")

    def _next(self, connection: Caller) -> Response | None:
        if self._closed:
            return _exit_promptly()
        if self.state is RuntimeState.RUNNING:
            # As AWS does: a runtime that asks again gets the invocation that it has not answered.
            if self._delivery is None:
                return self._forbidden("Ready")
            connection.answer(self._delivery.head(), self._delivery.event)
            return None
        if self._broken_off():
            self._respond(error_documents.truncated())
        if self.state in (RuntimeState.INIT_ERROR, RuntimeState.INVOCATION_RESPONSE):
            return self._forbidden("Ready")
        before, self._waiting = self._waiting, connection
        if before is not None and before is not connection:
            before.close()
        self.state = RuntimeState.READY
        self._observer.runtime_ready()
        return None

    def _broken_off(self) -> bool:
        """Whether the invocation that runs has a response that was passed on, and will never come to its end."""
        streamed, runs = self._streamed, self._delivery is not None
        return runs and self.state is RuntimeState.INVOCATION_RESPONSE and streamed is not None and streamed.broken

    def _about_invocation(self, request: Request, rest: bytes, connection: Caller) -> Response | None:
        request_id, _, verb = rest.partition(b"/")
        if verb not in (b"response", b"error"):
            return _error(HTTPStatus.NOT_FOUND, "NotFound", "No such call")
        if request.method != b"POST":
            return _method_not_allowed()
        delivery = self._delivery
        if delivery is None or request_id != delivery.request_id.encode():
            return _error(HTTPStatus.BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        echoed = request.headers.get(b"lambda-runtime-invocation-id")
        if echoed is not None and echoed != delivery.invocation_id.encode():
            return _error(HTTPStatus.BAD_REQUEST, "InvalidInvocationId", "Invalid invocation ID")
        if self.state is not RuntimeState.RUNNING:
            return self._forbidden("InvocationResponse" if verb == b"response" else "InvocationErrorResponse")
        if request.incoming is not None:
            self._stream(request, request.incoming, delivery, connection)
            return None
        return self._response(request) if verb == b"response" else self._invocation_error(request)

    def _stream(self, request: Request, incoming: Incoming, delivery: Delivery, connection: Caller) -> None:
        def over(result: Result | None) -> None:
            self._streamed_to_its_end(streamed, result, connection)

        content_type = request.headers.get(b"content-type")
        streamed = StreamedResponse(incoming, content_type, over, passed_on=delivery.streamed)
        self._streamed = streamed
        self.state = RuntimeState.INVOCATION_RESPONSE
        if streamed.passed_on:
            self._observer.runtime_streams(streamed)
        streamed.begin()

    def _streamed_to_its_end(self, streamed: StreamedResponse, result: Result | None, connection: Caller) -> None:
        if result is not None:
            self._respond(result)
            connection.respond(_too_large() if streamed.too_large else _ACCEPTED)
        elif streamed.passed_on:
            self._observer.runtime_broke_off()
        else:
            # Nobody has seen any of it, so it may be made again, as one that came in one piece may.
            self.state = RuntimeState.RUNNING

    def _response(self, request: Request) -> Response:
        mode = request.headers.get(RESPONSE_MODE_HEADER)
        if mode is not None and mode.lower() != b"buffered":
            return self._refuse_mode(mode)
        if request.too_large:
            self._respond(error_documents.response_too_large())
            return _too_large()
        self._respond(Payload(request.body))
        return _ACCEPTED

    def _refuse_mode(self, mode: bytes) -> Response:
        message = f"Lambda-Runtime-Function-Response-Mode is {mode.decode('latin-1')[:40]!r}; it would be 'streaming', or absent"
        document = orjson.dumps({"errorType": "Runtime.InvalidResponseModeHeader", "errorMessage": message})
        self._respond(FunctionError("Runtime.InvalidResponseModeHeader", message, document))
        return _error(HTTPStatus.BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")

    def _invocation_error(self, request: Request) -> Response:
        if request.too_large:
            self._respond(error_documents.response_too_large())
            return _too_large()
        self._respond(error_documents.reported(request.body, error_type=_error_type(request, "Function.Unknown")))
        return _ACCEPTED

    def _respond(self, result: Result) -> None:
        self.state = RuntimeState.RESPONSE_SENT
        self._observer.runtime_responded(result)

    def _init_error(self, request: Request) -> Response:
        if self.state is not RuntimeState.STARTED:
            return self._forbidden("InitError")
        self.state = RuntimeState.INIT_ERROR
        self._observer.runtime_failed_to_initialise(error_documents.init_failed(request.body))
        return _ACCEPTED

    def _forbidden(self, wanted: str) -> Response:
        message = (
            f"Transition from {self.state.value} to {wanted} failed for runtime. Error: State transition is not allowed"
        )
        return _error(HTTPStatus.FORBIDDEN, "InvalidStateTransition", message)


def _error_type(request: Request, otherwise: str) -> str:
    """The header's error type, normalised as Lambda does: only ``Runtime.…`` and ``Function.…`` are kept."""
    named = request.headers.get(_ERROR_TYPE_HEADER, b"").decode("latin-1")
    if named.startswith(("Runtime.", "Function.")) and named.replace(".", "").isalnum():
        return named
    return otherwise


def _error(status: HTTPStatus, error_type: str, message: str) -> Response:
    return Response(status, orjson.dumps({"errorMessage": message, "errorType": error_type}))


def _exit_promptly() -> Response:
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "ContainerError", "This worker is being stopped: exit promptly")


def _method_not_allowed() -> Response:
    return _error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", "This call takes another method")


def _too_large() -> Response:
    message = f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
    return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message)

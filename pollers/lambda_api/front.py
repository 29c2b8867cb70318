"""What happens to a request before its operation runs: whose it is, who may call, and its body."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from pollers.aside import aside
from pollers.lambda_api.browsers import from_page
from pollers.lambda_api.errors import denied, request_too_large
from pollers.lambda_api.incoming import BodyTooLong
from pollers.lambda_api.operations import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pollers.lambda_api.access import Admitted
    from pollers.lambda_api.incoming import Incoming, Outgoing
    from pollers.lambda_api.operations import Reply
    from pollers.lambda_api.routes import Routes

CHECKED_IN_THREAD_BYTES = 8 * 1024 * 1024
"""Longer bodies are hashed in a thread: on the event loop that would take tens of milliseconds."""


class Sites(Protocol):
    """What is served beside the operations, at hosts and paths of its own: function URLs."""

    def claim(self, incoming: Incoming) -> Callable[[Incoming], Awaitable[Reply | Outgoing]] | None:
        """What answers the request, or None if it is for an operation. Asked for each request, so it must be cheap.

        Whatever answers reads the body itself, and decides who may call.
        """


class Access(Protocol):
    """Who may call operations."""

    def admit(self, incoming: Incoming) -> Admitted:
        """Check what can be checked before the body is there; gives what checks the body. Both raise ApiError."""


class Front:
    """Answers every request. ``sites`` are asked first."""

    def __init__(self, routes: Routes, access: Access, sites: Sites | None = None) -> None:
        self.routes = routes
        self._access = access
        self._sites = sites

    async def answer(self, incoming: Incoming) -> Reply | Outgoing:
        """The answer. Raises ApiError, or ReaderGone when the client went away while its answer was being sent."""
        if self._sites is not None and (answer := self._sites.claim(incoming)) is not None:
            return await answer(incoming)
        if (refused := from_page(incoming.headers)) is not None:
            raise denied(refused)
        # Before the path is looked at: whoever may not call learns nothing of what is served.
        admitted = self._access.admit(incoming)
        operation, parameters = self.routes.find(incoming.method, incoming.raw_path)
        incoming.operation = operation.name
        if operation.refusal is not None:
            raise denied(operation.refusal)
        try:
            body = await incoming.read(operation.body_limit_bytes)
        except BodyTooLong:
            limit = operation.body_limit_bytes
            name = _TOLD.get(operation.name, operation.name)
            raise request_too_large(f"Request must be smaller than {limit} bytes for the {name} operation") from None
        if len(body) > CHECKED_IN_THREAD_BYTES:
            await aside(partial(admitted.check, body))
        else:
            admitted.check(body)
        return await operation.handler(Call(operation, parameters, body, incoming))


_TOLD = {"Invoke": "InvokeFunction"}
"""Names that AWS's text has in place of the model's (docs/lambda 11.6)."""

"""What the API serves: operations, each declared once; routing and the OpenAPI document are made of the same declarations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pollers.lambda_api.incoming import Incoming, Outgoing

SMALL_BODY_LIMIT_BYTES = 256 * 1024
"""Of operations whose body is a document of settings."""
JSON = "application/json"


@dataclass(slots=True)
class Reply:
    """An answer with its whole body. The id of the request is added to its headers by whoever sends it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = JSON


def json_reply(document: object, status: int = 200) -> Reply:
    """A reply that is a JSON document."""
    return Reply(status, orjson.dumps(document))


def empty_reply(status: int = 204) -> Reply:
    """A reply without a body."""
    return Reply(status, content_type=None)


@dataclass(slots=True)
class Call:
    """One request for an operation, its signature verified and its body read.

    ``parameters`` are the decoded segments of the path, by the names in the operation's template.
    """

    operation: Operation
    parameters: Mapping[str, str]
    body: bytes
    incoming: Incoming

    @property
    def request_id(self) -> str:
        """The id of the request, and of the invocation that it asks for."""
        return self.incoming.request_id

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in any case; of a repeated header the first value."""
        return self.incoming.headers

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, decoded; of a repeated one the first value."""
        raw = self.incoming.raw_query
        if not raw:
            return {}
        pairs = parse_qsl(raw, keep_blank_values=True, errors="replace")
        return dict(reversed(pairs))

    @property
    def qualifier(self) -> str | None:
        """The parameter ``Qualifier``; None without one, or with an empty one."""
        return self.query.get("Qualifier") or None


Handler: TypeAlias = "Callable[[Call], Awaitable[Reply | Outgoing]]"
"""Answers a call, or raises :class:`pollers.lambda_api.errors.ApiError`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    ``path`` is the template of the model, such as ``/2015-03-31/functions/{FunctionName}/invocations``; a slash at its end makes
    no difference. ``body``: JSON Schema of the request's body, for the OpenAPI document; None for an operation that has none.
    """

    name: str
    method: str
    path: str
    handler: Handler
    success: tuple[int, ...] = (200,)
    body_limit_bytes: int = SMALL_BODY_LIMIT_BYTES
    body: Mapping[str, Any] | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    content_type: str = JSON
    """Of the reply, where it has a body."""
    refusal: str | None = None
    """Why nobody is served: whoever calls is told so, and the body is not read."""

"""Replies as values, and those that are ours and not the function's (docs/lambda 13.8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import orjson

if TYPE_CHECKING:
    from handlers.function import InfrastructureError, Throttle

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""In order; a name may come several times. Every name is a token, and no value has a control character."""

JSON = ("Content-Type", "application/json")
BODYLESS = frozenset({204, 205, 304})
"""Statuses whose replies have no body (RFC 9110)."""
TROUBLESHOOTING = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, whole. Length, date and connection are whose who sends it."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def plus(self, more: Headers) -> Reply:
        """With further headers."""
        return replace(self, headers=self.headers + more) if more else self


def refused(status: int, error_type: str, document: dict[str, object]) -> Reply:
    """An error as AWS answers it: its type in a header, its words in JSON."""
    return Reply(status, (JSON, ("x-amzn-ErrorType", error_type)), orjson.dumps(document))


UNKNOWN_URL = refused(403, "AccessDeniedException", {"Message": None})
"""There is no such URL (recorded)."""

FORBIDDEN = refused(
    403,
    "AccessDeniedException",
    {"Message": f"Forbidden. For troubleshooting Function URL authorization issues, see: {TROUBLESHOOTING}"},
)
"""The request is not signed, or by nobody that we know (recorded)."""

TOO_LARGE = refused(
    413,
    "RequestEntityTooLargeException",
    {"Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
)

FAILED = Reply(502, (JSON,), b"Internal Server Error")
"""The function failed, or what it returned is no reply (recorded)."""


def foreign_host(name: str) -> Reply:
    """The host name is nobody's that is known: a web page may have led it to this machine."""
    text = (
        f"The host name {name[:100]!a} is not served here: use localhost or the URL's own name, or name the reverse proxy in "
        "lambda_api.trusted_proxies."
    )
    return refused(403, "AccessDeniedException", {"Message": text})


def throttled(result: Throttle) -> Reply:
    """The function did not run because it is at its limit."""
    reply = refused(429, "TooManyRequestsException", {"Message": "Rate Exceeded."})
    return reply.plus(_retry_after(result))


def not_run(result: InfrastructureError) -> Reply:
    """The function did not run, or nobody knows, through no fault of its own."""
    return FAILED.plus(_retry_after(result))


def _retry_after(result: Throttle | InfrastructureError) -> Headers:
    seconds = result.retry_after_seconds
    return () if seconds is None else (("Retry-After", str(max(1, round(seconds)))),)

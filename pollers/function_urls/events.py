"""From a request to its event: format 2.0 (docs/lambda 13.2 to 13.4)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from pollers.function_urls.percent import decoded, parameters
from pollers.function_urls.proxies import PREFIX

if TYPE_CHECKING:
    from pollers.function_urls.head import Head
    from pollers.function_urls.proxies import Client

ANONYMOUS = "anonymous"
ROUTE = STAGE = "$default"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CONNECTIONS_OWN = frozenset(
    {
        "connection",
        "cookie",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Cookies have a member of their own; the others are between the client and us, as `connection` is on AWS."""
_TLS = "x-amzn-tls-"
"""On AWS its front end says which TLS the client speaks. We have none: only a trusted proxy can tell."""
_TEXTS = frozenset({"application/json", "application/javascript", "application/xml"})


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed the request (AWS_IAM). There are keys, and no users: whoever has one is the account's root."""

    access_key_id: str
    account: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an event says beside the request. ``url_id`` and ``domain`` are the URL's; ``path`` is the raw path, without the prefix
    of a call by path; ``now`` is in seconds since the epoch."""

    url_id: str
    domain: str
    path: str
    request_id: str
    trace_id: str
    now: float
    signer: Signer | None = None


def encode_event(head: Head, client: Client, body: bytes, given: Circumstances) -> bytes:
    """The event as JSON."""
    fields = head.fields
    _, query = head.path_and_query
    text, is_base64 = body_text(body, fields.get("content-type"))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": given.path,
        "rawQueryString": query,
    }
    cookies = _cookies(fields.get("cookie", ""))
    if cookies:
        event["cookies"] = cookies
    event["headers"] = _headers(fields, client, given.trace_id)
    if query:
        found = parameters(query)
        if found:
            event["queryStringParameters"] = found
    event["requestContext"] = _context(head, client, given)
    if body:
        event["body"] = text
    event["isBase64Encoded"] = is_base64
    return orjson.dumps(event)


def body_text(body: bytes, content_type: str | None) -> tuple[str, bool]:
    """The body as text, and whether that is base64: so is everything but texts, by its media type (docs/lambda 13.4)."""
    if is_text(content_type):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass  # not what it says it is: no byte must be lost
    return base64.b64encode(body).decode("ascii"), bool(body)


def is_text(content_type: str | None) -> bool:
    """Whether a body of this Content-Type is put into the event as text. None and "": there is no such header."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type in _TEXTS or media_type.startswith("text/") or media_type.endswith(("+json", "+xml"))


def spelled_time(now: float) -> str:
    """``05/Aug/2022:08:14:39 +0000``, with English months whatever the locale."""
    time = datetime.fromtimestamp(now, UTC)
    # Number by number: formats of dates would take a sixth of the time that a request takes here.
    clock = f"{time.hour:02}:{time.minute:02}:{time.second:02}"
    return f"{time.day:02}/{_MONTHS[time.month - 1]}/{time.year:04}:{clock} +0000"


def trace_header(now: float, bits: int) -> str:
    """A trace id as X-Ray spells it, of a time and 96 random bits."""
    return f"Root=1-{int(now):08x}-{bits:024x}"


def _headers(fields: dict[str, str], client: Client, trace_id: str) -> dict[str, str]:
    dropped = PREFIX if client.trusted else (PREFIX, _TLS)
    headers = {
        name: value for name, value in fields.items() if name not in _CONNECTIONS_OWN and not name.startswith(dropped)
    }
    headers.setdefault("x-amzn-trace-id", trace_id)
    headers.update(client.forwarded)
    return headers


def _cookies(header: str) -> list[str]:
    return [pair for part in header.split(";") if (pair := part.strip())]


def _context(head: Head, client: Client, given: Circumstances) -> dict[str, Any]:
    signer = given.signer
    context: dict[str, Any] = {"accountId": ANONYMOUS if signer is None else signer.account}
    context["apiId"] = given.url_id
    if signer is not None:
        context["authentication"] = None
        context["authorizer"] = {"iam": _identity(signer)}
    return {
        **context,
        "domainName": given.domain,
        "domainPrefix": given.url_id,
        "http": {
            "method": head.method,
            "path": decoded(given.path),
            "protocol": head.protocol,
            "sourceIp": client.source_ip,
            "userAgent": head.fields.get("user-agent", ""),
        },
        "requestId": given.request_id,
        "routeKey": ROUTE,
        "stage": STAGE,
        "time": spelled_time(given.now),
        "timeEpoch": int(given.now * 1000),
    }


def _identity(signer: Signer) -> dict[str, Any]:
    return {
        "accessKey": signer.access_key_id,
        "accountId": signer.account,
        "callerId": signer.account,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{signer.account}:root",
        "userId": signer.account,
    }

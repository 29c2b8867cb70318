"""Requests as clients send them, for the tests of this folder."""

from __future__ import annotations

import json
from typing import Any

from pollers.function_urls.events import Circumstances, Signer, encode_event
from pollers.function_urls.head import Head
from pollers.function_urls.proxies import Proxies

HOST = (b"Host", b"hello.lambda-url.us-east-1.localhost:9001")
PEER = "198.51.100.7"
NOW = 1_659_687_279.885
TRACE = "Root=1-62ecd163-000000000000000000000001"


def head(
    target: bytes = b"/",
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    peer: str = PEER,
    host: tuple[bytes, bytes] = HOST,
    secure: bool = False,
) -> Head:
    """The head of a request to the function ``hello``."""
    return Head(method=method, target=target, headers=(host, *headers), peer=peer, port=9001, secure=secure)


def event_of(
    given: Head, body: bytes = b"", *, signer: Signer | None = None, trusted: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The event of a request, read again."""
    path, _ = given.path_and_query
    circumstances = Circumstances(
        url_id="hello",
        domain="hello.lambda-url.us-east-1.localhost",
        path=path,
        request_id="5b2c9b0e-0000-4000-8000-000000000000",
        trace_id=TRACE,
        now=NOW,
        signer=signer,
    )
    event: dict[str, Any] = json.loads(encode_event(given, Proxies(trusted).client_of(given), body, circumstances))
    return event

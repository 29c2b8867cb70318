"""What a Runtime API answers, on the wire."""

from __future__ import annotations

from http import HTTPStatus

from handlers.runtime_api.responses import Response


def test_a_response_says_when_the_connection_ends() -> None:
    """The bytes of a response, with and without keep-alive."""
    response = Response(HTTPStatus.ACCEPTED, b"{}")
    assert response.encode(keep_alive=True) == (
        b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"\r\nConnection: close\r\n" in response.encode(keep_alive=False)

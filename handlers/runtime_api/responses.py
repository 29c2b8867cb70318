"""What a Runtime API answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Response:
    """One response; a body is always JSON but for a plain text ``content_type``."""

    status: HTTPStatus
    body: bytes
    content_type: bytes = b"application/json"

    def encode(self, *, keep_alive: bool) -> bytes:
        """The bytes on the wire."""
        return b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
            self.status.value,
            self.status.phrase.encode(),
            self.content_type,
            len(self.body),
            b"" if keep_alive else b"Connection: close\r\n",
            self.body,
        )

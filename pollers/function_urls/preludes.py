"""The beginning of a streamed reply: JSON with status, headers and cookies, eight NUL bytes, then the body (docs/lambda 13.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.function_urls.reply_headers import InvalidReply, has
from pollers.function_urls.results import head_of
from pollers.jsontext import member_texts

if TYPE_CHECKING:
    from pollers.function_urls.replies import Headers

INTEGRATION = "application/vnd.awslambda.http-integration-response"
"""The Content-Type with which a runtime says that a prelude comes."""
DELIMITER = b"\0" * 8
LIMIT_BYTES = 16 * 1024
"""What a prelude may have at most, so that a function which never ends it is found out. AWS's limit is not known."""
OCTETS = ("Content-Type", "application/octet-stream")


class Prelude:
    """Takes chunks until the head of the reply is known, wherever they are cut."""

    def __init__(self) -> None:
        self._taken = bytearray()

    def take(self, chunk: bytes) -> tuple[int, Headers, bytes] | None:
        """One more chunk. Status, headers and the beginning of the body once they are known, and then it is not called again.

        Raises :class:`pollers.function_urls.reply_headers.InvalidReply`.
        """
        # A delimiter may have begun in the chunk before, but no further back than its own length.
        begun = max(0, len(self._taken) - len(DELIMITER))
        self._taken += chunk
        end = self._taken.find(DELIMITER, begun)
        if end > LIMIT_BYTES or (end < 0 and len(self._taken) > LIMIT_BYTES + len(DELIMITER)):
            raise InvalidReply(f"found no 8 NUL bytes in the first {LIMIT_BYTES} bytes, expected them after the head")
        if end < 0:
            return None
        status, headers = _read(bytes(self._taken[:end]))
        return status, headers, bytes(self._taken[end + len(DELIMITER) :])

    def ended(self) -> InvalidReply:
        """What is wrong with a stream that ended before its head did."""
        return InvalidReply(
            f"the stream ended after {len(self._taken)} bytes, expected a head as JSON and 8 NUL bytes before that"
        )


def is_integration(content_type: str) -> bool:
    """Whether a stream of this type begins with a prelude."""
    return content_type.partition(";")[0].strip().lower() == INTEGRATION


def _read(document: bytes) -> tuple[int, Headers]:
    try:
        members = member_texts(document)
    except ValueError as wrong:
        raise InvalidReply(f"the head of the stream: found no JSON object: {wrong}") from None
    status, headers = head_of(members)
    return status, headers if has(headers, "Content-Type") else (OCTETS, *headers)

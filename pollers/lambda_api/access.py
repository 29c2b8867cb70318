"""Who may call operations: on loopback without credentials everybody but web pages, else whoever signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.lambda_api.browsers import refusal
from pollers.lambda_api.errors import denied

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.lambda_api.incoming import Incoming


class OpenAccess:
    """Any signature is taken, and none; for loopback only, which the configuration sees to."""

    def __init__(self, served_host: str) -> None:
        self._served_host = served_host

    def admit(self, incoming: Incoming) -> Callable[[bytes], None]:
        """Raises ApiError for requests of web pages."""
        refused = refusal(incoming.headers, self._served_host)
        if refused is not None:
            raise denied(refused)
        return _any_body


def _any_body(body: bytes) -> None:
    """Without a signature nothing is said of the body."""

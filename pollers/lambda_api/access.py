"""Who may call: on loopback without credentials everybody but web pages, else whoever signs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pollers.lambda_api import sigv4
from pollers.lambda_api.browsers import to_another
from pollers.lambda_api.errors import ApiError, denied
from pollers.lambda_api.sigv4 import Expected, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pollers.lambda_api.incoming import Incoming
    from pollers.lambda_api.sigv4 import Signature


class Admitted:
    """A request that may go on. ``access_key_id`` is the key that it is signed with; empty where nobody has looked at it."""

    __slots__ = ("access_key_id",)

    def __init__(self, access_key_id: str = "") -> None:
        self.access_key_id = access_key_id

    def check(self, body: bytes) -> None:
        """Check what needs the body. Raises ApiError."""


class Signed(Admitted):
    """A request whose signature holds as far as its head goes."""

    __slots__ = ("_expected", "_head", "_signature")

    def __init__(self, signature: Signature, head: Head, expected: Expected) -> None:
        super().__init__(signature.access_key_id)
        self._signature = signature
        self._head = head
        self._expected = expected

    def check(self, body: bytes) -> None:
        """The signature itself. Raises ApiError, 403."""
        sigv4.check(self._signature, self._head, body, self._expected)


ANYBODY = Admitted()


class OpenAccess:
    """Any signature is taken, and none; for loopback only, which the configuration sees to."""

    def __init__(self, served_host: str) -> None:
        self._served_host = served_host

    def admit(self, incoming: Incoming) -> Admitted:
        """Raises ApiError for host names that a web page may have led here."""
        refused = to_another(incoming.headers, self._served_host)
        if refused is not None:
            raise denied(refused)
        return ANYBODY


class SignedAccess:
    """Requests must be signed with one of ``secrets``, by the id of their key. ``clock`` gives seconds since the epoch."""

    def __init__(self, secrets: Mapping[str, str], region: str, clock: Callable[[], float] = time.time) -> None:
        self._expected = {key: Expected(secret, region) for key, secret in secrets.items()}
        self._clock = clock

    def admit(self, incoming: Incoming) -> Admitted:
        """Raises ApiError, 403, for what can be seen without the body."""
        head = Head(incoming.method, incoming.raw_path, incoming.raw_query, incoming.repeated_headers)
        signature = sigv4.read(head)
        expected = self._expected.get(signature.access_key_id)
        if expected is None:
            raise ApiError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        sigv4.check_head(signature, head, expected, self._clock())
        return Signed(signature, head, expected)

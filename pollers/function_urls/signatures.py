"""Who signed a request, for URLs with AuthType AWS_IAM (docs/lambda 13.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from pollers.function_urls.percent import parameters
from pollers.function_urls.replies import FORBIDDEN, refused
from pollers.lambda_api import Admitted, ApiError

if TYPE_CHECKING:
    from pollers.function_urls.replies import Reply
    from pollers.lambda_api import Incoming

_SCHEME = "AWS4-HMAC-SHA256"
_HEADER = re.compile(rf"{_SCHEME}\s.*\bCredential=([^/,\s]+)/[^,]*,.*\bSignature=[^,\s]+.*")
_NOBODY = frozenset({"MissingAuthenticationTokenException", "UnrecognizedClientException"})


class Signatures(Protocol):
    """Knows who signed: :class:`pollers.lambda_api.SignedAccess`, where there are credentials."""

    def admit(self, incoming: Incoming) -> Admitted:
        """Raises ApiError, 403, for what can be told before the body is there."""


class AnySignature:
    """Takes whatever signature there is, and refuses requests without one: where no credentials are configured."""

    def admit(self, incoming: Incoming) -> Admitted:
        """Raises ApiError, 403, for a request that is not signed."""
        key = named_key(incoming.headers.get("Authorization", ""), incoming.raw_query)
        if key is None:
            raise ApiError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        return Admitted(key)


def named_key(authorization: str, query: str) -> str | None:
    """The id of the access key in a signature, in the header or in the query; None without one."""
    if authorization:
        found = _HEADER.fullmatch(authorization)
        return found[1] if found is not None else None
    asked = parameters(query)
    if asked.get("X-Amz-Algorithm") == _SCHEME and asked.get("X-Amz-Signature"):
        return asked.get("X-Amz-Credential", "").partition("/")[0] or None
    return None


def reply_to(error: ApiError) -> Reply:
    """What a URL answers where the API would answer with this error (docs/lambda 13.8)."""
    if error.error_type in _NOBODY:
        return FORBIDDEN
    return refused(error.status, error.error_type, {"message": error.message}).plus(tuple(error.headers.items()))

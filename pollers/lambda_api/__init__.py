"""Lambda's own API, for SDKs, the AWS CLI and Terraform, and function URLs: a server of its own beside the operator's.

Top-down: :mod:`service` is the part of the process, :mod:`server` the HTTP, :mod:`front` what happens to each request,
:mod:`routes` finds its operation. An operation is one declaration (:class:`pollers.lambda_api.operations.Operation`), of which the
routing and the OpenAPI document are made. :mod:`names`, :mod:`errors`, :mod:`payloads` and :mod:`browsers` are deciders.

May import the rooms of functions, resources, invocations and the state, and :mod:`pollers.listening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.lambda_api.access import Admitted, OpenAccess, SignedAccess
    from pollers.lambda_api.browsers import is_ours
    from pollers.lambda_api.callers import Callers
    from pollers.lambda_api.errors import ApiError
    from pollers.lambda_api.front import Access
    from pollers.lambda_api.incoming import BodyTooLong, CutShort, Incoming, Outgoing
    from pollers.lambda_api.names import Here
    from pollers.lambda_api.operations import Reply
    from pollers.lambda_api.service import LambdaApiService

__all__ = [
    "Access",
    "Admitted",
    "ApiError",
    "BodyTooLong",
    "Callers",
    "CutShort",
    "Here",
    "Incoming",
    "LambdaApiService",
    "OpenAccess",
    "Outgoing",
    "Reply",
    "SignedAccess",
    "is_ours",
]
__getattr__ = lazily(
    __name__,
    {
        "access": "Admitted OpenAccess SignedAccess",
        "browsers": "is_ours",
        "callers": "Callers",
        "errors": "ApiError",
        "front": "Access",
        "incoming": "BodyTooLong CutShort Incoming Outgoing",
        "names": "Here",
        "operations": "Reply",
        "service": "LambdaApiService",
    },
)

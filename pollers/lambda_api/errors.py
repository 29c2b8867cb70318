"""What Lambda's API answers instead of a result: status, type, and texts as they were recorded (docs/lambda 11.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESERVED_REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"
CONCURRENCY_REASON = "ConcurrentInvocationLimitExceeded"
CALLER_REASON = "CallerRateLimitExceeded"
"""Reasons of a throttle, from Lambda's model."""

_CAPITAL = frozenset(
    {"ResourceNotFoundException", "RecursiveInvocationException", "ResourceInUseException", "ServiceException"}
)
"""The types whose text is the member ``Message``; in all others it is ``message`` (docs/lambda 11.7)."""
VALIDATION = "ValidationException"
"""The type that the front end answers, which is in no model. Its body has no ``Type`` (docs/lambda 16.2)."""


class ApiError(Exception):
    """An error of the API. ``more`` are further members of its body, ``headers`` further headers of the reply."""

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message
        self.more = more or {}
        self.headers = headers or {}

    def body(self) -> bytes:
        """Its JSON: the fault of whoever calls below 500, of the service from there on; the front end names neither."""
        member = "Message" if self.error_type in _CAPITAL else "message"
        fault = {} if self.error_type == VALIDATION else {"Type": "User" if self.status < 500 else "Service"}
        return orjson.dumps({**fault, member: self.message, **self.more})


def invalid(*violations: str) -> ApiError:
    """Members of a request that break their constraints, in the words of :func:`pattern_broken` and the like."""
    count = len(violations)
    word = "error" if count == 1 else "errors"
    return ApiError(400, VALIDATION, f"{count} validation {word} detected: {'; '.join(violations)}")


def constraint(value: str, member: str, rule: str) -> str:
    """One violation for :func:`invalid`: ``rule`` is how the sentence goes on after "Member must"."""
    return f"Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"


def pattern_broken(value: str, member: str, pattern: str) -> str:
    """A value that does not have its form."""
    return constraint(value, member, f"satisfy regular expression pattern: {pattern}")


def not_in_set(value: str, member: str, allowed: Sequence[str]) -> str:
    """A value that is none of those that there are."""
    return constraint(value, member, f"satisfy enum value set: [{', '.join(allowed)}]")


def not_found(message: str) -> ApiError:
    """404 for a resource."""
    return ApiError(404, "ResourceNotFoundException", message)


def function_not_found(arn: str) -> ApiError:
    """404 for a function, version or alias; ``arn`` with the qualifier."""
    return not_found(f"Function not found: {arn}")


def invalid_parameter(message: str) -> ApiError:
    """400 for what is wrong beyond its form."""
    return ApiError(400, "InvalidParameterValueException", message)


def not_json(detail: str) -> ApiError:
    """400 for a payload. The beginning of the text is Lambda's; ``detail`` is another parser's on AWS."""
    text = f"Could not parse request body into json: Could not parse payload into json: {detail}"
    return ApiError(400, "InvalidRequestContentException", text)


def request_too_large(message: str) -> ApiError:
    """413, with the type that AWS answers, which is not the model's (docs/lambda 11.6)."""
    return ApiError(413, "RequestEntityTooLargeException", message)


def throttled(reason: str, retry_after_seconds: float | None = None) -> ApiError:
    """429. SDKs give ``Reason`` and the header, rounded up to whole seconds, to their callers."""
    headers = None if retry_after_seconds is None else {"Retry-After": str(max(1, round(retry_after_seconds + 0.49)))}
    return ApiError(429, "TooManyRequestsException", "Rate Exceeded.", more={"Reason": reason}, headers=headers)


def conflict(message: str) -> ApiError:
    """409."""
    return ApiError(409, "ResourceConflictException", message)


def in_use(message: str) -> ApiError:
    """400 for what an earlier change has not left yet."""
    return ApiError(400, "ResourceInUseException", message)


def wrong_revision() -> ApiError:
    """412 for a change of a revision that is not the latest."""
    return ApiError(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
        "Revision Id",
    )


def unreadable(message: str) -> ApiError:
    """400 for a document that cannot be read at all."""
    return ApiError(400, "SerializationException", message)


def malformed(detail: str) -> ApiError:
    """400 for what is no HTTP (ours: AWS answers a page of HTML)."""
    return ApiError(400, "MalformedHttpRequestException", f"The request is no HTTP as it should be: {detail}")


def denied(message: str) -> ApiError:
    """403 for a caller that may not call at all."""
    return ApiError(403, "AccessDeniedException", message)


def function_unusable(message: str) -> ApiError:
    """502 for a function that cannot be had. Of the model's errors with 502 it is the one that does not name a cause (ours)."""
    return ApiError(502, "ResourceNotReadyException", message)


def service_error(message: str) -> ApiError:
    """500: our own fault, or nobody can tell."""
    return ApiError(500, "ServiceException", message)


def unknown_operation(method: str, path: str) -> ApiError:
    """404 for a path that no operation has (ours)."""
    return ApiError(404, "UnknownOperationException", f"{method} {path} is no operation that is served here")


def wrong_method(method: str, allowed: Sequence[str]) -> ApiError:
    """405 for a path that has operations by other methods (ours)."""
    names = ", ".join(allowed)
    return ApiError(
        405, "MethodNotAllowedException", f"{method} is not served here, but {names}", headers={"Allow": names}
    )

"""Turns any error reply or failure into the error class that says what to do next, for AWS, emulators and the network alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from botocore import exceptions as sdk

from pollers.aws.errors import (
    AccessDenied,
    AwsError,
    ConditionUnmet,
    CredentialsExpired,
    IteratorExpired,
    NotFound,
    Refused,
    ResourceInUse,
    Throttled,
    Trimmed,
    Unavailable,
)
from pollers.aws.wire.sdk_private import ResponseParserError, create_parser

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: dict[type[AwsError], str] = {
    Throttled: """
        Throttling ThrottlingException ThrottledException Throttled RequestThrottled RequestThrottledException
        TooManyRequestsException ProvisionedThroughputExceededException RequestLimitExceeded LimitExceededException
        BandwidthLimitExceeded SlowDown PriorRequestNotComplete KMSThrottlingException KmsThrottled KMSThrottling OverLimit
    """,
    CredentialsExpired: """
        ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired RequestTimeTooSkewed InvalidToken
        InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId MissingAuthenticationToken
        MissingAuthenticationTokenException
    """,
    AccessDenied: """
        AccessDenied AccessDeniedException AuthorizationError AuthorizationErrorException NotAuthorized AuthFailure
        UnauthorizedOperation OptInRequired SignatureDoesNotMatch InvalidSignatureException IncompleteSignature
        IncompleteSignatureException AllAccessDisabled InvalidSecurity KMSAccessDeniedException KmsAccessDenied
        KMSDisabledException KmsDisabled KMSInvalidStateException KmsInvalidState KMSNotFoundException KmsNotFound
        KMSOptInRequired KmsOptInRequired KmsInvalidKeyUsage KMSAccessDenied KMSDisabled KMSInvalidState KMSNotFound
    """,
    NotFound: """
        NonExistentQueue QueueDoesNotExist ResourceNotFoundException NotFound NotFoundException NoSuchBucket
        TableNotFoundException
    """,
    IteratorExpired: "ExpiredIteratorException",
    Trimmed: "TrimmedDataAccessException",
    ResourceInUse: "ResourceInUseException",
    ConditionUnmet: "ConditionalCheckFailedException",
    Unavailable: """
        InternalFailure InternalFailureException InternalError InternalServerError InternalServiceError ServiceUnavailable
        ServiceUnavailableException ServiceFailure RequestTimeout RequestTimeoutException ExpiredNextTokenException
        SnapStartNotReadyException
    """,
}
_CLASS_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_SKEWED = ("Signature expired", "Signature not yet current", "is too skewed", "too skewed")

_MISSING_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.MetadataRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.LoginError,
    sdk.ProfileNotFound,
    sdk.InvalidConfigError,
)
_WHERE_CREDENTIALS_ARE = (
    "(in the environment, a profile or a role; emulators take any: AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)"
)
_NO_REPLY = (
    sdk.HTTPClientError,
    sdk.ConnectionError,
    sdk.ReadTimeoutError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)
_JSON_ERRORS = create_parser("json")
_REQUEST_IDS = frozenset({"x-amzn-requestid", "x-amz-request-id", "x-amzn-errortype"})
"""Every AWS service sends one of these headers."""
_HEAD = "Head"
"""How the names of operations without a reply body begin: their refusals never have a code."""
_FINAL = (Refused, AccessDenied, NotFound)
_ERROR_STATUS = 301
"""The lowest status that botocore's parser reads as an error; given to it for replies that are no success but have a lower one."""


def bare_code(code: str) -> str:
    """``AWS.SimpleQueueService.NonExistentQueue``, ``com.amazonaws.sqs#QueueDoesNotExist``, ``X:url``: the bare name."""
    return code.rpartition("#")[2].partition(":")[0].rpartition(".")[2]


def failure(code: str, message: str, *, status: int, operation: str) -> AwsError:
    """The error for a service's own reply. Its code decides, then its HTTP status."""
    name = bare_code(code)
    kind = _CLASS_OF_CODE.get(name)
    if kind is AccessDenied and any(words in message for words in _SKEWED):
        kind = CredentialsExpired
    return (kind or _by_status(status))(name, message, status=status, operation=operation)


def is_clock_skew(error: AwsError) -> bool:
    """Whether the service refused the request for its time of signing."""
    if not isinstance(error, CredentialsExpired):
        return False
    return error.code in ("RequestTimeTooSkewed", "RequestExpired") or any(words in error.message for words in _SKEWED)


def _by_status(status: int) -> type[AwsError]:
    if status == 429:
        return Throttled
    if status == 403:
        return AccessDenied
    if status == 404:
        return NotFound
    if 400 <= status < 500:
        return Refused
    return Unavailable


def reply_failure(parsed: Mapping[str, Any], *, status: int, operation: str) -> AwsError:
    """The error for an error reply as botocore's parser returned it, which may be of any shape."""
    error = parsed.get("Error")
    told = error if isinstance(error, dict) else {}
    code = _text(told.get("QueryErrorCode")) or _text(told.get("Code")) or str(status)
    message = _text(told.get("Message"))
    if code == str(status) and _by_status(status) in _FINAL and not _from_a_service(parsed, operation):
        return Unavailable(code, f"not a service's reply: {message or 'no code'}", status=status, operation=operation)
    return failure(code, message, status=status, operation=operation)


def _from_a_service(parsed: Mapping[str, Any], operation: str) -> bool:
    """Whether a refusal without a code is a service's own, and not that of a proxy on the way, which says nothing of the call.

    A service names what is wrong, or at least the request. Taken for AWS's own refusal, one page of a proxy would give up what is
    done and not yet deleted, and rest the mapping.
    """
    metadata = parsed.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, dict) else None
    return operation.startswith(_HEAD) or any(name.lower() in _REQUEST_IDS for name in headers or ())


def json_failure(status: int, headers: Mapping[str, str], body: bytes, *, operation: str) -> AwsError:
    """The error for an error reply of a JSON service. A body that cannot be read changes nothing: the status decides.

    (It may be no JSON, JSON but no object, nested a thousand deep, compressed, of no encoding: the parser raises anything then.)
    """
    reply = {"status_code": max(status, _ERROR_STATUS), "headers": headers, "body": body}
    try:
        parsed = _JSON_ERRORS.parse(reply, None)
    except Exception as error:
        told = {"Message": f"unreadable reply ({type(error).__name__}): {body[:80]!r}"}
        parsed = {"Error": told, "ResponseMetadata": {"HTTPHeaders": headers}}
    failed = reply_failure(parsed, status=status, operation=operation)
    if isinstance(failed, ConditionUnmet):
        failed.reply = body
    return failed


def _text(value: object) -> str:
    """The value if it is text, else an empty text."""
    return value if isinstance(value, str) else ""


def from_sdk(error: Exception, operation: str) -> AwsError:
    """The error for an exception of the SDK, or of a library that it uses."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, sdk.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return reply_failure(error.response, status=status, operation=operation)
    name = type(error).__name__
    if isinstance(error, sdk.NoCredentialsError):
        return CredentialsExpired(name, f"{error} {_WHERE_CREDENTIALS_ARE}", operation=operation)
    if isinstance(error, _MISSING_CREDENTIALS):
        return CredentialsExpired(name, str(error), operation=operation)
    if isinstance(error, _NO_REPLY):
        return Unavailable(name, str(error), operation=operation)
    if isinstance(error, sdk.BotoCoreError):
        return Refused(name, str(error), operation=operation)
    raise error

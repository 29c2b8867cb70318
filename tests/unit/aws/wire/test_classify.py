"""Every failure becomes the class that says what to do next."""

from __future__ import annotations

import re

import pytest
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from pollers.aws.errors import (
    AccessDenied,
    AwsError,
    CredentialsExpired,
    IteratorExpired,
    NotFound,
    Refused,
    ResourceInUse,
    Throttled,
    Trimmed,
    Unavailable,
)
from pollers.aws.wire.classify import bare_code, failure, from_sdk, is_clock_skew, reply_failure

CODES: list[tuple[str, int, type[AwsError]]] = [
    ("ThrottlingException", 400, Throttled),
    ("RequestThrottled", 403, Throttled),
    ("AWS.SimpleQueueService.OverLimit", 403, Throttled),
    ("OverLimit", 403, Throttled),
    ("ProvisionedThroughputExceededException", 400, Throttled),
    ("LimitExceededException", 400, Throttled),
    ("KMSThrottlingException", 400, Throttled),
    ("KmsThrottled", 400, Throttled),
    ("SlowDown", 503, Throttled),
    ("TooManyRequestsException", 429, Throttled),
    ("SomethingNew", 429, Throttled),
    ("AWS.SimpleQueueService.NonExistentQueue", 400, NotFound),
    ("com.amazonaws.sqs#QueueDoesNotExist", 400, NotFound),
    ("com.amazonaws.kinesis#ResourceNotFoundException:http://internal/", 400, NotFound),
    ("NoSuchBucket", 404, NotFound),
    ("AccessDeniedException", 400, AccessDenied),
    ("AccessDenied", 403, AccessDenied),
    ("KMSAccessDeniedException", 400, AccessDenied),
    ("KmsDisabled", 400, AccessDenied),
    ("AuthorizationError", 403, AccessDenied),
    ("SignatureDoesNotMatch", 403, AccessDenied),
    ("ExpiredToken", 403, CredentialsExpired),
    ("ExpiredTokenException", 400, CredentialsExpired),
    ("UnrecognizedClientException", 400, CredentialsExpired),
    ("InvalidClientTokenId", 403, CredentialsExpired),
    ("RequestTimeTooSkewed", 403, CredentialsExpired),
    ("ExpiredIteratorException", 400, IteratorExpired),
    ("TrimmedDataAccessException", 400, Trimmed),
    ("ResourceInUseException", 400, ResourceInUse),
    ("InternalFailure", 500, Unavailable),
    ("InternalServerError", 400, Unavailable),
    ("ServiceUnavailable", 503, Unavailable),
    ("500", 500, Unavailable),
    ("RequestTimeout", 400, Unavailable),
    ("SomethingNew", 502, Unavailable),
    ("InvalidParameterValue", 400, Refused),
    ("ValidationException", 400, Refused),
    ("ReceiptHandleIsInvalid", 400, Refused),
]


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_a_code_has_its_class(code: str, status: int, kind: type[AwsError]) -> None:
    """With every prefix and suffix that services put around a code; an unknown one goes by its HTTP status."""
    failed = reply_failure({"Error": {"Code": code, "Message": "why"}}, status=status, operation="Op")
    assert type(failed) is kind
    assert (failed.message, failed.status, failed.operation) == ("why", status, "Op")
    assert not set(failed.code) & set("#:.")


@pytest.mark.parametrize("service", ["sqs", "sns", "events", "s3", "lambda", "kinesis", "dynamodb"])
def test_keys_and_throttles_that_may_be_put_right_are_never_final(service: str) -> None:
    """Each service spells its codes in its own way (``KMSThrottling``, ``KmsThrottled``): all that its model has are known."""
    model = get_session().get_service_model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    errors = {one.name: one.metadata.get("error") or {} for one in shapes if one.metadata.get("exception")}
    codes = {error.get("code", name): error.get("httpStatusCode", 400) for name, error in errors.items()}
    passing = [code for code in codes if re.search(r"kms|throttl|notready", code, re.IGNORECASE)]
    assert [one for one in passing if type(failure(one, "", status=codes[one], operation="Op")) is Refused] == []


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, AccessDenied), (404, NotFound), (418, Refused)])
def test_a_refusal_without_a_code_is_final_only_from_a_service(status: int, kind: type[AwsError]) -> None:
    """A service names the request; the page of a proxy does not, and what it refuses may work when tried again."""
    page: dict[str, object] = {"Error": {"Code": str(status), "Message": "<html>blocked</html>"}}
    for headers in ({}, {"content-type": "text/html", "server": "proxy"}):
        failed = reply_failure(
            page | {"ResponseMetadata": {"HTTPHeaders": headers}}, status=status, operation="DeleteMessageBatch"
        )
        assert type(failed) is Unavailable
        assert failed.message == "not a service's reply: <html>blocked</html>"
    for name in ("x-amzn-RequestId", "x-amz-request-id", "x-amzn-errortype"):
        named = page | {"ResponseMetadata": {"HTTPHeaders": {name: "1"}}}
        assert type(reply_failure(named, status=status, operation="DeleteMessageBatch")) is kind
    assert type(reply_failure(page, status=status, operation="HeadBucket")) is kind


def test_too_many_requests_is_throttling_whoever_says_it() -> None:
    """A proxy's own limit is slowed down for just the same."""
    assert type(reply_failure({"Error": {"Code": "429"}}, status=429, operation="ReceiveMessage")) is Throttled


def test_the_query_code_goes_before_the_shapes_name() -> None:
    """SQS's JSON protocol gives the old code beside the new one; it is the more precise of the two."""
    parsed = {"Error": {"Code": "QueueDoesNotExist", "QueryErrorCode": "AWS.SimpleQueueService.NonExistentQueue"}}
    assert reply_failure(parsed, status=400, operation="").code == "NonExistentQueue"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature expired: 20250101T000000Z is now earlier than 20250101T001000Z"),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20250101T001000Z is still later than 20250101T000000Z",
        ),
        ("SignatureDoesNotMatch", "Signature expired: 20250101T000000Z is now earlier than 20250101T001000Z"),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_wrong_clock_is_told_from_a_wrong_key(code: str, message: str) -> None:
    """Services use the same code for both; only the text is different."""
    failed = reply_failure({"Error": {"Code": code, "Message": message}}, status=403, operation="")
    assert isinstance(failed, CredentialsExpired)
    assert is_clock_skew(failed)


def test_a_wrong_key_is_no_clock_skew() -> None:
    """The clock is left alone."""
    parsed = {
        "Error": {"Code": "InvalidSignatureException", "Message": "The request signature we calculated does not match"}
    }
    failed = reply_failure(parsed, status=403, operation="")
    assert isinstance(failed, AccessDenied)
    assert not is_clock_skew(failed)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (sdk.NoCredentialsError(), CredentialsExpired),
        (sdk.PartialCredentialsError(provider="env", cred_var="x"), CredentialsExpired),
        (sdk.CredentialRetrievalError(provider="role", error_msg="x"), CredentialsExpired),
        (sdk.TokenRetrievalError(provider="sso", error_msg="x"), CredentialsExpired),
        (sdk.UnauthorizedSSOTokenError(), CredentialsExpired),
        (sdk.EndpointConnectionError(endpoint_url="http://x"), Unavailable),
        (sdk.ConnectTimeoutError(endpoint_url="http://x"), Unavailable),
        (sdk.ReadTimeoutError(endpoint_url="http://x"), Unavailable),
        (sdk.ConnectionClosedError(endpoint_url="http://x"), Unavailable),
        (sdk.ProxyConnectionError(proxy_url="http://x"), Unavailable),
        (sdk.SSLError(endpoint_url="http://x", error="x"), Unavailable),
        (ResponseParserError("garbage"), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (sdk.ParamValidationError(report="x"), Refused),
        (
            sdk.ClientError(
                {"Error": {"Code": "ExpiredToken"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "AssumeRole"
            ),
            CredentialsExpired,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_sdk_raises_has_its_class(raised: Exception, kind: type[AwsError]) -> None:
    """Its own exceptions, and the network's that come through it."""
    assert type(from_sdk(raised, "Op")) is kind


def test_a_fault_of_ours_is_not_taken_for_the_services() -> None:
    """An exception that comes neither from AWS nor from the network is not changed."""
    with pytest.raises(KeyError):
        from_sdk(KeyError("a bug"), "Op")


@pytest.mark.parametrize(
    ("code", "bare"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", "NonExistentQueue"),
        ("com.amazonaws.sqs#QueueDoesNotExist", "QueueDoesNotExist"),
        ("ResourceNotFoundException:http://internal.amazon.com/coral/", "ResourceNotFoundException"),
        ("InternalError", "InternalError"),
        ("", ""),
    ],
)
def test_codes_lose_what_is_around_them(code: str, bare: str) -> None:
    """Prefixes of a protocol, a namespace, a URL."""
    assert bare_code(code) == bare

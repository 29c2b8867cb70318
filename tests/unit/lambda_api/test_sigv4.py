"""Signatures, held against those of botocore."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from pollers.lambda_api import sigv4
from pollers.lambda_api.errors import ApiError
from pollers.lambda_api.sigv4 import Expected, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW = 1_770_000_000.0
EXPECTED = Expected("secret/+=", "us-east-1")
HOST = "127.0.0.1:9001"
INVOKE = "/2015-03-31/functions/orders/invocations"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


def signed(
    *,
    method: str = "POST",
    path: str = INVOKE,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"{}",
    key: str = "AKID",
    token: str | None = None,
    region: str = "us-east-1",
    service: str = "lambda",
    at: float = NOW,
    expires: int | None = None,
) -> Head:
    """A request as botocore signs it, in its header, or in its query where it expires. It presigns only what has no body."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=dict(headers or {}), data=body if expires is None else b"")
    credentials = Credentials(key, EXPECTED.secret, token)
    signer: Any = SigV4Auth(credentials, service, region)
    if expires is not None:
        signer = SigV4QueryAuth(credentials, service, region, expires=expires)
    with mock.patch("botocore.auth.get_current_datetime", return_value=dt.datetime.fromtimestamp(at, dt.UTC)):
        signer.add_auth(request)
    parts = urlsplit(request.url)
    pairs = [(name.lower(), str(value)) for name, value in request.headers.items()]
    return Head(method, parts.path, parts.query, [("host", HOST), *pairs])


def verify(head: Head, body: bytes = b"{}", now: float = NOW) -> None:
    signature = sigv4.read(head)
    sigv4.check_head(signature, head, EXPECTED, now)
    sigv4.check(signature, head, body, EXPECTED)


def refused(head: Head, body: bytes = b"{}", now: float = NOW) -> ApiError:
    with pytest.raises(ApiError) as caught:
        verify(head, body, now)
    assert caught.value.status == 403
    return caught.value


def with_header(head: Head, name: str, value: str) -> Head:
    """The same request with another value of a header, or with a header more."""
    return replace(head, headers=[*(pair for pair in head.headers if pair[0] != name), (name, value)])


@pytest.mark.parametrize("expires", [None, 300])
@given(
    segments=st.lists(TEXTS, min_size=1, max_size=4),
    query=st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=3),
    body=st.binary(max_size=20),
    context=st.text("abcXYZ09 \t=", max_size=12),
)
def test_what_botocore_signs_is_accepted(
    expires: int | None, segments: list[str], query: list[tuple[str, str]], body: bytes, context: str
) -> None:
    """Whatever stands in path, query, headers and body."""
    path = "/" + "/".join(quote(segment, safe="-_.~") for segment in segments)
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    verify(
        signed(path=path, query=text, body=body, headers={"X-Amz-Client-Context": context}, expires=expires),
        b"" if expires else body,
    )


@pytest.mark.parametrize(
    "changed",
    [
        lambda head: replace(head, method="PUT"),
        lambda head: replace(head, path=head.path + "x"),
        lambda head: replace(head, path=head.path.replace("%3A", "%253A")),
        lambda head: replace(head, query="Qualifier=2"),
        lambda head: replace(head, query="Qualifier=1&Qualifier=1"),
        lambda head: with_header(head, "host", "elsewhere:9001"),
        lambda head: with_header(head, "x-amz-invocation-type", "DryRun"),
        lambda head: replace(head, headers=[*head.headers, ("x-amz-invocation-type", "Event")]),
        lambda head: replace(head, headers=[pair for pair in head.headers if pair[0] != "x-amz-invocation-type"]),
    ],
)
def test_what_was_changed_on_the_way_is_refused(changed: Callable[[Head], Head]) -> None:
    """Everything that is signed."""
    path = "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations"
    head = signed(path=path, query="Qualifier=1", headers={"X-Amz-Invocation-Type": "Event"})
    verify(head)
    error = refused(changed(head))
    assert (error.error_type, error.message) == ("InvalidSignatureException", sigv4.MISMATCH)


def test_another_body_is_refused() -> None:
    """Its hash is signed."""
    assert refused(signed(), b"{ }").message == sigv4.MISMATCH


@pytest.mark.parametrize("name", ["x-amz-client-context", "x-amz-log-type", "x-amz-security-token"])
def test_a_header_that_changes_what_is_done_must_be_signed(name: str) -> None:
    """Else whoever stands between could add it."""
    assert "must be a 'SignedHeader'" in refused(with_header(signed(), name, "Tail")).message


def test_a_header_that_a_proxy_adds_need_not_be_signed() -> None:
    """Such as CloudFront's."""
    verify(with_header(signed(), "x-amz-cf-id", "abc"))


def test_a_session_token_that_is_signed_is_taken() -> None:
    """It is not looked at."""
    verify(signed(token="token"))
    verify(signed(token="token", expires=60), b"")


@pytest.mark.parametrize("hashed", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64])
def test_a_payload_that_is_not_signed_is_refused(hashed: str) -> None:
    """And so is a hash of something else, though the signature is right."""
    assert "x-amz-content-sha256" in refused(signed(headers={"X-Amz-Content-SHA256": hashed})).message


@pytest.mark.parametrize(("seconds", "said"), [(-301, "Signature not yet current"), (301, "Signature expired")])
def test_a_clock_may_be_five_minutes_off(seconds: int, said: str) -> None:
    """And no more, in either direction."""
    verify(signed(), now=NOW + seconds // 301 * 299)
    assert refused(signed(), now=NOW + seconds).message.startswith(said)


def test_a_presigned_request_holds_as_long_as_it_says() -> None:
    """X-Amz-Expires in place of the five minutes, which still count for a clock that is ahead."""
    head = signed(expires=3600)
    verify(head, b"", now=NOW + 3599)
    assert refused(head, now=NOW + 3601).message.startswith("Signature expired")
    assert refused(head, now=NOW - 301).message.startswith("Signature not yet current")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"region": "eu-west-1"}, "Credential should be scoped to a valid region, not 'eu-west-1'."),
        ({"service": "s3"}, "Credential should be scoped to correct service: 'lambda'."),
    ],
)
def test_a_signature_for_another_scope_is_refused(wrong: dict[str, str], said: str) -> None:
    """In AWS's words."""
    assert refused(signed(**wrong)).message == said  # type: ignore[arg-type]


def authorization(value: str) -> Head:
    return with_header(signed(), "authorization", value)


@pytest.mark.parametrize(
    ("head", "error_type"),
    [
        (Head("POST", INVOKE, "", [("host", HOST)]), "MissingAuthenticationTokenException"),
        (authorization("Basic YTpi"), "IncompleteSignatureException"),
        (authorization("AWS4-HMAC-SHA256"), "IncompleteSignatureException"),
        (
            authorization("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"),
            "IncompleteSignatureException",
        ),
        (authorization("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=é"), "IncompleteSignatureException"),
        (replace(signed(), headers=[*signed().headers, signed().headers[-1]]), "IncompleteSignatureException"),
        (with_header(signed(), "x-amz-date", "yesterday"), "IncompleteSignatureException"),
        (with_header(signed(), "x-amz-date", "20269999T999999Z"), "InvalidSignatureException"),
        (replace(signed(expires=60), query="X-Amz-Algorithm=AWS4-HMAC-SHA256"), "IncompleteSignatureException"),
        (
            replace(signed(expires=60), query=signed(expires=60).query.replace("Expires=60", "Expires=9999999")),
            "IncompleteSignatureException",
        ),
    ],
)
def test_what_is_no_signature_is_told_so(head: Head, error_type: str) -> None:
    """With the type that SDKs know."""
    assert refused(head).error_type == error_type


@given(st.text(), st.text(), st.lists(st.tuples(st.sampled_from(["host", "authorization", "x-amz-date"]), st.text())))
def test_whatever_comes_is_refused_and_nothing_else_is_raised(
    path: str, query: str, headers: list[tuple[str, str]]
) -> None:
    """No request of nonsense has a signature."""
    refused(Head("POST", path, query, headers))


@given(st.text(), st.text(alphabet="0123456789abcdef", max_size=70), st.text())
def test_a_signature_of_nonsense_is_refused(names: str, value: str, scope: str) -> None:
    """Whatever stands in the parts of the header."""
    refused(authorization(f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={value}"))


def test_a_query_that_a_client_has_encoded_in_its_own_way_is_accepted() -> None:
    """botocore signs the query of a URL as it stands there, such as a plus sign."""
    verify(signed(query="q=a+b&x"))

"""Our signatures are botocore's, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.wire.signing import Signer

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
HEADERS = {
    "Host": "sqs.eu-west-1.amazonaws.com",
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "AmazonSQS.ReceiveMessage",
    "x-amzn-query-mode": "true",
}


def by_botocore(body: bytes, credentials: ReadOnlyCredentials, now: float, headers: dict[str, str]) -> dict[str, str]:
    """The headers that botocore would add."""
    at = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
    request = AWSRequest("POST", f"https://{headers['Host']}/", dict(headers), body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        SigV4Auth(credentials, "sqs", "eu-west-1").add_auth(request)
    return {
        name: request.headers[name]
        for name in ("X-Amz-Date", "X-Amz-Security-Token", "Authorization")
        if name in request.headers
    }


def by_us(signer: Signer, body: bytes, credentials: ReadOnlyCredentials, now: float) -> dict[str, str]:
    """The same of ours."""
    lines = signer.sign(body, credentials, now).split("\r\n")
    assert lines.pop() == ""
    return dict(line.split(": ", 1) for line in lines)


@given(
    body=st.binary(max_size=100),
    key=printable,
    secret=printable,
    token=st.none() | printable,
    now=st.floats(0, 4_000_000_000),
)
def test_signatures_are_botocores(body: bytes, key: str, secret: str, token: str | None, now: float) -> None:
    """For any body, credentials (with and without a session token) and time."""
    credentials = ReadOnlyCredentials(key, secret, token, None)
    signer = Signer(path="/", service="sqs", region="eu-west-1", headers=HEADERS)
    assert by_us(signer, body, credentials, now) == by_botocore(body, credentials, now, HEADERS)


def test_a_signer_follows_new_credentials_and_a_new_day() -> None:
    """The cached key is used for its secret and its day only."""
    signer = Signer(path="/", service="sqs", region="eu-west-1", headers=HEADERS)
    for now in (1_760_000_000.0, 1_760_000_000.9, 1_760_086_400.0):
        for secret, token in (("one", None), ("two", "token"), ("one", None)):
            credentials = ReadOnlyCredentials("AKIA", secret, token, None)
            assert by_us(signer, b"{}", credentials, now) == by_botocore(b"{}", credentials, now, HEADERS)


def test_braces_in_a_header_are_no_template() -> None:
    """A host or target may hold any character."""
    headers = HEADERS | {"X-Amz-Target": "{0}{}.{2}"}
    signer = Signer(path="/", service="sqs", region="eu-west-1", headers=headers)
    credentials = ReadOnlyCredentials("AKIA", "secret", "{token}", None)
    assert by_us(signer, b"{}", credentials, 0.0) == by_botocore(b"{}", credentials, 0.0, headers)

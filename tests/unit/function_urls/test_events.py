"""Events of format 2.0."""

from __future__ import annotations

import base64
import locale
from urllib.parse import unquote_to_bytes

import pytest
from aws_lambda_powertools.utilities.data_classes import LambdaFunctionUrlEvent
from aws_lambda_powertools.utilities.parser.models import LambdaFunctionUrlModel
from hypothesis import given
from hypothesis import strategies as st

from pollers.function_urls.events import Signer, spelled_time, trace_header
from pollers.function_urls.head import BadTarget
from tests.unit.function_urls.requests import NOW, PEER, TRACE, event_of, head

LINE = st.binary().map(lambda raw: raw.translate(None, b"\r\n\0"))
"""What an HTTP parser lets through in a line."""


def test_a_get_has_the_members_of_the_recorded_one() -> None:
    """To the letter, in their order, and none that would be empty."""
    event = event_of(head(b"/", (b"User-Agent", b"curl/8")))
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {
            "host": "hello.lambda-url.us-east-1.localhost:9001",
            "user-agent": "curl/8",
            "x-amzn-trace-id": TRACE,
            "x-forwarded-for": PEER,
            "x-forwarded-proto": "http",
            "x-forwarded-port": "9001",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "hello",
            "domainName": "hello.lambda-url.us-east-1.localhost",
            "domainPrefix": "hello",
            "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": PEER, "userAgent": "curl/8"},
            "requestId": "5b2c9b0e-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "05/Aug/2022:08:14:39 +0000",
            "timeEpoch": 1659687279885,
        },
        "isBase64Encoded": False,
    }
    assert list(event)[:4] == ["version", "routeKey", "rawPath", "rawQueryString"]


def test_a_signed_request_names_the_account() -> None:
    """With AWS_IAM there is an authorizer, and authentication is null."""
    context = event_of(head(), signer=Signer("AKIAEXAMPLE", "000000000000"))["requestContext"]
    assert context["accountId"] == "000000000000"
    assert context["authentication"] is None
    assert context["authorizer"] == {
        "iam": {
            "accessKey": "AKIAEXAMPLE",
            "accountId": "000000000000",
            "callerId": "000000000000",
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": "arn:aws:iam::000000000000:root",
            "userId": "000000000000",
        }
    }


@pytest.mark.parametrize("signer", [None, Signer("AKIAEXAMPLE", "000000000000")])
def test_powertools_reads_the_event(signer: Signer | None) -> None:
    """By its model, and by its class of events."""
    sent = head(b"/a%20b?x=1&x=2", (b"Cookie", b"c=1"), (b"Content-Type", b"application/json"), method="POST")
    event = event_of(sent, b'{"a":1}', signer=signer)
    LambdaFunctionUrlModel.model_validate(event)
    read = LambdaFunctionUrlEvent(event)
    assert (read.path, read.http_method, read.json_body) == ("/a%20b", "POST", {"a": 1})
    assert (read.query_string_parameters, read.cookies) == ({"x": "1,2"}, ["c=1"])


@pytest.mark.parametrize(
    ("target", "raw_path", "path"),
    [
        (b"/pa2%25Fth/1", "/pa2%25Fth/1", "/pa2%Fth/1"),
        (b"/a%2Fb", "/a%2Fb", "/a/b"),
        (b"/a+b", "/a+b", "/a+b"),
        (b"/caf%C3%A9", "/caf%C3%A9", "/caf\u00e9"),
        ("/caf\u00e9".encode(), "/caf%C3%A9", "/caf\u00e9"),
        (b"/%FF", "/%FF", "/%FF"),
        (b"/%zz%", "/%zz%", "/%zz%"),
        (b"/a/../b//c/.", "/a/../b//c/.", "/a/../b//c/."),
        (b"/%00", "/%00", "/\0"),
        (b"http://elsewhere:1/a?b=c", "/a", "/a"),
        (b"http://elsewhere?b=c", "/", "/"),
    ],
)
def test_the_path_is_there_as_sent_and_decoded_once(target: bytes, raw_path: str, path: str) -> None:
    """Nothing is made shorter or decoded twice; what no URL may have is encoded."""
    event = event_of(head(target))
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == (raw_path, path)


@pytest.mark.parametrize("target", [b"*", b"example.com:443", b"", b"a/b"])
def test_a_target_without_a_path_is_refused(target: bytes) -> None:
    """Such as that of OPTIONS * or CONNECT."""
    with pytest.raises(BadTarget, match="expected a path"):
        event_of(head(target))


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (b"multiQuery=foo&multiQuery=%2Fbar", {"multiQuery": "foo,/bar"}),
        (b"a=1&b=2&a=3", {"a": "1,3", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=", {"a": ""}),
        (b"=a", {"": "a"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1+2%2B3", {"a": "1 2+3"}),
        (b"a%20b=1;c=2", {"a b": "1;c=2"}),
        (b"a=%FF", {"a": "%FF"}),
        (b"a=?/x", {"a": "?/x"}),
        (b"__proto__=1", {"__proto__": "1"}),
    ],
)
def test_the_query_is_there_as_sent_and_as_parameters(query: bytes, parameters: dict[str, str]) -> None:
    """Values of one name are joined by commas."""
    event = event_of(head(b"/p?" + query))
    assert event["rawQueryString"] == query.decode()
    assert event["queryStringParameters"] == parameters


@pytest.mark.parametrize("target", [b"/", b"/?", b"/?&&"])
def test_no_parameters_no_member(target: bytes) -> None:
    """An empty queryStringParameters is absent."""
    assert "queryStringParameters" not in event_of(head(target))


def test_headers_are_in_lower_case_and_repeated_ones_joined() -> None:
    """Values are kept as they are."""
    headers = event_of(head(b"/", (b"X-One", b"A, B"), (b"x-one", b"c"), (b"X-TWO", b"")))["headers"]
    assert headers["x-one"] == "A, B,c"
    assert headers["x-two"] == ""


def test_headers_of_the_connection_are_not_passed_on() -> None:
    """They are between the client and us."""
    sent = [b"Connection", b"Keep-Alive", b"Transfer-Encoding", b"TE", b"Trailer", b"Upgrade", b"Expect"]
    headers = event_of(head(b"/", *((name, b"x") for name in sent)))["headers"]
    assert {name.decode().lower() for name in sent} & headers.keys() == set()


def test_a_client_cannot_say_which_tls_it_speaks() -> None:
    """On AWS the front end says it; a trusted proxy may."""
    sent = head(b"/", (b"X-Amzn-Tls-Version", b"TLSv1.3"))
    assert "x-amzn-tls-version" not in event_of(sent)["headers"]
    assert event_of(sent, trusted=(PEER,))["headers"]["x-amzn-tls-version"] == "TLSv1.3"


def test_a_trace_that_the_client_began_goes_on() -> None:
    """A trace id is made only where there is none."""
    headers = event_of(head(b"/", (b"X-Amzn-Trace-Id", b"Root=1-0-1")))["headers"]
    assert headers["x-amzn-trace-id"] == "Root=1-0-1"


def test_cookies_are_a_member_of_their_own() -> None:
    """From every Cookie header, and not in headers."""
    event = event_of(head(b"/", (b"Cookie", b"a=1; b=2;; "), (b"cookie", b'c={"x": 1, y}; d')))
    assert event["cookies"] == ["a=1", "b=2", 'c={"x": 1, y}', "d"]
    assert "cookie" not in event["headers"]


def test_an_empty_cookie_header_brings_no_member() -> None:
    """As without one."""
    assert "cookies" not in event_of(head(b"/", (b"Cookie", b" ; ")))


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/plain",
        b"TEXT/HTML; charset=utf-8",
        b"application/json",
        b"application/javascript",
        b"application/xml",
        b"application/problem+json",
        b"image/svg+xml",
    ],
)
def test_texts_are_in_the_event_as_they_are(content_type: bytes) -> None:
    """By their media type, whatever case and parameters it has."""
    event = event_of(head(b"/", (b"Content-Type", content_type), method="POST"), "gr\u00fcn \u2713".encode())
    assert (event["body"], event["isBase64Encoded"]) == ("gr\u00fcn \u2713", False)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/octet-stream",
        b"application/json-seq",
        b"x/text/plain",
    ],
)
def test_everything_else_is_base64(content_type: bytes | None) -> None:
    """Also a form, and a body of no type."""
    sent = () if content_type is None else ((b"Content-Type", content_type),)
    event = event_of(head(b"/", *sent, method="POST"), b"a=1")
    assert (event["body"], event["isBase64Encoded"]) == ("YT0x", True)


def test_a_text_that_is_not_utf_8_is_base64() -> None:
    """No byte is lost."""
    event = event_of(head(b"/", (b"Content-Type", b"text/plain; charset=latin-1"), method="POST"), b"gr\xfcn")
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"gr\xfcn", True)


def test_no_body_no_member() -> None:
    """Whatever its type would be."""
    event = event_of(head(b"/", (b"Content-Type", b"image/png"), method="POST"))
    assert "body" not in event
    assert event["isBase64Encoded"] is False


def test_months_are_english_whatever_the_locale() -> None:
    """strftime would follow the locale."""
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert spelled_time(NOW + 86_400 * 60) == "04/Oct/2022:08:14:39 +0000"
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_a_trace_id_is_as_x_ray_spells_it() -> None:
    """Eight digits of time, 24 of chance."""
    assert trace_header(1659687279.9, 255) == "Root=1-62ecd16f-0000000000000000000000ff"


@given(
    path=LINE,
    query=LINE,
    cookie=LINE,
    value=LINE,
    content_type=st.sampled_from([b"text/plain", b"application/json", b"image/png"]),
    body=st.binary(),
)
def test_whatever_is_sent_becomes_valid_json_and_loses_nothing(
    path: bytes, query: bytes, cookie: bytes, value: bytes, content_type: bytes, body: bytes
) -> None:
    """Any bytes in path, query, cookies, headers and body."""
    sent = head(
        b"/" + path + b"?" + query,
        (b"Cookie", cookie),
        (b"X-Value", value),
        (b"Content-Type", content_type),
        method="PUT",
    )
    event = event_of(sent, body)
    asked_path, _, asked_query = (path + b"?" + query).partition(b"?")
    assert unquote_to_bytes(event["rawPath"]) == b"/" + unquote_to_bytes(asked_path)
    assert unquote_to_bytes(event["rawQueryString"]) == unquote_to_bytes(asked_query)
    assert event["rawPath"].isascii()
    assert value in _as_bytes(event["headers"]["x-value"])
    kept = "".join(event.get("cookies", []))
    assert any(
        "".join(part.strip() for part in cookie.decode(coding, "replace").split(";")) == kept
        for coding in ("utf-8", "latin-1")
    )
    found = event.get("body", "")
    assert (base64.b64decode(found) if event["isBase64Encoded"] else found.encode()) == body


def _as_bytes(text: str) -> list[bytes]:
    """What bytes a text may have been."""
    return [text.encode()] + ([text.encode("latin-1")] if all(ord(sign) < 256 for sign in text) else [])

"""Function URLs over HTTP."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import weakref

import anyio
import pytest
from aiohttp import hdrs
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.errors import FunctionUnusable
from handlers.function import PAYLOAD_LIMIT_BYTES, InfrastructureError, Throttle
from pollers.function_urls import sites
from pollers.function_urls.replies import FORBIDDEN
from pollers.function_urls.reply_headers import InvalidReply
from pollers.lambda_api import SignedAccess
from tests.unit.function_urls.site import FAILURE, site

PATH = "/function-urls/hello"
DOMAIN = "hello.lambda-url.us-east-1.localhost"
SECRET = "a secret"


async def test_a_url_is_reached_by_its_host_name() -> None:
    """In any case, and with every path."""
    async with site() as at:
        for host in (f"{DOMAIN}:9001", DOMAIN.upper()):
            async with at.rig.session.get("/2015-03-31/a?b=c", headers={"Host": host}) as reply:
                event = await reply.json()
            assert event["rawPath"] == "/2015-03-31/a"
            assert event["rawQueryString"] == "b=c"
            assert event["headers"]["host"] == host
            assert event["requestContext"]["domainName"] == DOMAIN


async def test_a_url_is_reached_by_its_path() -> None:
    """The prefix is no part of what the function sees; the domain is the URL's all the same."""
    async with site() as at:
        for path, seen in ((PATH, "/"), (f"{PATH}/", "/"), (f"{PATH}/a/b", "/a/b")):
            async with at.rig.session.get(path) as reply:
                event = await reply.json()
            assert event["rawPath"] == event["requestContext"]["http"]["path"] == seen
            assert event["requestContext"]["domainName"] == DOMAIN
            assert event["headers"]["x-forwarded-for"] == event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
            assert event["headers"]["x-forwarded-port"] == str(at.rig.address[1])


async def test_the_operations_of_the_api_are_still_there() -> None:
    """A request that names no URL is not for one."""
    async with site() as at:
        assert await at.rig.invoke(body=b"[1]") == (200, b"[1]")


async def test_the_path_arrives_as_it_was_sent() -> None:
    """No client library in between, and nothing tidied up here."""
    async with site() as at:
        head = f"GET {PATH}/pa2%25Fth/../x//%zz?a=%2f&a=b+c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        event = json.loads((await at.send(head.encode())).partition(b"\r\n\r\n")[2])
        assert event["rawPath"] == "/pa2%25Fth/../x//%zz"
        assert event["requestContext"]["http"]["path"] == "/pa2%Fth/../x//%zz"
        assert event["rawQueryString"] == "a=%2f&a=b+c"
        assert event["queryStringParameters"] == {"a": "/,b c"}
        assert "connection" not in event["headers"]


async def test_the_request_id_is_that_of_the_invocation() -> None:
    """In the event and in the reply, as is the id of the trace."""
    async with site() as at, at.rig.session.get(PATH) as reply:
        event = await reply.json()
        assert reply.headers["x-amzn-RequestId"] == event["requestContext"]["requestId"]
        assert reply.headers["x-amzn-Trace-Id"] == event["headers"]["x-amzn-trace-id"]


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/function-urls/other", "localhost"),
        ("/function-urls/", "localhost"),
        ("/", "other.lambda-url.us-east-1.localhost"),
        ("/", "hello.lambda-url.eu-west-1.localhost"),
    ],
)
async def test_an_unknown_url_is_403(path: str, host: str) -> None:
    """Never 404, as recorded."""
    async with site() as at, at.rig.session.get(path, headers={"Host": host}) as reply:
        assert (reply.status, await reply.read()) == (403, b'{"Message":null}')
        assert reply.headers["x-amzn-ErrorType"] == "AccessDeniedException"
        assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "host"), [(PATH, "evil.example"), ("/", "hello.lambda-url.us-east-1.evil.example:9001")]
)
async def test_a_host_name_that_may_be_a_pages_is_refused(path: str, host: str) -> None:
    """A page whose name leads to loopback could read replies; a reverse proxy has to be named."""
    async with site() as at, at.rig.session.get(path, headers={"Host": host}) as reply:
        assert reply.status == 403
        assert "lambda_api.trusted_proxies" in (await reply.json())["Message"]
    async with site(trusted=("127.0.0.1",)) as at, at.rig.session.get(path, headers={"Host": host}) as reply:
        assert reply.status == 200


async def test_a_trusted_proxy_says_who_asks() -> None:
    """And anybody else does not."""
    said = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": f"{DOMAIN}:443",
        "Host": "backend:9001",
    }
    async with site(trusted=("127.0.0.0/8",)) as at, at.rig.session.get("/a", headers=said) as reply:
        event = await reply.json()
        assert event["rawPath"] == "/a"
        assert event["requestContext"]["http"]["sourceIp"] == "203.0.113.9"
        assert event["headers"]["x-forwarded-proto"] == "https"
    async with site() as at, at.rig.session.get(PATH, headers={**said, "Host": "localhost"}) as reply:
        event = await reply.json()
        assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
        assert event["headers"]["x-forwarded-proto"] == "http"
        assert "x-forwarded-host" not in event["headers"]


async def test_a_proxy_may_call_us_by_the_urls_name() -> None:
    """And tell the one that it was called by; the function sees both."""
    said = {"Host": DOMAIN, "X-Forwarded-Host": "shop.example"}
    async with site(trusted=("127.0.0.1",)) as at, at.rig.session.get("/a", headers=said) as reply:
        event = await reply.json()
        assert (event["headers"]["host"], event["headers"]["x-forwarded-host"]) == (DOMAIN, "shop.example")


async def test_a_reply_is_what_the_function_says() -> None:
    """Status, headers, every cookie by itself, body."""
    async with site() as at:
        at.told.returns(b'{"statusCode":"418","headers":{"X-A":"1"},"cookies":["a=1","b=2"],"body":"tea"}')
        async with at.rig.session.post(PATH, data=b"x") as reply:
            assert (reply.status, await reply.read()) == (418, b"tea")
            assert reply.headers["X-A"] == "1"
            assert reply.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert reply.headers["Content-Type"] == "application/json"
            assert reply.headers["Content-Length"] == "3"


async def test_head_has_the_headers_of_the_reply_and_no_body() -> None:
    """Also of a long one, which is sent in pieces otherwise; the connection goes on."""
    async with site() as at:
        for length in (5, 200_000):
            at.told.returns(json.dumps({"statusCode": 200, "body": "x" * length}).encode())
            ask = f"HEAD {PATH} HTTP/1.1\r\nHost: localhost\r\n"
            raw = await at.send(f"{ask}\r\n{ask}Connection: close\r\n\r\n".encode())
            heads = raw.split(b"\r\n\r\n")
            assert len(heads) == 3
            assert heads[2] == b""
            assert all(f"Content-Length: {length}".encode() in head for head in heads[:2])


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_ends_with_its_head(status: int) -> None:
    """The next reply on the connection is not taken for its body."""
    async with site() as at:
        at.told.returns(json.dumps({"statusCode": status, "body": "x"}).encode())
        ask = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n"
        raw = await at.send(f"{ask}\r\n{ask}Connection: close\r\n\r\n".encode())
        assert raw.count(f"HTTP/1.1 {status}".encode()) == 2
        assert b"x" not in raw.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0]


async def test_a_function_cannot_write_into_the_head_of_its_reply() -> None:
    """502, and nothing of it is sent."""
    async with site() as at:
        at.told.returns(json.dumps({"statusCode": 200, "headers": {"X-A": "1\r\nSet-Cookie: stolen=1"}}).encode())
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (502, b"Internal Server Error")
            assert "Set-Cookie" not in reply.headers
            assert "X-A" not in reply.headers


async def test_a_function_cannot_change_the_framing_of_its_reply() -> None:
    """One reply stays one reply."""
    async with site() as at:
        headers = {"Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "upgrade", "Keep-Alive": "x"}
        at.told.returns(json.dumps({"statusCode": 200, "headers": headers, "body": "whole"}).encode())
        for _ in range(2):
            async with at.rig.session.get(PATH) as reply:
                assert await reply.read() == b"whole"
                assert "Transfer-Encoding" not in reply.headers


async def test_what_goes_wrong_has_its_status() -> None:
    """A failed function, one that is busy, one that could not run, one that cannot be had."""
    async with site() as at:
        for result, status in ((FAILURE, 502), (Throttle("full", 2), 429), (InfrastructureError("away"), 502)):
            at.told.returns(result)
            async with at.rig.session.get(PATH) as reply:
                assert reply.status == status
                assert reply.headers["x-amzn-RequestId"]
        at.told.problem = FunctionUnusable("no code")
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (502, b"Internal Server Error")


async def test_an_event_beyond_6_mb_is_413() -> None:
    """The event counts, so a binary body may have three quarters of it."""
    async with site() as at:
        at.told.returns(b'"taken"')
        for headers, fits in (
            ({"Content-Type": "text/plain"}, PAYLOAD_LIMIT_BYTES - 4096),
            ({}, PAYLOAD_LIMIT_BYTES * 3 // 4 - 4096),
        ):
            for length, status in ((fits, 200), (fits + 4096, 413)):
                async with at.rig.session.post(
                    PATH, data=io.BytesIO(b"x" * length), headers=headers, skip_auto_headers=[hdrs.CONTENT_TYPE]
                ) as reply:
                    assert reply.status == status


async def test_a_body_beyond_the_limit_is_not_read() -> None:
    """Its length is refused before it comes."""
    async with site() as at:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**9}\r\n\r\n"
        reader, writer = await asyncio.open_connection(*at.rig.address)
        writer.write(head.encode())
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413")
        writer.transport.abort()


async def test_a_chunked_body_arrives_whole() -> None:
    """And its coding is not passed on."""
    async with site() as at:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: text/plain\r\nConnection: close\r\n\r\n"
        )
        reply = await at.send(head.encode() + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n")
        event = json.loads(reply.partition(b"\r\n\r\n")[2])
        assert event["body"] == "abc"
        assert "transfer-encoding" not in event["headers"]


async def test_a_client_is_told_to_go_on() -> None:
    """Before it sends its body; the function does not hear of it."""
    async with site() as at:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
        reply = await at.send(head.encode())
        assert reply.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        assert b'"expect"' not in reply


async def test_a_wish_for_another_protocol_is_not_followed() -> None:
    """It is a request as any other."""
    async with site() as at:
        head = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        reply = await at.send(head.encode())
        assert reply.startswith(b"HTTP/1.1 200")
        assert b'"upgrade"' not in reply


async def test_a_compressed_body_is_not_unpacked() -> None:
    """The function gets what was sent."""
    async with (
        site() as at,
        at.rig.session.post(PATH, data=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}) as reply,
    ):
        event = await reply.json()
        assert (event["body"], event["isBase64Encoded"]) == ("H4sI", True)


async def test_a_preflight_does_not_reach_the_function() -> None:
    """Also where calls must be signed: preflights never are."""
    async with site(auth="AWS_IAM", cors={"allow_origins": ["https://a.example"], "allow_methods": ["PUT"]}) as at:
        asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
        async with at.rig.session.options(PATH, headers=asked) as reply:
            assert (reply.status, await reply.read()) == (200, b"")
            assert reply.headers["Access-Control-Allow-Methods"] == "PUT"
            assert reply.headers["Content-Length"] == "0"
        assert at.told.events == []


async def test_cors_headers_join_those_of_the_function() -> None:
    """Even if one is there twice then; and errors have them too, so that the page can read the status."""
    async with site(cors={"allow_origins": ["https://a.example"], "expose_headers": ["x-a"]}) as at:
        at.told.returns(b'{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*","Vary":"Accept"}}')
        async with at.rig.session.get(PATH, headers={"Origin": "https://a.example"}) as reply:
            assert reply.headers.getall("Access-Control-Allow-Origin") == ["*", "https://a.example"]
            assert reply.headers.getall("Vary") == ["Accept", "Origin"]
            assert reply.headers["Access-Control-Expose-Headers"] == "x-a"
        at.told.returns(FAILURE)
        async with at.rig.session.get(PATH, headers={"Origin": "https://a.example"}) as reply:
            assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (502, "https://a.example")
        async with at.rig.session.get(PATH, headers={"Origin": "https://b.example"}) as reply:
            assert reply.status == 502
            assert "Access-Control-Allow-Origin" not in reply.headers


async def test_unsigned_calls_are_forbidden_with_aws_iam() -> None:
    """Also where no credentials are configured; and their body is not read."""
    async with site(auth="AWS_IAM") as at:
        async with at.rig.session.get(PATH) as reply:
            assert reply.status == 403
            assert (await reply.json())["Message"].startswith("Forbidden. For troubleshooting")
        signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=ab"
        for headers, query in (
            ({"Authorization": signed}, ""),
            ({}, "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F2026&X-Amz-Signature=ab"),
        ):
            async with at.rig.session.get(PATH + query, headers=headers) as reply:
                context = (await reply.json())["requestContext"]
                assert context["accountId"] == "000000000000"
                assert context["authorizer"]["iam"]["accessKey"] == "AKIAEXAMPLE"
        for nonsense in (
            "Bearer x",
            "AWS4-HMAC-SHA256 ",
            "AWS4-HMAC-SHA256 Credential=/x, Signature=ab",
            signed.partition(", Sig")[0],
        ):
            async with at.rig.session.get(PATH, headers={"Authorization": nonsense}) as reply:
                assert reply.status == 403


def signed(path: str, body: bytes = b"", secret: str = SECRET, payload: str | None = None) -> dict[str, str]:
    """The headers of a request that botocore signs, under the host name of the URL."""
    headers = {} if payload is None else {"X-Amz-Content-SHA256": payload}
    request = AWSRequest("POST", f"http://{DOMAIN}{path}", headers=headers, data=body)
    SigV4Auth(Credentials("AKIAEXAMPLE", secret), "lambda", "us-east-1").add_auth(request)
    return {**dict(request.headers.items()), "Host": DOMAIN}


async def test_signatures_are_verified_where_there_are_credentials() -> None:
    """As the API verifies its own; and each refusal has the recorded words."""
    access = SignedAccess({"AKIAEXAMPLE": SECRET}, "us-east-1")
    async with site(auth="AWS_IAM", signatures=access) as at:

        async def ask(path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            async with at.rig.session.post(path, data=body, headers=headers) as reply:
                return reply.status, await reply.read()

        status, text = await ask("/a/b?c=d", b"body", signed("/a/b?c=d", b"body"))
        assert status == 200
        assert json.loads(text)["requestContext"]["authorizer"]["iam"]["accessKey"] == "AKIAEXAMPLE"
        wrong = b'{"message":"The request signature we calculated does not match'
        for status, text in (
            await ask("/a", b"body", signed("/a", b"other")),
            await ask("/b", b"body", signed("/a", b"body")),
            await ask("/a", b"body", signed("/a", b"body", secret="wrong")),
        ):
            assert (status, text[: len(wrong)]) == (403, wrong)
        assert (await ask("/a", b"body", signed("/a", b"body", payload="UNSIGNED-PAYLOAD")))[0] == 403
        assert await ask("/a", b"", {"Host": DOMAIN}) == (403, FORBIDDEN.body)
        unknown = signed("/a")["Authorization"].replace("AKIAEXAMPLE", "AKIAOTHER")
        assert await ask("/a", b"", {**signed("/a"), "Authorization": unknown}) == (403, FORBIDDEN.body)
        assert len(at.told.events) == 1


@pytest.mark.parametrize("host", ["", "Host: \r\n", "Host: [::1]:9001\r\n", "Host: localhost.:1\r\n"])
async def test_odd_hosts_are_no_reason_to_fail(host: str) -> None:
    """A client that sends no name is not a browser."""
    async with site() as at:
        reply = await at.send(f"GET {PATH} HTTP/1.0\r\n{host}\r\n".encode())
        assert reply.split(b" ")[1] in (b"200", b"403")


async def test_a_large_reply_that_is_invalid_is_not_kept() -> None:
    """It is read in a thread, and what is raised there must not keep it until the garbage collector comes."""

    class Body(bytearray):
        pass

    def decide(body: Body) -> bytes:
        raise InvalidReply(f"found {len(body)} bytes")

    gc.disable()
    try:
        body = Body(sites.LARGE_BYTES)
        known = weakref.ref(body)
        with pytest.raises(InvalidReply, match="found 262144 bytes"):
            await sites._aside(len(body), decide, body)
        del body
        with anyio.fail_after(10):
            while known() is not None:
                await anyio.sleep(0.001)
    finally:
        gc.enable()

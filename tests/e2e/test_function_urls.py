"""Function URLs of a started Headrace: by raw sockets, by an HTTP client, and from pages of another origin in a browser."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.chromium import page
from tests.e2e.function_urls import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.e2e.chromium import Page
    from tests.e2e.function_urls import Served

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("chromium")]

KEY, SECRET = "AKIAEXAMPLE", "a-secret-of-some-length"


class _Blank(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The origin of a server with empty pages: of the URLs' site, or the browser would keep no cookies of theirs for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://page.us-east-1.localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, origin: str) -> Iterator[Served]:
    """Functions with all kinds of URLs."""
    shop = {"allow_origins": [origin], "allow_methods": ["PUT"], "allow_headers": ["x-a", "content-type"]}
    urls: dict[str, dict[str, Any] | None] = {
        "Echo": {"auth_type": "NONE"},
        "shop": {"auth_type": "NONE", "cors": {**shop, "expose_headers": ["x-seen"], "max_age": 5}},
        "signedin": {"auth_type": "NONE", "cors": {"allow_origins": ["*"], "allow_credentials": True}},
        "closed": {"auth_type": "NONE", "cors": {"allow_origins": ["https://elsewhere.example"]}},
        "stream": {"auth_type": "NONE", "invoke_mode": "RESPONSE_STREAM"},
        "private": {"auth_type": "AWS_IAM"},
        "later": None,
    }
    keys = [{"access_key_id": KEY, "secret_access_key": SECRET}]
    with served(tmp_path_factory.mktemp("urls"), urls, credentials=keys) as started:
        yield started


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that keeps every cookie to itself."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def raw(at: Served, request: bytes) -> bytes:
    """What the server says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


def signed(method: str, url: str, body: bytes) -> dict[str, str]:
    """The headers of a request, as botocore signs it."""
    request = AWSRequest(method, url, data=body)
    SigV4Auth(Credentials(KEY, SECRET), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())


async def test_a_function_sees_the_request_as_it_was_sent(at: Served) -> None:
    """By host name, with no client library in between."""
    head = (
        f"POST /pa2%25Fth/../1?multiQuery=foo&multiQuery=%2Fbar HTTP/1.1\r\nHost: {at.host('echo')}\r\nX-One: a\r\nx-one: b\r\n"
        "Cookie: a=1; b=2\r\nContent-Type: application/json\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
    )
    reply = await raw(at, head.encode() + '{"ü":1}'.encode())
    told = json.loads(reply.partition(b"\r\n\r\n")[2])
    event = told["event"]
    assert event["rawPath"] == "/pa2%25Fth/../1"
    assert event["requestContext"]["http"]["path"] == "/pa2%Fth/../1"
    assert event["queryStringParameters"] == {"multiQuery": "foo,/bar"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-one"] == "a,b"
    assert (event["body"], event["isBase64Encoded"]) == ('{"ü":1}', False)
    assert event["requestContext"]["apiId"] == "Echo"
    assert event["requestContext"]["requestId"] == told["request_id"]
    assert f"x-amzn-RequestId: {told['request_id']}".encode() in reply


async def test_every_kind_of_result_is_a_reply(at: Served) -> None:
    """By path, with an ordinary client."""
    expected: list[tuple[str, int, bytes]] = [
        ("/text", 200, b"hello"),
        ("/list", 200, b'["hello",3,true]'),
        ("/binary", 200, bytes(range(256))),
        ("/fail", 502, b"Internal Server Error"),
        ("/inject", 502, b"Internal Server Error"),
    ]
    async with client() as session:
        for path, status, body in expected:
            async with session.get(at.path("Echo", path)) as reply:
                assert (reply.status, await reply.read()) == (status, body)
        async with session.get(at.path("Echo", "/cookie")) as reply:
            assert reply.headers.getall("Set-Cookie") == ["sid=1; HttpOnly", "b=2"]
        async with session.head(at.path("Echo", "/text")) as reply:
            assert (reply.status, reply.headers["Content-Length"]) == (200, "5")
        async with session.get(at.path("nobody")) as reply:
            assert (reply.status, await reply.read()) == (403, b'{"Message":null}')


async def test_a_stream_begins_with_its_head_and_tells_of_its_failure(at: Served) -> None:
    """A custom runtime that streams, ends in the middle, or does not stream."""
    async with client() as session:
        async with session.get(at.path("stream")) as reply:
            assert (reply.status, await reply.read()) == (201, b"one two")
            assert reply.headers["Content-Type"] == "text/plain"
            assert reply.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        async with session.get(at.path("stream", "/break")) as reply:
            assert reply.status == 201
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.read()
        async with session.get(at.path("stream", "/buffered")) as reply:
            assert (reply.status, await reply.read()) == (200, b'{"statusCode": 418}')


async def test_only_signed_calls_reach_a_private_function(at: Served) -> None:
    """Signed as botocore signs, over what the client sees of the URL."""
    url = at.path("private", "/a?b=c")
    headers = signed("POST", url, b"body")
    async with client() as session:
        async with session.post(url, data=b"body", headers=headers) as reply:
            told = json.loads(await reply.read())
            assert told["event"]["requestContext"]["authorizer"]["iam"]["accessKey"] == KEY
        async with session.post(url, data=b"other", headers=headers) as reply:
            assert reply.status == 403
        async with session.post(url, data=b"body") as reply:
            assert reply.status == 403


async def test_a_url_comes_changes_and_goes_through_the_api(at: Served) -> None:
    """From the call's answer on, without a restart."""
    config = f"http://127.0.0.1:{at.port}/2021-10-31/functions/later/url"
    async with client() as session:

        async def ask(method: str, **members: str) -> dict[str, Any]:
            body = json.dumps(members).encode() if members else b""
            async with session.request(method, config, data=body, headers=signed(method, config, body)) as reply:
                text = await reply.read()
                assert reply.status < 300, text
                return dict(json.loads(text)) if text else {}

        async def status() -> int:
            async with session.get(at.path("later", "/text")) as reply:
                return reply.status

        assert await status() == 403
        assert (await ask("POST", AuthType="NONE"))["FunctionUrl"] == at.url("later")
        assert await status() == 200
        await ask("PUT", AuthType="AWS_IAM")
        assert await status() == 403
        await ask("DELETE")
        async with session.get(at.path("later")) as reply:
            assert await reply.read() == b'{"Message":null}'


FETCH = """
(async () => {
  try {
    const reply = await fetch(%s, %s);
    return {status: reply.status, seen: reply.headers.get('x-seen'), body: await reply.text()};
  } catch (error) {
    return String(error);
  }
})()
"""


async def fetch(seen: Page, url: str, **options: object) -> dict[str, object] | str:
    """What a page gets from ``fetch``: what it may read, or its error."""
    got: dict[str, object] | str = await seen.value(FETCH % (json.dumps(url), json.dumps(options)))
    return got


async def test_a_page_of_another_origin_calls_functions(at: Served, origin: str, tmp_path: Path) -> None:
    """Allowed and refused, with a preflight, with cookies; in a real browser, by host name."""
    async with page(tmp_path) as seen:
        await seen.open(f"{origin}/")

        simple = await fetch(seen, at.url("shop"))
        assert isinstance(simple, dict)
        assert (simple["status"], simple["seen"]) == (200, "GET")
        asked = {"method": "PUT", "headers": {"x-a": "1", "content-type": "application/json"}, "body": "{}"}
        put = await fetch(seen, at.url("shop"), **asked)
        assert isinstance(put, dict)
        event = json.loads(str(put["body"]))["event"]
        assert (put["seen"], event["headers"]["x-a"], event["body"]) == ("PUT", "1", "{}")
        assert event["headers"]["origin"] == origin

        refused = "TypeError: Failed to fetch"
        assert await fetch(seen, at.url("closed")) == refused
        assert await fetch(seen, at.url("echo")) == refused
        assert await fetch(seen, at.url("shop"), method="DELETE") == refused
        assert await fetch(seen, at.url("shop"), headers={"x-b": "1"}) == refused
        assert await fetch(seen, at.url("shop"), credentials="include") == refused
        assert await fetch(seen, at.url("shop", "/doubled")) == refused

        failed = await fetch(seen, at.url("shop", "/fail"))
        assert isinstance(failed, dict)
        assert (failed["status"], failed["body"]) == (502, "Internal Server Error")

        assert isinstance(await fetch(seen, at.url("signedin", "/cookie"), credentials="include"), dict)
        known = await fetch(seen, at.url("signedin"), credentials="include")
        assert isinstance(known, dict)
        assert "sid=1" in json.loads(str(known["body"]))["event"]["cookies"]

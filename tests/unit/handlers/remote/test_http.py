"""Functions behind HTTP, against servers that answer, hang, drop and lie."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme
from aiohttp import web

import config.models as models
from handlers.errors import FunctionUnusable, ReaderGone
from handlers.function import RESPONSE_LIMIT_BYTES, Call, FunctionError, InfrastructureError, Payload, Result, Throttle
from handlers.remote import http
from handlers.remote.endpoints import EMULATOR_PATH
from handlers.remote.http import HttpFunction
from tests.unit.handlers.remote.servers import closed_url, dropping, serving

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:000000000000:function:legacy"
EVENT = b'{"Records":[{"body":"caf\xc3\xa9"}]}'


def function(*urls: str, **settings: Any) -> HttpFunction:  # noqa: ANN401 - the model's options
    return HttpFunction("legacy", ARN, models.HttpFunction(runtime="http", urls=list(urls), **settings))


async def invoke(*urls: str, **settings: Any) -> Result:  # noqa: ANN401 - the model's options
    async with function(*urls, **settings) as entered:
        return (await entered.invoke(EVENT, request_id="r-1")).result


async def timed_out(url: str, asked: anyio.Event) -> Result:
    """Into the timeout, once the service has the request: on a busy machine the time may be over before it is out."""
    seconds = 0.1
    while True:
        result = await invoke(url, timeout=seconds)
        if asked.is_set():
            return result
        seconds *= 2


class Hanging:
    """Answers when it is let, and counts how many requests it has at a time."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.let = anyio.Event()
        self.now = self.most = self.total = 0

    async def respond(self, request: web.Request) -> web.Response:
        self.total += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.asked.set()
        try:
            await self.let.wait()
        finally:
            self.now -= 1
        return web.Response(body=b'"done"')


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def test_the_event_is_posted_as_it_is() -> None:
    """With the request id, as JSON, and with the headers and the token of the configuration."""
    seen: dict[str, Any] = {}

    async def respond(request: web.Request) -> web.Response:
        seen.update(method=request.method, path=request.raw_path, headers=request.headers, body=await request.read())
        return web.Response(body=b'{"batchItemFailures":[]}')

    async with serving(respond) as url:
        result = await invoke(f"{url}/hook?a=b", headers={"X-Team": "blue"}, bearer_token="secret")

    assert result == Payload(b'{"batchItemFailures":[]}')
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/hook?a=b", EVENT)
    assert seen["headers"]["Content-Type"] == "application/json"
    assert seen["headers"]["Authorization"] == "Bearer secret"
    assert seen["headers"]["X-Team"] == "blue"
    assert seen["headers"]["X-Amzn-RequestId"] == "r-1"


async def test_cookies_and_redirects_are_not_followed() -> None:
    """An event goes where the configuration says, and nothing is remembered between invocations."""
    seen: list[str | None] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(status=307, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})

    async with serving(respond) as url, function(url) as entered:
        results = [(await entered.invoke(EVENT, request_id="r")).result for _ in range(2)]

    assert seen == [None, None]
    assert all(isinstance(result, FunctionError) and result.error_type == "HTTP.307" for result in results)


async def test_several_urls_are_used_in_turn() -> None:
    """Each gets its share."""
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    async with serving(respond) as url, function(f"{url}/a", f"{url}/b", f"{url}/c") as entered:
        for _ in range(6):
            await entered.invoke(EVENT, request_id="r")

    assert seen == ["/a", "/b", "/c"] * 2


async def test_as_many_requests_run_at_a_time_as_concurrency_says() -> None:
    """A web service is not held to one."""
    service = Hanging()
    async with (
        serving(service.respond) as url,
        function(url, concurrency=20) as entered,
        anyio.create_task_group() as group,
    ):
        assert entered.concurrency == 20
        for _ in range(20):
            group.start_soon(lambda: entered.invoke(EVENT, request_id="r"))
        with anyio.fail_after(60):
            while service.now < 20:
                await anyio.sleep(0.005)
        assert entered.status().busy == 20
        service.let.set()

    assert service.most == 20


async def test_a_service_that_hangs_is_stopped_at_the_timeout() -> None:
    """The result is a function's timeout; the connection is closed."""
    service = Hanging()
    async with serving(service.respond) as url:
        result = await timed_out(url, service.asked)
        service.let.set()

    assert isinstance(result, FunctionError)
    assert result.error_type == "Sandbox.Timedout"


async def test_a_body_that_drips_is_stopped_at_the_timeout() -> None:
    """The timeout is for the whole answer, not for its first byte."""
    dripping = anyio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        dripping.set()
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    async with serving(respond) as url:
        result = await timed_out(url, dripping)

    assert isinstance(result, FunctionError)
    assert result.error_type == "Sandbox.Timedout"


async def test_an_answer_over_six_mebibytes_is_too_large() -> None:
    """It is not read to its end, however long it goes on."""

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async with serving(respond) as url:
        result = await invoke(url, timeout=30)

    assert isinstance(result, FunctionError)
    assert result.error_type == "Function.ResponseSizeTooLarge"


async def test_nobody_there_is_an_infrastructure_error_that_status_tells() -> None:
    """Until an invocation reaches the service again."""
    gone = await closed_url()
    async with serving(echo) as url, function(gone, url) as entered:
        first = (await entered.invoke(EVENT, request_id="r")).result
        told = entered.status().problem
        second = (await entered.invoke(EVENT, request_id="r")).result

        assert isinstance(first, InfrastructureError)
        assert gone in first.message
        assert told == first.message
        assert second == Payload(EVENT)
        assert entered.status().problem is None


async def test_a_connection_that_is_not_made_in_time_is_an_infrastructure_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The function did not run: this is not its timeout, which only starts with the connection."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.1)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)  # takes the connection, never answers the TLS greeting
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await invoke(f"https://127.0.0.1:{port}", timeout=0.05)

    assert isinstance(result, InfrastructureError)
    assert "no connection within 0.1 s" in result.message


@pytest.mark.parametrize("after_request", [False, True])
async def test_a_lost_connection_is_an_infrastructure_error(after_request: bool) -> None:
    """Nobody can tell whether the function ran."""
    async with dropping(after_request) as url:
        assert isinstance(await invoke(url), InfrastructureError)


async def test_an_answer_that_is_no_http_is_an_infrastructure_error() -> None:
    """Something else listens there."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        assert isinstance(await invoke(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), InfrastructureError)


async def test_cancelling_closes_the_connection() -> None:
    """The service sees the client go."""
    asked, gone = anyio.Event(), anyio.Event()

    async def respond(request: web.Request) -> web.Response:
        asked.set()
        while request.transport is not None:
            await anyio.sleep(0.005)
        gone.set()
        return web.Response()

    async with serving(respond) as url, function(url, timeout=60) as entered:
        task = asyncio.create_task(entered.invoke(EVENT, request_id="r"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with anyio.fail_after(30):
            await gone.wait()
        assert entered.status().busy == 0


async def test_an_emulator_takes_one_invocation_for_each_of_its_urls() -> None:
    """Whatever the configuration says: a second one at a time would crash it."""
    url = "http://127.0.0.1:1" + EMULATOR_PATH

    assert function(url, concurrency=10).concurrency == 1
    assert function(url, url.replace(":1/", ":2/"), url.replace(":1/", ":3/"), concurrency=10).concurrency == 3
    assert function(url, url, concurrency=10).concurrency == 1
    assert function(url, url.replace(":1/", ":2/"), concurrency=1).concurrency == 1


@pytest.mark.parametrize("how", ["timed out", "cancelled"])
async def test_an_emulator_that_still_runs_what_was_given_up_is_not_called(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is kept until it has answered; invocations are throttled meanwhile."""
    monkeypatch.setattr(http, "EMULATOR_MARGIN_SECONDS", 0.0)
    emulator = Hanging()
    async with (
        serving(emulator.respond) as url,
        function(url + EMULATOR_PATH, timeout=0.1 if how == "timed out" else 60) as entered,
    ):
        task = asyncio.create_task(entered.invoke(EVENT, request_id="r"))
        await emulator.asked.wait()  # the timeout begins with the connection, on which the request goes out at once
        entered.timeout_seconds = 60
        if how == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            result = (await task).result
            assert isinstance(result, FunctionError)
            assert result.error_type == "Sandbox.Timedout"

        refused = (await entered.invoke(EVENT, request_id="r")).result
        assert isinstance(refused, Throttle)
        assert refused.retry_after_seconds == 1.0
        assert emulator.total == 1

        emulator.let.set()
        with anyio.fail_after(60):
            while isinstance((await entered.invoke(EVENT, request_id="r")).result, Throttle):
                await anyio.sleep(0.005)

    assert emulator.most == 1


async def test_another_emulator_serves_while_one_is_stuck() -> None:
    """Several urls make a pool."""
    stuck = Hanging()
    async with (
        serving(stuck.respond) as first,
        serving(echo) as second,
        function(first + EMULATOR_PATH, second + EMULATOR_PATH, timeout=60) as entered,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lambda: entered.invoke(EVENT, request_id="r"))
        await stuck.asked.wait()
        results = [(await entered.invoke(EVENT, request_id="r")).result for _ in range(3)]
        stuck.let.set()

    assert results == [Payload(EVENT)] * 3


async def test_leaving_does_not_wait_for_a_stuck_emulator() -> None:
    """What was given up is dropped at the end."""
    emulator = Hanging()
    async with serving(emulator.respond) as url:
        with anyio.fail_after(30):
            async with function(url + EMULATOR_PATH, timeout=60) as entered:
                with anyio.move_on_after(0.1):
                    await entered.invoke(EVENT, request_id="r")
        emulator.let.set()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of this test run's own."""
    return trustme.CA()


def tls_server(authority: trustme.CA, client_needed: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    if client_needed:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    """Verified by default."""
    async with serving(echo, tls_server(authority)) as url:
        result = await invoke(url)

    assert isinstance(result, InfrastructureError)
    assert "certificate verify failed" in result.message.lower()


async def test_a_certificate_of_the_given_authority_is_taken(authority: trustme.CA, tmp_path: Path) -> None:
    """``ca_file`` stands in place of the system's."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with serving(echo, tls_server(authority)) as url:
        assert await invoke(url, tls=models.Tls(ca_file=tmp_path / "ca.pem")) == Payload(EVENT)


async def test_verification_may_be_turned_off(authority: trustme.CA) -> None:
    """For those who must."""
    async with serving(echo, tls_server(authority)) as url:
        assert await invoke(url, tls=models.Tls(verify=False)) == Payload(EVENT)


async def test_a_client_certificate_is_shown(authority: trustme.CA, tmp_path: Path) -> None:
    """``cert_file`` and ``key_file`` let the service know who calls."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert("client@example.org")
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    shown = models.Tls(ca_file=tmp_path / "ca.pem", cert_file=tmp_path / "client.pem", key_file=tmp_path / "client.key")
    async with serving(echo, tls_server(authority, client_needed=True)) as url:
        assert await invoke(url, tls=shown) == Payload(EVENT)
        assert isinstance(await invoke(url, tls=models.Tls(ca_file=tmp_path / "ca.pem")), InfrastructureError)


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
async def test_a_tls_file_that_is_none_makes_the_function_unusable(option: str, tmp_path: Path) -> None:
    """Said at the start, with the file."""
    (tmp_path / "bad.pem").write_text("not PEM")
    with pytest.raises(FunctionUnusable, match=rf"function legacy: tls\.{option}: .*bad\.pem"):
        await invoke("https://127.0.0.1:1", tls=models.Tls.model_validate({option: tmp_path / "bad.pem"}))


async def test_no_url_makes_the_function_unusable() -> None:
    """Nothing could be called."""
    with pytest.raises(FunctionUnusable, match="no url"):
        await invoke()


class Reader:
    """A stream that keeps what it gets, until it has had ``patience`` pieces."""

    def __init__(self, patience: int = 1_000_000) -> None:
        self.types: list[str] = []
        self.got = b""
        self.came = anyio.Event()
        self.let = anyio.Event()
        self._patience = patience

    def begin(self, content_type: str) -> None:
        self.types.append(content_type)

    async def write(self, chunk: bytes) -> None:
        if self._patience <= 0:
            raise ReaderGone
        self._patience -= 1
        self.got += chunk
        self.came.set()


async def stream(url: str, reader: Reader, **settings: Any) -> Any:  # noqa: ANN401 - the model's options; an invocation
    async with function(url, **settings) as entered:
        return await entered.invoke(EVENT, request_id="r-1", call=Call(client_context='{"custom":{}}', stream=reader))


def in_pieces(reader: Reader, *pieces: bytes, ends: bool = True) -> Any:  # noqa: ANN401 - see serving
    """A reply in chunks, the next of which is sent when the reader has the one before."""

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            if reader._patience > 0:
                await reader.came.wait()
                reader.came = anyio.Event()
        if not ends:
            assert request.transport is not None
            request.transport.abort()
        return response

    return serving(respond)


async def test_a_reply_in_chunks_is_passed_on_while_it_comes() -> None:
    """To who asked for a stream; its type is the service's."""
    reader = Reader()
    async with in_pieces(reader, b"one", b"two") as url:
        invocation = await stream(url, reader)

    assert (invocation.result, invocation.streamed) == (Payload(b""), True)
    assert (reader.types, reader.got) == (["text/plain"], b"onetwo")


async def test_a_reply_of_known_length_is_the_result() -> None:
    """A stream for it is not used, nor for an error; the client context goes along."""
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(request.headers["X-Amz-Client-Context"])
        return web.Response(body=b'"whole"')

    reader = Reader()
    async with serving(respond) as url:
        invocation = await stream(url, reader)

    assert (invocation.result, invocation.streamed, reader.types) == (Payload(b'"whole"'), False, [])
    assert seen == ["eyJjdXN0b20iOnt9fQ=="]


async def test_a_reply_that_breaks_off_on_its_way_is_a_function_error() -> None:
    """What came has been passed on."""
    reader = Reader()
    async with in_pieces(reader, b"one", ends=False) as url:
        invocation = await stream(url, reader)

    assert isinstance(invocation.result, FunctionError)
    assert (invocation.result.error_type, invocation.streamed) == ("Runtime.TruncatedResponse", True)
    assert reader.got == b"one"


async def test_a_reply_that_nobody_reads_any_more_is_read_to_its_end() -> None:
    """Its service is not stopped by that."""
    reader = Reader(patience=0)
    async with in_pieces(reader, *[b"x" * 1_000_000] * 20) as url:
        invocation = await stream(url, reader)

    assert (invocation.result, invocation.streamed, reader.got) == (Payload(b""), True, b"")


async def test_a_streamed_reply_ends_at_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at that of whole ones."""
    monkeypatch.setattr("handlers.remote.passing.STREAMED_LIMIT_BYTES", 7_000_000)
    reader = Reader()
    async with in_pieces(reader, *[b"x" * (RESPONSE_LIMIT_BYTES + 1)] * 2) as url:
        invocation = await stream(url, reader)

    assert isinstance(invocation.result, FunctionError)
    assert "(7000000 bytes)" in invocation.result.message
    assert len(reader.got) > RESPONSE_LIMIT_BYTES

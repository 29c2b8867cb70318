"""Replies that are not what they should be, over real connections: each is an error of the class that its status has."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING, Any

import pytest

from config.models import Aws
from pollers.aws import services
from pollers.aws.api import AwsService, BusEvent, StartAt
from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, NotFound, Refused, Throttled, Unavailable
from pollers.aws.services.clients import PLAIN_SDK, AwsClients
from pollers.aws.wire import credentials, http1_reply, passthrough
from tests.contract.scripted import DROP, ScriptedService, event, reply, scripted_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

QUEUE = "http://sqs.us-east-1.localhost/000000000000/orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/done"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:audit"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failed"

BY_STATUS: list[tuple[int, type[AwsError]]] = [
    (201, Unavailable),
    (204, Unavailable),
    (206, Unavailable),
    (300, Unavailable),
    (302, Unavailable),
    (304, Unavailable),
    (400, Refused),
    (403, AccessDenied),
    (404, NotFound),
    (418, Refused),
    (429, Throttled),
    (500, Unavailable),
    (502, Unavailable),
    (503, Unavailable),
    (600, Unavailable),
    (999, Unavailable),
]

DIRECT = ("json", "json of one entry")
"""The protocols whose calls may go round the SDK. The others take the same way whichever is asked for."""

FINAL = (Refused, AccessDenied, NotFound)
"""What only a service can say: the page of a proxy, which has neither a code nor a request's id, is no refusal of the call."""

BODIES: dict[str, bytes] = {
    "empty": b"",
    "object": b"{}",
    "list": b"[]",
    "null": b"null",
    "number": b"7",
    "text": b'"Unavailable"',
    "html": b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    "not json": b"{",
    "not utf-8": b'{"__type":"\xff\xfe"}',
    "compressed": gzip.compress(b'{"__type":"InternalFailure"}'),
    "deep list": b"[" * 100_000,
    "deep and whole": b"[" * 900 + b"]" * 900,
    "deep object": b'{"message":' * 900 + b"1" + b"}" * 900,
    "deep message": b'{"__type":"X","message":' + b"[" * 800 + b"]" * 800 + b"}",
    "code of another type": b'{"__type":{"a":[1]},"message":7}',
    "message of another type": b'{"message":{"a":1}}',
    "code of null": b'{"__type":null,"message":null}',
    "xml": b"<Error>text</Error>",
    "xml without members": b"<ErrorResponse><Error><Code><x/></Code></Error></ErrorResponse>",
    "deep xml": b"<a>" * 3_000 + b"</a>" * 3_000,
    "long": b"x" * 1_000_000,
}


@pytest.fixture(params=["direct", "through the SDK"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of making a call."""
    if request.param != "direct":
        monkeypatch.setenv(PLAIN_SDK, "1")
    return str(request.param)


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """A service that answers what the test has written."""
    async with scripted_service() as scripted:
        yield scripted


@pytest.fixture
async def clients(way: str, service: ScriptedService) -> AsyncIterator[AwsClients]:
    """Clients of that service."""
    async with AwsClients(Aws(endpoint_url=service.url)) as made:
        yield made


def calls(clients: AwsClients) -> dict[str, Callable[[], Awaitable[object]]]:
    """One call of each protocol; its client is made when it is first called."""

    def of(service: AwsService[Any], call: Callable[[Any], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def made() -> object:
            return await call(await clients.client(service, "us-east-1"))

        return made

    async def subscribe(kinesis: Any) -> None:  # noqa: ANN401 - as a client is here
        async with kinesis.subscribe(f"{STREAM}/consumer/c:1", "shard", StartAt("LATEST")) as events:
            async for _ in events:
                pass

    return {
        "json": of(services.SQS, lambda sqs: sqs.receive(QUEUE, maximum=1, wait_seconds=0)),
        "json of one entry": of(services.EVENTS, lambda events: events.put(BusEvent(BUS, "lambda", "x", (BUS,), "{}"))),
        "event stream": of(services.KINESIS, subscribe),
        "query": of(services.SNS, lambda sns: sns.publish(TOPIC, "{}")),
        "rest": of(services.S3, lambda s3: s3.put("failed", "key", b"{}")),
        "rest with a stream": of(services.FUNCTIONS, lambda functions: functions.invoke_event(FUNCTION, b"{}")),
        "head": of(services.S3, lambda s3: s3.check_bucket("failed")),
    }


async def failure_of(call: Callable[[], Awaitable[object]]) -> AwsError:
    """What a call raises, which is an AwsError and nothing else."""
    with pytest.raises(AwsError) as raised:
        await call()
    assert len(str(raised.value)) < 1_500
    return raised.value


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_an_error_counts_by_its_status_whatever_its_body_is(
    way: str, clients: AwsClients, service: ScriptedService, body: bytes
) -> None:
    """JSON of another shape, no JSON, compressed, nested without end, a proxy's page: in every protocol.

    A refusal that says neither its code nor its request's id is a proxy's, and tried again like any other failure on the way.
    """
    for protocol, call in calls(clients).items():
        if protocol not in DIRECT and way == "direct":
            continue  # tried through the SDK, and here it goes the same way
        for status, kind in BY_STATUS:
            if protocol != "json" and status not in (400, 403, 500):
                continue  # of which the SDK makes the same in every protocol
            sent = b"" if status in (204, 304) or protocol == "head" else body
            ours = {"x_amz_request_id" if protocol in ("rest", "head") else "x_amzn_RequestId": "1"}
            for identified in (ours, {}):
                service.script.append(reply(sent, status, Content_Type="text/html", Connection="close", **identified))
                failed = await failure_of(call)
                nobodys = not identified and protocol != "head" and kind in FINAL and failed.code == str(status)
                assert type(failed) is (Unavailable if nobodys else kind), (protocol, status, identified, failed)
                assert failed.operation


UNKNOWN_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        UNKNOWN_LENGTH,
        UNKNOWN_LENGTH + b"{}",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        reply(b""),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        DROP,
    ],
    ids=[
        "nothing of unknown length",
        "an object of unknown length",
        "an object of unknown length in 1.0",
        "nothing",
        "nothing in chunks",
        "chunks without an end",
        "switching",
        "an interim reply only",
        "5,000 interim replies only",
        "dropped",
    ],
)
async def test_a_reply_that_is_not_whole_is_no_answer(
    clients: AwsClients, service: ScriptedService, answer: bytes
) -> None:
    """Success in its first line is not enough: it may be cut short, or of a proxy that has lost its service."""
    sqs, kinesis = await clients.client(services.SQS, "us-east-1"), await clients.client(services.KINESIS, "us-east-1")
    for call in (
        lambda: sqs.receive(QUEUE, maximum=1, wait_seconds=0),
        lambda: sqs.delete(QUEUE, ["a"]),
        lambda: kinesis.records(STREAM, "i", 1),
        lambda: kinesis.shards(STREAM),
    ):
        service.script.append(answer)
        assert isinstance(await failure_of(call), Unavailable)


@pytest.mark.parametrize("status", [200, 500])
async def test_a_reply_without_end_is_given_up(
    clients: AwsClients, service: ScriptedService, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """At the size limit, whichever way the call took."""
    for module in (http1_reply, passthrough):
        monkeypatch.setattr(module, "BODY_LIMIT_BYTES", 100_000)
    for call in calls(clients).values():
        piece = b"8000\r\n" + b"x" * 32_768 + b"\r\n"
        head = b"HTTP/1.1 %d Oh\r\nTransfer-Encoding: chunked\r\n\r\n" % status
        service.script.append(head + piece * 10)
        assert isinstance(await failure_of(call), Unavailable)


@pytest.mark.parametrize(
    "frames",
    [
        b"<html>moved</html>",
        event({}, message_type="event", event_type="SubscribeToShardEvent"),
        event(b"[]", message_type="event", event_type="SubscribeToShardEvent"),
        event(b"[" * 2_000, message_type="event", event_type="SubscribeToShardEvent"),
        event({"Records": {}}, message_type="event", event_type="SubscribeToShardEvent"),
        event(b"[" * 2_000, message_type="exception", exception_type="X"),
        event(b"[1]", message_type="exception"),
        event(b'{"message":' + b"[" * 500 + b"]" * 500 + b"}", message_type="exception", exception_type="X"),
        event(b"\xff", message_type="error"),
        event(b"", message_type="novelty"),
        event(b"{}"),
        event({"Records": []}, message_type="event", event_type="SubscribeToShardEvent")[:-1] + b"\x00",
        b"\xff\xff\xff\xff" + event({}, message_type="event")[4:],
        b"\x00" * 16,
    ],
)
async def test_a_garbled_event_stream_is_an_error_of_the_services(service: ScriptedService, frames: bytes) -> None:
    """Wrong sums, lengths that lie, events and exceptions of another shape."""
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        service.script.append(reply(frames, Content_Type="application/vnd.amazon.eventstream"))
        assert isinstance(await failure_of(calls(clients)["event stream"]), AwsError)


@pytest.mark.parametrize("printed", ["", "[]", "{", '{"Version": 1}', '{"Version": 1, "AccessKeyId": 7}', "[" * 3_000])
async def test_garbled_credentials_are_missing_ones(
    way: str, service: ScriptedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str
) -> None:
    """Whatever the SDK's chain makes of what a credential process prints."""
    monkeypatch.setattr(credentials, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    script = tmp_path / "process.py"
    script.write_text(f"print({printed!r})")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        failed = await failure_of(calls(clients)["json"])
    assert isinstance(failed, CredentialsExpired)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_garbled_reply_of_sts_is_an_error_of_the_services(
    way: str, service: ScriptedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes
) -> None:
    """A role cannot be assumed: the call fails and is tried again, and nothing of ours breaks down."""
    config = tmp_path / "config"
    config.write_text(
        "[profile role]\nrole_arn = arn:aws:iam::000000000000:role/r\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setattr(credentials, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    for status in (200, 403):
        async with AwsClients(Aws(endpoint_url=service.url)) as clients:
            service.script.append(reply(body, status, Connection="close"))
            await failure_of(calls(clients)["json"])

"""Functions called by AWS's own client for Python: replies, errors by name, streams, signatures, and the end of the process."""

from __future__ import annotations

import base64
import json
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import botocore.exceptions
import pytest
from aiobotocore.session import get_session
from aiohttp.test_utils import unused_port

from tests.e2e.lambda_api import LambdaApiPlace
from tests.e2e.streaming import BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)
Client: TypeAlias = Any
"""botocore makes its clients at run time."""
ARN = "arn:aws:lambda:us-east-1:000000000000:function:work"
LIMIT = 6 * 1024 * 1024
WORK = """
import json, os, time

def handler(event, context):
    kind = event.get("kind") if isinstance(event, dict) else None
    if kind == "raise":
        raise ValueError("no")
    if kind == "sleep":
        open(event["began"], "w").close()
        time.sleep(event["seconds"])
    if kind == "large":
        return "x" * event["size"]
    if kind == "context":
        custom = context.client_context.custom if context.client_context else None
        return {"id": context.aws_request_id, "arn": context.invoked_function_arn,
                "version": context.function_version, "custom": custom}
    if kind == "note":
        with open(event["file"], "a") as file:
            file.write(context.aws_request_id + "\\n")
    print("echoing")
    return event
"""
FUNCTIONS: dict[str, dict[str, Any]] = {
    "work": {"handler": "work.handler", "timeout": 30, "concurrency": 2},
    "alone": {"handler": "work.handler", "timeout": 30, "concurrency": 1},
    "streams": {"runtime": "provided", "command": ["./bootstrap"]},
}


def prepared(folder: Path, port: int | None = None, **parts: Any) -> LambdaApiPlace:  # noqa: ANN401 - YAML
    """A place with the functions' code."""
    place = LambdaApiPlace(folder, port or unused_port())
    place.configure(FUNCTIONS, **parts)
    (folder / "code" / "work.py").write_text(WORK)
    bootstrap = folder / "code" / "bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaApiPlace]:
    """One process for all tests of this module but those of its end."""
    yield from running(prepared(tmp_path_factory.mktemp("invoke")))


def running(place: LambdaApiPlace) -> Iterator[LambdaApiPlace]:
    """Started, and ended in order."""
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


@pytest.fixture
def client(place: LambdaApiPlace) -> Client:
    """botocore's."""
    return place.client()


def code_of(refused: pytest.ExceptionInfo[botocore.exceptions.ClientError]) -> tuple[int, str]:
    """Status and type of an error."""
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize(
    "name", ["work", "function:work", "000000000000:function:work", ARN, f"{ARN}:$LATEST", "work:$LATEST"]
)
def test_every_form_of_a_name_runs_the_function(client: Client, name: str) -> None:
    """The client percent-encodes ARNs in the path; the function sees its ARN."""
    reply = client.invoke(FunctionName=name, Payload=b'{"kind": "context"}')
    seen = json.load(reply["Payload"])
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert seen == {"id": reply["ResponseMetadata"]["RequestId"], "arn": ARN, "version": "$LATEST", "custom": None}


def test_any_json_value_goes_through(client: Client) -> None:
    """And no payload is an empty object."""
    for payload in (b"null", b"1", b'"text"', b"[1, 2]", '{"ключ": "é"}'.encode()):
        assert json.load(client.invoke(FunctionName="work", Payload=payload)["Payload"]) == json.loads(payload)
    assert json.load(client.invoke(FunctionName="work")["Payload"]) == {}


def test_an_error_of_the_function_is_in_the_reply_with_its_log(client: Client) -> None:
    """As the client shows it; the tail has START, the traceback and REPORT."""
    reply = client.invoke(FunctionName="work", Payload=b'{"kind": "raise"}', LogType="Tail")
    assert (reply["StatusCode"], reply["FunctionError"]) == (200, "Unhandled")
    document = json.load(reply["Payload"])
    request_id = reply["ResponseMetadata"]["RequestId"]
    assert (document["errorType"], document["errorMessage"], document["requestId"]) == ("ValueError", "no", request_id)
    log = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert log[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert "[ERROR] ValueError: no" in log
    assert log[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "LogResult" not in client.invoke(FunctionName="work")


def test_a_client_context_reaches_the_handler(client: Client) -> None:
    """Through the Runtime API."""
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    reply = client.invoke(FunctionName="work", Payload=b'{"kind": "context"}', ClientContext=context)
    assert json.load(reply["Payload"])["custom"] == {"k": "v"}


def test_errors_are_caught_by_their_names(client: Client) -> None:
    """Those that the client's model knows, and the others by their code."""
    known = client.exceptions
    with pytest.raises(known.ResourceNotFoundException, match=r"Function not found: .*:function:nobody:\$LATEST"):
        client.invoke(FunctionName="nobody")
    with pytest.raises(known.ResourceNotFoundException, match=r"Function not found: .*:function:work:1"):
        client.invoke(FunctionName="work", Qualifier="1")
    with pytest.raises(known.ResourceNotFoundException, match="not reachable in this region"):
        client.invoke(FunctionName=ARN.replace("us-east-1", "eu-west-1"))
    with pytest.raises(known.InvalidParameterValueException, match="The derived qualifier"):
        client.invoke(FunctionName="work:$LATEST", Qualifier="1")
    with pytest.raises(known.InvalidRequestContentException, match="Could not parse request body into json"):
        client.invoke(FunctionName="work", Payload=b"{")
    for wrong, expected in (
        ({"Payload": b'"' + b"x" * LIMIT + b'"'}, (413, "RequestEntityTooLargeException")),
        (
            {"Payload": b'"' + b"x" * 1_048_576 + b'"', "InvocationType": "Event"},
            (413, "RequestEntityTooLargeException"),
        ),
        ({"Qualifier": "invalid!"}, (400, "ValidationException")),
        ({"InvocationType": "Never"}, (400, "ValidationException")),
    ):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            client.invoke(FunctionName="work", **wrong)
        assert code_of(refused) == expected


def test_six_megabytes_go_in_and_out_and_no_more(client: Client) -> None:
    """A response that is too large is an error of the function, whose worker goes on."""
    fits = b'"' + b"x" * (LIMIT - 2) + b'"'
    assert client.invoke(FunctionName="work", Payload=fits)["Payload"].read() == fits
    for _ in range(2):
        reply = client.invoke(FunctionName="work", Payload=b'{"kind": "large", "size": 6291555}')
        assert reply["FunctionError"] == "Unhandled"
        assert json.load(reply["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"
    assert json.load(client.invoke(FunctionName="work", Payload=b"1")["Payload"]) == 1


def test_beyond_its_concurrency_a_function_is_throttled(place: LambdaApiPlace, tmp_path: Path) -> None:
    """By name, with the reason."""
    began = tmp_path / "began"
    payload = json.dumps({"kind": "sleep", "seconds": 2, "began": str(began)}).encode()
    replies = []
    first = threading.Thread(
        target=lambda: replies.append(place.client().invoke(FunctionName="alone", Payload=payload))
    )
    first.start()
    place.until(began.exists, "the first invocation")
    client = place.client()
    with pytest.raises(client.exceptions.TooManyRequestsException, match=r"Rate Exceeded\.") as refused:
        client.invoke(FunctionName="alone")
    assert refused.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
    first.join(60)
    assert replies[0]["StatusCode"] == 200


def test_an_event_is_accepted_and_runs_later(place: LambdaApiPlace, client: Client, tmp_path: Path) -> None:
    """With the id of the request; a dry run runs nothing."""
    noted = tmp_path / "noted"
    payload = json.dumps({"kind": "note", "file": str(noted)}).encode()
    dry = client.invoke(FunctionName="work", Payload=payload, InvocationType="DryRun")
    accepted = client.invoke(FunctionName="work", Payload=payload, InvocationType="Event")
    old = client.invoke_async(FunctionName="work", InvokeArgs=payload)
    assert (dry["StatusCode"], accepted["StatusCode"], old["Status"]) == (204, 202, 202)
    assert "ExecutedVersion" not in accepted
    ids = {reply["ResponseMetadata"]["RequestId"] for reply in (accepted, old)}
    place.until(lambda: noted.exists() and set(noted.read_text().split()) == ids, "both runs")


def events(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Of an event stream."""
    return list(reply["EventStream"])


def test_a_response_is_streamed_while_it_is_written(client: Client, tmp_path: Path) -> None:
    """The function waits for what its reader does."""
    gate = tmp_path / "gate"
    steps = [["write", "a"], ["await", str(gate)], ["write", "b"]]
    reply = client.invoke_with_response_stream(FunctionName="streams", Payload=json.dumps(steps), LogType="Tail")
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert reply["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    stream = iter(reply["EventStream"])
    assert next(stream) == {"PayloadChunk": {"Payload": b"a"}}
    gate.touch()
    assert next(stream) == {"PayloadChunk": {"Payload": b"b"}}
    [complete] = stream
    assert b"REPORT RequestId" in base64.b64decode(complete["InvokeComplete"]["LogResult"])


def test_an_error_in_the_middle_of_a_stream_is_in_its_last_event(client: Client) -> None:
    """The status has been sent already."""
    steps = [["write", "a"], ["error", '{"errorType":"E","errorMessage":"m"}']]
    reply = client.invoke_with_response_stream(FunctionName="streams", Payload=json.dumps(steps))
    assert events(reply) == [
        {"PayloadChunk": {"Payload": b"a"}},
        {"InvokeComplete": {"ErrorCode": "E", "ErrorDetails": '{"errorType":"E","errorMessage":"m"}'}},
    ]


def test_a_function_that_does_not_stream_is_one_chunk(client: Client) -> None:
    """And its errors are in the last event."""
    reply = client.invoke_with_response_stream(FunctionName="work", Payload=b"[1]")
    assert events(reply) == [{"PayloadChunk": {"Payload": b"[1]"}}, {"InvokeComplete": {}}]
    [complete] = events(client.invoke_with_response_stream(FunctionName="work", Payload=b'{"kind": "raise"}'))
    assert complete["InvokeComplete"]["ErrorCode"] == "ValueError"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke_with_response_stream(FunctionName="nobody")


async def test_the_asynchronous_client_of_aws_works_too(place: LambdaApiPlace) -> None:
    """aiobotocore: another HTTP client, the same replies."""
    credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    async with get_session().create_client(
        "lambda", region_name="us-east-1", endpoint_url=place.url, **credentials
    ) as client:
        reply = await client.invoke(FunctionName="work", Payload=b"[1]")
        async with reply["Payload"] as payload:
            assert await payload.read() == b"[1]"
        reply = await client.invoke_with_response_stream(FunctionName="work", Payload=b"[2]")
        # To its end: a connection that still awaits some of its reply would be found, and blamed on another test, by the collector.
        chunk, complete = [event async for event in reply["EventStream"]]
        assert chunk == {"PayloadChunk": {"Payload": b"[2]"}}
        assert "InvokeComplete" in complete


def test_signatures_are_verified_where_there_are_credentials(tmp_path: Path) -> None:
    """A right one is taken, a wrong one refused by its name, and so is an unknown key."""
    keys = [{"access_key_id": "x", "secret_access_key": "y"}]
    port = unused_port()
    for place in running(prepared(tmp_path, port=port, lambda_api={"port": port, "credentials": keys})):
        client = place.client()
        assert (
            json.load(client.invoke(FunctionName=f"{ARN}:$LATEST", Qualifier="$LATEST", Payload=b"1")["Payload"]) == 1
        )
        for key, secret, code in (("x", "z", "InvalidSignatureException"), ("q", "y", "UnrecognizedClientException")):
            with pytest.raises(botocore.exceptions.ClientError) as refused:
                place.client((key, secret)).invoke(FunctionName="work", Payload=b"1")
            assert code_of(refused) == (403, code)


def test_a_stop_answers_what_runs_and_is_quick_otherwise(tmp_path: Path) -> None:
    """SIGTERM: a running call is answered, idle connections do not hold the process up."""
    place = prepared(tmp_path)
    place.start()
    idle = [socket.create_connection(("127.0.0.1", place.port)) for _ in range(50)]
    began, replies = tmp_path / "began", []
    payload = json.dumps({"kind": "sleep", "seconds": 1.5, "began": str(began)}).encode()
    call = threading.Thread(target=lambda: replies.append(place.client().invoke(FunctionName="work", Payload=payload)))
    call.start()
    place.until(began.exists, "the invocation")
    assert place.process is not None
    place.process.send_signal(signal.SIGTERM)
    call.join(60)
    assert replies[0]["StatusCode"] == 200
    assert place.end() == 0
    place.start()
    idle += [socket.create_connection(("127.0.0.1", place.port)) for _ in range(50)]
    idle[-1].sendall(b"POST /2015-03-31/functions/work/invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
    began_at = time.monotonic()
    assert place.end() == 0
    assert time.monotonic() - began_at < 10
    for connection in idle:
        connection.close()

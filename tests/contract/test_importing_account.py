"""An account as ``headrace import account`` reads it, through the SDK: signed requests to a server, pages, throttles, refusals."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner

from pollers.commands.import_ import command
from tests.unit.importing.account.service import QUEUE, STREAM, WORKER, function, mapping, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "/2015-03-31"


class Server(ThreadingHTTPServer):
    """Answers by method and path. A list of answers is given one after another, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, Any]:
        """The next answer at a path."""
        self.asked.append(path)
        found = self.answers.get(path, [(404, {"Type": "User", "Message": "no such thing"})])
        return found.pop(0) if len(found) > 1 else found[0]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def _reply(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        asked = target or unquote(path.path) + (f"?{path.query}" if path.query else "")
        status, document = self.server.answer(asked)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "r")
        if status >= 400:
            code = {404: "ResourceNotFoundException", 429: "TooManyRequestsException"}.get(
                status, "AccessDeniedException"
            )
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _reply  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in place of AWS, for every service."""
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{found.server_port}"),
            *(("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_REGION", "eu-west-1")),
            *(("AWS_CONFIG_FILE", "/none"), ("AWS_SHARED_CREDENTIALS_FILE", "/none")),
        ):
            monkeypatch.setenv(name, value)
        found.answers |= {"/schedules": [(200, {"Schedules": []})], "ListRules": [(200, {"Rules": []})]}
        yield found
        found.shutdown()
        thread.join()


def test_an_account_is_read_by_the_sdk(server: Server) -> None:
    """Every page, after a throttle; times are numbers on the wire."""
    listed = f"{ROOT}/event-source-mappings"
    server.answers |= {
        listed: [
            (429, {"Reason": "CallerRateLimitExceeded", "message": "Rate exceeded"}),
            (200, {"EventSourceMappings": [mapping()], "NextMarker": "m"}),
        ],
        f"{listed}?Marker=m": [
            (
                200,
                {
                    "EventSourceMappings": [
                        stream(
                            UUID="u2",
                            State="Disabled",
                            StartingPosition="AT_TIMESTAMP",
                            StartingPositionTimestamp=1.7e9,
                        )
                    ]
                },
            )
        ],
        f"{ROOT}/functions/{WORKER}": [(200, function())],
    }
    outcome = CliRunner().invoke(command, ["account"], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.stderr
    assert f"event_source_arn: {QUEUE}" in outcome.stdout
    assert f"event_source_arn: {STREAM}" in outcome.stdout
    assert 'starting_position_timestamp: "2023-11-14T22:13:20+00:00"' in outcome.stdout
    assert f"function_arn: {WORKER}" in outcome.stdout
    assert "# Imported by `headrace import` from the account 123456789012 in eu-west-1." in outcome.stdout
    assert "found 2 event source mappings" in outcome.stderr
    assert server.asked.count(listed) == 2


def test_an_account_that_refuses_is_one_line(server: Server) -> None:
    """With AWS's words, and the exit code of what failed at run time."""
    server.answers[f"{ROOT}/event-source-mappings"] = [(403, {"message": "You may not."})]
    outcome = CliRunner().invoke(command, ["account"], catch_exceptions=False)
    assert outcome.exit_code == 1
    assert outcome.stderr == "account: ListEventSourceMappings: AccessDeniedException: You may not.\n"
    assert outcome.stdout == ""


def test_an_account_without_a_region_is_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is ever assumed."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    outcome = CliRunner().invoke(command, ["account"], catch_exceptions=False)
    assert (outcome.exit_code, server.asked) == (1, [])
    assert "found no region, expected one in AWS_REGION or in the profile" in outcome.stderr

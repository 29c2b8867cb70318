"""One ``headrace run`` with functions that have URLs, and what they do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLER = """
import base64, json

def handler(event, context):
    path = event["rawPath"]
    if path == "/fail":
        raise ValueError("wrong")
    if path == "/text":
        return "hello"
    if path == "/list":
        return ["hello", 3, True]
    if path == "/binary":
        return {"statusCode": 200, "headers": {"content-type": "image/png"}, "isBase64Encoded": True,
                "body": base64.b64encode(bytes(range(256))).decode()}
    if path == "/cookie":
        return {"statusCode": 200, "body": "set", "cookies": ["sid=1; HttpOnly", "b=2"]}
    if path == "/doubled":
        return {"statusCode": 200, "headers": {"access-control-allow-origin": "*"}, "body": "twice"}
    if path == "/inject":
        return {"statusCode": 200, "headers": {"x-a": "1\\r\\nx-b: 2"}, "body": "no"}
    return {"statusCode": 200, "headers": {"content-type": "application/json", "x-seen": event["requestContext"]["http"]["method"]},
            "body": json.dumps({"event": event, "request_id": context.aws_request_id})}
"""
BOOTSTRAP = f"""\
#!{sys.executable}
import http.client, json, os

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
base = "/2018-06-01/runtime/invocation"

def chunks(path):
    head = json.dumps({{"statusCode": 201, "headers": {{"content-type": "text/plain"}}, "cookies": ["a=1", "b=2"]}}).encode()
    yield head[:5]
    yield head[5:] + b"\\0" * 5
    yield b"\\0" * 3 + b"one "
    if path == "/break":
        os._exit(1)
    yield b"two"

while True:
    line = http.client.HTTPConnection(host, int(port))
    line.request("GET", base + "/next")
    reply = line.getresponse()
    event = json.loads(reply.read())
    where = f"{{base}}/{{reply.headers['Lambda-Runtime-Aws-Request-Id']}}/response"
    if event["rawPath"] == "/buffered":
        line.request("POST", where, body=b'{{"statusCode": 418}}')
    else:
        line.request("POST", where, body=chunks(event["rawPath"]), encode_chunked=True, headers={{
            "Transfer-Encoding": "chunked", "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Content-Type": "application/vnd.awslambda.http-integration-response"}})
    line.getresponse().read()
"""
WITHIN_SECONDS = 120.0
REGION = "us-east-1"


@dataclass(frozen=True)
class Served:
    """Where Lambda's API listens."""

    port: int
    log: Path

    def url(self, function: str, path: str = "/") -> str:
        """A function's URL by its host name."""
        return f"http://{self.host(function)}{path}"

    def host(self, function: str) -> str:
        """The Host header of a function's URL."""
        return f"{function}.lambda-url.{REGION}.localhost:{self.port}"

    def path(self, function: str, path: str = "/") -> str:
        """A function's URL by its path."""
        return f"http://127.0.0.1:{self.port}/function-urls/{function}{path}"


@contextmanager
def served(folder: Path, urls: dict[str, dict[str, Any] | None], **settings: Any) -> Iterator[Served]:  # noqa: ANN401 - YAML
    """A Headrace with a function of each name, whose ``function_url`` has these settings, if any; ``stream`` is a custom runtime.

    Stopped at the end, and that must be in order.
    """
    code = folder / "code"
    code.mkdir(parents=True)
    (code / "app.py").write_text(HANDLER)
    (code / "bootstrap").write_text(BOOTSTRAP)
    (code / "bootstrap").chmod(0o755)
    python = {"code": "./code", "handler": "app.handler"}
    provided = {"code": "./code", "runtime": "provided", "command": ["./bootstrap"]}
    config = {
        "runtime": {"http": False, "state": str(folder / "state")},
        "lambda_api": {"port": 0, "region": REGION, **settings},
        "functions": {
            name: {**(provided if name == "stream" else python), "timeout": 30, "concurrency": 1}
            | ({} if url is None else {"function_url": url})
            for name, url in urls.items()
        },
    }
    (folder / "headrace.yaml").write_text(yaml.safe_dump(config))
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "pollers", "run", str(folder / "headrace.yaml")],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
            env=dict(os.environ),
        )
    try:
        yield Served(_port(process, log), log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if '"Lambda\'s API is served"' in line:
                return int(json.loads(line)["url"].rpartition(":")[2])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"Lambda's API is not served: {log.read_text()}")

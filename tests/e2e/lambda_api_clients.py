"""What clients of Lambda's API find in the tests: functions that echo, print, fail, leave a note and stream."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.lambda_api import LambdaApiPlace
from tests.e2e.streaming import BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORE = """
import os

def broken(event, context):
    raise ValueError("no such order")

def chatty(event, context):
    print("looking at it")
    custom = context.client_context.custom if context.client_context else None
    return {"custom": custom, "id": context.aws_request_id}

def notes(event, context):
    with open(event["file"], "w") as file:
        file.write(context.aws_request_id)
"""
ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


@contextmanager
def place_for_clients(folder: Path) -> Iterator[LambdaApiPlace]:
    """Run it, until the block ends; it must then end well."""
    place = LambdaApiPlace(folder)
    script = place.folder / "stream" / "bootstrap"
    script.parent.mkdir()
    script.write_text(BOOTSTRAP)
    script.chmod(0o755)
    more = {name: {"handler": f"more.{name}"} for name in ("broken", "chatty", "notes")}
    stream = {"runtime": "provided", "code": "./stream", "command": ["./bootstrap"], "handler": "any"}
    api = {"port": place.port, "functions": True}
    place.configure({"orders": {"concurrency": 2}, "stream": stream, **more}, lambda_api=api)
    (place.folder / "code" / "more.py").write_text(MORE)
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()

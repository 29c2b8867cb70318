"""``headrace run`` with Lambda's API, as its clients find it: a port, a client, kills and restarts. No emulator."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.config
import botocore.session
import yaml
from aiohttp.test_utils import unused_port

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 120.0
FUNCTION = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0) if isinstance(event, dict) else 0)
    return {"echo": event, "arn": context.invoked_function_arn}
"""


@dataclass
class LambdaApiPlace:
    """A folder with a configuration and a function's code, and the process that runs it."""

    folder: Path
    port: int = field(default_factory=unused_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log's lines, of all processes."""
        text = (self.folder / "log").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Those of one event."""
        return [line for line in self.log if line["event"] == event]

    def configure(self, functions: dict[str, dict[str, Any]], **parts: Any) -> None:  # noqa: ANN401 - YAML
        """Write the configuration: ``functions``, all with the same code, behind the API."""
        (self.folder / "code").mkdir(exist_ok=True)
        (self.folder / "code" / "app.py").write_text(FUNCTION)
        common = {"code": "./code"}
        document = {
            "aws": {"region": "us-east-1"},
            "runtime": {"http": False},
            "lambda_api": {"port": self.port},
            "functions": {
                name: {**common, **({} if "command" in options else {"handler": "app.handler"}), **options}
                for name, options in functions.items()
            },
            **parts,
        }
        (self.folder / "headrace.yaml").write_text(yaml.safe_dump(document))

    def start(self, *arguments: str) -> None:
        """Run it, until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pollers", "run", str(self.folder / "headrace.yaml"), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
            )
        started = len(self.logged("headrace started"))
        self.until(lambda: len(self.logged("headrace started")) > started, "the start")

    def kill(self) -> None:
        """SIGKILL: nothing is finished."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def reload(self) -> None:
        """SIGHUP, until the changed configuration runs."""
        assert self.process is not None
        reloaded = len(self.logged("configuration reloaded"))
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: len(self.logged("configuration reloaded")) > reloaded, "the reload")

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)

    def fetched(self, path: str) -> bytes:
        """What a plain GET is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def client(self, keys: tuple[str, str] = ("x", "y")) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        """botocore's, which is boto3's too; it tries nothing again."""
        session = botocore.session.Session()
        session.set_credentials(*keys)
        return session.create_client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=self.url,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def until(self, condition: Any, what: str) -> None:  # noqa: ANN401 - any callable
        """Poll for it, while the process runs."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, f"headrace ended with {self.process.poll()} before {what}"
            assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_SECONDS} s"
            time.sleep(0.02)

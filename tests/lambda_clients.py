"""Clients of Lambda's API: the AWS CLI, boto3 and AWS's SDK for JavaScript, each installed once into the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pollers.emulators.cache import installed, step
from pollers.emulators.node import node_environment
from tests.node_client import NPM_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "y",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}


@dataclass(frozen=True, slots=True)
class AwsCli:
    """The AWS CLI, version 1, in an environment of its own: what it pins is not what we need."""

    name: str = "aws-cli"
    version: str = "1.46.3"
    revision: str = "1"

    def install(self, folder: Path) -> None:
        """From the package index that pip is set up for, at exact versions."""
        others = (
            "colorama==0.4.6",
            "docutils==0.19",
            "jmespath==1.1.0",
            "pyasn1==0.6.5",
            "python-dateutil==2.9.0.post0",
        )
        more = ("PyYAML==6.0.4", "rsa==4.7.2", "six==1.17.0", "urllib3==2.8.0")
        step([sys.executable, "-m", "venv", folder / "venv"], folder=folder)
        pip: list[str | Path] = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--no-deps"]
        step([*pip, f"awscli=={self.version}", *others, *more], folder=folder)


@dataclass(frozen=True, slots=True)
class Boto3:
    """boto3 as the extra of that name installs it: a folder for ``PYTHONPATH``, beside the SDK that is installed here."""

    name: str = "boto3"
    version: str = "1.43.117"
    revision: str = "1"

    def install(self, folder: Path) -> None:
        """Its other dependencies are Headrace's own."""
        pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--no-deps"]
        places: list[str | Path] = ["--constraint", CONSTRAINTS, "--target", folder]
        step([*pip, *places, f"boto3=={self.version}", "s3transfer"], folder=folder)


@dataclass(frozen=True, slots=True)
class LambdaSdkForJavaScript:
    """npm ``@aws-sdk/client-lambda``, version 3."""

    name: str = "client-lambda"
    version: str = "3.1163.0"
    revision: str = "1"

    def install(self, folder: Path) -> None:
        """What it needs is taken as of a fixed day, so that it is the same on every later one."""
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix", str(folder)]
        packages = [f"@aws-sdk/client-lambda@{self.version}"]
        step(
            ["npm", "install", *options, "--before", NPM_DAY, *packages], folder=folder, environment=node_environment()
        )


COMMANDS = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = create_clidriver().main(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs the CLI's commands one after another in one process: starting it takes longer than most of them."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command of the CLI ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """What it printed."""
        assert self.code == 0, self.err
        return json.loads(self.out)


class Commands:
    """The AWS CLI against one endpoint. Close it after use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._folder = installed(AwsCli())
        self._process: subprocess.Popen[str] | None = None

    def program(self) -> list[str]:
        """What a user's shell would start."""
        return [str(self._folder / "venv" / "bin" / "python"), str(self._folder / "venv" / "bin" / "aws")]

    def environment(self) -> dict[str, str]:
        """With credentials of nobody."""
        return {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL_LAMBDA": self._url, "AWS_PAGER": ""}

    def __call__(self, *arguments: str) -> Done:
        """``aws lambda ARGUMENTS``."""
        if self._process is None:
            python = self._folder / "venv" / "bin" / "python"
            self._process = subprocess.Popen(
                [python, "-c", COMMANDS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self.environment(),
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(["lambda", *arguments]) + "\n")
        self._process.stdin.flush()
        return Done(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate(timeout=60)


STEPS = """
const sdk = require(process.argv[2] + "/node_modules/@aws-sdk/client-lambda");
const client = new sdk.LambdaClient({endpoint: process.argv[3], maxAttempts: 1});
const text = (value) => value == null ? null : Buffer.from(value).toString();
const say = (value) => console.log(JSON.stringify(value));
const call = async ([name, input]) => {
  const reply = await client.send(new sdk[name + "Command"](input));
  const { $metadata, Payload, EventStream, ...rest } = reply;
  for await (const event of EventStream ?? []) {
    if (event.PayloadChunk) say({ chunk: text(event.PayloadChunk.Payload) });
    else say({ complete: event.InvokeComplete });
  }
  return { ...rest, status: $metadata.httpStatusCode, payload: text(Payload) };
};
(async () => {
  for (const step of JSON.parse(process.argv[4])) {
    try {
      say(await call(step));
    } catch (error) {
      const { name, message, Reason, Type, $metadata } = error;
      const known = error instanceof sdk.LambdaServiceException;
      say({ error: name, message, Reason, Type, known, status: $metadata?.httpStatusCode });
    }
  }
})();
"""
"""Makes calls one after another, and prints a line for each: its reply, or its error; for each event of a stream a line before."""


def javascript(url: str, *steps: tuple[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines that the SDK for JavaScript prints while it calls the operations, each as soon as it is printed."""
    folder = installed(LambdaSdkForJavaScript())
    environment = {**os.environ, **CREDENTIALS, **node_environment()}
    with subprocess.Popen(
        ["node", "--no-warnings", "-e", STEPS, "steps", str(folder), url, json.dumps(steps)],
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    assert process.returncode == 0

"""Control operations without a server: a request goes through the table of operations, and its answer comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from config.models import Config, PythonFunction
from pollers.lambda_api.control import Control, control_operations
from pollers.lambda_api.directory import Directory
from pollers.lambda_api.errors import ApiError, denied
from pollers.lambda_api.names import Here
from pollers.lambda_api.operations import Call, Reply
from pollers.lambda_api.routes import Routes
from pollers.resources import MemoryRows, Resources
from tests.unit.made_functions.fakes import made_functions
from tests.unit.made_mappings.fakes import FakeRuntime, made_mappings

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.lambda_api.incoming import Incoming
    from pollers.telemetry.facts import Outcome

HERE = Here("us-east-1", "000000000000")
ARN = HERE.arn("orders")
NOW = 1_764_000_000.123


class StoppedClock:
    """A clock that shows what it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now


@dataclass(frozen=True)
class Sent:
    """As much of a request as operations look at."""

    raw_query: str
    request_id: str = "r"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Status and document; ``type`` is an error's, ``message`` its text."""

    status: int
    body: Any
    type: str = ""
    message: str = ""


class Rig:
    """Functions ``orders`` and ``audit``, with ``options`` in the configuration of ``orders``.

    With a ``code_folder`` functions are made through the API, too.
    """

    def __init__(self, code_folder: Path | None = None, **options: Any) -> None:  # noqa: ANN401 - whatever options the configuration takes
        self.clock = StoppedClock()
        self.runtime = FakeRuntime()
        self.hosts = self.runtime.functions
        self.resources = Resources(MemoryRows(), self.hosts, clock=self.clock)
        self.results: dict[str, Outcome] = {}
        self.functions = (
            made_functions(self.runtime, code_folder, forget=self.resources.forget, clock=self.clock)
            if code_folder is not None
            else None
        )
        base = self.functions.completed if self.functions is not None else _as_given
        self.mappings = made_mappings(self.runtime, base=base, clock=self.clock)
        directory = Directory(self.hosts, HERE, self.functions)
        control = Control(
            self.resources,
            directory,
            self.mappings,
            lambda name: f"http://{name}.example/",
            self.results.get,
            self.functions,
        )
        self.operations = control_operations(control)
        self._routes = Routes(self.operations)
        self.configure(orders=options, audit={})

    def configure(self, **functions: dict[str, Any]) -> None:
        """These functions are configured from now on."""
        models = {
            name: PythonFunction.model_validate({"code": "/", "handler": "app.handler", **options})
            for name, options in functions.items()
        }
        self.runtime.follow(Config(functions={**models}))
        self.resources.follow(models)

    @staticmethod
    def encoded(segment: str) -> str:
        """A segment of a path, whatever it holds; no segment is empty."""
        return quote(segment, safe="") or "-"

    async def ask(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Ask ``path`` for an answer; a text as ``body`` is sent as it is, everything else as JSON."""
        sent = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        try:
            operation, parameters = self._routes.find(method, path)
            if operation.refusal is not None:
                raise denied(operation.refusal)
            reply = await operation.handler(Call(operation, parameters, sent, cast("Incoming", Sent(pairs))))
        except ApiError as error:
            document = json.loads(error.body())
            return Answer(error.status, document, error.error_type, error.message)
        assert isinstance(reply, Reply)
        assert reply.status in operation.success
        return Answer(reply.status, json.loads(reply.body) if reply.body else None)


def _as_given(config: Config) -> Config:
    return config

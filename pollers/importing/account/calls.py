"""Calls that read an account: tried again while the service is busy, and all pages of what comes in pages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.aws.api import AwsService, Connection, RepliedCalls
from pollers.aws.errors import INVALID_REPLY, Throttled, Unavailable
from pollers.engine.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from pollers.importing.values import Value

TRIES = 8
"""Of one call. With the waits between them, an account that throttles everybody has about a minute."""
PAGES_AT_MOST = 10_000
_BODY = "Body"
_METADATA = "ResponseMetadata"


class Calls(Protocol):
    """One service, as far as an account is read."""

    async def reply(self, operation: str, parameters: Mapping[str, str]) -> dict[str, Value]:
        """One reply. Raises :class:`pollers.aws.errors.AwsError`."""


@dataclass(slots=True)
class PatientCalls:
    """Implements :class:`Calls` on those of the SDK. ``sleep`` and ``random`` are for tests."""

    sdk: RepliedCalls
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    random: Random = field(default_factory=Random)

    async def reply(self, operation: str, parameters: Mapping[str, str]) -> dict[str, Value]:
        """See :class:`Calls`; throttles and outages are waited for."""
        backoff = Backoff(self.random)
        while True:
            try:
                found = await self.sdk.reply(operation, parameters)
                return _read(found, operation)
            except (Throttled, Unavailable):
                if backoff.failures + 1 >= TRIES:
                    raise
                await self.sleep(backoff.next())


async def paged(
    calls: Calls, operation: str, members: str, token: tuple[str, str], parameters: Mapping[str, str] | None = None
) -> AsyncIterator[dict[str, Value]]:
    """Every member of every page. ``token`` is what it is called in the reply and in the next request."""
    asked = dict(parameters or {})
    for _ in range(PAGES_AT_MOST):
        page = await calls.reply(operation, asked)
        items = page.get(members)
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                yield item
        following = page.get(token[0])
        if not isinstance(following, str) or not following or following == asked.get(token[1]):
            return
        asked[token[1]] = following


def _read(reply: Mapping[str, object], operation: str) -> dict[str, Value]:
    """A reply's members as values. The SDK leaves those of JSON services as the bytes that came."""
    body = reply.get(_BODY)
    if isinstance(body, bytes):
        try:
            found = json.loads(body)
        except ValueError as error:
            raise Unavailable(INVALID_REPLY, "the reply is no JSON", operation=operation) from error
        reply = found if isinstance(found, dict) else {}
    return {name: _value(value) for name, value in reply.items() if name != _METADATA}


def _value(value: object) -> Value:
    match value:
        case dict():
            return {str(name): _value(item) for name, item in value.items()}
        case list():
            return [_value(item) for item in value]
        case datetime():
            return value.isoformat()
        case float():
            return int(value) if value.is_integer() else str(value)
        case str() | bool() | int():
            return value
        case _:
            return None


def _patient(connection: Connection) -> Calls:
    return PatientCalls(connection.sdk)


LAMBDA: AwsService[Calls] = AwsService("lambda", "lambda", ("lambda_",), _patient)
SCHEDULER: AwsService[Calls] = AwsService("scheduler", "scheduler", (), _patient)
EVENTS: AwsService[Calls] = AwsService("events", "events", ("events",), _patient)

"""Functions that run here as destinations: they get reports through our own asynchronous queue."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Protocol

from pollers.destinations.ended import TargetRefuses
from pollers.destinations.recursion import CALLS_AT_MOST, endless

if TYPE_CHECKING:
    from collections.abc import Callable, Container

_LATEST = ":$LATEST"


class Accepting(Protocol):
    """The asynchronous queue, as far as it takes events."""

    async def accept(self, function: str, event: bytes, *, request_id: str, beyond_limit: bool) -> bool:
        """Take an event for a function, by its name: it is durable when this returns. False for one that is known.

        ``beyond_limit``: also when there is no room.
        """


class QueuedFunctions:
    """Implements :class:`pollers.destinations.destination.OwnFunctions`.

    ``functions`` are those that run here, by name; ``arn_of`` gives the unqualified ARN of one. ``queue`` is asked for when it is
    needed: it is made with the deliveries that need these functions. ``allows_recursion``: no chain through a function is stopped.
    """

    def __init__(
        self,
        functions: Container[str],
        arn_of: Callable[[str], str],
        queue: Callable[[], Accepting],
        allows_recursion: Callable[[str], bool] = lambda function: False,
    ) -> None:
        self._functions = functions
        self._arn_of = arn_of
        self._queue = queue
        self._allows_recursion = allows_recursion

    def has(self, function_arn: str) -> bool:
        """See ``OwnFunctions.has``: by its own ARN, plain or with ``$LATEST``."""
        return is_own(function_arn, self._functions, self._arn_of)

    async def accept(self, function_arn: str, event: bytes) -> None:
        """See ``OwnFunctions.accept``. Its request id is made from the report: one that is delivered again is not queued twice."""
        name = function_name(function_arn)
        if endless(event, self._arn_of(name)) and not self._allows_recursion(name):
            raise TargetRefuses(
                f"function {name} was called {CALLS_AT_MOST} times in one chain of invocations: it seems to be endless, and is "
                "stopped, as on Lambda (PutFunctionRecursionConfig with RecursiveLoop Allow lets it go on)"
            )
        digest = hashlib.blake2b(function_arn.encode() + b"\n" + event, digest_size=16).digest()
        request_id = str(uuid.UUID(bytes=digest, version=4))
        # The event that the report is about leaves the queue when the report is in it. Without this, a queue that is full of events
        # that have ended, and whose reports it should take itself, would never have room again.
        await self._queue().accept(name, event, request_id=request_id, beyond_limit=True)


def is_own(function_arn: str, functions: Container[str], arn_of: Callable[[str], str]) -> bool:
    """Whether the ARN names one of these functions, plain or with the one version that there is."""
    name = function_name(function_arn)
    return name in functions and arn_of(name) == function_arn.removesuffix(_LATEST)


def function_name(function_arn: str) -> str:
    """The name in a function's ARN, empty if there is none."""
    parts = function_arn.split(":")
    return parts[6] if len(parts) > 6 else ""

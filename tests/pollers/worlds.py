"""Every world of the suite, and the decorator that runs a test on those that have what it is about."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import pytest
import structlog

from tests.pollers.changes import ChangeStream, DocumentDBStream
from tests.pollers.queues import FifoQueue, StandardQueue
from tests.pollers.streams import FanOutConsumer, Feed, KinesisStream, TableStream
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.pollers.world import Features, World

P = ParamSpec("P")

WORLDS: tuple[type[World], ...] = (
    StandardQueue,
    FifoQueue,
    KinesisStream,
    FanOutConsumer,
    TableStream,
    Feed,
    ChangeStream,
    DocumentDBStream,
)
STEP_LIMIT = 200_000
"""Turns of the loop after which a test counts as endless: several times what the longest needs."""


def each_world(
    having: Callable[[Features], object] = lambda features: True,
) -> Callable[[Callable[Concatenate[World, P], Coroutine[None, None, None]]], Callable[..., None]]:
    """Run a test on each world that has these features, made anew for each run, under virtual time. What is logged is not shown."""
    worlds = [world for world in WORLDS if having(world.features)]

    def decorate(test: Callable[Concatenate[World, P], Coroutine[None, None, None]]) -> Callable[..., None]:
        @pytest.mark.parametrize("world", worlds, ids=lambda world: world.name)
        @functools.wraps(test)
        def in_virtual_time(world: type[World], *arguments: P.args, **named: P.kwargs) -> None:
            async def main() -> None:
                await test(world(), *arguments, **named)

            with structlog.testing.capture_logs():
                virtual_time.run(main, step_limit=STEP_LIMIT)

        return in_virtual_time

    return decorate

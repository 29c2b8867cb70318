"""A mapping of a change stream under trial, on each kind of server."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.pollers.changes import ChangeStream, DocumentDBStream
from tests.pollers.function import accept
from tests.pollers.trial import Trial
from tests.worlds import virtual_time
from tests.worlds.memory_cluster import DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.pollers.function import Behaviour
    from tests.worlds.memory_cluster import MemoryCluster

EACH_SERVER = pytest.mark.parametrize(
    "server", [MONGODB, DOCUMENTDB, OLD_DOCUMENTDB], ids=lambda server: f"{server.product}-{server.version}"
)


class ChangeTrial(Trial):
    """One mapping, of a collection or a whole database, that starts at LATEST: every server has that."""

    world: ChangeStream

    def __init__(
        self,
        server: Server = MONGODB,
        behaviour: Behaviour = accept,
        *,
        database: bool = False,
        **settings: Any,  # noqa: ANN401 - the mapping's own
    ) -> None:
        world = DocumentDBStream(server) if database else ChangeStream(server)
        super().__init__(world, behaviour, **{"starting_position": "LATEST", **settings})

    @property
    def cluster(self) -> MemoryCluster:
        """The server."""
        return self.world.cluster

    @property
    def openings(self) -> int:
        """How often streams were opened."""
        return sum(len(reader.openings) for reader in self.world.readers)

    async def begin(self) -> None:
        """A first life, in which the beginning is pinned."""
        async with self.running():
            await self.until_caught_up()

    def do(self, something: Callable[[], object]) -> list[str]:
        """Do something to the cluster; the values of the events that come of it."""
        values = self.world.done(something)
        for value in values:
            self.witness.put(value, "k")
        return values


def runs(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test under virtual time; what is logged is not shown."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - a test's parameters
        with structlog.testing.capture_logs():
            virtual_time.run(lambda: test(*arguments, **named))

    return run

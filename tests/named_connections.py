"""A client connection that a test has left open is found by the collector, in whatever test runs then: it says whose it was."""

from __future__ import annotations

import os
from typing import Any

from aiohttp.connector import Connection


def let_connections_name_their_tests() -> None:
    """The warning that aiohttp gives of such a connection shows it, and with it the test that made it."""
    initialise, describe = Connection.__init__, Connection.__repr__

    def initialised(self: Connection, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - aiohttp's own
        initialise(self, *arguments, **named)
        self.__dict__["made_in"] = os.environ.get("PYTEST_CURRENT_TEST", "no test")

    def described(self: Connection) -> str:
        return f"{describe(self)} made in {self.__dict__.get('made_in')}"

    Connection.__init__ = initialised  # type: ignore[method-assign]
    Connection.__repr__ = described  # type: ignore[method-assign]

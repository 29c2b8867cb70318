"""When a mapping's connection is made, made anew, and given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from pollers.aws.errors import Unavailable
from pollers.sources.documentdb.current_connection import CurrentConnection
from pollers.sources.documentdb.secret import User

if TYPE_CHECKING:
    from pollers.sources.documentdb.connecting import Connection, Connector


@dataclass
class Place:
    """Where it leads."""

    where: str = "h:1"


@dataclass(eq=False)
class Made:
    """A connection of the fake connector."""

    user: User | None
    place: Place = field(default_factory=Place)
    cluster: None = None
    closed: int = 0

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class Faked:
    """A connector whose secret can be changed. ``asked`` counts how often the cluster was looked up."""

    secret: User | None
    asked: int = 0
    failing: bool = False

    async def connect(self) -> Made:
        self.asked += 1
        if self.failing:
            raise Unavailable("Status", "the cluster is creating")
        return Made(self.secret)

    async def user(self) -> User | None:
        return self.secret

    async def made(self, place: Place, user: User | None, cluster: None) -> Made:
        return Made(user, place, cluster)


def current_of(connector: Faked) -> CurrentConnection:
    """The connection under test."""
    return CurrentConnection(cast("Connector", connector))


def made(connection: Connection) -> Made:
    """What the fake has made."""
    return cast("Made", connection)


async def test_one_connection_serves_until_it_is_given_up() -> None:
    """After that the cluster is looked up again."""
    connector = Faked(User("reader", "one"))
    current = current_of(connector)
    first = await current.current()
    assert await current.current() is first
    await current.drop(first)
    second = await current.current()
    assert second is not first
    assert (connector.asked, made(first).closed, made(second).closed) == (2, 1, 0)
    await current.drop(first)
    assert await current.current() is second


async def test_a_refused_user_is_replaced_when_the_secret_has_another() -> None:
    """Not when it says the same; whoever comes late finds that it is done."""
    connector = Faked(User("reader", "one"))
    current = current_of(connector)
    first = await current.current()
    assert not await current.renewed(first)
    assert made(first).closed == 0
    connector.secret = User("reader", "two")
    assert await current.renewed(first)
    assert await current.renewed(first)
    second = made(await current.current())
    assert (second.user, second.place, connector.asked) == (User("reader", "two"), made(first).place, 1)
    assert made(first).closed == 1


async def test_a_user_of_the_uri_cannot_be_replaced() -> None:
    """No secret speaks for it."""
    current = current_of(Faked(None))
    assert not await current.renewed(await current.current())


async def test_what_cannot_be_made_is_tried_again_at_the_next_call() -> None:
    """Such as while the cluster is being created."""
    connector = Faked(None, failing=True)
    current = current_of(connector)
    with pytest.raises(Unavailable):
        await current.current()
    connector.failing = False
    await current.current()
    assert connector.asked == 2


async def test_the_end_closes_it_once() -> None:
    """Also where there is none."""
    current = current_of(Faked(None))
    await current.aclose()
    connection = await current.current()
    await current.aclose()
    await current.aclose()
    assert made(connection).closed == 1

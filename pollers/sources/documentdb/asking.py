"""Calls on the connection that there is now, with errors of the family that pollers know.

A user that the server refuses is looked up again before that is believed; a cluster that cannot be reached is looked up again
at the next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dns.exception import DNSException
from pymongo.errors import ConfigurationError, ServerSelectionTimeoutError

from pollers.aws.errors import AccessDenied, AwsError, Refused
from pollers.sources.documentdb.current_connection import CurrentConnection
from pollers.sources.documentdb.driver import OLD_SERVERS, driver_version
from pollers.sources.documentdb.errors import AUTHENTICATION_FAILED, failure
from pollers.sources.documentdb.uncut import Uncut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pollers.sources.documentdb.connecting import Connection, Connector

T = TypeVar("T")


class Asking:
    """Owns a mapping's connection and its calls."""

    def __init__(self, connector: Connector) -> None:
        self._connection = CurrentConnection(connector)
        self._calls = Uncut()

    async def ask(
        self,
        operation: str,
        call: Callable[[Connection], Awaitable[T]],
        left: Callable[[T], Awaitable[None]] | None = None,
    ) -> T:
        """What ``call`` gives on the current connection. Raises AwsError.

        When the caller is cut, the call goes on, and ``left`` is given what comes.
        """
        return await self._calls.run(self._ask(operation, call), left)

    async def ask_on(
        self,
        connection: Connection,
        operation: str,
        call: Callable[[Connection], Awaitable[T]],
        left: Callable[[T], Awaitable[None]] | None = None,
    ) -> T:
        """The same on one connection and no other. Raises AwsError."""
        return await self._calls.run(self._ask_on(connection, operation, call), left)

    async def aclose(self) -> None:
        """End every call and close the connection; bounded, raises nothing."""
        await self._calls.aclose()
        await self._connection.aclose()

    async def _ask(self, operation: str, call: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await self._connection.current()
        try:
            return await self._once(connection, operation, call)
        except AccessDenied as error:
            if not await self._renewed(connection, error):
                raise
        return await self._once(await self._connection.current(), operation, call)

    async def _ask_on(self, connection: Connection, operation: str, call: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await self._once(connection, operation, call)
        except AccessDenied as error:
            await self._renewed(connection, error)
            raise

    async def _renewed(self, connection: Connection, error: AccessDenied) -> bool:
        return error.code in AUTHENTICATION_FAILED and await self._connection.renewed(connection)

    async def _once(self, connection: Connection, operation: str, call: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await call(connection)
        except AwsError:
            raise
        except (ServerSelectionTimeoutError, ConfigurationError) as error:
            if isinstance(error, ConfigurationError) and not _of_dns(error):
                raise _configuration(connection, error, operation) from error
            await self._connection.drop(connection)
            raise connection.unreachable(error, operation) from error
        except Exception as error:
            raise failure(error, operation) from error


def _of_dns(error: ConfigurationError) -> bool:
    """Whether it is of a name that could not be looked up, which the driver does itself for mongodb+srv. That may pass."""
    return isinstance(error.__cause__, DNSException)


def _configuration(connection: Connection, error: ConfigurationError, operation: str) -> Refused:
    """What the driver will not do with this server, such as talk to one that is too old (it says which versions)."""
    said = f"{connection.place.where}: {error}"
    if "wire version" in str(error):
        said = f"{said} DocumentDB 4.0 and servers of its age need an older driver: {OLD_SERVERS} (this is {driver_version()})"
    return Refused(type(error).__name__, said, operation=operation)

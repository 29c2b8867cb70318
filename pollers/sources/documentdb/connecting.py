"""From a mapping's settings to a connected client of the driver: where the cluster is, who connects, and whom to trust.

Nobody but this file makes clients of the driver. What it cannot do it says with the place, and never with the user's password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread

from pollers.aws.errors import AwsError, Refused, Unavailable
from pollers.sources.documentdb.trust import OF_URI, Trust, trusted
from pollers.sources.documentdb.unreachable import explanation
from pollers.sources.documentdb.uri import UriUnusable, is_secret, read_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymongo import AsyncMongoClient
    from pymongo.server_description import ServerDescription

    from config import Arn
    from pollers.sources.documentdb.clusters import Cluster, ClustersApi
    from pollers.sources.documentdb.greetings import Greetings
    from pollers.sources.documentdb.secret import SecretsApi, User

CONNECT_SECONDS: Final = 5
FIND_SECONDS: Final = 12
"""How long a server is looked for: longer than a connection may take, so that there is a cause to tell."""
REPLY_SECONDS: Final = 600
"""How long a reply may take: as long as a server searches its log behind an old place, for who gives up begins again at that place.

One that is gone without a word is found out much sooner, by the driver's monitor, which asks every ten seconds and ends what waits.
"""
CLOSE_SECONDS: Final = 0.5
"""For all that is done when a connection is closed."""
_OPTIONS: Final[Mapping[str, Any]] = {
    "appname": "headrace",
    "retryWrites": False,
    "serverSelectionTimeoutMS": FIND_SECONDS * 1000,
    "connectTimeoutMS": CONNECT_SECONDS * 1000,
    # By itself the driver would wait for a reply for ever.
    "socketTimeoutMS": REPLY_SECONDS * 1000,
    # A server that has said that it is no primary is asked again at once. A monitor that waits for news would wait on, up to 10 s.
    "serverMonitoringMode": "poll",
}
"""What the driver is told where a URI does not say otherwise."""
_OPERATION: Final = "connect"
ENGINE: Final = "docdb"
_COMING: Final = frozenset({"creating", "starting"})
_STOPPED: Final = frozenset({"stopped", "stopping", "inaccessible-encryption-credentials-recoverable"})
_GONE: Final = frozenset({"deleting"})
UNSUITABLE: Final = frozenset({"Engine", "Status"})
"""Codes of a cluster that is not read, as it is: of another engine, or in a state without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a mapping's cluster is reached: by its ARN, or by a URI in its place; with the user of a secret, if there is one."""

    arn: Arn
    secret_arn: str | None
    connection_uri: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster is. ``uri`` is what the driver is given, ``where`` what people are told."""

    uri: str = field(repr=False)
    where: str
    amazon: bool
    tls: bool
    trust: Trust
    has_user: bool
    secret: bool
    given: frozenset[str] = frozenset()
    """Options that the URI gives itself, in lower case."""
    of_uri: bool = True
    """Whether it was given as a URI; else RDS has told it."""


def place_of_cluster(arn: Arn, cluster: Cluster, environ: Mapping[str, str]) -> Place:
    """Where a described cluster is (decider). Raises Unavailable while it cannot be connected to, Refused where it never will."""
    if cluster.engine != ENGINE:
        raise Refused(
            "Engine", f"the cluster {arn} is one of {cluster.engine}, not of DocumentDB", operation=_OPERATION
        )
    if cluster.status in _GONE:
        raise Refused("Status", f"the cluster {arn} is {cluster.status}", operation=_OPERATION)
    if cluster.status in _STOPPED:
        why = f"the cluster {arn} is {cluster.status}: start it (a stopped one starts by itself after seven days)"
        raise Unavailable("Status", why, operation=_OPERATION)
    if cluster.status in _COMING or cluster.endpoint is None:
        why = f"the cluster {arn} is {cluster.status}: it is connected to when it is available"
        raise Unavailable("Status", why, operation=_OPERATION)
    where = f"{cluster.endpoint}:{cluster.port}"
    trust = trusted(environ, amazon=True)
    return Place(
        f"mongodb://{where}/", where, amazon=True, tls=True, trust=trust, has_user=False, secret=False, of_uri=False
    )


def place_of_uri(text: str, environ: Mapping[str, str], *, secret: bool) -> Place:
    """Where a URI leads (decider). Raises Refused.

    ``secret``: the user is one of a secret. Behind a port of this machine there is a cluster of Amazon's then, through a tunnel.
    """
    try:
        uri = read_uri(text)
    except UriUnusable as error:
        raise Refused("UnusableUri", str(error), operation=_OPERATION) from None
    amazon = uri.amazon or (secret and uri.loopback)
    trust = OF_URI if uri.own_trust or not uri.tls else trusted(environ, amazon=amazon)
    return Place(text, ", ".join(uri.hosts), amazon, uri.tls, trust, uri.has_user, uri.secret, uri.options)


class Sticky:
    """Keeps all calls of a client on one server, for as long as that can serve them: a cursor lives on the server that made it.

    The driver asks it which of several suitable servers to take (``server_selector``).
    """

    def __init__(self) -> None:
        self._address: Any = None

    def __call__(self, servers: Sequence[ServerDescription]) -> list[ServerDescription]:
        """One of ``servers``: the last one, if it is among them."""
        if not servers:
            return []
        nearest = min(servers, key=lambda one: one.round_trip_time or 0.0)
        chosen = next((one for one in servers if one.address == self._address), nearest)
        self._address = chosen.address
        return [chosen]


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of the driver with what is known of its cluster. ``cluster`` None: a URI leads there, RDS was not asked."""

    client: AsyncMongoClient[dict[str, Any]]
    greetings: Greetings
    place: Place
    user: User | None
    cluster: Cluster | None

    def unreachable(self, error: Exception, operation: str) -> Unavailable:
        """The error for servers that could not be reached, or whose names could not be looked up, with what to do about it."""
        from pymongo.errors import ServerSelectionTimeoutError

        causes: list[str] = []
        if isinstance(error, ServerSelectionTimeoutError):
            servers = self.client.topology_description.server_descriptions().values()
            causes = [_cause(server.error) for server in servers if server.error is not None]
        causes = causes or [str(error)]
        return Unavailable(type(error).__name__, explanation(self.place, causes), operation=operation)

    async def aclose(self) -> None:
        """Close every connection; bounded, raises nothing."""
        with anyio.move_on_after(CLOSE_SECONDS / 2, shield=True):
            await self.greetings.none()
        with anyio.move_on_after(CLOSE_SECONDS / 2, shield=True):
            await self.client.close()


def _cause(error: Exception) -> str:
    from pymongo.errors import NotPrimaryError

    return f"No primary: {error}" if isinstance(error, NotPrimaryError) else str(error)


class Connector:
    """Makes connections to one mapping's cluster, each time by asking anew where it is and who connects."""

    def __init__(
        self, access: Access, clusters: ClustersApi | None, secrets: SecretsApi | None, environ: Mapping[str, str]
    ) -> None:
        """``clusters`` and ``secrets`` are there for an access that needs them."""
        self._access = access
        self._clusters = clusters
        self._secrets = secrets
        self._environ = environ

    async def connect(self) -> Connection:
        """A client that connects when it is first used. Raises AwsError."""
        cluster = await self.cluster()
        if cluster is not None:
            place = place_of_cluster(self._access.arn, cluster, self._environ)
        else:
            secret = self._access.secret_arn is not None
            place = place_of_uri(self._access.connection_uri or "", self._environ, secret=secret)
        user = None if place.has_user else await self.user()
        return await self.made(place, user, cluster)

    async def made(self, place: Place, user: User | None, cluster: Cluster | None) -> Connection:
        """A client for this place and user. Raises Refused."""
        from pollers.sources.documentdb.greetings import Greetings

        greetings = Greetings()
        # Reading the authorities takes 50 ms, and the loop must not wait that long.
        client = await to_thread.run_sync(partial(_client, place, user, greetings))
        return Connection(client, greetings, place, user, cluster)

    async def cluster(self) -> Cluster | None:
        """The cluster as RDS describes it now; None where a URI leads to it. Raises AwsError."""
        if self._access.connection_uri is not None or self._clusters is None:
            return None
        return await self._clusters.cluster(self._access.arn)

    async def user(self) -> User | None:
        """The user that the secret holds now; None where there is none. Raises AwsError."""
        if self._access.secret_arn is None or self._secrets is None:
            return None
        return await self._secrets.user(self._access.secret_arn)

    async def log_retention_seconds(self) -> float | None:
        """How long DocumentDB keeps change events, as far as RDS says so."""
        if self._clusters is None:
            return None
        try:
            cluster = await self._clusters.cluster(self._access.arn)
            group = cluster.parameter_group
            return None if group is None else await self._clusters.log_retention_seconds(group)
        except AwsError:
            return None


def _client(place: Place, user: User | None, greetings: Greetings) -> AsyncMongoClient[dict[str, Any]]:
    from bson.errors import BSONError
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    options: dict[str, Any] = {name: value for name, value in _OPTIONS.items() if name.lower() not in place.given}
    options |= {"server_selector": Sticky(), "event_listeners": [greetings]}
    if place.tls and not place.given:
        options["tls"] = True
    if place.trust.file is not None:
        options["tlsCAFile"] = place.trust.file
    if user is not None:
        options |= {"username": user.name, "password": user.password}
    if (why := _unusable_options(place.uri.partition("?")[2])) is not None:
        # The options have nothing of user and password in them, but for those whose values are not told.
        raise Refused("ConfigurationError", f"connection_uri cannot be used: {why}", operation=_OPERATION)
    try:
        return AsyncMongoClient(place.uri, **options)
    except (PyMongoError, BSONError, ValueError, TypeError, OSError) as error:
        name, words = type(error).__name__, str(error)
    # Raised outside the handler: the driver's own error, which may quote the password, would be this one's context.
    raise _unusable(place, name, words)


def _unusable_options(query: str) -> str | None:
    """What is wrong with the options of a URI; None: nothing.

    By itself the driver only warns of options that it does not know or understand, and goes on without them.
    """
    whole = _option_fault(query)
    if whole is None:
        return None
    for option in query.replace(";", "&").split("&"):
        if (why := _option_fault(option)) is not None:
            name = option.partition("=")[0]
            return f"its option {name} is not valid" if is_secret(name) else f"its option {name}: {why}"
    return whole


def _option_fault(query: str) -> str | None:
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    try:
        parse_uri(f"mongodb://localhost/?{query}", warn=False)
    except (PyMongoError, ValueError, TypeError, OSError) as error:
        return str(error)
    return None


def _unusable(place: Place, name: str, words: str) -> Refused:
    said = f": {words}" if not place.secret else "; its words are not shown, since they may have the password in them"
    if place.trust.file is not None and (
        "CA" in words or place.trust.file in words or "X509" in words or "PEM" in words
    ):
        said = f": the certificates of {place.trust.source} cannot be read"
    return Refused(name, f"cannot connect to {place.where}{said}", operation=_OPERATION)

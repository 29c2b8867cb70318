"""What ``headrace check --online`` asks about a change stream: the cluster, the user, the connection, the stream and its log."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from pollers.aws.errors import AccessDenied, AwsError, Refused, Unavailable
from pollers.aws.findings import Finding, Level
from pollers.sources.documentdb import driver
from pollers.sources.documentdb.api import NOW
from pollers.telemetry.durations import age

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from config.models import DocumentDBMapping
    from pollers.aws.api import Aws
    from pollers.sources.documentdb.client import ChangeStreamClient
    from pollers.sources.documentdb.connecting import Connector

LAMBDA_ENGINES: Final = ("4.0", "5.0")
"""Lambda reads these and refuses others: ``Engine version 8.0.1 is not supported.``"""
SHORT_RETENTION_SECONDS: Final = 24 * 3600


async def examine(mapping: DocumentDBMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    if (missing := driver.missing()) is not None:
        yield Finding(mapping.name, Level.FAULT, missing, "install it beside Headrace")
        return
    from pollers.sources.documentdb import making

    connector = await making.connector(mapping, aws)
    async for finding in _cluster(mapping, connector):
        yield finding
        if finding.level is Level.FAULT:
            return
    client = making.client(mapping, connector)
    try:
        async for finding in _stream(mapping, client):
            yield finding
        yield await _log(mapping, client, connector)
    except AwsError as error:
        yield _failed(mapping, error)
    finally:
        await client.aclose()


async def _cluster(mapping: DocumentDBMapping, connector: Connector) -> AsyncIterator[Finding]:
    """What RDS and Secrets Manager say, before anything is connected to."""
    cluster = await connector.cluster()
    if cluster is None:
        yield Finding(mapping.name, Level.OK, "the cluster is reached by connection_uri: RDS was not asked")
    else:
        what = f"the cluster is {cluster.status}, with engine {cluster.engine} {cluster.engine_version}"
        yield _engine(mapping, what, cluster.engine_version)
    if mapping.secret_arn is None:
        yield Finding(mapping.name, Level.OK, "no secret is given: the user is that of connection_uri, if it has one")
    else:
        try:
            await connector.user()
        except Refused as error:
            fix = "correct the secret, or name another in source_access_configurations"
            yield Finding(mapping.name, Level.FAULT, str(error), fix)
        else:
            yield Finding(mapping.name, Level.OK, "the secret can be read, and has username and password")


def _engine(mapping: DocumentDBMapping, what: str, version: str) -> Finding:
    if version.startswith(LAMBDA_ENGINES):
        return Finding(mapping.name, Level.OK, what)
    fix = f"Headrace reads it; Lambda itself reads {' and '.join(LAMBDA_ENGINES)} only"
    return Finding(mapping.name, Level.NOTE, what, fix)


async def _stream(mapping: DocumentDBMapping, client: ChangeStreamClient) -> AsyncIterator[Finding]:
    facts = await client.server()
    what = f"connected: {facts.product} {facts.version}, {facts.set_name or 'no replica set'}"
    if facts.set_name is None:
        yield Finding(
            mapping.name, Level.FAULT, what, "change streams need a replica set (mongod --replSet), also of one"
        )
        return
    yield Finding(mapping.name, Level.OK, what)
    opened = await client.open(NOW)
    await client.next(opened.cursor, 1, 0.001)
    await client.close_cursor(opened.cursor)
    yield Finding(mapping.name, Level.OK, "the change stream can be opened and read")
    if (nothing := await _nothing_there(mapping, client)) is not None:
        yield nothing
    yield await _enabled(mapping, client, amazon=facts.product == "DocumentDB")


async def _nothing_there(mapping: DocumentDBMapping, client: ChangeStreamClient) -> Finding | None:
    """A name that no collection has is often a wrong one; servers let streams of it be opened, since it may be made later."""
    from pollers.sources.documentdb import commands

    watched = mapping.document_db_event_source_config
    named = partial(commands.has_collection, database=watched.database_name, collection=watched.collection_name)
    try:
        if await client.ask("listCollections", named):
            return None
    except AwsError:
        return None  # a user may read without being told of names
    what = f"the database {watched.database_name} has no collection"
    if watched.collection_name is not None:
        what = f"there is no collection {watched.database_name}.{watched.collection_name}"
    return Finding(mapping.name, Level.NOTE, f"{what} now", "see whether the name is right; it is read once it is made")


def _failed(mapping: DocumentDBMapping, error: AwsError) -> Finding:
    """What the server said, or that none did; its own fixes, since it knows nothing of AWS's permissions."""
    from pollers.sources.documentdb.connecting import UNSUITABLE
    from pollers.sources.documentdb.errors import AUTHENTICATION_FAILED

    if error.code in AUTHENTICATION_FAILED:
        fix = "correct user and password in the secret or in connection_uri, or make the user in the cluster"
    elif isinstance(error, AccessDenied):
        database = mapping.document_db_event_source_config.database_name
        fix = f'let the user read: db.grantRolesToUser("USER", [{{role: "read", db: "{database}"}}])'
    elif isinstance(error, Unavailable):
        fix = "connect to it from this machine by another program, such as mongosh, to see whether it is Headrace"
    elif error.code.isdigit():
        fix = "the server does not take what a change stream needs"
    elif error.code in UNSUITABLE:
        fix = "name another cluster in event_source_arn"
    else:
        fix = "correct connection_uri (or aws.endpoint_urls.documentdb), or the files that it names"
    return Finding(mapping.name, Level.FAULT, str(error), fix)


async def _enabled(mapping: DocumentDBMapping, client: ChangeStreamClient, *, amazon: bool) -> Finding:
    """DocumentDB gives nothing, and no error, for what change streams are not enabled for."""
    from pollers.sources.documentdb import commands

    watched = mapping.document_db_event_source_config
    try:
        listed = await client.ask("aggregate", commands.listed_streams)
    except AwsError as error:
        if not amazon:
            return Finding(mapping.name, Level.OK, "MongoDB's change streams need not be enabled")
        fix = "make sure that it is: what is not enabled gives no events and no error"
        return Finding(mapping.name, Level.NOTE, f"whether it is enabled cannot be seen ({error})", fix)
    return judged(mapping.name, watched.database_name, watched.collection_name, listed)


def judged(name: str, database: str, collection: str | None, listed: Collection[tuple[str, str]]) -> Finding:
    """Whether what is enabled (databases with collections; an empty name is every one) has what is watched (decider)."""
    if not {("", ""), (database, ""), (database, collection)}.isdisjoint(listed):
        return Finding(name, Level.OK, "change streams are enabled for it")
    some = sorted(one for of, one in listed if of == database)
    if collection is None and some:
        fix = "others give no events: enable the whole database if they should"
        return Finding(
            name, Level.NOTE, f"change streams are enabled for these collections only: {', '.join(some)}", fix
        )
    fix = (
        f'enable it: db.adminCommand({{modifyChangeStreams: 1, database: "{database}", collection: "{collection or ""}", '
        "enable: true})"
    )
    return Finding(name, Level.FAULT, "change streams are not enabled for it: it gives no events", fix)


async def _log(mapping: DocumentDBMapping, client: ChangeStreamClient, connector: Connector) -> Finding:
    """How long events can be read: for as long, a function may fail without a loss."""
    fix = "a batch that fails for longer loses what has left the log: see how long it is"
    retention = await connector.log_retention_seconds()
    if retention is None:
        return await _oldest(mapping, client, fix)
    what = f"the log keeps events for {retention / 3600:g} h (change_stream_log_retention_duration)"
    if retention < SHORT_RETENTION_SECONDS:
        fix = "an outage that is longer loses events: raise it, to seven days at most"
        return Finding(mapping.name, Level.NOTE, what, fix)
    return Finding(mapping.name, Level.OK, what)


async def _oldest(mapping: DocumentDBMapping, client: ChangeStreamClient, fix: str) -> Finding:
    from pollers.sources.documentdb import commands

    oldest = None
    with suppress(AwsError):
        oldest = await client.oldest()
    if oldest is None:
        return Finding(mapping.name, Level.NOTE, "how long the log keeps events cannot be seen", fix)
    now = await client.ask("isMaster", commands.server_time)
    return Finding(mapping.name, Level.OK, f"the log reaches back {age(max(now - oldest[0], 0))}")

"""Change streams of DocumentDB clusters, and of MongoDB, as a kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.models import DocumentDBMapping
from pollers.engine.kind import Names
from pollers.sources.documentdb.reported import change_stream_settings
from pollers.sources.documentdb.services import RDS, SECRETS_MANAGER
from pollers.sources.streams.kind import stream_kind
from pollers.telemetry.payloads import json_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import Aws, AwsService
    from pollers.aws.findings import Finding
    from pollers.sources.streams.source import StreamSource


async def make_source(mapping: DocumentDBMapping, aws: Aws) -> StreamSource:
    """The mapping's change stream."""
    from pollers.sources.documentdb import making
    from pollers.sources.documentdb.source import DocumentDBSource, Stream

    api = await making.change_stream(mapping, aws)
    watched = mapping.document_db_event_source_config
    stream = Stream(mapping.name, mapping.event_source_arn, watched.database_name, watched.collection_name)
    return DocumentDBSource(stream, api)


def _examine(mapping: DocumentDBMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    from pollers.sources.documentdb.checking import examine

    return examine(mapping, aws)


def _services(mapping: DocumentDBMapping) -> tuple[AwsService[Any], ...]:
    """A connection URI is in place of what RDS says."""
    cluster = (RDS,) if mapping.connection_uri is None else ()
    secret = () if mapping.secret_arn is None else (SECRETS_MANAGER,)
    return (*cluster, *secret)


def _watched(mapping: DocumentDBMapping) -> str:
    watched, cluster = mapping.document_db_event_source_config, mapping.arn.resource.removeprefix("cluster:")
    collection = "" if watched.collection_name is None else f".{watched.collection_name}"
    return f"{cluster}/{watched.database_name}{collection}"


DOCUMENTDB = stream_kind(
    DocumentDBMapping,
    services=_services,
    make_source=make_source,
    settings=change_stream_settings,
    patterns=None,
    names=Names(
        source=_watched,
        trace_system="aws_documentdb",
        form=lambda _: "documentdb",
        label=lambda _: "DOCUMENTDB",
    ),
    first_payload=json_member("event"),
    examine=_examine,
)

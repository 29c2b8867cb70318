"""From a mapping to the client of its change stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from config import parse_arn
from pollers.errors import SourceUnusable
from pollers.sources.documentdb.driver import missing
from pollers.sources.documentdb.services import RDS, SECRETS_MANAGER

if TYPE_CHECKING:
    from config.models import DocumentDBMapping
    from pollers.aws.api import Aws
    from pollers.sources.documentdb.api import ChangeStreamApi
    from pollers.sources.documentdb.client import ChangeStreamClient
    from pollers.sources.documentdb.connecting import Connector


async def change_stream(mapping: DocumentDBMapping, aws: Aws) -> ChangeStreamApi:
    """A client, which connects when it is first asked. Raises SourceUnusable where the driver is not installed."""
    if (lacking := missing()) is not None:
        raise SourceUnusable(lacking)
    return client(mapping, await connector(mapping, aws))


def client(mapping: DocumentDBMapping, connector: Connector) -> ChangeStreamClient:
    """A client of what the mapping watches."""
    from pollers.sources.documentdb.client import ChangeStreamClient, Namespace

    watched = mapping.document_db_event_source_config
    namespace = Namespace(watched.database_name, watched.collection_name, watched.full_document)
    return ChangeStreamClient(namespace, connector)


async def connector(mapping: DocumentDBMapping, aws: Aws) -> Connector:
    """What connects to the mapping's cluster. The services of AWS that are not needed are not asked for a client."""
    from pollers.sources.documentdb.connecting import Access, Connector

    secret_arn, uri = mapping.secret_arn, mapping.connection_uri
    access = Access(arn=mapping.arn, secret_arn=secret_arn, connection_uri=uri)
    clusters = await aws.client(RDS, mapping.arn.region) if uri is None else None
    secrets = None if secret_arn is None else await aws.client(SECRETS_MANAGER, parse_arn(secret_arn).region)
    return Connector(access, clusters, secrets, os.environ)

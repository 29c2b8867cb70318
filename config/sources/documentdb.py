"""Change streams of DocumentDB clusters, and of MongoDB: the form of their ARNs, their mappings, and what is refused about them.

Names, defaults and limits are Lambda's (docs/lambda 1.5). Headrace's own are ``connection_uri``, and what Lambda has for other
streams only, such as a limit of retries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from config.faults import Finding
from config.options.model import Model, Spellings, TextKind
from config.sources import streams
from config.sources.extra import Extra
from config.sources.kind import ArnForm, EventSource, Family, SourceConfig, Words
from config.sources.streams import StreamMapping
from config.text.arns import parse_arn
from config.text.nodes import describe, quoted

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from datetime import datetime

    from config.options.outcome import Reading
    from config.sources.kind import Endpoints
    from config.text.arns import Arn
    from config.text.nodes import Node

DEFAULT_WINDOW_SECONDS = 0.5
_SOURCE_OF_USERS = re.compile(r"(?:^|[&;])authsource=(?!\$external|%24external)", re.IGNORECASE)
"""Users of ``$external`` have no passwords."""
LONGEST_TIMEOUT_SECONDS = 14 * 60
"""Of a function, on Lambda (docs/lambda 1.5)."""
_WATCHED = "document_db_event_source_config"
_ACCESS = "source_access_configurations"
_DATABASE = re.compile(r'[^ /\\.$"\0]*')
_COLLECTION = re.compile(r"(?!system\.)[_a-zA-Z0-9][^$\0]*")


DRIVER = Extra("change streams need the driver pymongo", ("pymongo", "bson"), 'pip install "headrace[documentdb]"')


class DocumentDBEventSourceConfig(Model):
    """What is watched: a database, or one of its collections."""

    database_name: str = Field(min_length=1, max_length=63, description="the database whose changes are read")
    collection_name: str | None = Field(
        default=None, min_length=1, max_length=57, description="the only collection; all of the database if not given"
    )
    full_document: Literal["Default", "UpdateLookup"] = Field(
        default="Default",
        description="`UpdateLookup`: an update comes with the whole document as it is when the change is read",
    )


class SourceAccessConfiguration(Model):
    """How a cluster lets its reader in."""

    type: Literal["BASIC_AUTH"] = Field(description="by user and password")
    uri: Annotated[str, TextKind.ARN, Spellings(("URI",))] = Field(
        max_length=200, description="ARN of a secret in Secrets Manager that has `username` and `password`"
    )


class DocumentDBMapping(StreamMapping):
    """A change stream of a DocumentDB cluster, or of MongoDB, to a function."""

    kind: ClassVar[str] = "documentdb"
    taken_over_from: ClassVar[str | None] = "AT_TIMESTAMP"
    extra: ClassVar[Extra | None] = DRIVER

    maximum_batching_window_in_seconds: int | None = Field(
        default=None,
        ge=0,
        le=300,
        description="seconds to gather a batch, from its first event; half a second if not given",
    )
    document_db_event_source_config: Annotated[
        DocumentDBEventSourceConfig, Spellings(("DocumentDBEventSourceConfig",))
    ] = Field(description="what is watched")
    source_access_configurations: Annotated[
        list[SourceAccessConfiguration], Spellings(("source_access_configuration",))
    ] = Field(default_factory=list, description="the secret of the cluster's user; one at most")
    connection_uri: Annotated[str, TextKind.CONNECTION_URI] | None = Field(
        default=None,
        repr=False,
        description="a MongoDB URI, in place of the cluster's endpoint and secret, for MongoDB itself; Headrace's own, not AWS's",
    )

    def particulars(self) -> Iterator[str]:
        """What is watched, where it starts, and where failures go."""
        watched = self.document_db_event_source_config
        yield f"{watched.database_name}.{watched.collection_name or '*'}"
        if watched.full_document != "Default":
            yield "with full documents"
        yield from super().particulars()

    @property
    def batching_window_seconds(self) -> float:
        """See ``StreamMapping.batching_window_seconds``."""
        given = self.maximum_batching_window_in_seconds
        return DEFAULT_WINDOW_SECONDS if given is None else float(given)

    @property
    def window_begins_with_first_record(self) -> bool:
        """See ``StreamMapping.window_begins_with_first_record`` (docs/lambda 1.5)."""
        return True

    @property
    def secret_arn(self) -> str | None:
        """The secret of the user who connects, if any.

        A connection URI is in its place. One that says where users are (``authSource``) and names none leaves the user to the
        secret, so that no password need be in the environment of who reaches a cluster through a tunnel.
        """
        if self.connection_uri is not None and not _leaves_the_user(self.connection_uri):
            return None
        return next((access.uri for access in self.source_access_configurations), None)


def _leaves_the_user(uri: str) -> bool:
    hosts, _, options = uri.partition("://")[2].partition("?")
    return "@" not in hosts and _SOURCE_OF_USERS.search(options) is not None


def _expected(arn: Arn) -> str:
    right = "a cluster's ARN, arn:aws:rds:REGION:ACCOUNT:cluster:NAME"
    if arn.resource.startswith("global-cluster:"):
        return f"{right}: of a global cluster, the cluster of one region"
    return right


def _names(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    """Names of databases and collections are as the API's model has them."""
    watched = reading.best(_WATCHED)
    database, collection = getattr(watched, "database_name", None), getattr(watched, "collection_name", None)
    if database is not None and not _DATABASE.fullmatch(database):
        message = f'found {quoted(database)}, expected a name without spaces and without any of / \\ . $ "'
        yield Finding((_WATCHED, "database_name"), message)
    if collection is not None and not _COLLECTION.fullmatch(collection):
        message = (
            f"found {quoted(collection)}, expected a name that begins with a letter, a digit or _ and not with system., "
            "and has no $"
        )
        yield Finding((_WATCHED, "collection_name"), message)


def _one_secret(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    """A cluster lets one user in, whose secret is in Secrets Manager."""
    given = reading.best(_ACCESS) or []
    if len(given) > 1:
        message = (
            f"found {len(given)} of them, expected one (AWS SAM: Multiple BASIC_AUTH properties specified in "
            "SourceAccessConfigurations.)"
        )
        yield Finding((_ACCESS,), message)
    for number, access in enumerate(given):
        uri = getattr(access, "uri", None)
        if uri is not None and (parse_arn(uri).service, parse_arn(uri).resource[:7]) != ("secretsmanager", "secret:"):
            message = f"found {quoted(uri)}, expected a secret's ARN, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
            yield Finding((_ACCESS, number, "uri"), message)


def _reachable(reading: Reading, aws: Reading) -> Iterator[Finding]:
    """There is a way into the cluster: a secret, or a connection URI."""
    if "connection_uri" in reading.given or not reading.sure(_ACCESS) or reading.values.get(_ACCESS):
        return
    if not aws.sure("endpoint_urls") or getattr(aws.values.get("endpoint_urls"), "documentdb", None) is not None:
        return
    message = (
        f"{_ACCESS} is missing, expected the secret of the cluster's user, as BASIC_AUTH, or connection_uri (AWS SAM: No "
        "SourceAccessConfigurations for Amazon DocumentDB event provided.)"
    )
    yield Finding((), message)


def _located(mapping: DocumentDBMapping, endpoints: Endpoints) -> DocumentDBMapping:
    """The mapping with the connection URI of the ``aws`` section, where it has none of its own."""
    if mapping.connection_uri is not None or endpoints.documentdb is None:
        return mapping
    return mapping.model_copy(update={"connection_uri": endpoints.documentdb})


def _part(watched: Any) -> Hashable:  # noqa: ANN401 - the section, or what could be read of it
    """The database and the collection: what a mapping reads of a cluster."""
    return getattr(watched, "database_name", None), getattr(watched, "collection_name", None)


def _invalid_type(node: Node) -> str:
    return (
        f"found {describe(node)}, expected BASIC_AUTH (AWS SAM: Invalid property Type specified in SourceAccessConfigurations. The "
        "supported values are: ['BASIC_AUTH'].)"
    )


DOCUMENTDB = SourceConfig(
    model=DocumentDBMapping,
    family=Family("DocumentDB cluster", "DocumentDB", has_shards=True),
    called="a DocumentDB cluster",
    forms=(
        ArnForm(
            "a DocumentDB cluster",
            "rds",
            re.compile(r"cluster:[A-Za-z][A-Za-z0-9-]{0,62}"),
            "arn:aws:rds:us-east-1:000000000000:cluster:shop",
        ),
    ),
    expected=_expected,
    rules=(streams.starting_position, streams.record_age, streams.on_failure_destination, _names, _one_secret),
    words=Words(
        duplicate=streams.WORDS.duplicate,
        missing={
            "starting_position": "one of TRIM_HORIZON, LATEST, AT_TIMESTAMP",
            _WATCHED: "a mapping of database_name, and of collection_name for one collection",
            "uri": "a secret's ARN (AWS SAM: No BASIC_AUTH URI property specified in SourceAccessConfigurations.)",
        },
        invalid={"starting_position": streams.WORDS.invalid["starting_position"], "type": _invalid_type},
    ),
    without=frozenset({"filter_criteria"}),
    silent=frozenset({"maximum_batching_window_in_seconds", "maximum_retry_attempts", "maximum_record_age_in_seconds"}),
    part=(_WATCHED, _part),
    surrounded=(_reachable,),
    located=_located,
    longest_timeout_seconds=LONGEST_TIMEOUT_SECONDS,
)

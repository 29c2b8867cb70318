"""The services of AWS that say where a cluster is and who may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pollers.aws.api import AwsService

if TYPE_CHECKING:
    from pollers.aws.api import Connection
    from pollers.sources.documentdb.clusters import ClustersApi
    from pollers.sources.documentdb.secret import SecretsApi


def _rds(connection: Connection) -> ClustersApi:
    from pollers.sources.documentdb.clusters import ClustersClient

    return ClustersClient(connection.sdk)


def _secrets_manager(connection: Connection) -> SecretsApi:
    from pollers.sources.documentdb.secret import SecretsClient

    return SecretsClient(connection.direct())


RDS: Final[AwsService[ClustersApi]] = AwsService("rds", "rds", ("rds",), _rds)
"""DocumentDB's clusters are described by RDS's API: the same calls, permissions and endpoints."""
SECRETS_MANAGER: Final[AwsService[SecretsApi]] = AwsService(
    "secretsmanager", "secretsmanager", ("secretsmanager",), _secrets_manager
)

"""Where a DocumentDB cluster is and who may read it, asked through the seam to AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from config import parse_arn
from config.models import Aws as AwsModel
from pollers.aws.errors import NotFound, Refused
from pollers.aws.services.clients import AwsClients
from pollers.sources.documentdb.secret import User
from pollers.sources.documentdb.services import RDS, SECRETS_MANAGER
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.emulators import Emulator

pytestmark = pytest.mark.emulator


@pytest.fixture
async def aws(ministack: Emulator) -> AsyncIterator[AwsClients]:
    """Clients of our own; the services are given their endpoint by their own options."""
    urls = {"rds": ministack.endpoint_url, "secretsmanager": ministack.endpoint_url}
    async with AwsClients(AwsModel.model_validate({"region": "us-east-1", "endpoint_urls": urls})) as clients:
        yield clients


async def test_a_cluster_is_found_with_its_endpoint(aws: AwsClients, ministack: Emulator) -> None:
    """As the service itself names it."""
    name = unique("shop")
    async with plain_client(ministack, "docdb") as docdb:
        made = await docdb.create_db_cluster(
            DBClusterIdentifier=name, Engine="docdb", MasterUsername="reader", MasterUserPassword="pass-word-7"
        )
        described = made["DBCluster"]
        cluster = await (await aws.client(RDS, "us-east-1")).cluster(parse_arn(described["DBClusterArn"]))
        await docdb.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    assert (cluster.engine, cluster.endpoint) == ("docdb", described["Endpoint"])
    assert (cluster.port, cluster.engine_version) == (described["Port"], described["EngineVersion"])
    assert cluster.status in ("available", "creating")


async def test_a_cluster_that_does_not_exist_is_not_found(aws: AwsClients) -> None:
    """By RDS's own fault, which comes as XML."""
    clusters = await aws.client(RDS, "us-east-1")
    with pytest.raises(NotFound, match="DBClusterNotFoundFault"):
        await clusters.cluster(parse_arn(f"arn:aws:rds:us-east-1:000000000000:cluster:{unique('none')}"))


async def test_the_parameters_of_a_group_that_nobody_made_are_not_found(aws: AwsClients) -> None:
    """The emulator has no default groups; AWS has."""
    clusters = await aws.client(RDS, "us-east-1")
    with pytest.raises(NotFound):
        await clusters.log_retention_seconds(unique("group"))


async def test_a_secret_is_read_as_it_is_now(aws: AwsClients, ministack: Emulator) -> None:
    """After a rotation the new version counts."""
    secrets = await aws.client(SECRETS_MANAGER, "us-east-1")
    async with plain_client(ministack, "secretsmanager") as writer:
        first = json.dumps({"username": "reader", "password": "one"})
        arn = (await writer.create_secret(Name=unique("shop"), SecretString=first))["ARN"]
        assert await secrets.user(arn) == User("reader", "one")
        await writer.put_secret_value(SecretId=arn, SecretString=json.dumps({"username": "reader", "password": "two"}))
        assert await secrets.user(arn) == User("reader", "two")


async def test_a_secret_that_does_not_exist_is_refused(aws: AwsClients) -> None:
    """With what to do about it."""
    secrets = await aws.client(SECRETS_MANAGER, "us-east-1")
    with pytest.raises(Refused, match="source_access_configurations"):
        await secrets.user(f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{unique('none')}")

"""What ``headrace check --online`` finds out about a change stream, against servers that run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import AsyncMongoClient

from config.models import Aws as AwsModel
from config.models import DocumentDBMapping
from pollers.aws.findings import Finding, Level
from pollers.aws.services.clients import AwsClients
from pollers.sources.documentdb import checking, driver
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from pollers.emulators import Emulator

pytestmark = pytest.mark.emulator


def mapping_of(uri: str | None, secret: str | None = None, name: str = "shop") -> DocumentDBMapping:
    """A mapping of one collection."""
    settings: dict[str, Any] = {
        "name": "changes",
        "event_source_arn": f"arn:aws:rds:us-east-1:000000000000:cluster:{name}",
        "function_name": "work",
        "starting_position": "LATEST",
        "document_db_event_source_config": {"database_name": "shop", "collection_name": "orders"},
        "connection_uri": uri,
    }
    if secret is not None:
        settings["source_access_configurations"] = [{"type": "BASIC_AUTH", "uri": secret}]
    return DocumentDBMapping.model_validate(settings)


async def found_about(mapping: DocumentDBMapping, endpoint_url: str) -> list[Finding]:
    """Every finding."""
    async with AwsClients(AwsModel(region="us-east-1", endpoint_url=endpoint_url)) as aws:
        return [finding async for finding in checking.examine(mapping, aws)]


async def test_a_server_that_is_reached_by_a_uri_is_connected_to_and_read(secantusdb: Emulator) -> None:
    """RDS and Secrets Manager are not asked, so there need be none."""
    uri = f"mongodb://127.0.0.1:{secantusdb.port}/"
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await client["shop"]["orders"].insert_one({})
    found = await found_about(mapping_of(uri), "http://127.0.0.1:1")
    assert [one.level for one in found] == [Level.OK] * len(found)
    said = "\n".join(one.what for one in found)
    for words in (
        "by connection_uri",
        "connected: MongoDB",
        "can be opened and read",
        "need not be enabled",
        "the log reaches back",
    ):
        assert words in said


async def test_a_server_that_is_not_there_is_a_fault_with_host_and_port(unused_tcp_port: int) -> None:
    """And with what to do."""
    uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=200"
    found = await found_about(mapping_of(uri), "http://127.0.0.1:1")
    assert found[-1].level is Level.FAULT
    assert f"127.0.0.1:{unused_tcp_port} cannot be reached" in found[-1].what
    assert "mongosh" in found[-1].fix


@pytest.mark.parametrize(
    ("content", "words"),
    [({"username": "reader", "password": "x"}, "the secret can be read"), ({"user": "reader"}, "it has no username")],
)
async def test_a_secret_is_read(ministack: Emulator, secantusdb: Emulator, content: dict[str, str], words: str) -> None:
    """Its content is looked at, and not shown."""
    async with plain_client(ministack, "secretsmanager") as writer:
        arn = (await writer.create_secret(Name=unique("shop"), SecretString=json.dumps(content)))["ARN"]
    mapping = mapping_of(f"mongodb://127.0.0.1:{secantusdb.port}/?authSource=admin", arn)
    found = await found_about(mapping, ministack.endpoint_url)
    assert [words in one.what for one in found].count(True) == 1
    assert "change stream needs" not in "".join(one.fix for one in found)


async def test_a_name_that_no_collection_has_is_noted(secantusdb: Emulator) -> None:
    """It is read once it is made, but is often a wrong one."""
    uri = f"mongodb://127.0.0.1:{secantusdb.port}/"
    mapping = mapping_of(uri)
    database, collection = unique("shop"), "orders"
    for watched in ({"database_name": database}, {"database_name": database, "collection_name": collection}):
        config = mapping.document_db_event_source_config.model_copy(update={"collection_name": None, **watched})
        named = mapping.model_copy(update={"document_db_event_source_config": config})
        assert "no collection" in _notes(await found_about(named, "http://127.0.0.1:1"))
        async with AsyncMongoClient[dict[str, Any]](uri) as client:
            await client[database][collection].insert_one({})
            assert not _notes(await found_about(named, "http://127.0.0.1:1"))
            await client[database][collection].drop()


def _notes(found: list[Finding]) -> str:
    assert not [one for one in found if one.level is Level.FAULT], found
    return "\n".join(one.what for one in found if one.level is Level.NOTE)


async def test_a_cluster_says_its_status_and_engine(ministack: Emulator) -> None:
    """One that Lambda does not read is noted."""
    name = unique("shop")
    async with plain_client(ministack, "docdb") as docdb:
        await docdb.create_db_cluster(
            DBClusterIdentifier=name,
            Engine="docdb",
            EngineVersion="8.0.0",
            MasterUsername="reader",
            MasterUserPassword="pass-word-7",
        )
        mapping = mapping_of(None, name=name)
        async with AwsClients(AwsModel(region="us-east-1", endpoint_url=ministack.endpoint_url)) as aws:
            findings = checking.examine(mapping, aws)
            first = await anext(findings)
            await findings.aclose()  # type: ignore[attr-defined]
        await docdb.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    assert first.level is Level.NOTE
    assert "engine docdb 8.0.0" in first.what
    assert "Lambda itself reads 4.0 and 5.0 only" in first.fix


async def test_without_the_driver_there_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can be asked."""
    monkeypatch.setattr(driver, "missing", lambda: "no driver")
    (finding,) = await found_about(mapping_of("mongodb://127.0.0.1:1/"), "http://127.0.0.1:1")
    assert (finding.level, finding.what) == (Level.FAULT, "no driver")

"""Mappings of DocumentDB's change streams through Lambda's API: replies and refusals as far as they are known (docs/lambda 1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import Aws, Config, DocumentDBMapping, EndpointUrls
from tests.unit.lambda_api.control.rig import ARN, NOW, Answer, Rig
from tests.unit.lambda_api.control.test_mappings import PATH, applying, same, state
from tests.worlds import virtual_time

CLUSTER = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop"
WATCHED = {"DatabaseName": "shop", "CollectionName": "orders"}
ACCESS = [{"Type": "BASIC_AUTH", "URI": SECRET}]
CHANGES: dict[str, Any] = {
    "EventSourceArn": CLUSTER,
    "FunctionName": "orders",
    "StartingPosition": "LATEST",
    "DocumentDBEventSourceConfig": WATCHED,
    "SourceAccessConfigurations": ACCESS,
}


async def made(rig: Rig, **settings: object) -> str:
    """The UUID of a new mapping, once it is enabled."""
    answer = await rig.ask("POST", PATH, {**CHANGES, **settings})
    assert answer.status == 202, answer
    await virtual_time.settle()
    return str(answer.body["UUID"])


async def refused(rig: Rig, **settings: object) -> Answer:
    """The answer to a mapping that is not made; None among the settings leaves one out."""
    given = {name: value for name, value in {**CHANGES, **settings}.items() if value is not None}
    answer = await rig.ask("POST", PATH, given)
    assert answer.status == 400, answer
    return answer


@virtual_time.test
async def test_a_change_stream_is_echoed_with_its_defaults() -> None:
    """Exactly these members."""
    answer = await Rig().ask("POST", PATH, CHANGES)

    assert answer.status == 202
    assert same(answer, answer.body["UUID"]) == {
        "EventSourceArn": CLUSTER,
        "FunctionArn": ARN,
        "LastModified": NOW,
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "DocumentDBEventSourceConfig": {**WATCHED, "FullDocument": "Default"},
        "SourceAccessConfigurations": ACCESS,
    }


@virtual_time.test
async def test_a_mapping_lives_through_all_operations() -> None:
    """Made, shown, listed, changed, disabled and deleted."""
    rig = Rig()
    async with applying(rig):
        uuid = await made(rig)
        assert await state(rig, uuid) == "Enabled"
        listed = await rig.ask("GET", PATH, EventSourceArn=CLUSTER)
        assert [one["UUID"] for one in listed.body["EventSourceMappings"]] == [uuid]
        changed = await rig.ask("PUT", f"{PATH}/{uuid}", {"BatchSize": 1000, "MaximumBatchingWindowInSeconds": 10})
        assert (changed.status, changed.body["BatchSize"], changed.body["State"]) == (202, 1000, "Updating")
        await virtual_time.settle()
        assert (await rig.ask("PUT", f"{PATH}/{uuid}", {"Enabled": False})).body["State"] == "Disabling"
        await virtual_time.settle()
        deleted = await rig.ask("DELETE", f"{PATH}/{uuid}")
        assert (deleted.status, deleted.body["State"]) == (202, "Deleting")
        await virtual_time.settle()
        assert (await rig.ask("GET", f"{PATH}/{uuid}")).status == 404


@pytest.mark.parametrize(
    ("watched", "text"),
    [
        (WATCHED, "Invalid parameters: collectionName, databaseName"),
        ({**WATCHED, "FullDocument": "UpdateLookup"}, "Invalid parameters: collectionName, databaseName"),
        ({"DatabaseName": "shop"}, "Invalid parameters: databaseName"),
        ({"CollectionName": "other"}, "Invalid parameters: collectionName"),
    ],
)
@virtual_time.test
async def test_what_is_watched_cannot_be_updated(watched: dict[str, str], text: str) -> None:
    """Not even named again."""
    rig = Rig()
    async with applying(rig):
        uuid = await made(rig)
        answer = await rig.ask("PUT", f"{PATH}/{uuid}", {"DocumentDBEventSourceConfig": watched})
        assert (answer.status, answer.type, answer.message) == (400, "InvalidParameterValueException", text)


@virtual_time.test
async def test_full_documents_can_be_updated_alone() -> None:
    """What is watched stays."""
    rig = Rig()
    async with applying(rig):
        uuid = await made(rig)
        change = {"DocumentDBEventSourceConfig": {"FullDocument": "UpdateLookup"}}
        answer = await rig.ask("PUT", f"{PATH}/{uuid}", change)
        assert answer.body["DocumentDBEventSourceConfig"] == {**WATCHED, "FullDocument": "UpdateLookup"}
        await virtual_time.settle()
        again = await rig.ask("PUT", f"{PATH}/{uuid}", {"BatchSize": 5, "DocumentDBEventSourceConfig": {}})
        assert again.body["DocumentDBEventSourceConfig"] == {**WATCHED, "FullDocument": "UpdateLookup"}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"DocumentDBEventSourceConfig": {"DatabaseName": "a b"}},
            "1 validation error detected: Value 'a b' at 'documentDBEventSourceConfig.databaseName' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [^ /\.$\x22]*",
        ),
        (
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "CollectionName": "system.users"}},
            "1 validation error detected: Value 'system.users' at 'documentDBEventSourceConfig.collectionName' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: (^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)",
        ),
        (
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "all"}},
            "1 validation error detected: Value 'all' at 'documentDBEventSourceConfig.fullDocument' failed to satisfy constraint: "
            "Member must satisfy enum value set: [UpdateLookup, Default]",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "a,b"}]},
            "1 validation error detected: Value 'a,b' at 'sourceAccessConfigurations.1.member.uri' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [ a-zA-Z0-9-\/*:_+=.@-]*",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "PASSWORD", "URI": SECRET}]},
            "1 validation error detected: Value 'PASSWORD' at 'sourceAccessConfigurations.1.member.type' failed to satisfy ",
        ),
        (
            {"SourceAccessConfigurations": ACCESS * 24},
            "1 validation error detected: Value '[{'Type': 'BASIC_AUTH'",
        ),
        (
            {"StartingPosition": "NOW"},
            "1 validation error detected: Value 'NOW' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum "
            "value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
    ],
)
@virtual_time.test
async def test_what_the_model_does_not_allow_is_refused_by_its_words(settings: dict[str, object], text: str) -> None:
    """Before anything else is looked at."""
    answer = await refused(Rig(), **settings)

    assert answer.type == "ValidationException"
    assert answer.message.startswith(text)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"StartingPosition": None},
            "starting_position is missing, expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP",
        ),
        ({"DocumentDBEventSourceConfig": None}, "document_db_event_source_config is missing, expected a mapping of"),
        (
            {"SourceAccessConfigurations": None},
            "source_access_configurations is missing, expected the secret of the cluster's",
        ),
        (
            {"SourceAccessConfigurations": []},
            "source_access_configurations is missing, expected the secret of the cluster's",
        ),
        ({"SourceAccessConfigurations": ACCESS * 2}, "SourceAccessConfigurations: found 2 of them, expected one"),
        (
            {"SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:s"}]},
            "SourceAccessConfigurations[0].Type: found 'VPC_SUBNET', expected BASIC_AUTH",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
            "FilterCriteria: found a setting of queues and streams on a DocumentDB cluster",
        ),
        ({"ParallelizationFactor": 2}, "ParallelizationFactor: found a setting of streams on a DocumentDB cluster"),
        ({"FunctionName": "nobody"}, "Function does not exist"),
        ({"EventSourceArn": "arn:aws:rds:us-east-1:000000000000:db:shop"}, "Unrecognized event source."),
    ],
)
@virtual_time.test
async def test_what_is_wrong_beyond_its_form_is_refused(settings: dict[str, object], text: str) -> None:
    """In AWS's words where they are known, else in those of the configuration."""
    answer = await refused(Rig(), **settings)

    assert answer.type == "InvalidParameterValueException"
    assert answer.message.startswith(text)


@virtual_time.test
async def test_a_cluster_may_be_read_at_a_connection_uri_without_a_secret() -> None:
    """The configuration's: what a client sends cannot name one, and no reply shows it."""
    rig = Rig()
    uri = "mongodb://u:s3cret@db:27017/"
    rig.runtime.follow(
        Config(functions=rig.runtime.given.functions, aws=Aws(endpoint_urls=EndpointUrls(documentdb=uri)))
    )
    async with applying(rig):
        uuid = await made(rig, SourceAccessConfigurations=[], ConnectionUri="mongodb://other/")
        shown = await rig.ask("GET", f"{PATH}/{uuid}")
        running = rig.runtime.config.event_source_mappings[uuid]

    assert isinstance(running, DocumentDBMapping)
    assert running.connection_uri == uri
    assert "mongodb" not in str(shown)


@virtual_time.test
async def test_another_collection_is_another_mapping() -> None:
    """The same one again is a conflict, whatever else differs."""
    rig = Rig()
    async with applying(rig):
        first = await made(rig)
        other = await made(rig, DocumentDBEventSourceConfig={"DatabaseName": "shop"})
        again = await rig.ask(
            "POST", PATH, {**CHANGES, "DocumentDBEventSourceConfig": {**WATCHED, "FullDocument": "UpdateLookup"}}
        )
        assert set(rig.runtime.config.event_source_mappings) == {first, other}

    assert (again.status, again.type) == (409, "ResourceConflictException")
    assert again.message == (
        f'The event source arn (" {CLUSTER} ") and function (" orders ") provided mapping already exists. Please update or delete '
        f"the existing mapping with UUID {first}"
    )

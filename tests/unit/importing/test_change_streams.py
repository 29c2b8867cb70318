"""Mappings of DocumentDB's change streams from every tool's files, and from an account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config.models import DocumentDBMapping
from tests.unit.importing.account.service import account, mapping
from tests.unit.importing.account.test_account import imported as imported_account
from tests.unit.importing.templates import imported, imported_from, options
from tests.unit.importing.terraform import states
from tests.unit.importing.terraform.test_plans import PLANNED, Plan, expression

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

OWNER = "eu-west-1:123456789012"
CLUSTER = f"arn:aws:rds:{OWNER}:cluster:shop"
SECRET = f"arn:aws:secretsmanager:{OWNER}:secret:shop-AbCdEf"
WATCHED = {"database_name": "shop", "collection_name": "orders"}
ACCESS = [{"type": "BASIC_AUTH", "uri": SECRET}]
SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src
      Events:
        Orders:
          Type: DocumentDB
          Properties:
            Cluster: !Sub "arn:aws:rds:eu-west-1:123456789012:cluster:${Shop}"
            DatabaseName: shop
            CollectionName: orders
            FullDocument: UpdateLookup
            SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: !Ref Login}]
            StartingPosition: LATEST
            MaximumBatchingWindowInSeconds: 0
            SecretsManagerKmsKeyId: 1abc23d4-567f-8ab9-cde0-1fab234c5d67
            %s
  Shop: {Type: AWS::DocDB::DBCluster, Properties: {DBClusterIdentifier: shop}}
  Login: {Type: AWS::SecretsManager::Secret}
"""


def template(*mappings: dict[str, Any]) -> dict[str, Any]:
    """A template of CloudFormation with a function and these mappings."""
    code = {"ZipFile": "def handler(event, context): ...\n"}
    function = {"Runtime": "python3.12", "Handler": "index.handler", "Code": code, "FunctionName": "worker"}
    resources: dict[str, Any] = {"F": {"Type": "AWS::Lambda::Function", "Properties": function}}
    for number, properties in enumerate(mappings):
        resources[f"M{number}"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    return {"Resources": resources}


def properties(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - CloudFormation's
    """A mapping of the cluster in CloudFormation's words."""
    return {
        "EventSourceArn": CLUSTER,
        "FunctionName": {"Ref": "F"},
        "StartingPosition": "LATEST",
        "DocumentDBEventSourceConfig": {"DatabaseName": "shop", "CollectionName": "orders"},
        "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}],
    } | changes


def only(found: Outcome, **environ: str) -> DocumentDBMapping:
    """The only mapping of a configuration, which must load."""
    (one,) = found.loaded(**environ).event_source_mappings.values()
    assert isinstance(one, DocumentDBMapping)
    return one


def test_sams_event_becomes_a_mapping(tmp_path: Path) -> None:
    """What SAM has as properties of the event is one setting; the secret is asked for."""
    (tmp_path / "src").mkdir()
    found = imported(tmp_path, SAM % "BatchSize: 10")

    assert options(found, "event_source_mappings", "F-Orders") == {
        "event_source_arn": CLUSTER,
        "function_name": "F",
        "document_db_event_source_config": WATCHED | {"full_document": "UpdateLookup"},
        "source_access_configurations": [{"type": "BASIC_AUTH", "uri": "${LOGIN_ARN}"}],
        "starting_position": "LATEST",
        "batch_size": 10,
        "maximum_batching_window_in_seconds": 0,
    }
    assert found.variables == ("LOGIN_ARN",)
    assert not [note for note in found.notes if "left out" in note]
    assert only(found, LOGIN_ARN=SECRET).secret_arn == SECRET


def test_a_deployed_stack_tells_the_cluster_and_the_secret(tmp_path: Path) -> None:
    """Nothing is left to ask for."""
    (tmp_path / "src").mkdir()
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/5f"
    resources = [
        {"StackId": arn, "LogicalResourceId": "Shop", "PhysicalResourceId": "shop-shop-1abc"},
        {"StackId": arn, "LogicalResourceId": "Login", "PhysicalResourceId": SECRET},
    ]
    stack = tmp_path / "stack.json"
    stack.write_text(json.dumps({"StackResources": resources}))
    text = SAM.replace("{DBClusterIdentifier: shop}", "{}") % "BatchSize: 10"
    found = imported(tmp_path, text, stacks=[stack])

    assert found.variables == ()
    assert only(found).event_source_arn == CLUSTER.replace(":shop", ":shop-shop-1abc")
    assert only(found).secret_arn == SECRET


def test_a_filter_that_sam_passes_on_is_left_out_with_a_note(tmp_path: Path) -> None:
    """Lambda does not filter change events."""
    (tmp_path / "src").mkdir()
    found = imported(tmp_path, SAM % "FilterCriteria: {Filters: [{Pattern: '{}'}]}")

    assert "filter_criteria" not in options(found, "event_source_mappings", "F-Orders")
    assert any(
        "left out FilterCriteria, which mappings of this source do not have here" in note for note in found.notes
    )


@pytest.mark.parametrize(
    "source",
    [CLUSTER, {"Fn::Sub": "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:cluster:shop"}, {"Ref": "Where"}],
)
def test_a_resource_of_cloudformation_becomes_a_mapping(tmp_path: Path, source: object) -> None:
    """Its settings tell the kind where the ARN does not."""
    text = template(properties(EventSourceArn=source)) | {"Parameters": {"Where": {"Type": "String"}}}
    found = imported(tmp_path, json.dumps(text), "template.json")

    one = only(found, WHERE=CLUSTER)
    assert (one.event_source_arn, one.document_db_event_source_config.collection_name) == (CLUSTER, "orders")


def test_two_collections_are_two_mappings(tmp_path: Path) -> None:
    """The same collection again is one too many."""
    other = {"DocumentDBEventSourceConfig": {"DatabaseName": "shop", "CollectionName": "stock"}}
    again = {
        "DocumentDBEventSourceConfig": {"DatabaseName": "shop", "CollectionName": "orders", "FullDocument": "Default"}
    }
    text = json.dumps(template(properties(), properties(**other), properties(**again)))
    found = imported(tmp_path, text, "template.json")

    assert set(found.loaded().event_source_mappings) == {"M0", "M1"}
    assert any("left out a second mapping of the same source and function" in note for note in found.notes)


def test_what_serverless_packaged_becomes_a_mapping(tmp_path: Path) -> None:
    """The framework has no event for it: the resource is written by hand."""
    (tmp_path / ".serverless").mkdir()
    file = tmp_path / ".serverless" / "cloudformation-template-update-stack.json"
    file.write_text(json.dumps(template(properties())))
    (tmp_path / "serverless.yml").write_text("service: shop\nprovider: {name: aws}\n")
    found = imported_from(tmp_path / ".serverless", tmp_path)

    assert only(found).event_source_arn == CLUSTER


def documentdb(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - a provider's
    """A mapping of the cluster as Terraform's provider writes it."""
    block = {**WATCHED, "full_document": "Default"}
    return states.mapping(
        **{
            **{"event_source_arn": CLUSTER, "starting_position": "LATEST", "batch_size": 100},
            **{"document_db_event_source_config": [block], "source_access_configuration": ACCESS},
        }
        | attributes
    )


def test_a_terraform_state_becomes_a_mapping(tmp_path: Path) -> None:
    """None of its zeros is a setting: without retries events would be lost, and no window is half a second."""
    resources = [
        states.resource("aws_lambda_function", "worker", states.function()),
        states.resource("aws_lambda_event_source_mapping", "orders", documentdb()),
    ]
    found = imported(tmp_path, states.state(*resources), "terraform.tfstate")

    assert options(found, "event_source_mappings", "orders") == {
        "event_source_arn": CLUSTER,
        "function_name": "worker",
        "document_db_event_source_config": WATCHED,
        "source_access_configurations": ACCESS,
        "starting_position": "LATEST",
        "batch_size": 100,
    }
    assert not [note for note in found.notes if "left out" in note]
    one = only(found)
    assert (one.maximum_retry_attempts, one.batching_window_seconds) == (-1, 0.5)


def test_a_terraform_plan_of_a_new_cluster_becomes_a_mapping(tmp_path: Path) -> None:
    """Cluster and secret are known after apply."""
    plan = Plan()
    plan.add("aws_docdb_cluster", "shop", {"cluster_identifier": "shop"}, {"arn": True}, {})
    plan.add("aws_secretsmanager_secret", "login", {"name": "login"}, {"arn": True}, {})
    plan.add("aws_lambda_function", "worker", PLANNED, {"arn": True}, {})
    plan.add(
        "aws_lambda_event_source_mapping",
        "orders",
        documentdb(event_source_arn=None, function_name=None, source_access_configuration=[{"type": "BASIC_AUTH"}]),
        {"event_source_arn": True, "function_name": True, "source_access_configuration": [{"uri": True}]},
        {
            "event_source_arn": expression("aws_docdb_cluster.shop.arn"),
            "function_name": expression("aws_lambda_function.worker.arn"),
            "source_access_configuration": [{"uri": expression("aws_secretsmanager_secret.login.arn")}],
        },
    )
    found = imported(tmp_path, plan.text(), "plan.json")

    written = options(found, "event_source_mappings", "orders")
    assert written["event_source_arn"] == "${SHOP_CLUSTER_ARN}"
    assert written["source_access_configurations"] == [{"type": "BASIC_AUTH", "uri": "${LOGIN_SECRET_ARN}"}]
    assert only(found, SHOP_CLUSTER_ARN=CLUSTER, LOGIN_SECRET_ARN=SECRET).event_source_arn == CLUSTER


async def test_an_accounts_mapping_is_taken_over_from_a_time(tmp_path: Path) -> None:
    """Nobody knows how far Lambda has read. A window of 0 is how it tells the default."""
    watched = {"DatabaseName": "shop", "CollectionName": "orders", "FullDocument": "Default"}
    access = [{"Type": "BASIC_AUTH", "URI": SECRET}]
    one = mapping(
        EventSourceArn=CLUSTER,
        BatchSize=100,
        StartingPosition="LATEST",
        DocumentDBEventSourceConfig=watched,
        SourceAccessConfigurations=access,
    )
    found = await imported_account(tmp_path, account(one))

    assert options(found, "event_source_mappings", "worker-shop") == {
        "event_source_arn": CLUSTER,
        "function_name": "worker",
        "document_db_event_source_config": WATCHED,
        "source_access_configurations": ACCESS,
        "starting_position": "AT_TIMESTAMP",
        "starting_position_timestamp": "${TAKE_OVER_TIME}",
        "batch_size": 100,
    }
    assert only(found, TAKE_OVER_TIME="2026-01-01T00:00:00Z").batching_window_seconds == 0.5

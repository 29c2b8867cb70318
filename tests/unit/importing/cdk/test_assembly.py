"""What ``cdk synth`` writes: stacks together, names that a person knows, and the folders of assets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported_from, options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

DIGEST = "a1" * 32
OTHER = "b2" * 32


def handler(path: str | None, digest: str, handler_name: str = "app.handler", *, told: bool = True) -> dict[str, Any]:
    """A function as the CDK writes it; ``told`` is whether metadata names its asset."""
    metadata: dict[str, Any] = {} if path is None else {"aws:cdk:path": path}
    if told:
        metadata |= {"aws:asset:path": f"asset.{digest}", "aws:asset:property": "Code"}
    bucket = {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"S3Bucket": bucket, "S3Key": f"{digest}.zip"},
            "Handler": handler_name,
            "Runtime": "python3.12",
            "Role": {"Fn::GetAtt": ["OrdersServiceRole11112222", "Arn"]},
        },
        "Metadata": metadata,
    }


def mapping(path: str, source: object, function: str) -> dict[str, Any]:
    """A mapping as the CDK writes it."""
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"EventSourceArn": source, "FunctionName": {"Ref": function}, "BatchSize": 5},
        "Metadata": {"aws:cdk:path": path},
    }


def stack(
    template: str, environment: str = "aws://unknown-account/unknown-region", name: str = "Shop"
) -> dict[str, Any]:
    """The artifact of a stack."""
    return {
        "type": "aws:cloudformation:stack",
        "environment": environment,
        "properties": {"templateFile": template},
        "displayName": name,
    }


def assembly(folder: Path, artifacts: dict[str, Any], **files: object) -> Path:
    """An assembly of these artifacts and files, with two assets."""
    out = folder / "cdk.out"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": artifacts}))
    for name, content in files.items():
        (out / f"{name}.json").write_text(json.dumps(content))
    for digest in (DIGEST, OTHER):
        (out / f"asset.{digest}").mkdir()
        (out / f"asset.{digest}" / "app.py").write_text("def handler(event, context): ...\n")
    return out


QUEUE = {"Type": "AWS::SQS::Queue", "Metadata": {"aws:cdk:path": "Shop/OrdersQueue/Resource"}}
SHOP = {
    "Resources": {
        "OrdersQueue0AB1C2D3": QUEUE,
        "Orders1234ABCD": handler("Shop/Orders/Resource", DIGEST),
        "OrdersSqs99887766": mapping(
            "Shop/Orders/SqsEventSource:ShopOrdersQueue0AB1C2D3/Resource",
            {"Fn::GetAtt": ["OrdersQueue0AB1C2D3", "Arn"]},
            "Orders1234ABCD",
        ),
        "CustomS3AutoDeleteObjects55556666": handler(
            "Shop/Custom::S3AutoDeleteObjectsCustomResourceProvider/Handler", OTHER, "__entrypoint__.handler"
        ),
    },
}


def read(folder: Path, artifacts: dict[str, Any], **files: object) -> Outcome:
    """What is imported of an assembly."""
    return imported_from(assembly(folder, artifacts, **files), folder)


def test_names_are_those_of_constructs_and_code_is_in_assets(tmp_path: Path) -> None:
    """No hash is in a name, and the CDK's own functions are left out."""
    outcome = read(tmp_path, {"Shop": stack("Shop.json")}, Shop=SHOP)
    assert options(outcome, "functions", "Orders") == {"code": f"./cdk.out/asset.{DIGEST}", "handler": "app.handler"}
    assert options(outcome, "event_source_mappings", "Orders-SqsEventSource-ShopOrdersQueue") == {
        "event_source_arn": "${ORDERS_QUEUE_ARN}",
        "function_name": "Orders",
        "batch_size": 5,
    }
    assert list(outcome.loaded().functions) == ["Orders"]


@pytest.mark.parametrize("by", ["assets", "folder"])
def test_an_asset_is_found_by_its_hash(tmp_path: Path, by: str) -> None:
    """Where metadata is off."""
    files: dict[str, object] = {"Shop": {"Resources": {"Orders1234ABCD": handler(None, DIGEST, told=False)}}}
    if by == "assets":
        files["Shop.assets"] = {"files": {DIGEST: {"source": {"path": f"asset.{OTHER}"}}}}
    outcome = read(tmp_path, {"Shop": stack("Shop.json")}, **files)
    assert options(outcome, "functions", "Orders")["code"] == f"./cdk.out/asset.{OTHER if by == 'assets' else DIGEST}"


@pytest.mark.parametrize("beside", [True, False])
def test_paths_of_constructs_are_in_the_manifest_too(tmp_path: Path, beside: bool) -> None:
    """In it or in a file beside it, where the template has none; the CDK's own functions are known by them."""
    own = "Custom1CD123456"
    resources = {"OrdersA9B65338": handler(None, DIGEST, told=False), own: handler(None, OTHER, told=False)}
    metadata = {
        "/Shop/My Orders/Resource": [{"type": "aws:cdk:logicalId", "data": "OrdersA9B65338"}],
        "/Shop/Custom::S3AutoDeleteObjectsCustomResourceProvider/Handler": [{"type": "aws:cdk:logicalId", "data": own}],
    }
    artifact = stack("Shop.json") | ({"additionalMetadataFile": "more.json"} if beside else {"metadata": metadata})
    outcome = read(tmp_path, {"Shop": artifact}, Shop={"Resources": resources}, more=metadata)
    assert list(outcome.loaded().functions) == ["My-Orders"]


def test_a_stack_with_its_environment_has_region_and_account(tmp_path: Path) -> None:
    """So that ARNs of named queues are whole."""
    shop = {
        **SHOP,
        "Resources": {**SHOP["Resources"], "OrdersQueue0AB1C2D3": QUEUE | {"Properties": {"QueueName": "q"}}},
    }
    outcome = read(tmp_path, {"Shop": stack("Shop.json", "aws://123456789012/eu-west-1")}, Shop=shop)
    assert outcome.variables == ()
    (found,) = outcome.loaded().event_source_mappings.values()
    assert found.event_source_arn == "arn:aws:sqs:eu-west-1:123456789012:q"


def test_what_one_stack_exports_another_imports(tmp_path: Path) -> None:
    """One queue is one variable; queues of one name in two stacks are two."""
    base = {
        "Resources": {"OrdersQueue0AB1C2D3": QUEUE, "Orders1234ABCD": handler("Base/Orders/Resource", OTHER)},
        "Outputs": {
            "Out": {"Value": {"Fn::GetAtt": ["OrdersQueue0AB1C2D3", "Arn"]}, "Export": {"Name": "Base:Queue"}},
        },
    }
    resources = dict(SHOP["Resources"])
    resources["Second"] = mapping("Shop/Second/Resource", {"Fn::ImportValue": "Base:Queue"}, "Orders1234ABCD")
    outcome = read(
        tmp_path,
        {"Base": stack("Base.json", name="Base"), "Shop": stack("Shop.json")},
        Base=base,
        Shop={"Resources": resources},
    )
    assert outcome.variables == ("SHOP_ORDERS_QUEUE_ARN", "BASE_ORDERS_QUEUE_ARN")
    assert options(outcome, "event_source_mappings", "Second")["event_source_arn"] == "${BASE_ORDERS_QUEUE_ARN}"
    assert options(outcome, "event_source_mappings", "Second")["function_name"] == "Shop-Orders"


@pytest.mark.parametrize("first", ["Base", "Shop"])
@pytest.mark.parametrize(
    "exported",
    [
        {"Fn::GetAtt": ["Orders1234ABCD", "Arn"]},
        {"Ref": "Orders1234ABCD"},
        {"Ref": "Live"},
    ],
)
def test_a_function_that_one_stack_exports_and_another_calls_is_one(
    tmp_path: Path, first: str, exported: dict[str, object]
) -> None:
    """By its ARN, its name or an alias, whichever stack comes first in the manifest."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders1234ABCD"}, "Name": "live"}}
    base = {
        "Resources": {"Orders1234ABCD": handler("Base/Orders/Resource", OTHER), "Live": alias},
        "Outputs": {"Out": {"Value": exported, "Export": {"Name": "Base:Orders"}}},
    }
    call = {
        "FunctionName": {"Fn::ImportValue": "Base:Orders"},
        "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:q",
    }
    rule = {"ScheduleExpression": "rate(5 minutes)", "Targets": [{"Arn": call["FunctionName"], "Id": "T"}]}
    shop = {
        "Resources": {
            "Map": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": call},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
        }
    }
    stacks = {"Base": stack("Base.json", name="Base"), "Shop": stack("Shop.json")}
    outcome = read(tmp_path, {first: stacks.pop(first), **stacks}, Base=base, Shop=shop)
    assert (outcome.variables, list(outcome.loaded().functions)) == ((), ["Orders"])
    assert options(outcome, "event_source_mappings", "Map")["function_name"] == "Orders"
    if exported != {"Ref": "Orders1234ABCD"}:  # a rule's target is an ARN
        assert options(outcome, "schedules", "Rule")["function_name"] == "Orders"


@pytest.mark.parametrize("told", [True, False])
def test_a_nested_stack_is_an_asset(tmp_path: Path, told: bool) -> None:
    """By its metadata, or by the hash of its place in S3; its parameters are what the stack around it has."""
    inner = {
        "Parameters": {"referencetoQueue": {"Type": "String"}},
        "Resources": {
            "Inner1234ABCD": handler("Shop/Part/Inner/Resource", OTHER),
            "Map": mapping("Shop/Part/Inner/Map/Resource", {"Ref": "referencetoQueue"}, "Inner1234ABCD"),
        },
    }
    place = ["https://s3.", {"Ref": "AWS::Region"}, f".amazonaws.com/cdk-assets/{DIGEST}.json"]
    parameters = {"referencetoQueue": {"Fn::GetAtt": ["OrdersQueue0AB1C2D3", "Arn"]}}
    outer = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": {"Fn::Join": ["", place]}, "Parameters": parameters},
        "Metadata": {"aws:asset:path": "Part.json", "aws:asset:property": "TemplateURL"} if told else {},
    }
    out = assembly(
        tmp_path,
        {"Shop": stack("Shop.json")},
        Shop={"Resources": {"OrdersQueue0AB1C2D3": QUEUE, "Part": outer}},
        Part=inner,
    )
    assets = {"files": {DIGEST: {"source": {"path": "Part.json"}}}}
    (out / "Shop.assets.json").write_text(json.dumps(assets))
    outcome = imported_from(out, tmp_path)
    assert options(outcome, "functions", "Part-Inner")["code"] == f"./cdk.out/asset.{OTHER}"
    found = options(outcome, "event_source_mappings", "Part-Inner-Map")
    assert (found["event_source_arn"], found["function_name"]) == ("${ORDERS_QUEUE_ARN}", "Part-Inner")


def test_an_assembly_within_an_assembly_is_read(tmp_path: Path) -> None:
    """Stages have one each."""
    out = assembly(tmp_path, {"Beta": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Beta"}}})
    inner = assembly(
        tmp_path / "inner",
        {"Shop": stack("Shop.json", name="Beta/Shop (Beta-Shop)")},
        Shop=json.loads(json.dumps(SHOP).replace("Shop/", "Beta/Shop/")),
    )
    inner.rename(out / "assembly-Beta")
    outcome = imported_from(out, tmp_path)
    assert options(outcome, "functions", "Orders")["code"] == f"./cdk.out/assembly-Beta/asset.{DIGEST}"


@pytest.mark.parametrize(
    ("artifacts", "message"),
    [
        ({}, "an assembly without stacks"),
        ({"A": stack("../../secret.json")}, "outside of the assembly"),
        (
            {"A": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}},
            "more assemblies within one another",
        ),
        ({"A": stack("nowhere.json")}, "cannot be read"),
        ({"A": stack("x" * 300)}, "cannot be read"),
        ({"A": stack("\0")}, "outside of the assembly"),
        ({"A": stack("Shop.json") | {"additionalMetadataFile": "\0"}}, "outside of the assembly"),
        ({"x" * 300: stack("x" * 300)}, "cannot be read"),
        ({"A": {"type": "aws:cloudformation:stack"}}, "expected a name of a file"),
    ],
)
def test_an_assembly_that_is_none_is_a_fault(tmp_path: Path, artifacts: dict[str, Any], message: str) -> None:
    """With file and line."""
    with pytest.raises(Unparsable, match=message):
        read(tmp_path, artifacts)

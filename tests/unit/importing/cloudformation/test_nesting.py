"""Stacks within a stack: read where their templates are here, with what the stack around them passes; else named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported, options

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = {"Type": "AWS::SQS::Queue"}
INNER = """\
Parameters: {Source: {Type: String}, Size: {Type: Number, Default: 3}, Function: {Type: String, Default: ""}}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: app.handler, CodeUri: src}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !Ref Source, FunctionName: !Ref Worker, BatchSize: !Ref Size}
  Jobs: {Type: AWS::SQS::Queue}
Outputs:
  WorkerArn: {Value: !GetAtt Worker.Arn}
  JobsArn: {Value: !GetAtt Jobs.Arn}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A template in a folder of its own, with code beside it."""
    (tmp_path / "inner" / "src").mkdir(parents=True)
    (tmp_path / "inner" / "src" / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "inner" / "template.yaml").write_text(INNER)
    return tmp_path


def nested(url: object = "inner/template.yaml", **parameters: object) -> dict[str, Any]:
    """A nested stack."""
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": parameters}}


def template(**resources: object) -> str:
    """A template, as JSON."""
    return json.dumps({"Resources": {"Q": QUEUE, **resources}})


SOURCE = {"Fn::GetAtt": ["Q", "Arn"]}


@pytest.mark.parametrize("kind", ["TemplateURL", "Location"])
def test_a_template_that_is_here_is_read_with_what_it_is_given(folder: Path, kind: str) -> None:
    """The queue is the outer template's; code is beside the inner one, whose lines are told."""
    inner = nested(Source=SOURCE, Size="7")
    if kind == "Location":
        properties = {"Location": "./inner/template.yaml", "Parameters": {"Source": SOURCE, "Size": 7}}
        inner = {"Type": "AWS::Serverless::Application", "Properties": properties}
    outcome = imported(folder, template(N=inner), "outer.json")
    assert outcome.variables == ("Q_ARN",)
    found = options(outcome, "event_source_mappings", "Mapping")
    assert (found["event_source_arn"], found["batch_size"]) == ("${Q_ARN}", 7)
    assert options(outcome, "functions", "Worker")["code"] == "./inner/src"
    assert "inner/template.yaml:3" in outcome.text
    assert outcome.loaded().event_source_mappings["Mapping"].function_name == "Worker"


def test_what_a_nested_stack_puts_out_is_followed(folder: Path) -> None:
    """A queue of one in a mapping of another, and a function of one that a mapping around it calls."""
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["N", "Outputs.JobsArn"]},
            "FunctionName": {"Fn::GetAtt": ["N", "Outputs.WorkerArn"]},
        },
    }
    outcome = imported(folder, template(N=nested(Source=SOURCE), Outer=mapping), "outer.json")
    assert options(outcome, "event_source_mappings", "Outer") == {
        "event_source_arn": "${JOBS_ARN}",
        "function_name": "Worker",
    }


def test_a_function_is_found_through_the_stacks_that_hand_it_on(folder: Path) -> None:
    """From one nested stack through the outer one into another."""
    third = """\
Parameters: {Source: {Type: String}, Function: {Type: String}}
Resources:
  Third:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !Ref Source, FunctionName: !Ref Function}
"""
    (folder / "third.yaml").write_text(third)
    handed = nested(
        "third.yaml", Source={"Fn::GetAtt": ["Own", "Arn"]}, Function={"Fn::GetAtt": ["N", "Outputs.WorkerArn"]}
    )
    text = template(M=handed, N=nested(Source=SOURCE), Own=QUEUE)
    outcome = imported(folder, text, "outer.json")
    assert options(outcome, "event_source_mappings", "Third")["function_name"] == "Worker"
    assert list(outcome.loaded().functions) == ["Worker"]


def test_one_pair_of_two_templates_is_one_mapping(folder: Path) -> None:
    """As within one template: the second is left out with a note."""
    properties = {"EventSourceArn": SOURCE, "FunctionName": {"Fn::GetAtt": ["N", "Outputs.WorkerArn"]}}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    outcome = imported(folder, template(N=nested(Source=SOURCE), Outer=mapping), "outer.json")
    assert list(outcome.loaded().event_source_mappings) == ["Outer"]


def test_two_of_one_template_are_two(folder: Path) -> None:
    """Each with its own functions and queues."""
    text = template(A=nested(Source=SOURCE), B=nested(Source={"Fn::GetAtt": ["Own", "Arn"]}), Own=QUEUE)
    outcome = imported(folder, text, "outer.json")
    assert list(outcome.loaded().functions) == ["Worker", "Worker-2"]
    assert options(outcome, "event_source_mappings", "Mapping-2")["function_name"] == "Worker-2"


def test_what_sam_has_built_of_a_nested_stack_is_preferred(folder: Path) -> None:
    """It is in a folder of the stack's name."""
    (folder / ".aws-sam" / "build" / "N" / "Worker").mkdir(parents=True)
    outcome = imported(folder, template(N=nested(Source=SOURCE)), "outer.json")
    assert options(outcome, "functions", "Worker")["code"] == "./.aws-sam/build/N/Worker"


def test_each_deployed_stack_is_known_by_its_own_description(folder: Path) -> None:
    """``--stack`` for the outer one and for the nested one, whose queues have one logical id."""
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/{}/1"
    for name, queue, more in (
        ("outer", "Q", [{"LogicalResourceId": "N", "PhysicalResourceId": arn.format("inner")}]),
        ("inner", "Q", []),
    ):
        url = f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name}-queue"
        described = [{"LogicalResourceId": queue, "PhysicalResourceId": url}, *more]
        resources = [{"StackId": arn.format(name), **one} for one in described]
        (folder / f"{name}.stack.json").write_text(json.dumps({"StackResources": resources}))
    (folder / "inner" / "template.yaml").write_text(INNER.replace("Jobs", "Q").replace("!Ref Source", "!GetAtt Q.Arn"))
    stacks = (folder / "inner.stack.json", folder / "outer.stack.json")
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"EventSourceArn": SOURCE, "FunctionName": {"Fn::GetAtt": ["N", "Outputs.WorkerArn"]}},
    }
    text = template(N=nested(Source=SOURCE), Outer=mapping)
    outcome = imported(folder, text, "outer.json", stacks=stacks)
    found = {name: one.event_source_arn for name, one in outcome.loaded().event_source_mappings.items()}
    queue = "arn:aws:sqs:eu-west-1:123456789012:{}-queue"
    assert found == {"Mapping": queue.format("inner"), "Outer": queue.format("outer")}


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (
            {"TemplateURL": "https://s3.amazonaws.com/b/k.template"},
            "left out: what is in the nested stack whose template is https://s3.amazonaws.com/b/k.template: fetch and import that",
        ),
        ({"TemplateURL": {"Fn::Sub": "https://${Bucket}/k"}}, "whose template's place cannot be known: import its own"),
        ({"TemplateURL": "nowhere.yaml"}, "whose template nowhere.yaml is not there: import its own template"),
        ({"TemplateURL": "outer.json"}, "whose template outer.json is one that it lies within"),
        ({"TemplateURL": "\0"}, "is not there"),
        ({"Location": {"ApplicationId": "a", "SemanticVersion": "1.0.0"}}, "aws serverlessrepo create-cloud-formation"),
        ({}, "whose template's place cannot be known"),
    ],
)
def test_what_is_not_here_is_named_with_what_to_do(folder: Path, properties: dict[str, Any], message: str) -> None:
    """And the rest is imported."""
    kind = "AWS::Serverless::Application" if "Location" in properties else "AWS::CloudFormation::Stack"
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Runtime": "python3.12", "Handler": "app.handler", "Code": "inner/src"},
    }
    outcome = imported(folder, template(F=function, N={"Type": kind, "Properties": properties}), "outer.json")
    assert any(message in note for note in outcome.notes), outcome.notes
    assert list(outcome.loaded().functions) == ["F"]


def test_a_circle_of_what_stacks_pass_is_a_variable(folder: Path) -> None:
    """Nobody can make such stacks, and nothing hangs."""
    text = template(N=nested(Source={"Fn::GetAtt": ["N", "Outputs.Again"]}))
    (folder / "inner" / "template.yaml").write_text(INNER + "  Again: {Value: !Ref Source}\n")
    outcome = imported(folder, text, "outer.json")
    assert len(outcome.variables) == 1
    assert "refers to itself" in outcome.text


def test_a_nested_template_that_cannot_be_read_is_a_fault(folder: Path) -> None:
    """With its own file and line."""
    (folder / "inner" / "template.yaml").write_text("Resources: [\n")
    with pytest.raises(Unparsable) as raised:
        imported(folder, template(N=nested()), "outer.json")
    assert raised.value.place.file == "inner/template.yaml"


def test_many_stacks_within_stacks_come_to_an_end(folder: Path) -> None:
    """Each of these holds two of the next."""
    for number in range(12):
        inner = {name: nested(f"t{number + 1}.json") for name in "AB"}
        (folder / f"t{number}.json").write_text(template(**inner))
    outcome = imported(folder, template(A=nested("t0.json"), F={"Type": "AWS::Lambda::Function"}), "outer.json")
    assert any("templates: import its own template" in note or "stacks deep" in note for note in outcome.notes)

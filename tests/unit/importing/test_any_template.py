"""Whatever a template holds: a configuration that can be read, or faults with file and line; never a traceback."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from config.text.nodes import Unparsable
from config.text.yaml_text import parse_yaml
from tests.unit.importing.templates import imported

IDS = st.sampled_from(["F", "G", "Q", "S", "T", "A", "P", "C", "AWS::Region", "AWS::NoValue", "${Q}", "Q.Arn", ""])
SINGLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | IDS
)
FUNCTIONS = st.sampled_from(
    [
        *(
            "Ref",
            "Fn::GetAtt",
            "Fn::Sub",
            "Fn::Join",
            "Fn::Split",
            "Fn::Select",
            "Fn::If",
            "Fn::FindInMap",
            "Condition",
        ),
        *(
            "Fn::ImportValue",
            "Fn::Equals",
            "Fn::Not",
            "Fn::And",
            "Fn::Or",
            "Fn::ToJsonString",
            "Fn::Length",
            "Fn::Base64",
        ),
    ]
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | IDS, inner, max_size=3)
        | st.builds(lambda name, argument: {name: argument}, FUNCTIONS, inner | st.lists(inner | IDS, max_size=4))
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *("Runtime", "Handler", "CodeUri", "Code", "Timeout", "MemorySize", "Layers", "Environment", "FunctionName"),
        *(
            "ReservedConcurrentExecutions",
            "FunctionUrlConfig",
            "EventInvokeConfig",
            "DeadLetterQueue",
            "DeadLetterConfig",
        ),
        *("EventSourceArn", "BatchSize", "FilterCriteria", "DestinationConfig", "StartingPosition", "Enabled", "Queue"),
        *(
            "ScheduleExpression",
            "Targets",
            "Target",
            "Input",
            "State",
            "QueueName",
            "Name",
            "TargetFunctionArn",
            "AuthType",
        ),
        *("StartingPositionTimestamp", "FunctionResponseTypes", "Stream", "Schedule", "RetryPolicy", "PackageType"),
    ]
)
PROPERTIES = st.dictionaries(KEYS, VALUES, max_size=6)
EVENTS = st.dictionaries(
    IDS,
    st.fixed_dictionaries(
        {
            "Type": st.sampled_from(["SQS", "Kinesis", "DynamoDB", "Schedule", "ScheduleV2", "MSK", "Api"]) | VALUES,
            "Properties": PROPERTIES | VALUES,
        }
    ),
    max_size=3,
)
TYPES = st.sampled_from(
    [
        *(
            "AWS::Serverless::Function",
            "AWS::Lambda::Function",
            "AWS::Lambda::EventSourceMapping",
            "AWS::Scheduler::Schedule",
        ),
        *(
            "AWS::Events::Rule",
            "AWS::Lambda::Url",
            "AWS::Lambda::EventInvokeConfig",
            "AWS::SQS::Queue",
            "AWS::Lambda::Alias",
        ),
        "AWS::Kinesis::Stream",
    ]
)
REFERENCES = st.sampled_from(
    [
        {"Ref": "F"},
        {"Fn::GetAtt": ["F", "Arn"]},
        {"Fn::Sub": "${F}:live"},
        "F",
        {"Ref": "A"},
        {"Fn::GetAtt": ["Q", "Arn"]},
    ]
)
NAMED = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("FunctionName", "TargetFunctionArn", "EventSourceArn", "Queue", "Stream"), REFERENCES | VALUES
    ),
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "Target": st.fixed_dictionaries({"Arn": REFERENCES}, optional={"Input": VALUES}),
        "Targets": st.lists(st.fixed_dictionaries({"Arn": REFERENCES}, optional={"Input": VALUES}), max_size=3),
        "ScheduleExpression": st.just("rate(1 day)") | VALUES,
    },
)
FUNCTION = {
    "Type": "AWS::Serverless::Function",
    "Properties": {"CodeUri": ".", "Handler": "a.b", "Runtime": "python3.12", "Events": {}},
}
RESOURCES = st.dictionaries(
    IDS,
    st.builds(
        lambda kind, properties, named, targets, events, condition: {
            "Type": kind,
            "Properties": properties
            | named
            | targets
            | ({"Events": events} if kind == "AWS::Serverless::Function" else {}),
            **condition,
        },
        TYPES,
        PROPERTIES,
        NAMED,
        TARGETS,
        EVENTS | EVENTS | VALUES,
        st.just({}) | st.builds(lambda name: {"Condition": name}, IDS | VALUES),
    ),
    max_size=5,
).map(lambda found: {"F": FUNCTION, "Q": {"Type": "AWS::SQS::Queue"}, **found})
TEMPLATES = st.fixed_dictionaries(
    {"Resources": RESOURCES},
    optional={
        "Parameters": st.dictionaries(
            IDS, st.dictionaries(st.sampled_from(["Type", "Default"]), VALUES, max_size=2), max_size=3
        ),
        "Conditions": st.dictionaries(IDS, VALUES, max_size=3),
        "Mappings": VALUES,
        "Globals": VALUES | st.builds(lambda properties: {"Function": properties}, PROPERTIES),
        "Outputs": VALUES,
        "Transform": VALUES,
    },
)


@settings(max_examples=25, deadline=None)
@given(TEMPLATES)
def test_any_template_is_read_or_refused(template: dict[str, object]) -> None:
    """Functions of CloudFormation in any place, with any arguments, in circles."""
    _try(json.dumps(template), "template.json")


PIECES = st.sampled_from(
    [
        *(
            "Resources:",
            "\n",
            "  ",
            "A:",
            " Type: ",
            "AWS::Lambda::Function",
            "!Ref ",
            "!GetAtt ",
            "!Sub ",
            "!If ",
            "[",
            "]",
            "{",
            "}",
        ),
        *(
            "&a ",
            "*a",
            "<<: ",
            "- ",
            "? ",
            ": ",
            "#",
            '"',
            "'",
            "|",
            ">",
            "!",
            "!!int ",
            "!!binary ",
            "\t",
            "é",
            "---",
            "%",
            "~",
            "1e9",
            "=",
            ",",
        ),
    ]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """YAML's own corners: anchors, merges, tags, several documents."""
    _try("Resources:\n  F: {Type: AWS::Lambda::Function}\n" + text, "template.yaml")


def _try(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Unparsable, ConfigError):
        outcome = imported(Path(folder), text, name)
        assert parse_yaml(outcome.text, "headrace.yaml") is not None or not outcome.variables

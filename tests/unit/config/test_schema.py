"""The JSON Schema says what the loader does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ConfigError, Loaded
from config.schema import json_schema
from config.sources.pasted import unread_settings
from config.sources.registry import all_settings
from tests.unit.config.documents import configurations, load_text, stream_settings
from tests.unit.config.sources.test_pasted import (
    QUEUE_ARN,
    QUOTED,
    SOURCES,
    SQS_REPLY,
    STREAM_REPLY,
    TERRAFORM,
    UNSET_IN_A_STATE,
)

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    """Of draft 2020-12, and JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


@pytest.mark.parametrize(
    "mapping",
    [
        SQS_REPLY,
        STREAM_REPLY,
        TERRAFORM,
        {"Type": "AWS::Lambda::EventSourceMapping", "Properties": SQS_REPLY},
        {"Type": "AWS::Lambda::EventSourceMapping", "Properties": QUOTED},
        UNSET_IN_A_STATE | {"event_source_arn": QUEUE_ARN, "function_name": "orders"},
        SQS_REPLY | {"DestinationConfig": {"OnFailure": {}}, "Topics": []},
        STREAM_REPLY | {"ScalingConfig": {}, "DestinationConfig": {"OnFailure": {"Type": "SQS"}}},
        SQS_REPLY | {"BatchSize": "${SIZE:-5}", "Tags": {"a": "b"}, "StartingPosition": None},
    ],
)
def test_the_schema_takes_pasted_mappings(folder: Folder, mapping: dict[str, Any]) -> None:
    """As the loader does."""
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "event_source_mappings": {"m": mapping},
    }

    folder.load(json.dumps(document), "headrace.json")
    VALIDATOR.validate(document)


def test_the_schema_takes_aws_s_list(folder: Folder) -> None:
    """As the loader does, with its UUIDs and whole."""
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "EventSourceMappings": [SQS_REPLY],
        "NextMarker": None,
    }

    folder.load(json.dumps(document), "headrace.json")
    VALIDATOR.validate(document)
    assert not VALIDATOR.is_valid(document | {"EventSourceMappings": [{"BatchSize": 1}]})
    assert not VALIDATOR.is_valid(document | {"NextMarker": "x"})


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"batchsize": 1},
        {"batch_size": "5"},
        {"starting_position": "LATEST"},
        {"Topics": ["t"]},
        {"scaling_config": {"maximum_concurrency": 1}},
        {"destination_config": {"on_success": {"destination": "x"}}},
        {"function_name": None},
        {"event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(folder: Folder, change: dict[str, Any]) -> None:
    """As far as it can tell without files and environment."""
    mapping = {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:q", "function_name": "orders"} | change
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "event_source_mappings": {"m": mapping},
    }

    with pytest.raises(ConfigError):
        folder.load(json.dumps(document), "headrace.json")
    assert not VALIDATOR.is_valid(document)


@settings(max_examples=100)
@given(
    configurations
    | stream_settings().map(
        lambda m: {"functions": {"orders": {"code": ".", "handler": "app.handler"}}, "event_source_mappings": {"m": m}}
    )
)
def test_the_schema_takes_whatever_the_loader_takes(document: dict[str, Any]) -> None:
    """An editor must not mark as wrong what works."""
    if isinstance(load_text(json.dumps(document), "headrace.json", {"A": "x"}), Loaded):
        VALIDATOR.validate(document)


_NOTHING: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, "", 0, False, [], {}]),
    lambda inside: (
        st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(["a", "OnFailure"]), inside, max_size=2)
    ),
    max_leaves=4,
)
_SPELLINGS = sorted({spelling for option in all_settings().values() for spelling in option.names} | unread_settings())


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(SOURCES)),
    st.dictionaries(st.sampled_from(_SPELLINGS), _NOTHING | st.sampled_from(["10", "True", " 1", "x"]), max_size=3),
    st.booleans(),
)
def test_the_schema_takes_what_says_nothing_or_is_in_quotes(arn: str, given: dict[str, Any], whole: bool) -> None:
    """Wherever the loader does: by the source, and in a whole resource."""
    mapping = given | {"event_source_arn": arn, "function_name": "orders"} | SOURCES[arn]
    written = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping} if whole else mapping
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "event_source_mappings": {"m": written},
    }
    if isinstance(load_text(json.dumps(document), "headrace.json"), Loaded):
        VALIDATOR.validate(document)


def test_every_option_has_a_description() -> None:
    """In the schema, and so in the table."""

    def described(schema: dict[str, Any]) -> bool:
        return all(
            part.get("description")
            for part in schema.get("properties", {}).values()
            if "$ref" not in part and "enum" not in part
        )

    assert described(SCHEMA)
    assert all(described(definition) for name, definition in SCHEMA["$defs"].items() if name != "Mapping")

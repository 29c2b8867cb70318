"""A mapping pasted from CloudFormation, Terraform or the AWS CLI works as it stands, beside the documented form."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from config.models import KinesisMapping, SqsMapping
from config.options.shapes import pascal

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

SQS_REPLY = {
    "UUID": "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE",
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:jobs",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:orders",
    "LastModified": "2025-11-24T12:00:00.123000+00:00",
    "State": "Enabled",
    "StateTransitionReason": "USER_INITIATED",
    "FunctionResponseTypes": [],
    "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:a1b2c3d4",
}
"""As `aws lambda get-event-source-mapping` prints it (docs/lambda 1.2)."""

STREAM_REPLY = {
    "UUID": "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE",
    "StartingPosition": "AT_TIMESTAMP",
    "StartingPositionTimestamp": "2023-12-31T00:00:00+00:00",
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST",
    "LastModified": 1700000000.0,
    "LastProcessingResult": "No records processed",
    "State": "Disabled",
    "StateTransitionReason": "User action",
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"type": ["click"]}}'}]},
    "FilterCriteriaError": None,
    "Topics": [],
    "KMSKeyArn": None,
    "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:a1b2c3d4",
}


def pasted(mapping: object) -> str:
    """A JSON file with a mapping ``m`` and the function ``orders``."""
    functions = {"orders": {"code": ".", "handler": "app.handler"}}
    return json.dumps({"functions": functions, "event_source_mappings": {"m": mapping}}, indent=2)


def test_a_queues_mapping_as_the_cli_prints_it(folder: Folder) -> None:
    """Settings are taken, the function is found by its ARN, and what AWS only reports is ignored with one note."""
    loaded = folder.load(pasted(SQS_REPLY), "headrace.json")

    mapping = loaded.config.event_source_mappings["m"]
    assert isinstance(mapping, SqsMapping)
    assert (mapping.function_name, mapping.batch_size) == ("orders", 10)
    (note,) = loaded.notes
    assert note.message == (
        "ignored what AWS reports and no mapping can be given: UUID, LastModified, State, StateTransitionReason, "
        "EventSourceMappingArn"
    )
    assert (note.line, note.path) == (9, "event_source_mappings.m")


def test_a_streams_mapping_as_the_cli_prints_it(folder: Folder) -> None:
    """Defaults as AWS returns them are accepted; a mapping that was disabled is remarked upon."""
    loaded = folder.load(pasted(STREAM_REPLY), "headrace.json")

    mapping = loaded.config.event_source_mappings["m"]
    assert isinstance(mapping, KinesisMapping)
    assert (mapping.function_name, mapping.on_failure, mapping.enabled) == ("orders", None, True)
    assert mapping.filter_criteria.filters[0].pattern == '{"data": {"type": ["click"]}}'
    assert mapping.reports_batch_item_failures
    assert [note.message.rpartition(" (")[2] for note in loaded.notes] == [
        "its State is Disabled: write enabled: false to keep it so)"
    ]


def test_the_cli_output_works_pasted_into_yaml(folder: Folder) -> None:
    """JSON is YAML, so that the reply can stand under a name in a YAML file."""
    text = f"functions: {{orders: {{code: ., handler: app.handler}}}}\nevent_source_mappings:\n  m: {json.dumps(SQS_REPLY)}\n"

    assert folder.load(text).config.event_source_mappings["m"].function_name == "orders"


CLOUDFORMATION = """\
{properties}EventSourceArn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
{indent}FunctionName: orders
{indent}StartingPosition: AT_TIMESTAMP
{indent}StartingPositionTimestamp: 1600000000
{indent}BisectBatchOnFunctionError: true
{indent}FilterCriteria:
{indent}  Filters:
{indent}    - Pattern: '{{"data": {{"a": [1]}}}}'
{indent}DestinationConfig:
{indent}  OnFailure:
{indent}    Destination: arn:aws:s3:::failed
"""
TERRAFORM = {
    "event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "function_name": "orders",
    "starting_position": "AT_TIMESTAMP",
    "starting_position_timestamp": "2020-09-13T12:26:40Z",
    "bisect_batch_on_function_error": True,
    "filter_criteria": [{"filter": [{"pattern": '{"data": {"a": [1]}}'}]}],
    "destination_config": [{"on_failure": [{"destination_arn": "arn:aws:s3:::failed"}]}],
    "scaling_config": [],
    "self_managed_event_source": [],
    "tags": None,
}
OWN = """\
event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
function_name: orders
starting_position: AT_TIMESTAMP
starting_position_timestamp: 1600000000
bisect_batch_on_function_error: true
filter_criteria: {filters: [{pattern: '{"data": {"a": [1]}}'}]}
destination_config: {on_failure: {destination: "arn:aws:s3:::failed"}}
"""


@pytest.mark.parametrize(
    "text",
    [
        CLOUDFORMATION.format(properties="", indent=""),
        CLOUDFORMATION.format(
            properties="Type: AWS::Lambda::EventSourceMapping\nDependsOn: Stream\nProperties:\n  ", indent="  "
        ),
        json.dumps(TERRAFORM),
        json.dumps(TERRAFORM | {"filter_criteria": {"filter": {"pattern": '{"data": {"a": [1]}}'}}}),
    ],
    ids=["cloudformation", "cloudformation resource", "terraform", "terraform, single blocks"],
)
def test_every_spelling_means_the_same(folder: Folder, text: str) -> None:
    """CloudFormation's, a whole resource of it, and Terraform's blocks give the mapping that our own form gives."""
    assert folder.mapping(text) == folder.mapping(OWN)


def test_terraforms_filter_block_on_a_queue(folder: Folder) -> None:
    """Blocks are lists in Terraform's JSON."""
    mapping = folder.mapping(
        """\
        event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs
        function_name: orders
        scaling_config: [{maximum_concurrency: 7}]
        filter_criteria: [{filter: [{pattern: '{"body":["a"]}'}, {pattern: '{"body":["b"]}'}]}]
        """
    )

    assert isinstance(mapping, SqsMapping)
    assert mapping.scaling_config.maximum_concurrency == 7
    assert [item.pattern for item in mapping.filter_criteria.filters] == ['{"body":["a"]}', '{"body":["b"]}']


def test_both_spellings_of_an_option_are_refused(folder: Folder) -> None:
    """Nobody can tell which one counts; nested ones too."""
    faults = folder.faults(
        """\
        functions: {orders: {code: ., handler: app.handler}}
        event_source_mappings:
          m:
            event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs
            function_name: orders
            BatchSize: 5
            batch_size: 5
            ScalingConfig:
              MaximumConcurrency: 2
              maximum_concurrency: 2
        """
    )

    assert faults == [
        "headrace.yaml:7: event_source_mappings.m.batch_size: found both BatchSize (line 6) and batch_size, "
        "which are the same option, expected one",
        "headrace.yaml:10: event_source_mappings.m.ScalingConfig.maximum_concurrency: found both MaximumConcurrency (line 9) and "
        "maximum_concurrency, which are the same option, expected one",
    ]


def test_faults_are_spelled_as_the_file_spells(folder: Folder) -> None:
    """So that the reader finds them."""
    (fault,) = folder.faults(
        pasted(STREAM_REPLY | {"DestinationConfig": {"OnFailure": {"Destination": "x"}}}), "headrace.json"
    )

    assert fault.startswith(
        "headrace.json:24: event_source_mappings.m.DestinationConfig.OnFailure.Destination: found 'x'"
    )


@pytest.mark.parametrize(
    "line",
    [
        "Tags: {team: a}",
        "tags: {team: a}",
        "KMSKeyArn: arn:aws:kms:us-east-1:000000000000:key/1",
        "KmsKeyArn: arn:aws:kms:us-east-1:000000000000:key/1",
        "kms_key_arn: arn:aws:kms:us-east-1:000000000000:key/1",
        "MetricsConfig: {Metrics: [EventCount]}",
        "metrics_config: [{metrics: [EventCount]}]",
        "LoggingConfig: {SystemLogLevel: DEBUG}",
        "logging_config: {system_log_level: DEBUG}",
    ],
)
def test_what_is_about_aws_alone_is_noted(folder: Folder, line: str) -> None:
    """Accepted, and said to have no effect, with its line."""
    loaded = folder.load(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n  m:\n"
        f"    event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\n    function_name: orders\n    {line}\n"
    )

    (note,) = loaded.notes
    assert note.message == f"{line.partition(':')[0]} has no effect outside AWS"
    assert note.line == 6


@pytest.mark.parametrize(
    "name",
    [
        "orders",
        "orders:$LATEST",
        "function:orders",
        "000000000000:function:orders",
        "000000000000:function:orders:$LATEST",
        "arn:aws:lambda:us-east-1:000000000000:function:orders",
        "arn:aws-cn:lambda:cn-north-1:000000000000:function:orders:$LATEST",
    ],
)
def test_a_function_may_be_named_as_on_lambda(folder: Folder, name: str) -> None:
    """A name, a partial ARN or a full one leads to the key under ``functions``."""
    mapping = folder.mapping(f"event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\nfunction_name: '{name}'")

    assert mapping.function_name == "orders"


@pytest.mark.parametrize("name", ["orders:prod", "arn:aws:lambda:us-east-1:000000000000:function:orders:42"])
def test_a_qualifier_is_noted(folder: Folder, name: str) -> None:
    """There are no versions here."""
    loaded = folder.load(
        f"functions: {{orders: {{code: ., handler: app.handler}}}}\nevent_source_mappings:\n"
        f"  m: {{EventSourceArn: 'arn:aws:sqs:us-east-1:000000000000:jobs', FunctionName: '{name}'}}\n"
    )

    (note,) = loaded.notes
    assert f"the qualifier '{name.rpartition(':')[2]}' has no effect" in note.message
    assert note.path == "event_source_mappings.m.FunctionName"


def test_a_function_that_is_not_defined_is_refused(folder: Folder) -> None:
    """With the functions there are, a suggestion, and AWS's text."""
    (fault,) = folder.mapping_faults("event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\nfunction_name: order")

    assert fault == (
        "function_name: found 'order' (did you mean 'orders'?), expected a function that is defined under functions (orders) "
        "(AWS: Function does not exist)"
    )


@pytest.mark.parametrize("name", ["'a b'", "arn:aws:sqs:us-east-1:000000000000:orders", "''", "a:b:c"])
def test_what_names_no_function_is_refused(folder: Folder, name: str) -> None:
    """A name or an ARN of Lambda's only."""
    (fault,) = folder.mapping_faults(
        f"event_source_arn: arn:aws:sqs:us-east-1:000000000000:jobs\nfunction_name: {name}"
    )

    assert "expected the name or the ARN of a function under functions" in fault


def test_a_function_arn_that_disagrees_with_the_name_is_refused(folder: Folder) -> None:
    """Terraform's state has both; they must mean the same function."""
    both = SQS_REPLY | {"FunctionName": "orders"}
    assert folder.load(pasted(both), "headrace.json").config.event_source_mappings["m"].function_name == "orders"

    (fault,) = folder.faults(
        pasted(both | {"FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:other"}), "headrace.json"
    )

    assert "expected the same function, or one of the two only" in fault


@pytest.mark.parametrize("value", ["!Ref Queue", "!GetAtt Queue.Arn", '!Sub "arn:${AWS::Region}"'])
def test_cloudformations_functions_are_refused(folder: Folder, value: str) -> None:
    """Only CloudFormation can resolve them."""
    missing, fault = folder.faults(f"event_source_mappings:\n  m:\n    EventSourceArn: {value}\n")

    assert "function_name is missing" in missing
    at = "headrace.yaml:3: event_source_mappings.m.EventSourceArn: "
    assert fault.startswith(f"{at}found the tag {value.split()[0]}, expected a plain value (`headrace import` makes")


def test_every_tag_is_found_with_all_other_faults(folder: Folder) -> None:
    """In single values, lists and mappings; what is inside a tagged one is part of it."""
    faults = folder.faults(
        """\
        functions: {orders: {code: ., handler: app.handler}}
        event_source_mappings:
          one:
            EventSourceArn: !GetAtt Queue.Arn
            FunctionName: !Ref Orders
            BatchSize: 99999
          two: !If [Yes, {BatchSize: !Ref Size}, !Ref "AWS::NoValue"]
          three:
            EventSourceArn: arn:aws:sqs:us-east-1:000000000000:jobs
            FunctionName: !Sub
              - ${Name}
              - {Name: orders}
            FilterCriteria: !FindInMap {a: b}
        """
    )

    assert [fault.split(", expected")[0].removeprefix("headrace.yaml:") for fault in sorted(faults)] == [
        "10: event_source_mappings.three.FunctionName: found the tag !Sub",
        "13: event_source_mappings.three.FilterCriteria: found the tag !FindInMap",
        "4: event_source_mappings.one.EventSourceArn: found the tag !GetAtt",
        "5: event_source_mappings.one.FunctionName: found the tag !Ref",
        "6: event_source_mappings.one.BatchSize: found 99999",
        "7: event_source_mappings.two: found the tag !If",
    ]


@pytest.mark.parametrize(
    "text", ["functions: !Include f.yaml", "event_source_mappings: !X []", "schedules: {s: !X {}}"]
)
def test_a_tagged_section_is_one_fault(folder: Folder, text: str) -> None:
    """It is not said a second time for what it is not."""
    (fault,) = folder.faults(text)

    assert "found the tag !" in fault


def test_a_tagged_function_or_document_is_one_fault(folder: Folder) -> None:
    """As any other value; a tagged key cannot be read at all."""
    (fault,) = folder.faults("functions: {orders: !Ref Orders}")
    assert "functions.orders: found the tag !Ref" in fault
    (fault,) = folder.faults("!Template {functions: {}}")
    assert fault.startswith("headrace.yaml:1: found the tag !Template")
    (fault,) = folder.faults("functions: {!Ref a: 1}")
    assert fault.startswith("headrace.yaml:1: found the tag !Ref")


def test_cloudformations_functions_in_json_are_refused(folder: Folder) -> None:
    """They are mappings with one key there."""
    (fault,) = folder.faults(pasted(SQS_REPLY | {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}), "headrace.json")

    assert fault.endswith(
        "EventSourceArn: found CloudFormation's Fn::GetAtt, which `headrace import` resolves in a whole template, expected text"
    )


def test_another_resource_is_refused(folder: Folder) -> None:
    """A CloudFormation resource that is no mapping says so."""
    faults = folder.mapping_faults("Type: AWS::SQS::Queue\nProperties: {QueueName: q}\nName: x")

    assert faults[0].startswith("found a CloudFormation resource whose Type is 'AWS::SQS::Queue'")
    assert any("found Name beside Properties" in fault for fault in faults)


UNSET_IN_A_STATE = {
    "bisect_batch_on_function_error": False,
    "maximum_record_age_in_seconds": 0,
    "maximum_retry_attempts": 0,
    "parallelization_factor": 0,
    "tumbling_window_in_seconds": 0,
    "starting_position": "",
    "starting_position_timestamp": "",
    "kms_key_arn": "",
    "queues": None,
    "topics": None,
    "amazon_managed_kafka_event_source_config": [],
    "destination_config": [{"on_failure": [{"destination_arn": ""}]}],
    "filter_criteria": [],
    "function_response_types": None,
    "metrics_config": [],
    "provisioned_poller_config": [],
    "scaling_config": [],
    "self_managed_event_source": [],
    "source_access_configuration": [],
    "state_transition_reason": "",
    "tags": None,
}
"""What the provider writes of every mapping of a queue."""
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:jobs"
SOURCES = {
    QUEUE_ARN: {},
    "arn:aws:sqs:us-east-1:000000000000:jobs.fifo": {},
    "arn:aws:kinesis:us-east-1:000000000000:stream/clicks": {"starting_position": "LATEST"},
    "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000": {"starting_position": "LATEST"},
}
OF_STREAMS = {
    "bisect_batch_on_function_error": False,
    "maximum_record_age_in_seconds": -1,
    "maximum_retry_attempts": -1,
    "parallelization_factor": 1,
}


@pytest.mark.parametrize("arn", SOURCES)
def test_what_terraforms_state_leaves_empty_is_not_set(folder: Folder, arn: str) -> None:
    """On each kind of source: the mapping is that of the two settings that it must have, without a note."""
    needed = {"event_source_arn": arn, "function_name": "orders"} | SOURCES[arn]
    state = UNSET_IN_A_STATE | (OF_STREAMS if SOURCES[arn] else {}) | needed

    loaded = folder.load(pasted(state), "headrace.json")

    assert loaded.config == folder.load(pasted(needed), "headrace.json").config
    assert loaded.notes == []


@pytest.mark.parametrize("name", UNSET_IN_A_STATE)
def test_each_empty_value_of_a_state_alone_is_not_set(folder: Folder, name: str) -> None:
    """In CloudFormation's spelling as well."""
    for spelled in (name, pascal(name)):
        mapping = {"event_source_arn": QUEUE_ARN, "function_name": "orders", spelled: UNSET_IN_A_STATE[name]}
        if spelled in ("DestinationConfig", "SourceAccessConfiguration", "StateTransitionReason"):
            continue  # nobody writes the value of a block so
        folder.load(pasted(mapping), "headrace.json")


@pytest.mark.parametrize("arn", SOURCES)
def test_empty_sections_of_other_sources_say_nothing(folder: Folder, arn: str) -> None:
    """As AWS's replies and SAM's outputs have them."""
    empty: dict[str, object] = {
        "ScalingConfig": {},
        "DestinationConfig": {"OnFailure": {}},
        "ProvisionedPollerConfig": None,
    }
    mapping = {"event_source_arn": arn, "function_name": "orders"} | SOURCES[arn] | empty

    assert folder.load(pasted(mapping), "headrace.json").notes == []


QUOTED = {
    "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "FunctionName": "orders",
    "BatchSize": "10",
    "Enabled": "True",
    "StartingPosition": "AT_TIMESTAMP",
    "StartingPositionTimestamp": "1600000000",
    "BisectBatchOnFunctionError": "false",
    "MaximumRetryAttempts": " -1 ",
}


def test_a_whole_resource_may_have_values_in_quotes(folder: Folder) -> None:
    """CloudFormation takes them; where there is no resource, a number in quotes is a mistake, as before."""
    resource = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": QUOTED}

    mapping = folder.load(pasted(resource), "headrace.json").config.event_source_mappings["m"]

    assert isinstance(mapping, KinesisMapping)
    assert (mapping.batch_size, mapping.enabled, mapping.bisect_batch_on_function_error) == (10, True, False)
    assert mapping.starting_position_timestamp == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    faults = folder.faults(pasted(QUOTED), "headrace.json")
    assert any("found '10', expected an integer from 1 to 10000 (without quotes)" in fault for fault in faults)
    (fault,) = folder.faults(pasted(resource | {"Properties": QUOTED | {"BatchSize": "ten"}}), "headrace.json")
    assert "BatchSize: found 'ten', expected an integer" in fault


def test_a_whole_schedule_may_have_values_in_quotes(folder: Folder) -> None:
    """It is a resource of CloudFormation's as well."""
    target = {
        "Arn": "orders",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "RetryPolicy": {"MaximumRetryAttempts": "3"},
    }
    properties = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    document = {
        "functions": {"orders": {"code": ".", "handler": "app.handler"}},
        "schedules": {"s": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}},
    }

    schedule = folder.load(json.dumps(document), "headrace.json").config.schedules["s"]

    assert schedule.retry_policy.maximum_retry_attempts == 3


def test_sams_type_of_a_destination_is_noted(folder: Folder) -> None:
    """SAM makes a policy of it; of other keys it is not known what they would do."""
    failure = {"Type": "SQS", "Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}
    loaded = folder.load(pasted(STREAM_REPLY | {"DestinationConfig": {"OnFailure": failure}}), "headrace.json")

    notes = [note for note in loaded.notes if note.path.endswith("OnFailure.Type")]
    assert [note.message for note in notes] == ["it has no effect: the destination's ARN says what it is"]
    (fault,) = folder.faults(
        pasted(STREAM_REPLY | {"DestinationConfig": {"OnFailure": failure | {"Kind": "x"}}}), "headrace.json"
    )
    assert "OnFailure.Kind: found an unknown key" in fault


def listed(*mappings: object, **more: object) -> str:
    """A configuration with AWS's list of mappings, as `aws lambda list-event-source-mappings` prints it."""
    functions = {"orders": {"code": ".", "handler": "app.handler"}}
    return json.dumps({"functions": functions, "EventSourceMappings": [*mappings], **more})


def test_aws_s_list_of_mappings_is_read(folder: Folder) -> None:
    """Each mapping is called by its UUID; in a file of its own, the reply can stand as it is, beside mappings by name."""
    other = STREAM_REPLY | {"UUID": "22222222"}

    folder.write(listed(SQS_REPLY, other), "a.json")
    folder.write(f"event_source_mappings: {{m: {{event_source_arn: '{QUEUE_ARN}2', function_name: orders}}}}", "b.yaml")
    found = folder.load().config.event_source_mappings

    assert list(found) == [SQS_REPLY["UUID"], "22222222", "m"]
    assert isinstance(found["22222222"], KinesisMapping)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (listed({}), "EventSourceMappings[0]: found an empty mapping, expected a mapping with its UUID, as AWS has it"),
        (listed("x"), "EventSourceMappings[0]: found 'x', expected a mapping with its UUID, as AWS has it"),
        (listed(SQS_REPLY, SQS_REPLY), f"found the UUID {SQS_REPLY['UUID']} a second time, expected it once"),
        (listed(SQS_REPLY, NextMarker="abc"), "NextMarker: found more pages of the list, expected all mappings in one"),
        ('{"EventSourceMappings": {}}', "EventSourceMappings: found an empty mapping, expected a list of mappings"),
        (
            json.dumps({"event_source_mappings": {"EventSourceMappings": [SQS_REPLY]}}),
            "event_source_mappings: found AWS's list of mappings in event_source_mappings, expected AWS's EventSourceMappings, ",
        ),
        (
            json.dumps({"event_source_mappings": [SQS_REPLY]}),
            "event_source_mappings: found a list, expected a mapping of names to event source mappings, or AWS's ",
        ),
    ],
)
def test_a_list_that_is_not_whole_is_refused(folder: Folder, text: str, expected: str) -> None:
    """Names and pages are what makes it one."""
    (fault,) = folder.faults(text, "headrace.json")

    assert expected in fault


def test_faults_in_a_list_have_their_lines(folder: Folder) -> None:
    """And are found all at once."""
    text = json.dumps(
        json.loads(listed(SQS_REPLY | {"BatchSize": 0}, STREAM_REPLY | {"UUID": "2", "BatchSize": 0})), indent=1
    )
    faults = folder.faults(text, "headrace.json")

    lines = [number for number, line in enumerate(text.splitlines(), 1) if '"BatchSize": 0' in line]
    assert [int(fault.split(":")[1]) for fault in faults if "BatchSize" in fault] == lines

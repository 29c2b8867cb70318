"""Operations of event source mappings: replies, states and refusals as they were recorded from AWS (docs/lambda 1.3, 16)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from config.models import Config
from pollers.engine.stop import Stop
from pollers.made_mappings.registered import uuid_of
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import Outcome
from tests.unit.lambda_api.control.rig import ARN, NOW, Answer, Rig
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/2015-03-31/event-source-mappings"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TO_QUEUE = {"EventSourceArn": QUEUE, "FunctionName": "orders"}
TO_STREAM = {"EventSourceArn": STREAM, "FunctionName": "orders", "StartingPosition": "LATEST"}


@asynccontextmanager
async def applying(rig: Rig) -> AsyncIterator[None]:
    """What is made is applied for as long as this lasts."""
    stop = Stop()
    async with anyio.create_task_group() as group:
        group.start_soon(rig.mappings.run, stop)
        yield
        stop.request()


async def created(rig: Rig, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any settings
    """A new mapping of the queue to ``orders``, once it is enabled."""
    answer = await rig.ask("POST", PATH, {**TO_QUEUE, **settings})
    assert answer.status == 202, answer
    await virtual_time.settle()
    body: dict[str, Any] = answer.body
    return body


async def state(rig: Rig, uuid: str) -> str:
    """Of a mapping."""
    return str((await rig.ask("GET", f"{PATH}/{uuid}")).body["State"])


def same(answer: Answer, uuid: str) -> dict[str, Any]:
    """The document without what differs for each mapping."""
    arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"
    assert (answer.body["UUID"], answer.body["EventSourceMappingArn"]) == (uuid, arn)
    return {name: value for name, value in answer.body.items() if name not in ("UUID", "EventSourceMappingArn")}


@virtual_time.test
async def test_a_queue_is_echoed_with_its_defaults() -> None:
    """Exactly these members, with a number for the time."""
    rig = Rig()
    answer = await rig.ask("POST", PATH, TO_QUEUE)
    assert answer.status == 202
    assert same(answer, answer.body["UUID"]) == {
        "EventSourceArn": QUEUE,
        "FunctionArn": ARN,
        "LastModified": NOW,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }


@pytest.mark.parametrize("source", [STREAM, TABLE])
@virtual_time.test
async def test_a_stream_is_echoed_with_its_defaults(source: str) -> None:
    """Exactly these members."""
    answer = await Rig().ask("POST", PATH, {**TO_STREAM, "EventSourceArn": source})
    assert same(answer, answer.body["UUID"]) == {
        "EventSourceArn": source,
        "FunctionArn": ARN,
        "LastModified": NOW,
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "ParallelizationFactor": 1,
        "TumblingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ScalingConfig", {"MaximumConcurrency": 5}),
        ("ProvisionedPollerConfig", {"MinimumPollers": 3, "MaximumPollers": 4}),
        ("FilterCriteria", {"Filters": [{"Pattern": '{"body": {"a": ["${x}"]}}'}]}),
        ("KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/k"),
        ("MetricsConfig", {"Metrics": ["EventCount"]}),
        ("LoggingConfig", {"SystemLogLevel": "DEBUG"}),
        ("FunctionResponseTypes", ["ReportBatchItemFailures"]),
    ],
)
@virtual_time.test
async def test_what_is_given_is_echoed(setting: str, value: object) -> None:
    """And taken away by an empty value."""
    rig = Rig()
    async with applying(rig):
        made = await created(rig, **{setting: value})
        assert made[setting] == value
        empty: object = "" if isinstance(value, str) else [] if isinstance(value, list) else {}
        answer = await rig.ask("PUT", f"{PATH}/{made['UUID']}", {setting: empty})
        assert answer.body.get(setting, []) == []


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("orders", ARN),
        (ARN, ARN),
        ("orders:1", f"{ARN}:1"),
        ("orders:live", f"{ARN}:live"),
        (f"{ARN}:live", f"{ARN}:live"),
        ("orders:$LATEST", f"{ARN}:$LATEST"),
    ],
)
@virtual_time.test
async def test_a_qualifier_is_kept_in_the_arn(name: str, arn: str) -> None:
    """And the list finds the mapping by it, and by the bare name."""
    rig = Rig()
    async with applying(rig):
        made = await created(rig, FunctionName=name)
        assert made["FunctionArn"] == arn
        for wanted, found in ((name, 1), ("orders", 1), ("audit", 0), ("orders:other", 0), ("order", 0)):
            answer = await rig.ask("GET", PATH, FunctionName=wanted)
            assert len(answer.body["EventSourceMappings"]) == found


@virtual_time.test
async def test_states_from_the_making_to_the_end() -> None:
    """As clients wait for them: Creating, Enabled, Updating, Disabling, Disabled, Enabling, Deleting, and not found."""
    rig = Rig()
    async with applying(rig):
        made = await created(rig)
        at = f"{PATH}/{made['UUID']}"
        assert made["State"] == "Creating"
        assert await state(rig, made["UUID"]) == "Enabled"
        for change, meanwhile, then in (
            ({"BatchSize": 5}, "Updating", "Enabled"),
            ({"Enabled": False}, "Disabling", "Disabled"),
            ({"BatchSize": 6}, "Updating", "Disabled"),
            ({"Enabled": True}, "Enabling", "Enabled"),
        ):
            answer = await rig.ask("PUT", at, change)
            assert (answer.status, answer.body["State"]) == (202, meanwhile)
            await virtual_time.settle()
            assert await state(rig, made["UUID"]) == then
        answer = await rig.ask("DELETE", at)
        assert (answer.status, answer.body["State"], answer.body["BatchSize"]) == (202, "Deleting", 6)
        await virtual_time.settle()
        answer = await rig.ask("GET", at)
        assert (answer.status, answer.type) == (404, "ResourceNotFoundException")
        assert answer.message == "The resource you requested does not exist."
        assert rig.runtime.config.event_source_mappings == {}


@virtual_time.test
async def test_what_is_being_changed_is_in_use() -> None:
    """Until it has ended what it holds; a second delete is no error."""
    rig = Rig()
    rig.runtime.slow = True
    async with applying(rig):
        made = await created(rig)
        at, runner = f"{PATH}/{made['UUID']}", rig.runtime.mappings[made["UUID"]]
        await rig.ask("PUT", at, {"BatchSize": 5})
        await virtual_time.settle()
        for method, doing in (("PUT", "update"), ("DELETE", "delete")):
            answer = await rig.ask(method, at, {})
            assert (answer.status, answer.type) == (400, "ResourceInUseException")
            assert answer.body["Message"] == f"Cannot {doing} the event source mapping because it is in use."
        runner.finished.set()
        await virtual_time.settle()
        assert (await rig.ask("DELETE", at)).body["State"] == "Deleting"
        await virtual_time.settle()
        assert (await rig.ask("DELETE", at)).body["State"] == "Deleting"
        assert (await rig.ask("PUT", at, {})).type == "ResourceInUseException"
        rig.runtime.mappings[made["UUID"]].finished.set()
        await virtual_time.settle()
        assert (await rig.ask("DELETE", at)).status == 404


@pytest.mark.parametrize(
    ("settings", "type_", "message"),
    [
        ({"FunctionName": "orders"}, "InvalidParameterValueException", "Unrecognized event source."),
        ({**TO_QUEUE, "FunctionName": "nobody"}, "InvalidParameterValueException", "Function does not exist"),
        (
            {**TO_QUEUE, "FunctionName": "nobody", "DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}},
            "InvalidParameterValueException",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            {"EventSourceArn": STREAM, "FunctionName": "orders"},
            "InvalidParameterValueException",
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
        ),
        (
            {**TO_STREAM, "StartingPosition": "invalid"},
            "ValidationException",
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy "
            "enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            {**TO_STREAM, "EventSourceArn": TABLE, "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1},
            "InvalidParameterValueException",
            f"Unsupported starting position for arn type: {TABLE}",
        ),
        (
            {**TO_QUEUE, "BatchSize": 11},
            "InvalidParameterValueException",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (
            {**TO_QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "no"}]}},
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        ),
        (
            {**TO_QUEUE, "BatchSize": 10_001},
            "ValidationException",
            "1 validation error detected: Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less "
            "than or equal to 10000",
        ),
        (
            {**TO_QUEUE, "LoggingConfig": {"SystemLogLevel": "LOUD"}},
            "ValidationException",
            "1 validation error detected: Value 'LOUD' at 'loggingConfig.systemLogLevel' failed to satisfy constraint: Member must "
            "satisfy enum value set: [DEBUG, INFO, WARN]",
        ),
        (
            {**TO_QUEUE, "FunctionResponseTypes": ["ReportBatchItemFailures", "ReportBatchItemFailures"]},
            "ValidationException",
            "1 validation error detected: Value '[ReportBatchItemFailures, ReportBatchItemFailures]' at 'functionResponseTypes' "
            "failed to satisfy constraint: Member must have length less than or equal to 1",
        ),
        (
            {"EventSourceArn": QUEUE},
            "ValidationException",
            "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null",
        ),
        (
            {**TO_STREAM, "MaximumRecordAgeInSeconds": 5},
            "InvalidParameterValueException",
            "MaximumRecordAgeInSeconds: found 5, expected -1 (no limit) or an integer from 60 to 604800",
        ),
    ],
)
@virtual_time.test
async def test_what_is_refused(settings: dict[str, Any], type_: str, message: str) -> None:
    """In AWS's words where these are known, and nothing is made."""
    rig = Rig()
    answer = await rig.ask("POST", PATH, settings)
    assert (answer.status, answer.type, answer.message) == (400, type_, message)
    assert (await rig.ask("GET", PATH)).body == {"EventSourceMappings": []}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            TO_QUEUE,
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The "
            "specified queue does not exist.",
        ),
        (TO_STREAM, f"Stream not found: {STREAM}"),
    ],
)
@virtual_time.test
async def test_a_source_that_does_not_exist_is_refused(settings: dict[str, Any], message: str) -> None:
    """After the function was found."""
    rig = Rig()
    rig.runtime.missing.add(settings["EventSourceArn"])
    answer = await rig.ask("POST", PATH, settings)
    assert (answer.status, answer.type, answer.message) == (400, "InvalidParameterValueException", message)
    answer = await rig.ask("POST", PATH, {**settings, "FunctionName": "nobody"})
    assert answer.message == "Function does not exist"


@virtual_time.test
async def test_an_update_is_validated_with_what_stays() -> None:
    """What was refused at the making is refused then, too; and nothing has changed."""
    rig = Rig()
    async with applying(rig):
        at = f"{PATH}/{(await created(rig))['UUID']}"
        answer = await rig.ask("PUT", at, {"BatchSize": 11})
        assert answer.message.startswith("Maximum batch window in seconds must be greater than 0")
        assert (await rig.ask("PUT", at, {"FunctionName": "nobody"})).message == "Function does not exist"
        # What only a new mapping may have is no member of an update's document.
        answer = await rig.ask(
            "PUT", at, {"EventSourceArn": STREAM, "StartingPosition": "x", "FunctionName": "audit:1"}
        )
        assert answer.body["EventSourceArn"] == QUEUE
        assert answer.body["FunctionArn"] == ARN.replace("orders", "audit:1")


@virtual_time.test
async def test_one_mapping_for_a_source_and_a_function() -> None:
    """In the words of each kind, with the UUID of the other one; another function is welcome."""
    rig = Rig()
    async with applying(rig):
        queue, stream = (await created(rig))["UUID"], (await created(rig, **TO_STREAM))["UUID"]
        answer = await rig.ask("POST", PATH, {**TO_QUEUE, "FunctionName": f"{ARN}:live"})
        assert (answer.status, answer.type) == (409, "ResourceConflictException")
        assert answer.message == (
            f'An event source mapping with SQS arn (" {QUEUE} ") and function (" orders ") already exists. Please update or delete '
            f"the existing mapping with UUID {queue}"
        )
        answer = await rig.ask("POST", PATH, TO_STREAM)
        assert answer.message == (
            f'The event source arn (" {STREAM} ") and function (" orders ") provided mapping already exists. Please update or '
            f"delete the existing mapping with UUID {stream}"
        )
        other = await created(rig, FunctionName="audit")
        answer = await rig.ask("PUT", f"{PATH}/{other['UUID']}", {"FunctionName": "orders"})
        assert answer.type == "ResourceConflictException"


@virtual_time.test
async def test_unknown_mappings_are_not_found() -> None:
    """By each operation; a list of what there is not is empty."""
    rig = Rig()
    for method in ("GET", "PUT", "DELETE"):
        answer = await rig.ask(method, f"{PATH}/{UNKNOWN}")
        assert (answer.status, answer.message) == (404, "The resource you requested does not exist.")
    assert (await rig.ask("GET", PATH, FunctionName="nobody")).body == {"EventSourceMappings": []}
    assert (await rig.ask("GET", PATH, EventSourceArn="arn:aws:sqs:us-east-1:000000000000:none")).status == 200


@virtual_time.test
async def test_lists_come_in_pages() -> None:
    """Of what is asked for, of 100 at most; the marker is absent on the last one."""
    rig = Rig()
    async with applying(rig):
        for number in range(105):
            await rig.ask("POST", PATH, {**TO_QUEUE, "EventSourceArn": f"{QUEUE}{number}"})
        await virtual_time.settle()
        first = (await rig.ask("GET", PATH, MaxItems="10000")).body
        assert len(first["EventSourceMappings"]) == 100
        second = (await rig.ask("GET", PATH, Marker=first["NextMarker"])).body
        assert (len(second["EventSourceMappings"]), "NextMarker" in second) == (5, False)
        assert len({one["UUID"] for page in (first, second) for one in page["EventSourceMappings"]}) == 105
        assert len((await rig.ask("GET", PATH, MaxItems="1", FunctionName="orders")).body["EventSourceMappings"]) == 1


@virtual_time.test
async def test_the_files_mappings_are_shown_and_stay_as_they_are() -> None:
    """Under a UUID of their name and source; who would change them is told file and line."""
    rig = Rig()
    mapping = rig.runtime.config.model_copy()
    from config.models import KinesisMapping

    model = KinesisMapping(name="clicks", event_source_arn=STREAM, function_name="orders", starting_position="LATEST")
    rig.runtime.follow(Config(functions=mapping.functions, event_source_mappings={"clicks": model}))
    uuid = uuid_of("clicks", STREAM)
    [shown] = (await rig.ask("GET", PATH)).body["EventSourceMappings"]
    assert (shown["UUID"], shown["State"], shown["FunctionArn"]) == (uuid, "Enabled", ARN)
    assert shown == (await rig.ask("GET", f"{PATH}/{uuid}")).body
    for method in ("PUT", "DELETE"):
        answer = await rig.ask(method, f"{PATH}/{uuid}", {"Enabled": False})
        assert (answer.status, answer.type) == (409, "ResourceConflictException")
        assert answer.message.startswith("The configuration gives event_source_mappings.clicks (headrace.yaml:2), so")
    assert (await rig.ask("POST", PATH, TO_STREAM)).message.endswith(f"existing mapping with UUID {uuid}")


@virtual_time.test
async def test_what_the_runner_does_is_told() -> None:
    """A pause by an operator, a source that does not answer, and how the last batch went."""
    rig = Rig()
    async with applying(rig):
        uuid = (await created(rig, **TO_STREAM))["UUID"]
        runner = rig.runtime.mappings[uuid]
        for outcome, result in ((Outcome.SUCCESS, "OK"), (Outcome.ERROR, "PROBLEM: Function call failed")):
            rig.results[uuid] = outcome
            assert (await rig.ask("GET", f"{PATH}/{uuid}")).body["LastProcessingResult"] == result
        runner.state, runner.problem = MappingState.BACKING_OFF, "no such stream"
        body = (await rig.ask("GET", f"{PATH}/{uuid}")).body
        assert (body["State"], body["LastProcessingResult"]) == ("Enabled", "PROBLEM: no such stream")
        runner.state = MappingState.PAUSED
        body = (await rig.ask("GET", f"{PATH}/{uuid}")).body
        assert (body["State"], body["StateTransitionReason"]) == ("Disabled", "An operator of Headrace has paused it")

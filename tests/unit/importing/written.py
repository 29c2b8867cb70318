"""The same in the words of each tool: what ``headrace import`` is given, for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.unit.importing.account import service
from tests.unit.importing.terraform import states
from tests.unit.importing.wanted import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.importing.account.service import Service
    from tests.unit.importing.wanted import Settings, Wanted

DIGEST = "a1" * 32
_PARTS = ACCOUNT.split(":")


class Language:
    """Says values in CloudFormation's language: plain, quoted, by a parameter, a condition, a map, or joined of pieces."""

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw
        self.parameters: dict[str, Any] = {}
        self.mappings: dict[str, Any] = {}

    def say(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """A value in one of the ways, each member of an object in its own."""
        if isinstance(value, dict):
            return {key: self.say(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.say(item) for item in value]
        ways: list[Callable[[Any], Any]] = [lambda plain: plain, self._chosen]
        if isinstance(value, bool):
            ways.append(lambda flag: str(flag).lower())
        elif isinstance(value, int):
            ways += [str, self._parameter, self._mapped]
        elif value and "${" not in value and value.strip() == value:
            ways += [self._parameter, self._mapped, self._joined]
        return self._draw(st.sampled_from(ways))(value)

    def _parameter(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        name = f"P{len(self.parameters)}"
        self.parameters[name] = {"Type": "String" if isinstance(value, str) else "Number", "Default": value}
        return {"Ref": name}

    def _chosen(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        return {"Fn::If": ["Never", {"Ref": "AWS::NoValue"}, value]}

    def _mapped(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        self.mappings.setdefault("M", {}).setdefault("k", {})[name := f"v{len(self.mappings['M']['k'])}"] = value
        return {"Fn::FindInMap": ["M", "k", name]}

    def _joined(self, value: str) -> Any:  # noqa: ANN401 - JSON
        return {"Fn::Join": ["", [value[:1], value[1:]]]}

    def as_rule(self, schedule: Settings) -> bool:
        """Whether to write the schedule as a rule, which has neither a window nor a time zone."""
        plain = schedule["FlexibleTimeWindow"]["Mode"] == "OFF" and "ScheduleExpressionTimezone" not in schedule
        return plain and not schedule["ScheduleExpression"].startswith("at(") and self._draw(st.booleans())

    def template(self, resources: Settings, **more: object) -> Settings:
        """A template with what the values refer to."""
        return {
            "Parameters": self.parameters,
            "Mappings": self.mappings,
            "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
            "Resources": resources,
            **more,
        }


def _function(wanted: Wanted, language: Language) -> Settings:
    function = wanted.function
    return {
        **{"Runtime": "python3.12", "Handler": "app.handler", "Role": "arn:aws:iam::123456789012:role/r"},
        **{"Timeout": language.say(function["Timeout"]), "MemorySize": language.say(function["MemorySize"])},
        "Environment": {"Variables": language.say(function["Environment"])},
    }


def _target(wanted: Wanted, language: Language) -> tuple[Settings, Settings]:
    """A schedule's settings, and those that are its target's."""
    inside = ("Input", "RetryPolicy", "DeadLetterConfig")
    said = {key: language.say(value) if key != "Input" else value for key, value in wanted.schedule.items()}
    return {key: said[key] for key in said if key not in inside}, {key: said[key] for key in said if key in inside}


def _schedule(wanted: Wanted, language: Language) -> Settings:
    """A schedule of the Scheduler, or a rule."""
    schedule, target = _target(wanted, language)
    target["Arn"] = {"Fn::GetAtt": ["Worker", "Arn"]}
    if language.as_rule(wanted.schedule):
        del schedule["FlexibleTimeWindow"]
        return {"Type": "AWS::Events::Rule", "Properties": {**schedule, "Targets": [{**target, "Id": "1"}]}}
    return {"Type": "AWS::Scheduler::Schedule", "Properties": {**schedule, "Target": {**target, "RoleArn": "r"}}}


def _resources(wanted: Wanted, language: Language, code: Settings, **metadata: str) -> Settings:
    return {
        "Worker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {**_function(wanted, language), **code},
            "Metadata": metadata,
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {**language.say(wanted.mapping), "FunctionName": {"Ref": "Worker"}},
        },
        "Schedule": _schedule(wanted, language),
    }


def cloudformation(wanted: Wanted, language: Language, folder: Path) -> Path:
    """A template."""
    template = language.template(_resources(wanted, language, {"Code": "src"}))
    return _put(folder / "template.json", template)


def sam(wanted: Wanted, language: Language, folder: Path) -> Path:
    """A template of SAM, with Globals and events."""
    settings = dict(wanted.mapping)
    arn = settings.pop("EventSourceArn")
    kind, source = {
        **{"sqs": ("SQS", "Queue"), "kinesis": ("Kinesis", "Stream"), "dynamodb": ("DynamoDB", "Stream")},
        "rds": ("DocumentDB", "Cluster"),
    }[arn.split(":")[2]]
    settings |= settings.pop("DocumentDBEventSourceConfig", {})
    schedule, target = _target(wanted, language)
    events = {
        "Mapping": {"Type": kind, "Properties": {source: language.say(arn), **language.say(settings)}},
        "Schedule": {"Type": "ScheduleV2", "Properties": {**schedule, **target}},
    }
    if language.as_rule(wanted.schedule):
        del schedule["FlexibleTimeWindow"]
        schedule["Schedule"] = schedule.pop("ScheduleExpression")
        events["Schedule"] = {"Type": "Schedule", "Properties": {**schedule, **target}}
    function = _function(wanted, language)
    shared = {"CodeUri": "src", "Runtime": function.pop("Runtime"), "Timeout": function.pop("Timeout")}
    template = language.template(
        {"Worker": {"Type": "AWS::Serverless::Function", "Properties": {**function, "Events": events}}},
        Globals={"Function": shared},
        Transform="AWS::Serverless-2016-10-31",
    )
    return _put(folder / "template.json", template)


def cdk(wanted: Wanted, language: Language, folder: Path) -> Path:
    """An assembly."""
    out = folder / "cdk.out"
    (out / f"asset.{DIGEST}").mkdir(parents=True, exist_ok=True)
    artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Shop.json"}, "displayName": "Shop"}
    _put(out / "manifest.json", {"version": "36.0.0", "artifacts": {"Shop": artifact}})
    code = {"Code": {"S3Bucket": {"Fn::Sub": "assets-${AWS::AccountId}"}, "S3Key": f"{DIGEST}.zip"}}
    metadata = {"aws:asset:path": f"asset.{DIGEST}", "aws:asset:property": "Code"}
    _put(out / "Shop.json", language.template(_resources(wanted, language, code, **metadata)))
    return out


def packaged(wanted: Wanted, language: Language, folder: Path) -> Path:
    """What the Serverless Framework packages."""
    (folder / ".serverless").mkdir(exist_ok=True)
    code = {"Code": {"S3Bucket": {"Ref": "Bucket"}, "S3Key": "serverless/shop.zip"}}
    resources = {**_resources(wanted, language, code), "Bucket": {"Type": "AWS::S3::Bucket"}}
    _put(folder / ".serverless" / "cloudformation-template-update-stack.json", language.template(resources))
    return folder / ".serverless"


_SLS = {
    "BatchSize": "batchSize",
    "Enabled": "enabled",
    "StartingPosition": "startingPosition",
    "StartingPositionTimestamp": "startingPositionTimestamp",
    "ParallelizationFactor": "parallelizationFactor",
    "MaximumRetryAttempts": "maximumRetryAttempts",
    "MaximumRecordAgeInSeconds": "maximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError": "bisectBatchOnFunctionError",
    "TumblingWindowInSeconds": "tumblingWindowInSeconds",
}


def serverless(wanted: Wanted, language: Language, folder: Path) -> Path:
    """``serverless.yml``, with variables of its own. The framework has no event for change streams."""
    del language
    mapping = wanted.mapping
    assume(":rds:" not in mapping["EventSourceArn"])
    is_queue = ":sqs:" in mapping["EventSourceArn"]
    event: Settings = {_SLS[key]: value for key, value in mapping.items() if key in _SLS}
    event["arn"] = mapping["EventSourceArn"]
    if "MaximumBatchingWindowInSeconds" in mapping:
        window = "maximumBatchingWindow" if is_queue else "batchWindow"
        event[window] = mapping["MaximumBatchingWindowInSeconds"]
    if "FunctionResponseTypes" in mapping:
        event["functionResponseType"] = mapping["FunctionResponseTypes"][0]
    if "ScalingConfig" in mapping:
        event["maximumConcurrency"] = mapping["ScalingConfig"]["MaximumConcurrency"]
    if "FilterCriteria" in mapping:
        event["filterPatterns"] = [json.loads(one["Pattern"]) for one in mapping["FilterCriteria"]["Filters"]]
    if "DestinationConfig" in mapping:
        event["destinations"] = {"onFailure": mapping["DestinationConfig"]["OnFailure"]["Destination"]}
    function = {
        **{"handler": "src/app.handler", "timeout": "${self:custom.seconds}"},
        **{"memorySize": wanted.function["MemorySize"], "environment": wanted.function["Environment"]},
        "events": [{"sqs" if is_queue else "stream": event}],
    }
    document = {
        "service": "shop",
        "provider": {"name": "aws", "runtime": "python3.12"},
        "custom": {"seconds": wanted.function["Timeout"]},
        "functions": {"worker": function},
    }
    return _put(folder / "serverless.yml", document)


def _terraform(wanted: Wanted) -> tuple[Settings, Settings, Settings]:
    """Attributes of a function, a mapping and a schedule."""
    variables = [{"variables": wanted.function["Environment"]}] if wanted.function["Environment"] else []
    function = states.function(
        timeout=wanted.function["Timeout"], memory_size=wanted.function["MemorySize"], environment=variables
    )
    found = wanted.mapping
    attributes: Settings = {_snake(key): value for key, value in found.items()}
    if "FilterCriteria" in found:
        filters = [{"pattern": one["Pattern"]} for one in found["FilterCriteria"]["Filters"]]
        attributes["filter_criteria"] = [{"filter": filters}]
    if "DestinationConfig" in found:
        target = found["DestinationConfig"]["OnFailure"]["Destination"]
        attributes["destination_config"] = [{"on_failure": [{"destination_arn": target}]}]
    if "ScalingConfig" in found:
        attributes["scaling_config"] = [{"maximum_concurrency": found["ScalingConfig"]["MaximumConcurrency"]}]
    if "StartingPositionTimestamp" in found:
        when = datetime.fromtimestamp(found["StartingPositionTimestamp"], UTC)
        attributes["starting_position_timestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    if "DocumentDBEventSourceConfig" in found:
        watched = {"collection_name": "", "full_document": "Default"}
        watched |= {_snake(key): value for key, value in found["DocumentDBEventSourceConfig"].items()}
        access = [{"type": one["Type"], "uri": one["URI"]} for one in found["SourceAccessConfigurations"]]
        attributes |= {"document_db_event_source_config": [watched], "source_access_configuration": access}
        attributes.setdefault("batch_size", 100)
    written = states.stream if found["EventSourceArn"].split(":")[2] in ("kinesis", "dynamodb") else states.mapping
    return function, written(**attributes), _terraform_schedule(wanted.schedule)


def _terraform_schedule(given: Settings) -> Settings:
    window = given["FlexibleTimeWindow"]
    retry = given.get("RetryPolicy", {})
    policy = {
        "maximum_event_age_in_seconds": retry.get("MaximumEventAgeInSeconds", 86_400),
        "maximum_retry_attempts": retry.get("MaximumRetryAttempts", 185),
    }
    target = {
        **{"arn": states.WORKER, "role_arn": "r", "input": given.get("Input"), "retry_policy": [policy]},
        "dead_letter_config": [{"arn": given["DeadLetterConfig"]["Arn"]}] if "DeadLetterConfig" in given else [],
    }
    flexible = {"mode": window["Mode"], "maximum_window_in_minutes": window.get("MaximumWindowInMinutes", 0)}
    return {
        **{"name": "nightly", "group_name": "default", "state": given.get("State", "ENABLED"), "target": [target]},
        **{"schedule_expression": given["ScheduleExpression"], "flexible_time_window": [flexible]},
        "schedule_expression_timezone": given.get("ScheduleExpressionTimezone", "UTC"),
        **{"start_date": "", "end_date": "", "description": "", "kms_key_arn": ""},
    }


_KINDS = ("aws_lambda_function", "aws_lambda_event_source_mapping", "aws_scheduler_schedule")


def state(wanted: Wanted, language: Language, folder: Path) -> Path:
    """Terraform's state."""
    del language
    resources = [states.resource(kind, "it", one) for kind, one in zip(_KINDS, _terraform(wanted), strict=True)]
    (folder / "terraform.tfstate").write_text(states.state(*resources))
    return folder / "terraform.tfstate"


def shown(wanted: Wanted, language: Language, folder: Path) -> Path:
    """What ``terraform show -json`` prints."""
    del language
    resources = [(kind, "it", one) for kind, one in zip(_KINDS, _terraform(wanted), strict=True)]
    (folder / "state.json").write_text(states.shown(*resources))
    return folder / "state.json"


FILES = (cloudformation, sam, cdk, packaged, serverless, state, shown)


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")


def _put(path: Path, document: Settings) -> Path:
    path.write_text(json.dumps(document, indent=1))
    return path


def account(wanted: Wanted) -> tuple[Service, Service]:
    """What Lambda and the Scheduler answer."""
    shards = wanted.mapping["EventSourceArn"].split(":")[2] in ("kinesis", "dynamodb")
    written = service.stream if shards else service.mapping
    enabled = wanted.mapping.get("Enabled", True)
    members = {key: value for key, value in wanted.mapping.items() if key != "Enabled"}
    if "DocumentDBEventSourceConfig" in members:
        members.setdefault("BatchSize", 100)
    found = service.account(written(**members, State="Enabled" if enabled else "Disabled"))
    members = {"Timeout": wanted.function["Timeout"], "MemorySize": wanted.function["MemorySize"]}
    if wanted.function["Environment"]:
        members["Environment"] = {"Variables": wanted.function["Environment"]}
    found.replies["GetFunction", service.WORKER] = service.function(**members)
    inside = ("Input", "RetryPolicy", "DeadLetterConfig")
    outer = {key: value for key, value in wanted.schedule.items() if key not in inside}
    target = {key: value for key, value in wanted.schedule.items() if key in inside}
    target |= {"Arn": service.WORKER, "RoleArn": "r"}
    listed = {"Name": "nightly", "GroupName": "default", "Target": {"Arn": service.WORKER}}
    one = {"Name": "nightly", "GroupName": "default", **outer, "Target": target}
    scheduler = service.Service(
        {("ListSchedules",): {"Schedules": [listed]}, ("GetSchedule", "default", "nightly"): one}
    )
    return found, scheduler

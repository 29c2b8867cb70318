"""What a team has, in no tool's words: a function with a mapping and a schedule, generated with all settings that there are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from config import load

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import Config

ACCOUNT = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:jobs"
FIFO = f"arn:aws:sqs:{ACCOUNT}:jobs.fifo"
STREAM = f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"
CONSUMER = f"{STREAM}/consumer/c:1700000000"
CLUSTER = f"arn:aws:rds:{ACCOUNT}:cluster:shop"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:shop-AbCdEf"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
FAILED = (f"arn:aws:sqs:{ACCOUNT}:failed", f"arn:aws:sns:{ACCOUNT}:failed", "arn:aws:s3:::failed")
TAKEN_AT = 1_750_000_000

Settings = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """Everything in the spelling of Lambda's API."""

    function: Settings
    mapping: Settings
    schedule: Settings

    def loaded(self, folder: Path) -> Config:
        """What a configuration has that says the same. Raises ConfigError where it cannot be said."""
        function = self.function
        options: Settings = {"code": "src", "handler": "app.handler", "environment": function["Environment"]}
        options |= {"timeout": function["Timeout"], "memory_size": function["MemorySize"]}
        document = {
            "functions": {"worker": options},
            "event_source_mappings": {"m": {**self.mapping, "FunctionName": "worker"}},
            "schedules": {"s": {**self.schedule, "function_name": "worker"}},
        }
        file = folder / "wanted.json"
        # A literal ${ is said so in a configuration, and in no tool's file.
        file.write_text(json.dumps(document).replace("${", "$${"))
        return load(file, environ={}).config


TEXTS = st.sampled_from(["plain", "${x}", "$${x}", "a: b", "007", "yes", "", " ", "é\n", "{{literal}}", "#no", "1e3"])
_PATTERNS = st.sampled_from(
    [
        {"body": {"kind": ["${kind}"]}},
        {"body": {"n": [{"numeric": [">", 1]}], "$or": [{"a": [1]}, {"b": [None]}]}},
        {"messageAttributes": {"x": {"stringValue": [{"prefix": "a"}]}}},
    ]
)
_DATA = st.sampled_from([{"data": {"kind": ["${kind}", {"anything-but": ["x"]}]}}, {"partitionKey": ["1"]}])
_IMAGES = st.sampled_from([{"eventName": ["INSERT"]}, {"dynamodb": {"NewImage": {"n": {"N": ["1"]}}}}])


def _filters(patterns: st.SearchStrategy[Any]) -> st.SearchStrategy[Settings]:
    return st.lists(patterns, min_size=1, max_size=2).map(
        lambda found: {"Filters": [{"Pattern": json.dumps(one)} for one in found]}
    )


_ANY: Settings = {
    "Enabled": st.booleans(),
    "FunctionResponseTypes": st.just(["ReportBatchItemFailures"]),
}
_STREAM: Settings = {
    **_ANY,
    "BatchSize": st.integers(1, 10_000),
    "MaximumBatchingWindowInSeconds": st.integers(0, 300),
    "ParallelizationFactor": st.integers(1, 10),
    "MaximumRecordAgeInSeconds": st.just(-1) | st.integers(60, 604_800),
    "MaximumRetryAttempts": st.integers(-1, 10_000),
    "BisectBatchOnFunctionError": st.booleans(),
    "TumblingWindowInSeconds": st.integers(0, 900),
    "DestinationConfig": st.sampled_from(FAILED).map(lambda arn: {"OnFailure": {"Destination": arn}}),
}
POSITIONS = st.sampled_from(
    [
        {"StartingPosition": "LATEST"},
        {"StartingPosition": "TRIM_HORIZON"},
        {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": TAKEN_AT},
    ]
)


def _with(source: str, settings: Settings, **required: st.SearchStrategy[Any]) -> st.SearchStrategy[Settings]:
    return st.fixed_dictionaries({"EventSourceArn": st.just(source), **required}, optional=settings)


QUEUES = _with(
    QUEUE,
    {
        **_ANY,
        "BatchSize": st.integers(11, 10_000),
        "ScalingConfig": st.integers(2, 1000).map(lambda most: {"MaximumConcurrency": most}),
        "FilterCriteria": _filters(_PATTERNS),
    },
    MaximumBatchingWindowInSeconds=st.integers(1, 300),
) | _with(FIFO, {**_ANY, "BatchSize": st.integers(1, 10), "FilterCriteria": _filters(_PATTERNS)})
STREAMS = st.builds(
    lambda mapping, position: {**mapping, **position},
    _with(STREAM, {**_STREAM, "FilterCriteria": _filters(_DATA)}) | _with(CONSUMER, _STREAM),
    POSITIONS,
)
TABLES = _with(
    TABLE,
    {**_STREAM, "FilterCriteria": _filters(_IMAGES)},
    StartingPosition=st.sampled_from(["LATEST", "TRIM_HORIZON"]),
)
CHANGES = st.builds(
    lambda mapping, position: {**mapping, **position},
    _with(
        CLUSTER,
        {
            "Enabled": st.booleans(),
            "BatchSize": st.integers(1, 10_000),
            # 0 is also how the default of half a second is told of what is deployed.
            "MaximumBatchingWindowInSeconds": st.integers(1, 300),
        },
        DocumentDBEventSourceConfig=st.fixed_dictionaries(
            {"DatabaseName": st.just("shop")},
            optional={
                "CollectionName": st.sampled_from(["orders", "orders.archive"]),
                "FullDocument": st.sampled_from(["Default", "UpdateLookup"]),
            },
        ),
        SourceAccessConfigurations=st.just([{"Type": "BASIC_AUTH", "URI": SECRET}]),
    ),
    POSITIONS,
)
SCHEDULES = st.fixed_dictionaries(
    {
        "ScheduleExpression": st.sampled_from(
            ["rate(5 minutes)", "cron(0 8 ? * MON-FRI *)", "at(2030-01-01T00:00:00)"]
        ),
        "FlexibleTimeWindow": st.sampled_from([{"Mode": "OFF"}, {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}]),
    },
    optional={
        "ScheduleExpressionTimezone": st.sampled_from(["Europe/Paris", "UTC"]),
        "State": st.sampled_from(["ENABLED", "DISABLED"]),
        "Input": st.sampled_from(['{"a":"${x}"}', "[1]", '"text"']),
        "RetryPolicy": st.fixed_dictionaries(
            {},
            optional={"MaximumRetryAttempts": st.integers(0, 185), "MaximumEventAgeInSeconds": st.integers(60, 86_400)},
        ).filter(bool),
        "DeadLetterConfig": st.just({"Arn": FAILED[0]}),
    },
)
FUNCTIONS = st.fixed_dictionaries(
    {
        "Timeout": st.integers(1, 900),
        "MemorySize": st.integers(129, 10_240),
        "Environment": st.dictionaries(st.sampled_from(["AA", "BB", "C_1"]), TEXTS, max_size=3),
    }
)
WANTED = st.builds(Wanted, FUNCTIONS, QUEUES | STREAMS | TABLES | CHANGES, SCHEDULES)

"""Reading the documents of CreateEventSourceMapping and UpdateEventSourceMapping: shapes first, as Lambda's model has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.lambda_api import errors
from pollers.lambda_api.control import change_streams
from pollers.lambda_api.control.event_invoke import DESTINATION_PATTERN
from pollers.lambda_api.control.requests import members_of, wrong_type

if TYPE_CHECKING:
    from pollers.lambda_api.control.requests import Members

ARN_PATTERN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
KMS_PATTERN = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
"""As the model has them."""
ARN_LIMIT = 10_000
PATTERN_LIMIT = 4_096
RESPONSE_TYPES = ("ReportBatchItemFailures",)
POSITIONS = ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
"""In the order of the recorded text."""
LOG_LEVELS = ("DEBUG", "INFO", "WARN")
METRICS = ("EventCount", "ErrorCount", "KafkaMetrics")

_NUMBERS = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "TumblingWindowInSeconds": (0, 900),
}
_FLAGS = ("Enabled", "BisectBatchOnFunctionError")
_OTHER_SOURCES = ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig")
_CREATED = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp")
_CREATED_FOR_OTHERS = ("SelfManagedEventSource", "Topics", "Queues")
"""Settings that only a new mapping may have; in an update they are members that the model does not know."""
_SECTIONS = {
    "FilterCriteria": "Filters",
    "ScalingConfig": "MaximumConcurrency",
    "ProvisionedPollerConfig": "",
    "MetricsConfig": "Metrics",
    "LoggingConfig": "SystemLogLevel",
}
"""Settings that are objects, and the member without which they say nothing; any, where there is none."""


def _object(**members: object) -> dict[str, object]:
    return {"type": "object", "properties": members}


_TEXT, _WHOLE, _YES = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_CHANGED: dict[str, Any] = {
    "FunctionName": _TEXT,
    **dict.fromkeys(_NUMBERS, _WHOLE),
    **dict.fromkeys(_FLAGS, _YES),
    "FilterCriteria": _object(Filters={"type": "array", "items": _object(Pattern=_TEXT)}),
    "ScalingConfig": _object(MaximumConcurrency=_WHOLE),
    "ProvisionedPollerConfig": _object(MinimumPollers=_WHOLE, MaximumPollers=_WHOLE),
    "MetricsConfig": _object(Metrics=_TEXTS),
    "LoggingConfig": _object(SystemLogLevel=_TEXT),
    "DestinationConfig": _object(OnSuccess=_object(Destination=_TEXT), OnFailure=_object(Destination=_TEXT)),
    "FunctionResponseTypes": _TEXTS,
    change_streams.WATCHED: _object(DatabaseName=_TEXT, CollectionName=_TEXT, FullDocument=_TEXT),
    change_streams.ACCESS: {"type": "array", "items": _object(Type=_TEXT, URI=_TEXT)},
    "KMSKeyArn": _TEXT,
}
UPDATE_BODY: dict[str, Any] = {"type": "object", "properties": _CHANGED}
CREATE_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        **_CHANGED,
        "EventSourceArn": _TEXT,
        "StartingPosition": _TEXT,
        "StartingPositionTimestamp": {"type": "number"},
        "Tags": {"type": "object", "additionalProperties": _TEXT},
    },
}


def read_mapping(body: bytes, *, new: bool) -> dict[str, Any]:
    """The settings that a document gives, by their names; ``FunctionName`` as it was written.

    None stands for a setting that the document takes away: an empty one. Raises ApiError with every violation of the model.
    """
    members = members_of(body)
    members.text("FunctionName", least=1, most=256, required=new)
    for name, (least, most) in _NUMBERS.items():
        members.integer(name, least=least, most=most)
    for name in _FLAGS:
        members.flag(name)
    members.text("KMSKeyArn", pattern=KMS_PATTERN, most=ARN_LIMIT)
    if new:
        members.text("EventSourceArn", pattern=ARN_PATTERN, most=ARN_LIMIT)
        members.choice("StartingPosition", POSITIONS)
    _check_sections(members)
    members.words("FunctionResponseTypes", RESPONSE_TYPES)
    change_streams.check(members)
    members.check()
    if not new:
        change_streams.refuse_changed_parts(members)
    known = (*_CHANGED, *_OTHER_SOURCES, *((*_CREATED, *_CREATED_FOR_OTHERS) if new else ()))
    given = {name: members.sent(name) for name in known if members.given(name)}
    return {name: None if _is_empty(name, value) else value for name, value in given.items()}


def _check_sections(members: Members) -> None:
    criteria = members.section("FilterCriteria")
    if criteria is not None:
        _check_filters(criteria)
    scaling = members.section("ScalingConfig")
    if scaling is not None:
        scaling.integer("MaximumConcurrency", least=2, most=1_000)
    pollers = members.section("ProvisionedPollerConfig")
    if pollers is not None:
        pollers.integer("MinimumPollers", least=1, most=200)
        pollers.integer("MaximumPollers", least=1, most=10_000)
    metrics = members.section("MetricsConfig")
    if metrics is not None:
        metrics.words("Metrics", METRICS)
    logging = members.section("LoggingConfig")
    if logging is not None:
        logging.choice("SystemLogLevel", LOG_LEVELS)
    destinations = members.section("DestinationConfig")
    if destinations is not None:
        for target in (destinations.section("OnSuccess"), destinations.section("OnFailure")):
            if target is not None:
                target.text("Destination", pattern=DESTINATION_PATTERN, most=350)


def _check_filters(criteria: Members) -> None:
    """Whether a pattern is one, its reader finds."""
    filters = criteria.sent("Filters")
    if filters is None:
        return
    if not isinstance(filters, list):
        raise wrong_type("filterCriteria.filters", "a List")
    for number, one in enumerate(filters, 1):
        at = f"filterCriteria.filters.{number}.member"
        if not isinstance(one, dict):
            raise wrong_type(at, "a Map")
        pattern = one.get("Pattern")
        if pattern is not None and not isinstance(pattern, str):
            raise wrong_type(f"{at}.pattern", "a String")
        if pattern is not None and len(pattern) > PATTERN_LIMIT:
            rule = f"have length less than or equal to {PATTERN_LIMIT}"
            raise errors.invalid(errors.constraint(pattern, f"{at}.pattern", rule))


def _is_empty(name: str, value: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether this takes a setting away (docs/lambda 16.5)."""
    if name == "DestinationConfig":
        return not any((value.get(side) or {}).get("Destination") for side in ("OnSuccess", "OnFailure"))
    if name in _SECTIONS:
        return not (value.get(_SECTIONS[name]) if _SECTIONS[name] else value)
    return name == "KMSKeyArn" and not value


def qualifier_of(arn: str) -> str | None:
    """The qualifier of a function's ARN, if it has one."""
    parts = arn.split(":", 7)
    return parts[7] if len(parts) > 7 else None

"""What a mapping pasted from AWS, CloudFormation or Terraform brings beside its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.models import DestinationConfig, KinesisMapping, ProvisionedPollerConfig, SqsMapping
from config.options.reader import Wording
from config.options.shapes import options_of, pascal
from config.text.nodes import Node, Scalar, Sequence, Table, describe, is_null

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.faults import Path
    from config.report import Report
    from config.sources.kinds import Kind

UNSUPPORTED_DESTINATION = "Unsupported DestinationConfig parameter for given event source mapping type."
RESOURCE_TYPE = "AWS::Lambda::EventSourceMapping"
_RESOURCE_REST = (
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "Metadata",
    "CreationPolicy",
)

READ_ONLY = frozenset(
    {"uuid", "UUID", "id", "Id", "arn", "EventSourceMappingArn", "event_source_mapping_arn", "State", "state"}
    | {"StateTransitionReason", "state_transition_reason", "LastModified", "last_modified", "FilterCriteriaError"}
    | {
        "filter_criteria_error",
        "LastProcessingResult",
        "last_processing_result",
        "tags_all",
        "FunctionArn",
        "function_arn",
    }
)
"""Members that AWS's replies and Terraform's state have and that no mapping can be given."""

WITHOUT_EFFECT = frozenset(
    {
        "Tags",
        "tags",
        "KMSKeyArn",
        "KmsKeyArn",
        "kms_key_arn",
        "MetricsConfig",
        "metrics_config",
        "LoggingConfig",
        "logging_config",
    }
    | {"region"}
)
"""Settings of AWS's that are about AWS: its tags, keys, CloudWatch metrics and logs."""

OTHER_SOURCES = frozenset(
    name
    for snake in (
        "topics",
        "queues",
        "source_access_configurations",
        "self_managed_event_source",
        "amazon_managed_kafka_event_source_config",
    )
    for name in (snake, pascal(snake))
) | {
    *("source_access_configuration", "self_managed_kafka_event_source_config", "SelfManagedKafkaEventSourceConfig"),
    *("document_db_event_source_config", "DocumentDBEventSourceConfig", "DocumentDbEventSourceConfig"),
}
"""Settings of the sources that are not read: Kafka, Amazon MQ, DocumentDB."""

_QUEUE_ONLY = set(options_of(SqsMapping)) - set(options_of(KinesisMapping))
_STREAM_ONLY = set(options_of(KinesisMapping)) - set(options_of(SqsMapping))
_OPTIONS = {**options_of(SqsMapping), **options_of(KinesisMapping)}
_OWNERS = {
    spelling: owner
    for names, owner in ((_QUEUE_ONLY, "queue"), (_STREAM_ONLY, "stream"))
    for name in names
    for spelling in _OPTIONS[name].names
}


def unwrap(node: Node, shown: Path, report: Report, path: Path) -> tuple[Node, Path]:
    """The properties of a whole CloudFormation resource; any other node as it is."""
    if not isinstance(node, Table) or "Properties" not in node.entries or "Type" not in node.entries:
        return node, shown
    kind = node.entries["Type"].node
    if not isinstance(kind, Scalar) or kind.value != RESOURCE_TYPE:
        report.fault(path, f"found a CloudFormation resource whose Type is {describe(kind)}, expected {RESOURCE_TYPE}")
    for key in node.entries.keys() - {"Type", "Properties"}:
        message = f"{key} is ignored: it is about CloudFormation" if key in _RESOURCE_REST else None
        if message:
            report.note(path, message, node.entries[key].place)
        else:
            report.fault(path, f"found {key} beside Properties, expected it inside", node.entries[key].place)
    entry = node.entries["Properties"]
    shown = (*shown, "Properties")
    report.enter(path, entry.node, shown, entry.place)
    return entry.node, shown


def remark(node: Node, path: Path, report: Report) -> None:
    """Notes on what a pasted mapping says that has no effect."""
    if not isinstance(node, Table):
        return
    named = is_named(node)
    read_only = [
        k
        for k, e in node.entries.items()
        if k in READ_ONLY and not is_null(e.node) and (named or k not in ("FunctionArn", "function_arn"))
    ]
    if read_only:
        report.note(
            path, f"ignored what AWS reports and no mapping can be given: {', '.join(read_only)}{_disabled(node)}"
        )
    for key, entry in node.entries.items():
        if key in WITHOUT_EFFECT and not _is_empty(entry.node):
            report.note((*path, key), f"{key} has no effect outside AWS", entry.place)


def is_named(node: Table) -> bool:
    """Whether the mapping says by name which function it has, so that its FunctionArn is what AWS reports."""
    return any(key in node.entries and not is_null(node.entries[key].node) for key in ("function_name", "FunctionName"))


def foreign(kind: Kind | None, *, named: bool) -> Callable[[str, Node], str | None]:
    """What is wrong with a key that is no option of this kind's mappings: nothing (empty), a sentence, or None: it is unknown.

    ``named``: the mapping has a function_name, so that its FunctionArn is one of AWS's read-only members.
    """

    def explain(key: str, node: Node) -> str | None:
        if key in ("FunctionArn", "function_arn") and not named:
            return None
        if key in READ_ONLY or key in WITHOUT_EFFECT or (key in OTHER_SOURCES and _is_nothing(node)):
            return ""
        if key in OTHER_SOURCES:
            return (
                f"found {key}, which belongs to a Kafka, Amazon MQ or DocumentDB source, expected a queue or a stream: these "
                "are not read"
            )
        owner = _OWNERS.get(key)
        if owner is None:
            return None
        return "" if _is_nothing(node) or kind is None else _misplaced(key, owner, kind)

    return explain


def _misplaced(key: str, owner: str, kind: Kind) -> str:
    aws = f" (AWS: {UNSUPPORTED_DESTINATION})" if key in ("destination_config", "DestinationConfig") else ""
    return f"found a setting of {owner}s on {kind.value}, expected it on a {owner} only{aws}"


def _is_nothing(node: Node) -> bool:
    return is_null(node) or (isinstance(node, Sequence) and not node.items)


def _is_empty(node: Node) -> bool:
    return _is_nothing(node) or (isinstance(node, Table) and not node.entries)


def _disabled(node: Table) -> str:
    state = node.entries.get("State") or node.entries.get("state")
    if state is None or not isinstance(state.node, Scalar) or state.node.value not in ("Disabled", "Disabling"):
        return ""
    return f" (its State is {state.node.value}: write enabled: false to keep it so)"


def _on_success(node: Node) -> str:
    return "" if _is_empty(node) else f"found OnSuccess, expected OnFailure only (AWS: {UNSUPPORTED_DESTINATION})"


def _poller_group(node: Node) -> str:
    return (
        ""
        if _is_nothing(node)
        else "found a poller group, which Kafka sources have, expected minimum_pollers and maximum_pollers"
    )


def _starting_position(node: Node) -> str:
    value = node.text if isinstance(node, Scalar) else describe(node)
    return (
        f"found {describe(node)}, expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS: 1 validation error "
        f"detected: Value '{value}' at "
        "'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON])"
    )


WORDING = Wording(
    missing={
        "event_source_arn": "the ARN of a queue or a stream (AWS: Unrecognized event source.)",
        "starting_position": "one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS: 1 validation error detected: Value null at "
        "'startingPosition' failed to satisfy constraint: Member must not be null.)",
        "pattern": "an event pattern (AWS: Invalid filter pattern definition.)",
    },
    invalid={"starting_position": _starting_position},
    unknown={
        (DestinationConfig.__name__, "on_success"): _on_success,
        (DestinationConfig.__name__, "OnSuccess"): _on_success,
        (ProvisionedPollerConfig.__name__, "poller_group_name"): _poller_group,
        (ProvisionedPollerConfig.__name__, "PollerGroupName"): _poller_group,
    },
)

"""What a mapping pasted from AWS, CloudFormation or Terraform has beside its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from config.options.reader import Wording
from config.sources import registry
from config.text.nodes import Node, Scalar, Table, is_null, says_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from config.faults import Report
    from config.sources.kind import EventSource, SourceConfig
    from config.text.places import Path

RESOURCE_TYPE = "AWS::Lambda::EventSourceMapping"
FUNCTION_ARN = ("FunctionArn", "function_arn")
_IDENTITY = ("UUID", "uuid")

READ_ONLY = frozenset(
    {
        *("uuid", "UUID", "id", "Id", "arn", "EventSourceMappingArn", "event_source_mapping_arn", "State", "state"),
        *("StateTransitionReason", "state_transition_reason", "LastModified", "last_modified", "tags_all"),
        *("FilterCriteriaError", "filter_criteria_error", "LastProcessingResult", "last_processing_result"),
        *FUNCTION_ARN,
    }
)
"""What AWS's replies and Terraform's state report of a mapping and nobody can set."""

WITHOUT_EFFECT = frozenset(
    {
        *("Tags", "tags", "KMSKeyArn", "KmsKeyArn", "kms_key_arn", "MetricsConfig", "metrics_config"),
        *("LoggingConfig", "logging_config", "region"),
    }
)
"""Settings that concern AWS only: tags, encryption keys, CloudWatch metrics and logs."""


def remark(node: Node, path: Path, report: Report) -> None:
    """Add a note on each part of a pasted mapping that has no effect."""
    if not isinstance(node, Table):
        return
    named = is_named(node)
    read_only = [
        k
        for k, e in node.entries.items()
        if k in READ_ONLY and not says_nothing(e.node) and (named or k not in FUNCTION_ARN)
    ]
    if read_only:
        report.note(
            path, f"ignored what AWS reports and no mapping can be given: {', '.join(read_only)}{_disabled(node)}"
        )
    for key, entry in node.entries.items():
        if key in WITHOUT_EFFECT and not says_nothing(entry.node):
            report.note((*path, key), f"{key} has no effect outside AWS", entry.place)


def telling(node: Table, kind: SourceConfig) -> Table:
    """The mapping without the zeros that say nothing where AWS or Terraform report it: its UUID is how such a report is known."""
    if not any(key in node.entries and not says_nothing(node.entries[key].node) for key in _IDENTITY):
        return node
    settings = registry.settings_of(kind)
    silent = {spelling for name in kind.silent for spelling in settings[name].names}
    kept = {key: e for key, e in node.entries.items() if key not in silent or not says_nothing(e.node)}
    return replace(node, entries=kept)


def is_named(node: Table) -> bool:
    """Whether the mapping has a function_name; then its FunctionArn is only something that AWS reports."""
    return any(key in node.entries and not is_null(node.entries[key].node) for key in ("function_name", "FunctionName"))


def foreign(source: EventSource | None, *, named: bool) -> Callable[[str, Node], str | None]:
    """Explain a key that is no option of this source's mappings: an empty text for a key that may stand there, else the fault.

    None means that the key is not known. ``named`` is whether the mapping has a function_name.
    """

    def explain(key: str, node: Node) -> str | None:
        if key in FUNCTION_ARN and not named:
            return None
        if key in READ_ONLY or key in WITHOUT_EFFECT:
            return ""
        setting = registry.takers_of(key)
        if setting is not None:
            return "" if says_nothing(node) or source is None else _misplaced(*setting, source)
        if key in unread_settings():
            return "" if says_nothing(node) else _unread(key)
        return None

    return explain


def unread_settings() -> set[str]:
    """Settings that only kinds of sources have that are not read, in every spelling."""
    settings = {setting for kind in registry.unread_kinds() for setting in kind.settings}
    return {setting for setting in settings if registry.takers_of(setting) is None}


def _unread(key: str) -> str:
    kinds = registry.any_of(kind.name for kind in registry.unread_kinds())
    return f"found {key}, which belongs to a {kinds} source, expected {registry.any_source()}: these are not read"


def _misplaced(setting: str, takers: Sequence[SourceConfig], source: EventSource) -> str:
    words = next((kind.words.elsewhere[setting] for kind in takers if setting in kind.words.elsewhere), "")
    nouns = list(dict.fromkeys(kind.family.noun for kind in takers))
    owners, one = registry.all_of(f"{noun}s" for noun in nouns), registry.any_of(f"a {noun}" for noun in nouns)
    aws = f" (AWS: {words})" if words else ""
    return f"found a setting of {owners} on {source.form.called}, expected it on {one} only{aws}"


def _disabled(node: Table) -> str:
    state = node.entries.get("State") or node.entries.get("state")
    if state is None or not isinstance(state.node, Scalar) or state.node.value not in ("Disabled", "Disabling"):
        return ""
    return f" (its State is {state.node.value}: write enabled: false to keep it so)"


def wording(source: EventSource | None) -> Wording:
    """What faults say instead of the general sentences. For an unknown source, the words of all kinds count."""
    kinds = registry.KINDS if source is None else (source.kind,)
    missing = {
        "event_source_arn": f"the ARN of {registry.any_source()} (AWS: Unrecognized event source.)",
        "pattern": "an event pattern (AWS: Invalid filter pattern definition.)",
    }
    invalid: dict[str, Callable[[Node], str]] = {}
    for kind in kinds:
        missing |= kind.words.missing
        invalid |= kind.words.invalid
    return Wording(missing, invalid)

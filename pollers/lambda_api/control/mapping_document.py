"""A mapping in Lambda's words: one shape for all operations (docs/lambda 16.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.text.arns import partition_of
from pollers.sources.registry import kind_of
from pollers.telemetry.facts import Outcome

if TYPE_CHECKING:
    from pollers.lambda_api.names import Here
    from pollers.made_mappings import Registered

FAILED = "PROBLEM: Function call failed"
_RESULTS = {
    None: "No records processed",
    Outcome.SUCCESS: "OK",
    Outcome.PARTIAL: "OK",
    Outcome.ERROR: FAILED,
    Outcome.INFRASTRUCTURE: FAILED,
    Outcome.ABANDONED: FAILED,
    Outcome.THROTTLE: FAILED,
}
_KEPT = ("FilterCriteria", "KMSKeyArn", "MetricsConfig", "LoggingConfig")
"""Settings of any kind that are shown as they were given, and only then."""


def mapping_arn(uuid: str, here: Here) -> str:
    """A mapping's ARN."""
    return f"arn:{partition_of(here.region)}:lambda:{here.region}:{here.account}:event-source-mapping:{uuid}"


def function_arn(registered: Registered, here: Here) -> str:
    """Its function's ARN, with the qualifier that its client gave."""
    return registered.made.function_arn if registered.made is not None else here.arn(registered.model.function_name)


def document(registered: Registered, here: Here, result: Outcome | None) -> dict[str, Any]:
    """The EventSourceMappingConfiguration. ``result``: of the last batch; None when there was none yet."""
    model, reported = registered.model, kind_of(registered.model).shown.reported
    shown = {
        "UUID": registered.uuid,
        "EventSourceMappingArn": mapping_arn(registered.uuid, here),
        "EventSourceArn": model.event_source_arn,
        "FunctionArn": function_arn(registered, here),
        "LastModified": registered.modified_at,
        "State": registered.state.value,
        "StateTransitionReason": registered.remark or reported.reason,
        **reported.settings(model),
        **_kept(registered),
    }
    if reported.has_result:
        shown["LastProcessingResult"] = f"PROBLEM: {registered.problem}" if registered.problem else _RESULTS[result]
    return shown


def _kept(registered: Registered) -> dict[str, Any]:
    if registered.made is not None:
        return {name: registered.made.settings[name] for name in _KEPT if name in registered.made.settings}
    filters = registered.model.filter_criteria.filters
    return {"FilterCriteria": {"Filters": [{"Pattern": one.pattern} for one in filters]}} if filters else {}

"""The order of options in what is written: first what a reader wants to know first. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.importing.values import Value

FUNCTIONS = (
    *("runtime", "code", "handler", "command", "interpreter", "function_arn", "qualifier", "url", "layers"),
    *("timeout", "memory_size", "concurrency", "environment", "logging_config"),
    *("event_invoke_config", "dead_letter_config", "function_url"),
)
MAPPINGS = (
    *("event_source_arn", "function_name", "enabled", "document_db_event_source_config"),
    *("source_access_configurations", "starting_position", "starting_position_timestamp"),
    *("batch_size", "maximum_batching_window_in_seconds", "function_response_types", "filter_criteria"),
)
SCHEDULES = (
    *("event", "schedule_expression", "schedule_expression_timezone", "function_name", "state", "group_name"),
    *("start_date", "end_date", "flexible_time_window", "input", "retry_policy", "dead_letter_config"),
)


def ordered(options: Mapping[str, Value], order: tuple[str, ...]) -> list[tuple[str, Value]]:
    """The options in this order, and then the others as they came."""
    first = [(name, options[name]) for name in order if name in options]
    return [*first, *((name, value) for name, value in options.items() if name not in order)]

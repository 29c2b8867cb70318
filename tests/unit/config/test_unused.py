"""Options that nothing asks for are noted, where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

FUNCTION = """
functions:
  orders:
    runtime: http
    url: http://127.0.0.1:9000/
    {}
"""
QUEUE = "arn:aws:sqs:us-east-1:000000000000:dead"
SCHEDULE = """
schedules:
  nightly: {schedule_expression: rate(1 day), function_name: orders}
"""
OF_QUEUE = "has no effect: only lambda_api and schedules invoke asynchronously, and neither is given"


@pytest.mark.parametrize(
    ("option", "note"),
    [
        ("event_invoke_config: {maximum_retry_attempts: 0}", f"event_invoke_config: {OF_QUEUE}"),
        (f"DeadLetterConfig: {{TargetArn: '{QUEUE}'}}", f"DeadLetterConfig: {OF_QUEUE}"),
    ],
)
def test_an_option_without_effect_is_noted_where_it_stands(folder: Folder, option: str, note: str) -> None:
    """In its own spelling; with the API it has its effect."""
    text = FUNCTION.replace("{}", option)
    notes = [str(found) for found in folder.load(text).notes]
    assert any(found.endswith(f":6: functions.orders.{note}") for found in notes), notes
    assert folder.load(f"{text}\nlambda_api: {{}}\n").notes == []


def test_schedules_invoke_asynchronously_too(folder: Folder) -> None:
    """A dead-letter queue has its effect for them."""
    text = FUNCTION.replace("{}", f"dead_letter_config: {{target_arn: '{QUEUE}'}}") + SCHEDULE
    assert not any("no effect" in found.message for found in folder.load(text).notes)


def test_what_is_not_given_is_not_noted(folder: Folder) -> None:
    """Every function has the defaults."""
    assert not any("no effect" in found.message for found in folder.load(FUNCTION.replace("{}", "timeout: 5")).notes)

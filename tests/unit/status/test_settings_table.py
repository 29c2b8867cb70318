"""How functions are called, as the status document has it and ``headrace status`` prints it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources import MemoryRows, Resources, changes
from pollers.resources.views import settings_document
from pollers.status.settings_table import settings_table, told
from tests.unit.resources.examples import DEAD, FAILED, model


async def resources() -> Resources:
    """``orders`` with a config by the API, a URL by the configuration, and reserved concurrency; ``audit`` with nothing."""
    made = Resources(MemoryRows(), {})
    url = {"auth_type": "AWS_IAM", "invoke_mode": "RESPONSE_STREAM"}
    made.follow({"orders": model(function_url=url, dead_letter_config={"target_arn": DEAD}), "audit": model()})
    config = {"maximum_retry_attempts": 0, "destination_config": {"on_failure": {"destination": FAILED}}}
    await made.change("orders", changes.put_invoking(EventInvokeConfig.model_validate(config)))
    await made.change("orders", changes.reserve(0))
    return made


def printed(*functions: dict[str, Any]) -> list[list[str]]:
    """The words of each line."""
    console = Console(width=200, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(settings_table(told(functions)))
    return [line.split() for line in capture.get().splitlines() if line.strip()]


async def test_the_document_says_what_counts_and_who_gave_it() -> None:
    """By function; the names of options are the configuration's."""
    made = await resources()
    assert settings_document([object(), made], "orders") == {
        "maximum_retry_attempts": 0,
        "maximum_event_age_in_seconds": 21_600,
        "on_success": None,
        "on_failure": FAILED,
        "dead_letters": DEAD,
        "event_invoke_config_by": "api",
        "function_url": {"auth_type": "AWS_IAM", "invoke_mode": "RESPONSE_STREAM", "by": "configuration"},
        "reserved_concurrency": 0,
    }
    assert settings_document([object()], "orders") is None


async def test_a_line_tells_what_is_not_the_default_and_what_the_api_made() -> None:
    """A function of which nothing is said has none."""
    made = await resources()
    functions = [{"name": name, "settings": settings_document([made], name)} for name in ("orders", "audit")]
    head, _, line = printed(*functions)
    assert head == ["function", "reserved", "retries", "age", "reported", "to", "URL"]
    assert (
        " ".join(line) == "orders 0 0 (API) 21600 s (API) failure: failed, dead letters: dead AWS_IAM, response stream"
    )


async def test_columns_that_are_empty_are_left_out() -> None:
    """A URL alone is a short table."""
    made = Resources(MemoryRows(), {})
    made.follow({"orders": model()})
    await made.change("orders", changes.create_url(FunctionUrl(auth_type="NONE")))
    head, _, line = printed({"name": "orders", "settings": settings_document([made], "orders")})
    assert (head, line) == (["function", "URL"], ["orders", "NONE,", "buffered", "(API)"])


def test_where_nothing_is_said_there_is_no_table() -> None:
    """Nor where the document has no settings, as without Lambda's API."""
    assert told([{"name": "orders", "settings": None}, {"name": "old"}]) == []

"""Asynchronous events as ``headrace status`` prints them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, Group

from pollers.invocations import FunctionBooks, QueueSnapshot, TargetStanding
from pollers.status.async_table import events
from pollers.status.asynchronous import document, of_function

NOW = 1_764_000_000.0
ORDERS = FunctionBooks(found=2, accepted=1_234_567, succeeded=1_234_562, queued=7, running=2, oldest_at=NOW - 125)


def snapshot(queue: QueueSnapshot | None, *configured: str) -> dict[str, Any]:
    """A status document as far as it is read."""
    functions = queue.functions if queue is not None else {}
    return {
        "now": NOW,
        "functions": [
            {"name": name, "asynchronous": of_function(functions[name], NOW) if name in functions else None}
            for name in configured
        ],
        "asynchronous": document(queue, configured, NOW) if queue is not None else None,
    }


def printed(told: dict[str, Any], width: int = 200) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(Group(*events(told)))
    return capture.get()


def test_without_a_queue_or_events_nothing_is_printed() -> None:
    """Those who use mappings alone see what they always saw."""
    assert events(snapshot(None, "orders")) == []
    assert events(snapshot(QueueSnapshot({}, {}, 1000), "orders")) == []


@pytest.mark.parametrize("width", [80, 200])
def test_depth_age_and_totals_stand_on_the_functions_line(width: int) -> None:
    """Columns with nothing in them are left out."""
    text = printed(snapshot(QueueSnapshot({"orders": ORDERS}, {}, 1000), "orders", "audit"), width)
    (line,) = [line for line in text.splitlines() if line.startswith("orders")]
    assert line.split() == ["orders", "7", "2", "min", "2", "1,234,562"]
    assert "audit" not in text
    assert "dropped" not in text


def test_what_went_wrong_is_told_below() -> None:
    """The last error, what was given up, what is waited for, and books that do not balance."""
    books = replace(ORDERS, failed=3, dropped=1, last_error="ValueError: no stock", last_error_at=NOW - 5)
    queue = QueueSnapshot({"orders": books}, {"arn:dead": TargetStanding(2, "NotFound: none", NOW - 65)}, 1000)
    text = printed(snapshot(queue, "orders"))
    assert "orders: an attempt failed 5.0 s ago: ValueError: no stock" in text
    assert "arn:dead: 2 reports wait for it, for 65 s: NotFound: none" in text
    assert "the books of the asynchronous queue do not balance" in text
    (line,) = [line for line in text.splitlines() if line.startswith("orders ")]
    assert line.split()[-2:] == ["3", "1"]

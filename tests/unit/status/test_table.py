"""The view of a running Headrace, on paper of any width."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from pollers.status.table import Row, explained, rows_of, waiting_lines

ROW = Row(
    "clicks-of-all-visitors",
    "running",
    received=123_456,
    done=123_449,
    in_flight=7,
    batches_per_second=12.3,
    failures=25,
    iterator_age=0.4,
    shards="12 of 14",
    sentence="retrying a batch of 1, attempt 3: ValueError: bad record on shardId-000000000001/1",
)


def printed(*rows: Row, width: int) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(explained(rows))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_numbers_and_reasons_can_be_read_at_any_width(width: int) -> None:
    """Every number stands whole on the mapping's one line, and the sentence has the whole width below."""
    text = printed(ROW, replace(ROW, name="orders", sentence="waiting for messages"), width=width)
    lines = [line for line in text.splitlines() if "123,456" in line]
    assert len(lines) == 2
    assert all(number in lines[0] for number in ("123,449", "12.3", "25", "400 ms", "12 of 14"))
    assert "depth" not in text
    joined = " ".join(text.split())
    assert f"clicks-of-all-visitors: {ROW.sentence}" in joined
    assert "orders: waiting for messages" in joined


def test_a_mapping_with_a_uuid_for_a_name_is_told_by_its_source_and_function() -> None:
    """Whether it runs, or waits for its function."""
    made = {"source": "arn:aws:sqs:us-east-1:000000000000:q", "function": "orders", "name": "3f1c"}
    ledger = dict.fromkeys(("received", "deleted", "checkpointed", "discarded", "in_flight", "failed"), 0)
    runs: dict[str, Any] = {
        **made,
        "made_by_api": True,
        "state": "running",
        "ledger": ledger,
        "batches_per_second": 0.0,
        "depth": None,
        "iterator_age_seconds": None,
        "shards": [],
        "sentence": "waiting for messages",
    }
    [row] = rows_of({"mappings": [runs]})
    assert row.sentence == f"({made['source']} to orders) waiting for messages"
    [line] = waiting_lines({"waiting_mappings": [{**made, "reason": "function orders is not configured"}]})
    assert str(line) == f"3f1c: ({made['source']} to orders) waits: function orders is not configured"

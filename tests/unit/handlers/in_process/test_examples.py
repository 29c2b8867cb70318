"""The sample functions that ``headrace demo`` and the README use."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config import load
from config.models import InProcessFunction as Model
from handlers.function import Payload
from handlers.in_process.function import InProcessFunction

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = Path(__file__).parents[4] / "examples"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"


async def failed(example: str, handler: str, records: Sequence[dict[str, Any]]) -> list[str]:
    function = InProcessFunction(
        example, "arn", Model(runtime="in_process", code=EXAMPLES / example, handler=handler, timeout=20)
    )
    async with function:
        result = (await function.invoke(json.dumps({"Records": records}).encode(), request_id="r")).result
    assert isinstance(result, Payload), result
    return [item["itemIdentifier"] for item in json.loads(result.body)["batchItemFailures"]]


def message(number: int, *, poison: bool = False, group: str | None = None) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "body": json.dumps({"id": f"order-{number}", "poison": poison}),
        "attributes": {"MessageGroupId": group} if group else {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
    }


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the functions note what they did."""
    path = tmp_path / "journal"
    monkeypatch.setenv("JOURNAL", str(path))
    return path


def noted(journal: Path) -> list[tuple[str, bool, str]]:
    return [(line["id"], line["ok"], line["source"]) for line in map(json.loads, journal.read_text().splitlines())]


async def test_orders_reports_its_poison_messages(journal: Path) -> None:
    """And notes every one, handled or not."""
    records = [message(number, poison=number == 1) for number in range(3)]

    assert await failed("orders", "app.handler", records) == ["m1"]
    assert noted(journal) == [("order-0", True, QUEUE), ("order-1", False, QUEUE), ("order-2", True, QUEUE)]


async def test_functions_note_nothing_without_a_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do no harm where nobody asked."""
    monkeypatch.delenv("JOURNAL", raising=False)

    assert await failed("orders", "app.handler", [message(1)]) == []
    assert await failed("audit", "audit.handle", [message(1)]) == []


async def test_audit_hands_back_what_follows_a_failure_in_its_group(journal: Path) -> None:
    """Other groups go on; what is handed back was not handled."""
    records = [message(number, poison=number == 1, group="ab"[number % 2]) for number in range(5)]

    assert await failed("audit", "audit.handle", records) == ["m1", "m3"]
    assert [identifier for identifier, ok, _ in noted(journal) if ok] == ["order-0", "order-2", "order-4"]


async def test_audit_takes_records_of_every_source(journal: Path) -> None:
    """Kinesis data, a change of an item, and a removal."""
    data = base64.b64encode(json.dumps({"id": "click-1"}).encode()).decode()
    image = {"id": {"S": "customer-1"}, "change": {"S": "change-7"}}
    records = [
        {"eventSource": "aws:kinesis", "eventSourceARN": "k", "kinesis": {"data": data}},
        {"eventSource": "aws:dynamodb", "eventSourceARN": "d", "dynamodb": {"NewImage": image, "Keys": {}}},
        {"eventSource": "aws:dynamodb", "eventSourceARN": "d", "dynamodb": {"Keys": {"id": {"S": "customer-2"}}}},
    ]

    assert await failed("audit", "audit.handle", records) == []
    assert noted(journal) == [("click-1", True, "k"), ("change-7", True, "d"), ("customer-2", True, "d")]


def test_the_examples_configuration_can_be_used() -> None:
    """With the defaults of its variables, and the event beside it."""
    loaded = load(EXAMPLES / "headrace.yaml", environ={})

    assert set(loaded.config.functions) == {"orders", "audit"}
    assert len(json.loads((EXAMPLES / "orders" / "event.json").read_text())["Records"]) == 2

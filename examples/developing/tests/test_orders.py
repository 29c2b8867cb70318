"""The function with a recorded event. Run by pytest from the folder above."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src" / "orders"))

import app  # noqa: E402 - found from here on


def test_a_broken_order_comes_back_alone():
    event = json.loads((HERE.parent / "events" / "two-orders.json").read_text())
    answer = app.handler(event, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}

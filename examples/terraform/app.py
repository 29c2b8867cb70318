"""Notes each order, and says which ones failed."""

from __future__ import annotations

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of orders; one that is no JSON has failed."""
    failed = []
    for record in event.get("Records", []):
        try:
            print("order", json.loads(record["body"])["id"], "taken")
        except (ValueError, KeyError, TypeError):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}

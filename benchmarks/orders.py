"""The documents whose changes are read, and the handler that gets them, for every reader alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bson.objectid import ObjectId

ARN = "arn:aws:rds:us-east-1:000000000000:cluster:bench"
DATABASE, COLLECTION = "shop", "orders"
HANDLER = """
import json, pathlib

first = pathlib.Path(__file__).with_name("first.json")


def handler(event, context):
    global first
    if first is not None:
        first.write_text(json.dumps({**event, "events": event["events"][:1]}))
        first = None
"""
"""Does nothing, but for keeping its first event, by which all readers are held to the same."""


def document(number: int) -> dict[str, Any]:
    """An order of about 400 bytes as BSON."""
    return {
        "_id": ObjectId(),
        "customer": f"customer-{number % 5_000:06d}",
        "status": "paid",
        "created": datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC) + timedelta(seconds=number),
        "total": 12.5 + number % 100,
        "items": [{"sku": f"sku-{number % 97:04d}", "count": 1 + number % 3, "price": 4.25} for _ in range(2)],
        "address": {"street": "Main Street 5", "city": "Springfield", "zip": "12345"},
        "express": number % 2 == 0,
        "note": "Please leave it at the door. " * 2,
    }

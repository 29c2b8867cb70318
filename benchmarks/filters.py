"""Filter matches per CPU-second: 1, 5 and 10 filters on SQS messages with 1 KB JSON bodies.

``python -m benchmarks.filters [--seconds S] [--json]`` prints a table: messages that the last filter matches, messages that
none does (by a string or by a prefix of it), and messages that all filters reject by their attributes alone (whose bodies
need not be decoded). Beside Headrace's
compiled filters stand a naive interpretation, which walks each pattern again for each message and decodes the body for each
filter, and the decoding of the body alone, which no filter on the body can do without.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

import orjson

from config.models import Filter, FilterCriteria, SqsMapping
from pollers.sources.registry import compile_patterns

if TYPE_CHECKING:
    from collections.abc import Callable

FILTER_COUNTS = (1, 5, 10)
BODY_BYTES = 1024


def body(kind: str) -> str:
    """An order event of 1 KB."""
    order: dict[str, Any] = {
        "id": "evt-0001",
        "type": kind,
        "version": 3,
        "time": "2025-11-24T10:00:00.000Z",
        "detail": {
            "customer": {"id": "c-1842", "country": "DE", "tier": "gold", "tags": ["eu", "returning", "newsletter"]},
            "amount": 149.95,
            "currency": "EUR",
            "items": [{"sku": f"sku-{number:04}", "quantity": number, "price": 9.99} for number in range(6)],
            "address": {"street": "Hauptstrasse 1", "city": "Berlin", "zip": "10115"},
        },
    }
    order["note"] = "x" * (BODY_BYTES - len(json.dumps(order)) - len(', "note": ""'))
    return json.dumps(order)


def message(kind: str) -> dict[str, Any]:
    """The message as ReceiveMessage returns it."""
    return {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 8,
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Body": body(kind),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        },
    }


def patterns(
    count: int, *, operator: str | None = None, attributes: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Filters with three conditions on the body each; the last is about ``wanted`` messages.

    They tell types apart as strings, which lets a look into a table refuse all at once, or by ``operator``, which does not.
    """
    kinds = ["wanted" if index == count - 1 else f"kind-{index}" for index in range(count)]
    return [
        {
            **(attributes or {}),
            "body": {
                "type": [{operator: kind} if operator else kind],
                "detail": {"customer": {"country": ["DE", "FR", "IT"]}, "amount": [{"numeric": [">", 100]}]},
            },
        }
        for kind in kinds
    ]


def compiled(filters: list[dict[str, Any]]) -> Callable[[dict[str, Any]], bool]:
    """Headrace's own."""
    mapping = SqsMapping(
        name="orders",
        event_source_arn="arn:aws:sqs:us-east-1:000000000000:orders",
        function_name="orders",
        filter_criteria=FilterCriteria(filters=[Filter(pattern=json.dumps(pattern)) for pattern in filters]),
    )
    record_filter = compile_patterns(mapping)
    assert record_filter is not None
    return record_filter.matches


def naive(filters: list[dict[str, Any]]) -> Callable[[dict[str, Any]], bool]:
    """Each pattern walked, each body decoded, every time; the operators that the filters use, without consistent arrays."""

    def matches(record: dict[str, Any]) -> bool:
        for pattern in filters:
            event = {"body": orjson.loads(record["Body"]), "attributes": record["Attributes"]}
            if _walk(pattern, event):
                return True
        return False

    return matches


def _walk(pattern: dict[str, Any], event: Any) -> bool:  # noqa: ANN401 - any JSON value
    for key, wanted in pattern.items():
        found = event.get(key) if isinstance(event, dict) else None
        if isinstance(wanted, dict):
            if not _walk(wanted, found):
                return False
        elif not any(
            _fits(entry, value) for entry in wanted for value in (found if isinstance(found, list) else [found])
        ):
            return False
    return True


def _fits(entry: Any, value: Any) -> bool:  # noqa: ANN401
    if isinstance(entry, dict) and "prefix" in entry:
        return isinstance(value, str) and value.startswith(entry["prefix"])
    if isinstance(entry, dict):
        sign, bound = entry["numeric"]
        return isinstance(value, int | float) and {">": value > bound, "<": value < bound, "=": value == bound}[sign]
    return bool(entry == value)


def per_cpu_second(run: Callable[[dict[str, Any]], object], record: dict[str, Any], seconds: float) -> float:
    """How often ``run`` goes through with ``record`` in a second of CPU time."""
    rounds, spent, started = 0, 0.0, time.process_time()
    while spent < seconds:
        for _ in range(200):
            run(record)
        rounds += 200
        spent = time.process_time() - started
    return rounds / spent


def measure(seconds: float) -> list[dict[str, Any]]:
    """One row for each number of filters and each fate of the message."""
    sets: list[tuple[str, str, dict[str, Any]]] = [
        ("matched", "wanted", {}),
        ("rejected", "other", {}),
        ("matched, by prefix", "wanted", {"operator": "prefix"}),
        ("rejected, by prefix", "other", {"operator": "prefix"}),
        ("rejected by attributes", "wanted", {"attributes": {"attributes": {"SenderId": ["x"]}}}),
    ]
    rows = []
    for count in FILTER_COUNTS:
        for fate, kind, options in sets:
            record, filters = message(kind), patterns(count, **options)
            ours, plain = compiled(filters), naive(filters)
            assert ours(record) is plain(record) is fate.startswith("matched")
            rows.append(
                {
                    "filters": count,
                    "message": fate,
                    "headrace": round(per_cpu_second(ours, record, seconds)),
                    "naive": round(per_cpu_second(plain, record, seconds)),
                    "decoding_alone": round(per_cpu_second(lambda wire: orjson.loads(wire["Body"]), record, seconds)),
                }
            )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=0.5, help="CPU seconds for each figure")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'filters':>7}  {'message':<24}{'headrace/s':>12}{'naive/s':>12}{'decoding/s':>12}{'headrace':>11}")
    for row in rows:
        microseconds = 1e6 / row["headrace"]
        print(
            f"{row['filters']:>7}  {row['message']:<24}{row['headrace']:>12,}{row['naive']:>12,}"
            f"{row['decoding_alone']:>12,}{microseconds:>8.2f} µs"
        )


if __name__ == "__main__":
    main()

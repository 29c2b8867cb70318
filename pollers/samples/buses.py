"""EventBridge: events of a bus, rules with a schedule, EventBridge Scheduler (docs/lambda 14.2, 14.3 and 15.5)."""

from __future__ import annotations

from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample


def _event(at: Circumstances, *, kind: str, source: str, resources: list[str], detail: object) -> Document:
    return {
        "version": "0",
        "id": at.uuid(),
        "detail-type": kind,
        "source": source,
        "account": at.account,
        "time": at.seconds,
        "region": at.region,
        "resources": resources,
        "detail": detail,
    }


def custom(at: Circumstances) -> Document:
    """An event that an application has put on a bus."""
    detail = {"order": "1001", "amount": 42}
    return _event(at, kind="Order Placed", source="com.example.orders", resources=[], detail=detail)


def rule(at: Circumstances) -> Document:
    """A rule with a schedule and no input of its own."""
    resources = [at.arn("events", "rule/nightly")]
    return _event(at, kind="Scheduled Event", source="aws.events", resources=resources, detail={})


def scheduler(at: Circumstances) -> Document:
    """A schedule of EventBridge Scheduler without an input: here ``detail`` is a text."""
    resources = [at.arn("scheduler", "schedule/default/nightly")]
    return _event(at, kind="Scheduled Event", source="aws.scheduler", resources=resources, detail="{}")


SAMPLES: Final = {
    "eventbridge": Sample("an application's event on a bus", custom),
    "scheduled": Sample("a rule of EventBridge with a schedule", rule),
    "scheduler": Sample("a schedule of EventBridge Scheduler", scheduler),
}
"""By the names that ``headrace invoke --sample`` takes."""

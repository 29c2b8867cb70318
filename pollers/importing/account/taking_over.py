"""Taking mappings over from Lambda: where streams are read on, and what to do in which order. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.sources.registry import source_of
from pollers.importing.deployed import Document
from pollers.importing.values import Unknown

if TYPE_CHECKING:
    from pollers.importing.values import Value

AT_TIMESTAMP = "AT_TIMESTAMP"
DISABLED = ("Disabled", "Disabling")
ADVICE = (
    "To take a mapping over, disable it in AWS first (aws lambda update-event-source-mapping --uuid UUID --no-enabled),",
    "wait until its State is Disabled and its last invocations have ended, and then start it here. While it runs in",
    "both, both read: the messages of a queue are shared between them, and the records of a stream come twice.",
)
STREAM_ADVICE = (
    "Lambda tells nobody how far it has read a stream. Kinesis and change streams are read here from TAKE_OVER_TIME on, a",
    "DynamoDB stream from its oldest record: expect what was processed before. Headrace keeps checkpoints of its own.",
)
_TIME = Unknown(
    "take over",
    "TAKE_OVER_TIME",
    "the time, such as 2026-01-31T12:00:00Z, shortly before the mappings of streams were disabled in AWS",
)


def is_running(mapping: Document) -> bool:
    """Whether Lambda polls for this mapping."""
    return mapping.text("state") not in DISABLED


def taken_over(mapping: Document) -> Document:
    """A mapping that starts here where it stopped there, as near as can be known. One that is disabled stays as it is."""
    position = _position(mapping.text("event_source_arn"))
    if not is_running(mapping) or position is None:
        return mapping
    moment = _TIME if position == AT_TIMESTAMP else None
    start: dict[str, Value] = {"StartingPosition": position, "StartingPositionTimestamp": moment}
    return Document(mapping.name, {**mapping.values, **start}, mapping.origin)


def _position(arn: str) -> str | None:
    """What the source's kind declares; None also for a source that is not read here."""
    try:
        return source_of(arn).kind.model.taken_over_from
    except ValueError:
        return None


def advice(mappings: list[Document]) -> list[str]:
    """What to do before the configuration is used."""
    running = [one for one in mappings if is_running(one)]
    streams = [one for one in running if taken_over(one) is not one]
    return [*(ADVICE if running else ()), *(STREAM_ADVICE if streams else ())]

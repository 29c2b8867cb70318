"""What patterns see of the records of a DynamoDB table's stream (docs/lambda 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from pollers.filtering.fields import NOTHING
from pollers.filtering.views import Member, RecordShape, View, constant, own_member
from pollers.jsontext.numbers import NOT_JSON, decode

if TYPE_CHECKING:
    from collections.abc import Collection

    from config.models import DynamoDBMapping
    from pollers.aws.api import Wire
    from pollers.jsontext.numbers import Json

SHAPE: Final = RecordShape(
    data="dynamodb",
    members=frozenset(
        [
            "eventID",
            "eventName",
            "eventVersion",
            "eventSource",
            "awsRegion",
            "dynamodb",
            "userIdentity",
            "eventSourceARN",
        ]
    ),
    unseen={},
    array="Records",
    text_is_tested=False,
)
EVENT_VIEW: Final = View(SHAPE, {name: own_member(name) for name in SHAPE.members}, None)


def wire_view(mapping: DynamoDBMapping, paths: Collection[str]) -> View:
    """The view of records as DynamoDB Streams sends them, for patterns that look at ``paths``."""
    needed = sorted({keys[1] for path in paths if (keys := path.split("."))[0] == SHAPE.data and len(keys) > 1})
    return View(SHAPE, _members(mapping, needed), None)


def _members(mapping: DynamoDBMapping, needed: Collection[str]) -> dict[str, Member]:
    return {
        "eventID": own_member("eventID"),
        "eventName": own_member("eventName"),
        "eventVersion": own_member("eventVersion"),
        "eventSource": constant("aws:dynamodb"),
        "awsRegion": constant(mapping.arn.region),
        "dynamodb": _change(needed),
        "userIdentity": lambda record: _identity(record.get("userIdentity")),
        "eventSourceARN": constant(mapping.event_source_arn),
    }


def _change(needed: Collection[str]) -> Member:
    """The ``needed`` members of a change, the creation time as the float that it is in Lambda's events (5.3).

    A member may still be the JSON text that the service sent: only what a pattern looks at is parsed.
    """

    def member(record: Wire) -> Json:
        wire = record.get("dynamodb") or {}
        change: dict[str, Json] = {}
        for name in needed:
            value = wire.get(name)
            if type(value) is Raw:
                value = decode(bytes(value), keep_number_texts=False)
            elif name == "ApproximateCreationDateTime" and isinstance(value, int):
                value = float(value)
            # An image that the view leaves out is absent, not null.
            if value is not None and value is not NOT_JSON:
                change[name] = value
        return change

    return member


def _identity(wire: Wire | None) -> Json:
    """Who deleted the item, with the member names of Lambda's events, which are not the API's (5.3)."""
    return {"type": wire.get("Type"), "principalId": wire.get("PrincipalId")} if wire else NOTHING

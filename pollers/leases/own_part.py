"""What Headrace adds to a lease item: one map, ``headrace``, that only the lease's owner writes. A decider.

Everything else of an item is as the Kinesis Client Library (KCL) has it, which keeps attributes that it does not know through all
of its own writes. So the map names the checkpoint that it goes with (``seq``, ``sub``): when KCL has moved on, a window or lanes in
it are of the past, and are passed over.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pollers.aws.api import StartAt
from pollers.checkpoints.store import LanesDone, OpenWindow
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.leases.table import Item

OWN = "headrace"
"""The attribute."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whose the table is: the mapping's name, and the identity of the stream that it reads."""

    mapping: str
    identity: str


@dataclass(frozen=True, slots=True)
class OwnPart:
    """The map, read. ``seq`` and ``sub``: the item's checkpoint when it was last written here; None: never.

    ``stamp`` None: no Headrace has had the item. ``reset``: the position that a reset gave, in place of any checkpoint.
    ``leaving``: the owner that is on its way out.
    """

    stamp: Stamp | None = None
    start: StartAt | None = None
    window: OpenWindow | None = None
    ahead: tuple[LanesDone, ...] = ()
    ended_seq: str | None = None
    seq: str | None = None
    sub: int = 0
    reset: bool = False
    leaving: str | None = None


def read_own(item: Item) -> OwnPart:
    """The map of an item, empty where there is none. Raises StoreUnreadable for one of a newer version, and for a broken one."""
    found = item.get(OWN, {}).get("M")
    if not found:
        return OwnPart()
    try:
        if int(found["v"]["N"]) > VERSION:
            raise StoreUnreadable(f"the lease of shard {_name(item)} was written by a newer Headrace: use that version")
        return OwnPart(
            stamp=_stamp(found),
            start=_start(found),
            window=_window(found),
            ahead=tuple(_lanes(one["L"]) for one in found.get("ahead", {}).get("L", ())),
            ended_seq=found.get("ended_seq", {}).get("S"),
            seq=found.get("seq", {}).get("S"),
            sub=int(found.get("sub", {}).get("N", 0)),
            reset=found.get("reset", {}).get("BOOL", False),
            leaving=found.get("leaving", {}).get("S"),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        problem = f"the attribute {OWN} of the lease of shard {_name(item)} is not as Headrace writes it"
        raise StoreUnreadable(f"{problem}: remove the attribute, or restore it") from error


def written_own(checkpoint: ShardCheckpoint, stamp: Stamp, *, seq: str) -> dict[str, Any]:
    """The attribute's value beside a checkpoint; ``seq`` is the checkpoint as the item has it."""
    own: dict[str, Any] = {**_stamped(stamp), "start": {"M": _start_value(checkpoint.start)}}
    own["seq"] = {"S": seq}
    own["sub"] = {"N": str(checkpoint.user_record or 0)}
    if checkpoint.ended and checkpoint.sequence_number is not None:
        own["ended_seq"] = {"S": checkpoint.sequence_number}
    if checkpoint.window is not None:
        own["window"] = {"M": _window_value(checkpoint.window)}
    if checkpoint.ahead:
        own["ahead"] = {"L": [_lanes_value(lanes) for lanes in checkpoint.ahead]}
    return {"M": own}


def restamped(item: Item, stamp: Stamp) -> dict[str, Any]:
    """The attribute's value when only the owner changes: all else stays as it was written last, but who was leaving."""
    own = {**item.get(OWN, {}).get("M", {}), **_stamped(stamp)}
    own.pop("leaving", None)
    return {"M": own}


def left_by(own: dict[str, Any], owner: str) -> dict[str, Any]:
    """The attribute's value when whoever writes it is about to stop."""
    return {"M": {**own["M"], "leaving": {"S": owner}}}


def reset_own(stamp: Stamp, start: StartAt | None) -> dict[str, Any]:
    """The attribute's value after a reset: nothing is done, and where the mapping begins when it is next started."""
    own: dict[str, Any] = {**_stamped(stamp), "reset": {"BOOL": True}}
    if start is not None:
        own["start"] = {"M": _start_value(start)}
    return {"M": own}


def _stamped(stamp: Stamp) -> dict[str, Any]:
    return {"v": {"N": str(VERSION)}, "mapping": {"S": stamp.mapping}, "identity": {"S": stamp.identity}}


def _stamp(found: Mapping[str, Any]) -> Stamp:
    return Stamp(str(found["mapping"]["S"]), str(found["identity"]["S"]))


def _start(found: Mapping[str, Any]) -> StartAt | None:
    start = found.get("start", {}).get("M")
    if start is None:
        return None
    timestamp = start.get("timestamp", {}).get("N")
    number = start.get("sequence_number", {}).get("S")
    return StartAt(start["kind"]["S"], number, None if timestamp is None else float(timestamp))


def _start_value(start: StartAt) -> dict[str, Any]:
    value: dict[str, Any] = {"kind": {"S": start.kind}}
    if start.timestamp is not None:
        value["timestamp"] = {"N": repr(float(start.timestamp))}
    if start.sequence_number is not None:
        value["sequence_number"] = {"S": start.sequence_number}
    return value


def _window(found: Mapping[str, Any]) -> OpenWindow | None:
    window = found.get("window", {}).get("M")
    if window is None:
        return None
    state = base64.b64decode(window["state"]["B"], validate=True)
    return OpenWindow(float(window["start"]["N"]), float(window["end"]["N"]), state)


def _window_value(window: OpenWindow) -> dict[str, Any]:
    return {
        "start": {"N": repr(float(window.start))},
        "end": {"N": repr(float(window.end))},
        "state": {"B": base64.b64encode(window.state).decode()},
    }


def _lanes(upto: list[dict[str, Any]]) -> LanesDone:
    return LanesDone(tuple(lane.get("S") for lane in upto))


def _lanes_value(lanes: LanesDone) -> dict[str, Any]:
    return {"L": [{"NULL": True} if upto is None else {"S": upto} for upto in lanes.upto]}


def _name(item: Item) -> str:
    return str(item.get("leaseKey", {}).get("S"))

"""Lease items as the Kinesis Client Library (KCL) lays them out, and the checkpoints in them. A decider.

An item is a lease if it has a key, a counter and a checkpoint, and is of no other ``entityType``: newer versions of KCL keep other
things in the same table. What is no lease is passed over, and so are attributes that are not known here. An attribute that does
not apply is absent, never NULL or empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON, ShardCheckpoint
from pollers.leases.own_part import OWN, OwnPart, Stamp, read_own, written_own
from pollers.leases.seen import OURS, Ask, Seen
from pollers.leases.table import KEY
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Collection

    from pollers.leases.table import Item

OWNER, COUNTER, CHECKPOINT = "leaseOwner", "leaseCounter", "checkpoint"
SUB, SWITCHES = "checkpointSubSequenceNumber", "ownerSwitchesSinceCheckpoint"
PARENTS, CHILDREN = "parentShardId", "childShardIds"
HANDING_OVER = "checkpointOwner"
"""KCL 3: the present owner, while ``leaseOwner`` names the next one already."""
ASKED = "headrace_asked"
"""Who asks for the lease. Not in the map of our own: another than the owner writes it, and the owner writes the map whole."""
GIVEN = "headrace_given"
"""The counter of the write that gave the lease to its owner by name. As long as it is the lease's counter, that one has not taken
it: any write of an owner, also of one that does not know this attribute, moves the counter on."""
PENDING = ("pendingCheckpoint", "pendingCheckpointSubSequenceNumber", "pendingCheckpointState")
"""A checkpoint in two steps. Every plain checkpoint deletes it."""

SHARD_END = "SHARD_END"
BEGINNINGS = frozenset({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})
"""What stands in place of a sequence number when nothing is done. A time is not stored by KCL."""
STATE_LIMIT_BYTES = 256 * 1024
"""A window's state may be so large: an item has at most 400 KB, positions of lanes and everything else included."""


@dataclass(frozen=True, slots=True)
class LeaseItem:
    """One lease. ``owner`` None: free. ``own``: what Headrace keeps beside. ``raw`` is the item as it was read."""

    shard_id: str
    counter: int
    owner: str | None
    checkpoint: ShardCheckpoint
    own: OwnPart
    raw: Item

    @property
    def switches(self) -> int:
        """How often it was taken from another owner since the last checkpoint."""
        return _number(self.raw, SWITCHES) or 0

    @property
    def seen(self) -> Seen:
        """What its owners, and those who want to be, need to know of it."""
        return Seen(
            self.shard_id,
            self.counter,
            self.owner,
            self.checkpoint.ended,
            _asked(self.raw),
            self.own.leaving,
            _text(self.raw, HANDING_OVER),
            given=OWNER in self.raw and HANDING_OVER not in self.raw and _number(self.raw, GIVEN) == self.counter,
        )


def read_lease(item: Item) -> LeaseItem | None:
    """The lease in an item, None for what is no lease. Raises StoreUnreadable for a lease that cannot be understood."""
    shard_id, text, counter = _text(item, KEY), _text(item, CHECKPOINT), _number(item, COUNTER)
    if shard_id is None or text is None or counter is None or _text(item, "entityType") not in (None, "LEASE"):
        return None
    if _text(item, "streamName") is not None:
        raise StoreUnreadable(
            f"its lease {shard_id} is one of several streams in one table: Headrace reads tables of one stream"
        )
    own, sub = read_own(item), _number(item, SUB) or 0
    return LeaseItem(
        shard_id=shard_id,
        counter=counter,
        owner=_text(item, OWNER),
        checkpoint=_checkpoint(shard_id, text, sub, own, tuple(sorted(item.get(PARENTS, {}).get("SS", ())))),
        own=own,
        raw=item,
    )


def _checkpoint(shard_id: str, text: str, sub: int, own: OwnPart, parents: tuple[str, ...]) -> ShardCheckpoint:
    ours = (own.seq, own.sub) == (text, sub)
    start = own.start or TRIM_HORIZON
    if text == SHARD_END:
        return ShardCheckpoint(own.ended_seq, start, ended=True, parents=parents)
    if text in BEGINNINGS:
        # Whoever writes one beginning in place of another means it, whatever was pinned before.
        pinned = own.start is not None and (ours or own.start.kind == text)
        kept = ShardCheckpoint(None, start if pinned else StartAt(text), parents=parents)
    elif ours or text.isdecimal():
        # What KCL wrote last may be done only in part, if the record is an aggregate.
        kept = ShardCheckpoint(text, start, parents=parents, user_record=None if ours else sub)
    else:
        raise StoreUnreadable(f"the checkpoint of its lease {shard_id} is no sequence number: {text[:100]!r}")
    return replace(kept, window=own.window, ahead=own.ahead) if ours else kept


def sentinel(checkpoint: ShardCheckpoint) -> str:
    """What the attribute ``checkpoint`` says of it."""
    if checkpoint.ended:
        return SHARD_END
    if checkpoint.sequence_number is not None:
        return checkpoint.sequence_number
    return checkpoint.start.kind if checkpoint.start.kind in BEGINNINGS else TRIM_HORIZON.kind


def new_item(shard_id: str, checkpoint: ShardCheckpoint, stamp: Stamp) -> Item:
    """A lease that nobody has had."""
    item = {KEY: {"S": shard_id}, COUNTER: {"N": "0"}, **progress(checkpoint, stamp)}
    if checkpoint.parents:
        item[PARENTS] = {"SS": sorted(checkpoint.parents)}
    return item


def put_back(lease: LeaseItem) -> Item:
    """A lease that was deleted, as it was, free. Its counter goes on, so no late write of before fits it."""
    kept = {name: value for name, value in lease.raw.items() if name not in (OWNER, HANDING_OVER, ASKED, GIVEN)}
    return {**kept, COUNTER: {"N": str(lease.counter + 1)}}


def progress(checkpoint: ShardCheckpoint, stamp: Stamp, *, text: str | None = None) -> Item:
    """The attributes that say how far a shard is done; with PENDING removed, they are what KCL writes at a checkpoint.

    ``text``: what stands for the checkpoint, if it is to stay as KCL wrote it.
    """
    text = text or sentinel(checkpoint)
    return {
        CHECKPOINT: {"S": text},
        SUB: {"N": str(checkpoint.user_record or 0)},
        SWITCHES: {"N": "0"},
        OWN: written_own(checkpoint, stamp, seq=text),
    }


def children_of(shard_ids: Collection[str]) -> Item:
    """The attribute that names a shard's children on it."""
    return {CHILDREN: {"SS": sorted(shard_ids)}} if shard_ids else {}


def owner_given(to: str | None, counter: int) -> tuple[Item, tuple[str, ...]]:
    """What a write, which moves the counter to ``counter``, sets and removes to give a lease to ``to``, or to free it.

    A worker of KCL that is named takes nothing: it is the owner from then on.
    """
    if to is None:
        return {}, (OWNER, GIVEN)
    if not to.startswith(OURS):
        return {OWNER: {"S": to}}, (GIVEN,)
    return {OWNER: {"S": to}, GIVEN: {"N": str(counter)}}, ()


def ask_value(ask: Ask) -> dict[str, Any]:
    """The value of ASKED."""
    return {"M": {"by": {"S": ask.by}, "beat": {"N": str(ask.beat)}}}


def expected(counter: int, owner: str | None) -> dict[str, dict[str, Any] | None]:
    """The condition of a write: nobody has written since the lease was seen like this."""
    return {COUNTER: {"N": str(counter)}, OWNER: None if owner is None else {"S": owner}}


def shows(item: Item, put: Item) -> bool:
    """Whether an item has what a write has put, the counter aside, which every write moves, and what depends on it."""
    return all(_same(item.get(name), value) for name, value in put.items() if name not in (COUNTER, GIVEN))


def _same(found: object, put: object) -> bool:
    """Whether two values are the same to DynamoDB, which spells numbers its own way and keeps no order of sets."""
    if not (isinstance(found, dict) and isinstance(put, dict)):
        return found == put
    if found.keys() != put.keys():
        return False
    for kind, value in put.items():
        other = found[kind]
        if kind == "N" and isinstance(value, str) and isinstance(other, str):
            equal = Decimal(value) == Decimal(other)
        elif kind == "SS" and isinstance(value, list) and isinstance(other, list):
            equal = sorted(value) == sorted(other)
        elif kind == "L" and isinstance(value, list) and isinstance(other, list):
            equal = len(value) == len(other) and all(map(_same, other, value))
        else:
            equal = _same(other, value)
        if not equal:
            return False
    return True


def _asked(item: Item) -> Ask | None:
    found = item.get(ASKED, {}).get("M", {})
    by, beat = _text(found, "by"), _number(found, "beat")
    return None if by is None or beat is None else Ask(by, beat)


def _text(item: Item, name: str) -> str | None:
    text = item.get(name, {}).get("S")
    return text if isinstance(text, str) and text else None


def _number(item: Item, name: str) -> int | None:
    number = item.get(name, {}).get("N")
    try:
        return None if number is None else int(number)
    except ValueError:
        return None

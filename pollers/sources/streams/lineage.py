"""Which shards may be read: children only after all their parents ended (docs/lambda 4.6). A decider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.sources.streams.ending import Sight
from pollers.sources.streams.shard_states import ShardLife, ShardState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pollers.aws.api import ShardListing


GONE_AFTER_SECONDS = 300.0
"""For how long complete listings must miss a shard before it counts as gone: listings lag behind what parents announce."""
OPEN_AFTER_SECONDS = 10.0
"""For how long listings must show a shard open before it counts as open, although its end has been written: listings lag."""


@dataclass(slots=True)
class _Known:
    """A shard as far as listings and checkpoints tell of it.

    ``seen``: a listing has shown it. ``gone``: listings have missed it for so long that it is not waited for any more.
    ``listed_closed``: a listing has shown its ending sequence number. ``open_since``: since when listings have shown a shard open
    that is called ended.
    """

    parents: tuple[str, ...]
    life: ShardLife
    seen: bool = False
    missed_since: float | None = None
    gone: bool = False
    listed_closed: bool = False
    open_since: float | None = None


class Lineage:
    """The shards of one stream as far as they are known, and who waits for whom.

    A shard that its parent named as a child (``announce``) is known before any listing shows it. A parent that is not known has
    left the stream's retention and counts as ended, but only once a listing shows the child without it: of the two parents of a
    merged shard that one of them announced, the other may be too young to be listed.
    """

    def __init__(self) -> None:
        self._shards: dict[str, _Known] = {}

    def __contains__(self, shard_id: str) -> bool:
        return shard_id in self._shards

    def restore(self, shard_id: str, parents: tuple[str, ...], *, ended: bool) -> None:
        """A shard that a checkpoint remembers, whether or not the stream lists it still."""
        state = ShardState.ENDED if ended else ShardState.WAITING
        self._shards[shard_id] = _Known(parents, ShardLife(shard_id, state))

    def ended_elsewhere(self, shard_id: str) -> bool:
        """Another owner has written that this shard has ended; whether that is news.

        One that we ourselves are writing down as ended goes its own way.
        """
        life = self._shards[shard_id].life
        if life.state is not ShardState.WAITING:
            return False
        life.to(ShardState.ENDED)
        return True

    def announce(self, shards: Iterable[ShardListing]) -> list[str]:
        """Children that their parent named at its end; returns those that are new."""
        return [shard.shard_id for shard in shards if self._add(shard.shard_id, shard.parent_ids)]

    def listing(self, shards: Collection[ShardListing], now: float) -> list[str]:
        """A complete listing, made at the monotonic time ``now``; returns the shards that are new."""
        new = [shard.shard_id for shard in shards if self._add(shard.shard_id, shard.parent_ids)]
        listed = {shard.shard_id for shard in shards}
        open_ids = {shard.shard_id for shard in shards if shard.ended_at is None}
        parents = self._parents()
        for shard_id, known in self._shards.items():
            known.listed_closed = known.listed_closed or (shard_id in listed and shard_id not in open_ids)
            if not known.life.ended or known.listed_closed or shard_id not in open_ids or shard_id in parents:
                known.open_since = None
            elif known.open_since is None:
                known.open_since = now
            if shard_id in listed:
                known.seen, known.missed_since, known.gone = True, None, False
            elif known.missed_since is None:
                known.missed_since = now
            else:
                known.gone = now - known.missed_since >= GONE_AFTER_SECONDS
        return new

    def _add(self, shard_id: str, parents: tuple[str, ...]) -> bool:
        known = self._shards.get(shard_id)
        if known is None:
            self._shards[shard_id] = _Known(parents, ShardLife(shard_id))
            return True
        if not known.parents:
            known.parents = parents
        return False

    def _parents(self) -> set[str]:
        return {parent for shard in self._shards.values() for parent in shard.parents}

    def sight(self, shard_id: str) -> Sight:
        """What is known of the shard besides its own replies: it is closed when a listing had an ending sequence number for it,
        or another shard has it as a parent."""
        shard = self._shards.get(shard_id)
        if (shard is not None and shard.listed_closed) or shard_id in self._parents():
            return Sight.CLOSED
        return Sight.MISSING if shard is None or shard.missed_since is not None else Sight.OPEN

    def suspects(self) -> list[str]:
        """Shards that were written down as ended, and that the last listing shows open and without children."""
        return [shard_id for shard_id, shard in self._shards.items() if shard.open_since is not None]

    def contradicted(self, now: float) -> list[str]:
        """Those of the suspects that listings have shown so for long enough."""
        return [
            shard_id
            for shard_id, shard in self._shards.items()
            if shard.open_since is not None and now - shard.open_since >= OPEN_AFTER_SECONDS
        ]

    def reopened(self, shard_id: str) -> None:
        """The shard has not ended, whatever was written down; it may be read again."""
        shard = self._shards[shard_id]
        shard.life.to(ShardState.WAITING)
        shard.open_since = None

    def life(self, shard_id: str) -> ShardLife:
        """The shard's state, which whoever reads the shard takes on."""
        return self._shards[shard_id].life

    def parents(self, shard_id: str) -> tuple[str, ...]:
        """The shard's parents as they were first named."""
        return self._shards[shard_id].parents

    def waiting_for(self, shard_id: str) -> list[str]:
        """The parents that must end before this shard may be read."""
        shard = self._shards[shard_id]
        certain = shard.seen or shard.gone
        return [parent for parent in shard.parents if not self._finished(parent, certain=certain)]

    def _finished(self, shard_id: str, *, certain: bool) -> bool:
        shard = self._shards.get(shard_id)
        return certain if shard is None else shard.life.ended

    def readable(self) -> list[str]:
        """The shards that may be read and are not."""
        return [
            shard_id
            for shard_id, shard in self._shards.items()
            if shard.life.state is ShardState.WAITING and not self.waiting_for(shard_id)
        ]

    def unfinished(self) -> list[str]:
        """The shards that have not ended, read or not."""
        return [shard_id for shard_id, shard in self._shards.items() if not shard.life.ended]

    def with_those_after(self, shard_ids: Collection[str]) -> set[str]:
        """These shards and all that wait for them."""
        found = set(shard_ids)
        more = True
        while more:
            after = {
                one for one in self.unfinished() if one not in found and not found.isdisjoint(self.waiting_for(one))
            }
            more = bool(after)
            found |= after
        return found

    def gone(self) -> list[str]:
        """Ended shards that the stream lists no longer: their checkpoints may go.

        Not while a child that no listing has shown yet names them: it is the only one that does not know without them.
        """
        young = [shard for shard in self._shards.values() if not (shard.life.ended or shard.seen)]
        needed = {parent for shard in young for parent in shard.parents}
        return [
            shard_id
            for shard_id, shard in self._shards.items()
            if shard.life.ended and shard.gone and shard_id not in needed
        ]

    def forget(self, shard_ids: Iterable[str]) -> None:
        """Forget shards that have gone."""
        for shard_id in shard_ids:
            del self._shards[shard_id]

"""What replicas that share a stream must keep to, watched from outside: the function's side, the lease table's, and the books.

Beside what :mod:`tests.worlds.stream_watch` says of records, a run fails the moment that

- an invocation starts under a lease that is not in time, or that the table gives to another;
- a record is invoked while an earlier one of its lane or its key is not done, or one of a parent of its shard;
- two replicas that may both write invoke the same key at the same time;
- a lease changes by anyone but its owner, or is taken while its owner may still start something;
- a counter does not count a write, a checkpoint moves back, or is above a record that is not done;
- a lease is given up while something runs under it, or with records accepted that the checkpoint does not cover;
- a record is invoked again that was covered when its lease was given up in order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from pollers.leases.items import ASKED, CHECKPOINT, COUNTER, GIVEN, OWNER, SHARD_END, read_lease
from tests.worlds.stream_records import lane_of, values
from tests.worlds.stream_watch import Watch

if TYPE_CHECKING:
    from handlers.function import Payload
    from pollers.checkpoints.store import Lease
    from pollers.leases.table import Item
    from tests.worlds.lease_requests import Logged

LINES = 4_000
"""Of the timeline, the last ones."""
BEGINNINGS = frozenset({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})


@dataclass(eq=False, slots=True)
class Running:
    """An invocation: whose, of what. ``cut``: its replica does not wait for it any more."""

    replica: str
    shard: str
    batch: list[str]
    keys: set[str]
    cut: bool = False


class Log(list["Logged"]):
    """A table's log that shows every entry to a watch."""

    def __init__(self, watch: ReplicaWatch) -> None:
        super().__init__()
        self._watch = watch

    def append(self, entry: Logged) -> None:
        """A request has reached the table."""
        self._watch.logged(entry)


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody worked on a shard between two replicas: from the last reply or request of ``before`` to the first of ``after``.

    Not from before there was a reason: ``before`` was killed or asked to stop, or gave the shard to whoever asked. An idle shard is
    read once a second.
    """

    shard: str
    before: str
    after: str
    at: float
    seconds: float


@dataclass(slots=True)
class ReplicaWatch(Watch):
    """The truth of one mapping that several replicas work on, and the timeline of what they did."""

    calm_since: float = 0.0
    durations: tuple[float, ...] = (0.0, 0.01, 0.3, 2.0)
    """How long an invocation takes."""
    timeline: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    failure: BaseException | None = None
    dead: set[str] = field(default_factory=set)
    leases: dict[tuple[str, str], Lease] = field(default_factory=dict)
    """By replica and shard: what it was given last."""
    at_work: list[Running] = field(default_factory=list)
    heard: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """By replica and shard: accepted under its present lease, and it knows."""
    deleted: set[str] = field(default_factory=set)
    """Shards whose lease somebody has deleted by hand: for a while two owners may believe in it."""
    moves: int = 0
    """How often a lease changed its owner, or lost it."""
    last_move: float = 0.0
    owners: dict[str, str | None] = field(default_factory=dict)
    """By shard: its owner in the table."""
    acknowledged: dict[str, float] = field(default_factory=dict)
    """By shard: when the function accepted something of it last."""
    readers: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By shard: who read it last, and when."""
    gaps: list[Gap] = field(default_factory=list)
    left: dict[str, float] = field(default_factory=dict)
    """By replica: when it was killed or asked to stop."""
    given_up: dict[str, float] = field(default_factory=dict)
    """By shard: when its owner gave it up last."""
    _lanes: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    _first_undone: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    # -- the story -------------------------------------------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        """A line of the timeline."""
        self.timeline.append(f"{_now() - 1_000:9.3f}  {who:8} {what}")

    def fail(self, what: str) -> NoReturn:
        """The run has failed, whoever catches it."""
        failure = AssertionError(what)
        self.failure = self.failure or failure
        self.tell("watch", f"FAILED: {what}")
        raise failure

    def require(self, holds: bool, what: str) -> None:
        """Fail unless it holds."""
        if not holds:
            self.fail(what)

    # -- writing ---------------------------------------------------------------------------------------------------------

    def put(self, key: str, *, poison: bool) -> None:
        """Write the next record of a key."""
        Watch.put(self, key, poison=poison)
        value = self.by_key[key][-1]
        self._lanes[self._lane(value)].append(value)

    def _lane(self, value: str) -> tuple[str, int]:
        key = self.place[value][0]
        wire = key.encode() if self.stream.kind == "kinesis" else orjson.dumps({"id": {"S": key}})
        return self.shard_of[value], lane_of(wire, self.lanes)

    # -- the function's side ---------------------------------------------------------------------------------------------

    def invoked(self, replica: str, event: dict[str, Any]) -> Running:
        """An invocation begins."""
        batch = [value for _, value in values(event)]
        shards = {self.shard_of[value] for value in batch} or {event["shardId"]}
        shard = min(shards)
        self.tell(replica, f"invokes {shard}: {' '.join(batch)}")
        self.require(len(shards) == 1, f"one batch of several shards: {sorted(shards)}")
        self.require(len(batch) <= self.mapping.batch_size, "more than a batch")
        self.require(not any(map(self.rejects, batch)), "invoked with what the filter rejects")
        again = self.settled.intersection(batch)
        self.require(not again, f"invoked again, though its lease was given up with it done: {sorted(again)}")
        running = Running(replica, shard, batch, self._keys(batch))
        self._check_lease(running)
        self._check_alone(running)
        self._check_order(batch)
        self._check_lanes(batch)
        self._check_parents(shard)
        self.invocations += 1
        self.at_work.append(running)
        return running

    def _check_lease(self, running: Running) -> None:
        lease = self.leases.get((running.replica, running.shard))
        self.require(
            lease is not None and lease.in_time,
            f"{running.replica} starts something of {running.shard} under a lease that is not in time",
        )
        owner = self.owners.get(running.shard)
        self.require(
            owner == running.replica or running.shard in self.deleted,
            f"{running.replica} starts something of {running.shard}, whose owner is {owner}",
        )

    def _check_alone(self, running: Running) -> None:
        mine = [other for other in self.at_work if other.replica == running.replica and other.shard == running.shard]
        alive = [other for other in mine if not other.cut]
        self.require(len(alive) < self.lanes, f"more invocations of {running.shard} than lanes")
        for other in self.at_work:
            if other.cut or other.shard != running.shard or not other.keys & running.keys:
                continue
            self.require(other.replica != running.replica, f"keys invoked twice at a time: {running} {other}")
            lease = self.leases[other.replica, other.shard]
            entitled = lease.in_time and other.replica not in self.dead and other.shard not in self.deleted
            self.require(not entitled, f"two replicas invoke the same keys: {running} {other}")

    def _check_lanes(self, batch: list[str]) -> None:
        for lane in {self._lane(value): None for value in batch}:
            line, first = self._lanes[lane], self._first_undone[lane]
            while first < len(line) and line[first] in self.done:
                first += 1
            self._first_undone[lane] = first
            last = max(line.index(value) for value in batch if value in line)
            skipped = [value for value in line[first:last] if value not in self.done and value not in batch]
            self.require(not skipped, f"{batch} was invoked before {skipped} of its lane")

    def _check_parents(self, shard: str) -> None:
        for parent in self.stream.shards_by_id[shard].parents:
            owed = [value for value, of in self.shard_of.items() if of == parent and value not in self.done]
            self.require(not owed, f"{shard} is read before {owed} of its parent {parent}")

    def finished(self, running: Running) -> None:
        """An invocation is over, whatever came of it, and whether anybody waits for it or not."""
        self.at_work.remove(running)

    def replied(self, running: Running, accepted: list[str]) -> None:
        """Its replica has learned what became of it."""
        self.heard[running.replica, running.shard].update(accepted)
        if accepted:
            self.acknowledged[running.shard] = _now()

    def partial(self, reply: Payload) -> bool:
        """Whether the function has named records that failed."""
        return b"batchItemFailures" in reply.body

    def accept(self, batch: list[str]) -> None:
        """The function accepted these."""
        self.done.update(batch)
        self.accepted.update(batch)

    # -- the stream's side -----------------------------------------------------------------------------------------------

    def reads(self, replica: str, shard: str) -> None:
        """A replica asks for records of a shard."""
        before, last = self.readers.get(shard, (replica, 0.0))
        if before != replica:
            reason = self.left.get(before, self.given_up.get(shard, 0.0))
            seconds = _now() - max(last, self.acknowledged.get(shard, 0.0), reason)
            self.gaps.append(Gap(shard, before, replica, _now(), seconds))
            self.tell(replica, f"reads {shard}, {seconds:.3f} s after {before}")
        self.readers[shard] = replica, _now()

    # -- the table's side ------------------------------------------------------------------------------------------------

    def given(self, replica: str, leases: dict[str, Lease]) -> None:
        """The store gave these leases to a replica."""
        for shard, lease in leases.items():
            self.leases[replica, shard] = lease
            self.heard[replica, shard] = set()

    def deletes(self, key: str) -> None:
        """Somebody deletes a lease by hand."""
        self.tell("console", f"deletes {key}")
        self.deleted.add(key)
        # Whoever finds the shard again may begin before what was done.
        self.settled -= {value for value, shard in self.shard_of.items() if shard == key}
        self.owners.pop(key, None)
        self.moves += 1

    def logged(self, entry: Logged) -> None:
        """A request reached the table."""
        if entry.outcome != "done":
            if entry.outcome == "unmet":
                self.tell(entry.replica, f"{entry.operation} {entry.key}: refused, it is {_told(entry.before)}")
            return
        if entry.operation not in ("add", "update", "delete"):
            return
        before, after = entry.before, entry.after
        self.tell(entry.replica, f"{entry.operation} {entry.key}: {_told(before)} -> {_told(after)}")
        if before is None:
            self.pin()
            self.owners[entry.key] = None
        elif after is not None:
            self._check_write(entry, before, after)
        if after is None:
            # An ended shard that the stream does not list any more is forgotten: nobody is to read it.
            if before is not None and before[CHECKPOINT]["S"] != SHARD_END:
                self._moved(entry.key, None)
            self.owners.pop(entry.key, None)
        elif _owner(after) != self.owners.get(entry.key):
            self._moved(entry.key, _owner(after))

    def _moved(self, key: str, owner: str | None) -> None:
        self.owners[key] = owner
        self.moves += 1
        self.last_move = _now()

    def _check_write(self, entry: Logged, before: Item, after: Item) -> None:
        key, replica = entry.key, entry.replica
        counted = int(after[COUNTER]["N"]) - int(before[COUNTER]["N"])
        if counted == 0:
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            self.require(changed <= {ASKED}, f"{replica} changed {changed} of {key} and counted nothing")
            return
        self.require(counted == 1, f"{replica} counted {counted} on {key}")
        was, now = _holder(before), _owner(after)
        progress = before[CHECKPOINT] != after[CHECKPOINT]
        if was not in (None, replica):
            self._check_taken(key, str(was), replica, now)
        self.require(was == replica or not progress, f"{replica} wrote a checkpoint of {key}, which is {was}'s")
        self.require(was is not None or now in (None, replica) or _only_given(after), f"{replica} took {key} for {now}")
        self.require(
            _rank(before) <= _rank(after) or self._may_reopen(key),
            f"{replica} moved the checkpoint of {key} from {before[CHECKPOINT]} back to {after[CHECKPOINT]}",
        )
        lease = read_lease(after)
        assert lease is not None
        if progress or before.get("headrace") != after.get("headrace"):
            self.check_checkpoint(key, lease.checkpoint, ended=lease.checkpoint.ended)
        if was == replica and now != replica:
            self._check_given_up(key, replica, after)

    def _may_reopen(self, key: str) -> bool:
        return self.stream.shards_by_id[key].closed_at is None

    def _check_taken(self, key: str, was: str, replica: str, now: str | None) -> None:
        self.require(now == replica, f"{replica} gave {was}'s lease of {key} to {now}")
        lease = self.leases.get((was, key))
        entitled = lease is not None and lease.in_time and was not in self.dead and key not in self.deleted
        self.require(not entitled, f"{replica} took {key} from {was}, which may still start something of it")
        self.heard[was, key] = set()

    def _check_given_up(self, key: str, replica: str, after: Item) -> None:
        lease = read_lease(after)
        assert lease is not None
        heard = self.heard.pop((replica, key), set())
        self.given_up[key] = _now()
        if key in self.deleted:
            return
        running = [one for one in self.at_work if (one.replica, one.shard, one.cut) == (replica, key, False)]
        self.require(not running or replica in self.dead, f"{replica} gave {key} up while it runs {running}")
        ended = lease.checkpoint.ended
        left = {value for value in heard if not ended and not self._covers(lease.checkpoint, value)}
        self.require(not left, f"{replica} gave {key} up without a checkpoint of {sorted(left)}")
        self.settled |= heard

    # -- balance ---------------------------------------------------------------------------------------------------------

    def shares(self, replicas: list[str], items: dict[str, Item]) -> dict[str, int]:
        """How many shards each of these replicas has of those that have not ended."""
        shares = dict.fromkeys(replicas, 0)
        for item in items.values():
            owner = _owner(item)
            if item[CHECKPOINT]["S"] != SHARD_END and owner in shares:
                shares[owner] += 1
        return shares


def _now() -> float:
    """The loop's time, also where no task runs."""
    return asyncio.get_running_loop().time()


def owner_id(replica: str, opening: int) -> str:
    """The owner id of a replica in a simulation."""
    return f"headrace/{replica}/0/{opening}"


def _owner(item: Item) -> str | None:
    """The replica that owns an item."""
    return item[OWNER]["S"].split("/")[1] if OWNER in item else None


def _only_given(item: Item) -> bool:
    return item.get(GIVEN) == item[COUNTER]


def _holder(item: Item) -> str | None:
    """The replica that has taken an item; None for one that was only given."""
    return None if _only_given(item) else _owner(item)


def _rank(item: Item) -> float:
    text = item[CHECKPOINT]["S"]
    if text in BEGINNINGS:
        return -1.0
    return float("inf") if text == SHARD_END else float(int(text))


def _told(item: Item | None) -> str:
    if item is None:
        return "nothing"
    asked = item.get(ASKED, {}).get("M", {}).get("by", {}).get("S", "")
    leaving = item.get("headrace", {}).get("M", {}).get("leaving", {}).get("S", "")
    to = "to " if _only_given(item) else ""
    parts = [f"{to}{_owner(item) or 'free'} #{item[COUNTER]['N']} {item[CHECKPOINT]['S'].lstrip('0')}"]
    parts += [f"asked by {asked.split('/')[1]}"] if asked else []
    parts += [f"{leaving.split('/')[1]} leaves"] if leaving else []
    return " ".join(parts)

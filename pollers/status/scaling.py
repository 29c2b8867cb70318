"""The numbers that an autoscaler asks for: how far behind, how busy, and how many shards there are to share (decider).

They are always numbers: what is not known, and a mapping that does not run, is 0. An autoscaler that finds no number keeps its
replicas for ever, or falls back to a fixed count.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pollers.engine.kind import Backlog
from pollers.telemetry.facts import State
from pollers.telemetry.mapping_board import BATCH_AGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.telemetry.mapping_board import MappingBoard, Shard

LONGEST_SECONDS = 14 * 86_400.0
"""SQS keeps no message longer, so no backlog is."""


READING = frozenset({State.POLLING, State.WAITING_FOR_ROOM, State.BACKING_OFF})
"""What the task of a shard does that is read here; the others say why it is not."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """One mapping's numbers on this replica, or those of all its mappings.

    ``backlog_seconds``: streams: the greatest iterator age of the shards that this replica reads. Queues: how long this replica
    alone would need for the messages that are ready. ``utilisation``: running invocations of those that are permitted, 0 to 1.
    ``open_shards``: shards of the stream that can be read now, whoever reads them. ``owned_shards``: those read here.
    """

    backlog_seconds: float = 0.0
    utilisation: float = 0.0
    open_shards: int = 0
    owned_shards: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON: milliseconds and thousandths are enough."""
        return {
            **asdict(self),
            "backlog_seconds": round(self.backlog_seconds, 3),
            "utilisation": round(self.utilisation, 3),
        }


def sizing(board: MappingBoard, backlog: Backlog, permitted: int, now: float) -> Sizing:
    """The numbers of a mapping that runs. ``permitted``: its invocations at a time at most; ``now``: monotonic seconds."""
    used = share(len(board.flights), permitted)
    if backlog is Backlog.DEPTH:
        return Sizing(_to_drain(board, permitted, now), used)
    return _of_shards(board, used, now)


def overall(sizings: Iterable[Sizing], functions: Iterable[tuple[int, int]]) -> Sizing:
    """The numbers of all mappings together: the longest backlog, the busiest function, all shards.

    ``functions``: how many invocations of each run, of how many. Mappings share a function, so theirs say less.
    """
    every = list(sizings)
    return Sizing(
        max((one.backlog_seconds for one in every), default=0.0),
        max((share(*function) for function in functions), default=0.0),
        sum(one.open_shards for one in every),
        sum(one.owned_shards for one in every),
    )


def share(running: int, permitted: int) -> float:
    """What part of the permitted invocations run, 0 to 1. After a limit was lowered, more may run than are permitted."""
    return min(1.0, running / permitted) if permitted > 0 else float(running > 0)


def _to_drain(board: MappingBoard, permitted: int, now: float) -> float:
    """How long this replica alone would need for the messages that are ready, with all permitted invocations at its pace.

    The pace is that of the running time of invocations, not of the clock: with little to do, a queue's throughput says how much
    comes and not how much could be done. While no pace is known, or nothing is accepted, it is as long as messages have been ready.
    """
    if board.depth is None or board.depth.visible <= 0 or board.ready_since is None:
        return 0.0
    pace = (board.pace.per_second or 0.0) * permitted
    waiting = now - board.ready_since
    return min(LONGEST_SECONDS, board.depth.visible / pace if pace > 0 else waiting)


def _of_shards(board: MappingBoard, used: float, now: float) -> Sizing:
    """In one pass: a scrape may ask for thousands of shards."""
    shards = board.shards
    read: set[str] = set()
    busy = {flight.source for flight in board.flights.values()}
    for name, task in board.tasks.items():
        if name not in shards:
            busy.add(name.rpartition("/")[0])  # a lane of the shard, which waits with a batch
        elif task.doing.state in READING:
            read.add(name)
    behind, readable, owned = 0.0, 0, 0
    for name, shard in shards.items():
        if shard.ended:
            continue
        readable += not shard.parents or _parents_ended(shards, shard)
        # A shard that is read to its end is still owned while its last records are with the function.
        if name in read or name in busy:
            owned += 1
            behind = max(behind, _age(shard, now, busy=name in busy))
    return Sizing(behind, used, readable, owned)


def _age(shard: Shard, now: float, *, busy: bool) -> float:
    """How old the shard's oldest record is that is not done, as far as it is known, in seconds.

    Either the reader is behind, and gets further behind while it does not read; or a batch is. Between two batches the age of the
    last one counts while the reader brings records: some services do not say how far behind a reader is.
    """
    age = shard.behind + max(0.0, now - shard.read_at) if shard.behind else 0.0
    counts = busy or (not shard.idle and now - shard.batch_at < BATCH_AGE_SECONDS)
    return max(age, shard.batch_age) if counts else age


def _parents_ended(shards: dict[str, Shard], shard: Shard) -> bool:
    """Whether the shard can be read now: every parent has ended, or is not known any more."""
    return all(parent not in shards or shards[parent].ended for parent in shard.parents)

"""What becomes of one shard of a stream: its states, and who takes it from one to the next.

::

    named by a listing, by its parent or by a checkpoint
            |
            v
         WAITING <---------------+------+---------+
            |                    |      |         |
            | 1                  | 7    | 9       | 8
            v                    |      |         |
         READING --------+       |      |         |
            |            |       |      |         |
            | 2          +---> LOST     |         |
            v            | 5            |         |
         DRAINING -------+              |         |
            |            |              |         |
            | 3          +---> LET_GO --+         |
            v            | 6                      |
         ENDING ---------+                        |
            |                                     |
            | 4                                   |
            v                                     |
          ENDED ----------------------------------+

1. ShardSupervisor: every parent has ended, and the shard's lease is taken.
2. Reader: the shard's end is believed (see :mod:`pollers.sources.streams.ending`). Its last records are with the lanes.
3. ShardSupervisor: every record is done, and no window is open.
4. ShardSupervisor: the end and the children's first checkpoints are written, all in one. Now the children may be read.
5. Whoever learns it, the store's word or a refused write: another owner has the lease. Nothing done here counts any more.
6. ShardSupervisor, when the poller stops or another replica has asked for the shard: what ran has finished, the checkpoint is
   written, the lease is about to be released. What is not done goes back to the stream.
7. ShardSupervisor: what was held is given up, and the lease may be taken again when its owner lets go of it.
8. ShardSupervisor: listings show the shard open, so that what the checkpoint says of its end is taken back; or another owner's
   checkpoint says that it has not ended, since that one did so, or somebody deleted a lease and it was put anew.
9. ShardSupervisor, when another replica has the shard and the poller goes on: the lease may be taken again some time.

A shard whose checkpoint says that it has ended, from an earlier run or by another owner, goes from WAITING to ENDED (10).

A stop is no state of a shard: it cuts what waits, in READING and DRAINING alike, and a shard whose last record is done while the
poller stops still ends as it should.
"""

from __future__ import annotations

from enum import Enum


class ShardState(Enum):
    """Where a shard is between the first that is heard of it and its end."""

    WAITING = "waiting"
    """Known and not read: a parent has not ended, or another owner has the lease."""
    READING = "reading"
    DRAINING = "draining"
    """The stream has no more of it. Its last records are with the function, or wait to be tried again."""
    ENDING = "ending"
    """Every record is done; that is being written down."""
    ENDED = "ended"
    """Every record is done, and that is written down."""
    LOST = "lost"
    """Another owner has the shard now."""
    LET_GO = "let go"
    """Its checkpoint is written, and whoever takes it next reads on from there: the poller stops, or another replica asked."""


TRANSITIONS: dict[ShardState, frozenset[ShardState]] = {
    ShardState.WAITING: frozenset({ShardState.READING, ShardState.ENDED}),
    ShardState.READING: frozenset({ShardState.DRAINING, ShardState.LOST, ShardState.LET_GO}),
    ShardState.DRAINING: frozenset({ShardState.ENDING, ShardState.LOST, ShardState.LET_GO}),
    ShardState.ENDING: frozenset({ShardState.ENDED, ShardState.LOST, ShardState.LET_GO}),
    ShardState.ENDED: frozenset({ShardState.WAITING}),
    ShardState.LOST: frozenset({ShardState.WAITING}),
    ShardState.LET_GO: frozenset({ShardState.WAITING}),
}
"""What may follow a state: the arrows of the picture."""

_OURS = frozenset({ShardState.READING, ShardState.DRAINING, ShardState.ENDING})
_CLOSED = frozenset({ShardState.DRAINING, ShardState.ENDING, ShardState.ENDED})


class IllegalTransition(RuntimeError):  # noqa: N818 - what was tried
    """A shard cannot go from its state to that one: a fault of ours, which stops the mapping."""


class ShardLife:
    """One shard's state. Everybody who knows the shard has the same one: lineage, supervisor, reader, lanes, writer."""

    def __init__(self, shard_id: str, state: ShardState = ShardState.WAITING) -> None:
        self.shard_id = shard_id
        self.state = state

    def to(self, state: ShardState) -> None:
        """Go on to the next state. Raises IllegalTransition where the picture has no arrow."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"shard {self.shard_id} cannot go from {self.state.value} to {state.value}")
        self.state = state

    @property
    def ours(self) -> bool:
        """Whether this poller has the lease and works on the shard."""
        return self.state in _OURS

    @property
    def closed(self) -> bool:
        """Whether the stream has no more of it: nothing is left to be read."""
        return self.state in _CLOSED

    @property
    def ended(self) -> bool:
        """Whether every record is done and that is written, so that its children may be read."""
        return self.state is ShardState.ENDED

    @property
    def lost(self) -> bool:
        """Whether another owner has the shard."""
        return self.state is ShardState.LOST

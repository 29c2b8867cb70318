"""A message that this process holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.sources.sqs.batch_deletes import BatchDeletes


class Phase(Enum):
    """Where a held message is on its way."""

    WAITING = "waiting"
    """Received, not in any invocation yet."""
    RUNNING = "running"
    """In an invocation."""
    DELETING = "deleting"
    """Done; its delete is due, or failed and is tried again."""
    RETURNING = "returning"
    """On its way back to the queue."""
    GONE = "gone"
    """Accounted for and no longer held."""


@dataclass(slots=True, eq=False)
class Held:
    """One message from receive to acknowledgement. Times are ``anyio.current_time()``; ``sequence`` orders a FIFO group.

    ``deadline`` is when its visibility timeout runs out, as far as we can know; ``lost`` says that the service no longer honours
    ``handle``; ``in_delete`` that a call to delete it is under way, ``in_extension`` that one to extend it is. ``trace`` is its
    trace header, where anybody wants to know. ``brief``: it was received with a short visibility on purpose (``BRIEF_SECONDS``),
    which is to be lengthened to what the others have.
    """

    id: str
    handle: str
    record: bytes
    group: str | None
    receive_count: int
    received_at: float
    deadline: float
    sequence: int = 0
    trace: str | None = None
    phase: Phase = Phase.WAITING
    extended: bool = False
    lost: bool = False
    in_delete: bool = False
    in_extension: bool = False
    brief: bool = False
    batch_deletes: BatchDeletes | None = None

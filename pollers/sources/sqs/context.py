"""What all parts of one queue's poller share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from pollers.engine.batching import RECORDS, Limits
from pollers.sources.sqs.scaling import Observed

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from typing import TypeAlias

    from config.models import SqsMapping
    from pollers.engine.poller import Surroundings
    from pollers.engine.stop import Stop
    from pollers.sources.sqs.queue import Queue
    from pollers.sources.sqs.visibility import HeldMessages
    from pollers.telemetry.sinks import Facts

    Spawn: TypeAlias = Callable[..., None]
    """Starts a task (a coroutine function and its arguments) that the poller owns: if it dies, the poller stops."""


class WakeUp:
    """Rung by whatever changes what is to be done next; the receiver waits for it.

    The receiver calls :meth:`rearm` before it looks at what is true, so what changes while it looks is not missed.
    """

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Something has changed: decide anew."""
        self._rung.set()

    def rearm(self) -> None:
        """From now on only what changes later ends the wait."""
        self._rung = anyio.Event()

    async def wait(self) -> None:
        """Until it is rung."""
        await self._rung.wait()


@dataclass(frozen=True, slots=True)
class QueueContext:
    """One mapping's settings, its queue, and what its parts tell each other.

    ``surroundings.stop`` is the poller's own: it takes its steps with the mapping's, or earlier when the source is unusable or a
    task died. ``held`` is everything received and not acknowledged. ``spawn`` starts work on messages.
    """

    mapping: SqsMapping
    queue: Queue
    surroundings: Surroundings
    held: HeldMessages
    spawn: Spawn
    wake_up: WakeUp
    observed: Observed = field(default_factory=Observed)

    @property
    def facts(self) -> Facts:
        """Where the parts tell what they did."""
        return self.surroundings.facts

    @property
    def random(self) -> Random:
        """The poller's random numbers."""
        return self.surroundings.random

    @property
    def stop(self) -> Stop:
        """The poller's own stop."""
        return self.surroundings.stop

    @property
    def limits(self) -> Limits:
        """What ends a batch."""
        return Limits(self.mapping.batch_size, self.mapping.maximum_batching_window_in_seconds, envelope=RECORDS)

"""The seam between the runtime and a source: what a poller is given and what it promises."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pollers.clocks.clock import Clock, SystemClock
from pollers.engine.stop import Stop

if TYPE_CHECKING:
    from handlers.function import Function
    from pollers.engine.permits import Claim
    from pollers.telemetry.payloads import PayloadStart
    from pollers.telemetry.sinks import Facts


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every poller works with, whatever its source.

    ``claim`` is this mapping's share of the function's concurrency (see :mod:`pollers.engine.permits`): each
    invocation holds one permit. ``first_payload``: what a person is shown of an encoded record, as the kind of source declares it.
    """

    function: Function
    claim: Claim
    facts: Facts
    first_payload: PayloadStart
    stop: Stop = field(default_factory=Stop)
    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)


class Poller(Protocol):
    """One source's engine for one mapping; made anew each time that the mapping starts."""

    async def run(self) -> None:
        """Poll, invoke and acknowledge until ``stop`` is requested and nothing is held any more
        (docs/design, decision 9, steps 1 to 5).

        Raises :class:`pollers.errors.SourceUnusable` when the source cannot be read as configured; anything else that escapes is
        a fault of ours. In both cases everything held has been handed back first, as far as the service let it; the
        supervisor reports, waits and starts a new poller. Cancelling ``run`` is a crash: nothing is acknowledged any more.
        """

    def held(self) -> int:
        """How many events this poller holds now, counted by itself and not from the ledger."""

    def running(self) -> int:
        """How many invocations this poller waits for now."""

    async def caught_up(self) -> bool:
        """Whether the source has nothing left for us, now or later: asked by ``--until-idle`` when the poller has been quiet."""

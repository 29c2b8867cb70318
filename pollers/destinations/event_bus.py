"""Reports to an EventBridge bus: the report is an event's ``detail``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from config.text.targets import Target
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.clocks.clock import loop_time
from pollers.destinations.destination import Announced, DestinationKind, DestinationUnusable
from pollers.destinations.limits import BUS_BYTES, check_size

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import BusEvent, EventsApi
    from pollers.destinations.destination import Use, Ways


SEEN_SECONDS = 60.0
"""How long a bus counts as being there once it was seen. PutEvents says success for one that is not there, and loses the event."""


class BusDestination:
    """A bus that takes reports; implements ``Destination``."""

    def __init__(self, arn: str, events: EventsApi, use: Use) -> None:
        self._arn = arn
        self._events = events
        self._use = use
        self._seen_at: float | None = None

    @property
    def arn(self) -> str:
        """The bus's ARN."""
        return self._arn

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        try:
            await self._events.check_bus(self._arn)
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the {self._use.called} bus {self._arn} cannot be used ({error}); create it, or correct {self._use.setting}"
            ) from error
        except AccessDenied as error:
            return f"whether the {self._use.called} bus {self._arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, report: Announced) -> None:
        """See ``Destination.deliver``."""
        event = report.bus_event(self._arn)
        check_size(_entry_bytes(event), BUS_BYTES, "an event bus")
        await self._look()
        await self._events.put(event)

    async def _look(self) -> None:
        """Raises NotFound for a bus that does not exist; one that nobody may look at is believed to be there."""
        if self._seen_at is not None and loop_time() - self._seen_at < SEEN_SECONDS:
            return
        with suppress(AccessDenied):
            await self._events.check_bus(self._arn)
        self._seen_at = loop_time()


def _entry_bytes(event: BusEvent) -> int:
    """The size that EventBridge counts: source, detail type, detail and resources."""
    return len("".join((event.source, event.detail_type, event.detail, *event.resources)).encode())


async def _make(arn: Arn, ways: Ways, use: Use) -> BusDestination:
    return BusDestination(arn.text, await ways.aws.client(services.EVENTS, arn.region), use)


BUS: DestinationKind[Announced] = DestinationKind(Target.BUS, _make)

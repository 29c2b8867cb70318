"""Sends reports to the destinations that ARNs name, and tells failures that may pass from those that will not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.aws.errors import Refused
from pollers.destinations.destination import DestinationUnusable, make
from pollers.destinations.ended import TargetRefuses

if TYPE_CHECKING:
    from pollers.destinations.destination import Destination, OneReportT, Purpose, Ways

KEPT_AT_MOST = 256
"""Destinations that are kept between two deliveries: a queue's URL is asked for once."""


class Post:
    """Sends reports. One serves all functions and all schedules of the process."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._made: dict[tuple[str, str], Destination[Any]] = {}

    async def send(self, arn: str, purpose: Purpose[OneReportT], report: OneReportT) -> None:
        """Deliver one report, once: the destination has it when this returns.

        Raises :class:`TargetRefuses` for what would fail the same way for ever, and :class:`pollers.aws.errors.AwsError` for what
        may pass. A queue that does not exist may be created, and a role be permitted, so these may pass too.
        """
        try:
            destination = await self._destination(arn, purpose)
            await destination.deliver(report)
        except (DestinationUnusable, Refused) as error:
            raise TargetRefuses(str(error)) from error

    async def _destination(self, arn: str, purpose: Purpose[OneReportT]) -> Destination[OneReportT]:
        key = (purpose.plural, arn)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= KEPT_AT_MOST:
                self._made.pop(next(iter(self._made)))
            found = self._made[key] = await make(arn, purpose, self._ways)
        return found

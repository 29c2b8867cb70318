"""One stream while it is read: its source, what the service last said of it, and the service's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.clocks.clock import loop_time
from pollers.errors import SourceUnusable

if TYPE_CHECKING:
    from pollers.aws.api import StreamDescription
    from pollers.clocks.clock import Clock
    from pollers.sources.streams.source import StreamSource


class CurrentStream:
    """The stream that checkpoints are of. ``description`` is the latest."""

    def __init__(self, source: StreamSource, description: StreamDescription, clock: Clock) -> None:
        self.source = source
        self.description = description
        self._clock = clock

    def service_time(self) -> float:
        """What the service's clock shows now, or a second or two less; this machine's clock where the service has not told it.

        What is judged by it cannot come out too early because this machine's clock is fast.
        """
        known = self.source.service_clock.at_least(loop_time())
        return self._clock.time() if known is None else known

    async def confirm(self) -> None:
        """Ask whether the stream is still the one that the checkpoints are of.

        Raises SourceUnusable when it was deleted and created again, and AwsError when it cannot be asked.
        """
        now = await self.source.describe()
        if now.identity != self.description.identity:
            raise SourceUnusable(
                f"the stream {self.source.arn} was deleted and created again while it was read; its records are read afresh"
            )
        self.description = now

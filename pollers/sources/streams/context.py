"""What all shards of one mapping share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pollers.clocks.clock import loop_time
from pollers.engine.batching import Limits
from pollers.errors import SourceUnusable
from pollers.sources.streams.retries import Rules
from pollers.telemetry.facts import Doing, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from config.models import StreamMapping
    from pollers.aws.api import StreamDescription, Wire
    from pollers.destinations import Destination
    from pollers.engine.poller import Surroundings
    from pollers.sources.streams.checkpointing import CheckpointWriter
    from pollers.sources.streams.ending import Sight
    from pollers.sources.streams.pacing import ReadAhead
    from pollers.sources.streams.source import StreamSource


class RecordMatcher(Protocol):
    """As :class:`pollers.filtering.RecordFilter` is: says which wire records are for the function."""

    def matches(self, record: Wire) -> bool:
        """Whether this one is. Never raises."""


@dataclass(slots=True)
class StreamContext:
    """One mapping's settings, collaborators and shared bounds.

    ``fail`` ends the whole poller, in order. ``sight`` asks what the stream's listing says of a shard; it raises AwsError.
    """

    mapping: StreamMapping
    source: StreamSource
    destination: Destination | None
    record_filter: RecordMatcher | None
    surroundings: Surroundings
    stream: StreamDescription
    writer: CheckpointWriter
    read_ahead: ReadAhead
    fail: Callable[[Exception], None]
    sight: Callable[[str], Coroutine[Any, Any, Sight]]
    said: dict[str, tuple[State, str]] = field(default_factory=dict)

    @property
    def lanes(self) -> int:
        """How many lanes a shard has.

        One where a state is carried along (see :mod:`pollers.sources.streams.windows`), and where positions have no order
        (see :mod:`pollers.sources.streams.done_ahead`).
        """
        if self.mapping.tumbling_window_in_seconds or not self.source.positions.ordered:
            return 1
        return self.mapping.parallelization_factor

    @property
    def limits(self) -> Limits:
        """What ends a batch."""
        seconds = float(self.mapping.maximum_batching_window_in_seconds)
        return Limits(self.mapping.batch_size, seconds, envelope=self.source.envelope)

    @property
    def rules(self) -> Rules:
        """How failures are dealt with."""
        mapping = self.mapping
        attempts, age = mapping.maximum_retry_attempts, mapping.maximum_record_age_in_seconds
        return Rules(
            maximum_retry_attempts=None if attempts < 0 else attempts,
            maximum_record_age_seconds=None if age < 0 else float(age),
            bisect=mapping.bisect_batch_on_function_error,
            retention_seconds=self.stream.retention_seconds,
        )

    def doing(self, task: str, state: State, detail: str = "", until_seconds: float | None = None) -> None:
        """Say what a task does from now on, unless that was said last and has no end of its own."""
        if state is State.ENDED:
            if self.said.pop(task, None) is None:
                return
        elif until_seconds is None and self.said.get(task) == (state, detail):
            return
        else:
            self.said[task] = state, detail
        self.surroundings.facts.emit(Doing(task, state, detail, until_seconds))

    def service_time(self) -> float:
        """What the service's clock shows now, or a second or two less; this machine's clock where the service has not told it.

        What is judged by it cannot come out too early because this machine's clock is fast.
        """
        known = self.source.service_clock.at_least(loop_time())
        return self.surroundings.clock.time() if known is None else known

    async def confirm_stream(self) -> None:
        """Ask whether the stream is still the one that the checkpoints are of.

        Raises SourceUnusable when it was deleted and created again, and AwsError when it cannot be asked.
        """
        now = await self.source.describe()
        if now.identity != self.stream.identity:
            raise SourceUnusable(
                f"the stream {self.source.arn} was deleted and created again while it was read; its records are read afresh"
            )
        self.stream = now

"""What the suite needs to know of a source, and what a source of a kind promises: its features."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import Mapping
    from pollers.engine.poller import Poller, Surroundings
    from tests.worlds.call_faults import Faults


class Order(Enum):
    """Within what events stay in order."""

    NONE = "none"
    GROUP = "by group"
    SHARD = "by shard"


class Redelivery(Enum):
    """How an event that was not acknowledged comes again."""

    BY_VISIBILITY = "when its visibility timeout runs out, or at once when it was handed back"
    BY_READING_AGAIN = "when its shard is read again from the checkpoint"


class Partial(Enum):
    """What comes again of a batch whose response names some events as failed."""

    THE_NAMED = "just the named ones"
    FROM_THE_FIRST_NAMED = "the first named one and all behind it"


class Oversized(Enum):
    """What becomes of an event that no invocation can carry."""

    RETURNED = "it goes back to the source, whose own rules end it"
    DISCARDED = "it is given up on, with a failure record"


@dataclass(frozen=True, slots=True)
class Features:
    """What a kind of source has and promises. Each test of the suite runs for the worlds that have what it is about."""

    order: Order
    redelivery: Redelivery
    partial: Partial
    oversized: Oversized
    checkpoints: bool
    batch_calls: bool
    """Whether it is called with several entries at a time, of which some may fail."""
    resharding: bool
    pushes: bool
    apart: tuple[str, str] | None
    """Two keys between whose events there is no order, where not all events are in one order."""
    batching_window: bool
    tumbling_windows: bool
    retry_limits: bool
    """Whether the mapping may limit retries; what is given up on goes to an on-failure destination."""
    sharded: bool
    """Whether the mapping takes what streams of many shards take: several batches of a shard at a time, and split ones."""
    filters: bool


@dataclass(frozen=True, slots=True)
class Given:
    """One event as the function is given it. ``id`` is what a response names it by."""

    id: str
    key: str
    value: str


def wanted(number: int) -> str:
    """A value that the filter of every world keeps."""
    return f'{{"want":"yes","number":{number}}}'


def unwanted(number: int) -> str:
    """A value that the filter of every world rejects."""
    return f'{{"want":"no","number":{number}}}'


class World(Protocol):
    """One source in memory, of one kind. It is made while the loop of its test runs."""

    name: ClassVar[str]
    """In the names of tests."""
    kind: ClassVar[str]
    """Its declaration in the registry of sources."""
    features: ClassVar[Features]
    needed: ClassVar[tuple[str, ...]]
    """Calls without which the source cannot be used."""
    faults: Faults
    """Around every call of the source's service."""
    on_acknowledged: Callable[[str], None]
    """Told of every value that will not come again, at the moment that this is certain."""

    def put(self, value: str, key: str = "k") -> None:
        """Add an event. Values are unique. Where order is kept, events of one key are in order."""

    def left(self) -> set[str]:
        """Values that are not acknowledged."""

    def remove(self) -> None:
        """The source is deleted, or out of reach for good."""

    def restore(self) -> None:
        """It is there again, with all that it held."""

    def mapping(self, **settings: Any) -> Mapping:  # noqa: ANN401 - a mapping's settings as in its file
        """A mapping of the source, named "trial", to the function "trial"."""

    def filter_criteria(self) -> dict[str, Any]:
        """What keeps :func:`wanted` values and rejects :func:`unwanted` ones, where there are filters."""

    async def make_poller(self, mapping: Mapping, surroundings: Surroundings) -> Poller:
        """A poller as the registry makes it."""

    def given(self, event: dict[str, Any]) -> list[Given]:
        """What the function is given in an event."""

    def value_of(self, source: str, event_id: str) -> str:
        """The value that facts name by this id."""

    def held_at_most(self, mapping: Mapping, concurrency: int) -> int:
        """How many events a poller may hold, by its configuration, while its function answers nothing."""

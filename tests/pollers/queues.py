"""SQS queues, standard and FIFO, as worlds of the suite."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from config.models import SqsMapping
from pollers.aws.services import SQS
from pollers.sources.registry import make_poller
from pollers.sources.sqs.scaling import RECEIVE_LIMIT
from tests.pollers.world import Features, Given, Order, Oversized, Partial, Redelivery
from tests.worlds.faulty_sqs import FaultySqs, Rates
from tests.worlds.memory_aws import MemoryAws
from tests.worlds.memory_sqs import MemorySqs, Message, Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import Mapping
    from pollers.engine.poller import Poller, Surroundings
    from tests.worlds.call_faults import Faults

QUEUE = Features(
    order=Order.NONE,
    redelivery=Redelivery.BY_VISIBILITY,
    partial=Partial.THE_NAMED,
    oversized=Oversized.RETURNED,
    checkpoints=False,
    batch_calls=True,
    resharding=False,
    pushes=False,
    apart=("c", "d"),
    batching_window=True,
    tumbling_windows=False,
    retry_limits=False,
    sharded=False,
    filters=True,
)


class StandardQueue:
    """A standard queue."""

    name: ClassVar[str] = "sqs"
    kind: ClassVar[str] = "sqs"
    features: ClassVar[Features] = QUEUE
    needed: ClassVar[tuple[str, ...]] = ("queue_url", "attributes", "receive", "delete")
    queue_name: ClassVar[str] = "orders"

    def __init__(self) -> None:
        self.queue = Queue(self.queue_name)
        self.queue.on_deleted = self._deleted
        self.sqs = MemorySqs(self.queue)
        self.on_acknowledged: Callable[[str], None] = lambda value: None
        self._half = 0.0
        self._values: dict[str, str] = {}

    @property
    def faults(self) -> Faults:
        """See ``World``."""
        return self.sqs.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.sqs.faults = faults

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        self._values[self.queue.put(value, attributes=_named(key))] = value

    def left(self) -> set[str]:
        """See ``World.left``."""
        return {message.body for message in self.queue.messages.values()}

    def remove(self) -> None:
        """See ``World.remove``."""
        self.sqs.queues.clear()

    def restore(self) -> None:
        """See ``World.restore``."""
        self.sqs.add(self.queue)

    def fail_entries(self, share: float) -> None:
        """This share of the entries of batch calls fails from now on."""
        self._half = share

    def mapping(self, **settings: Any) -> SqsMapping:  # noqa: ANN401 - a mapping's settings as in its file
        """See ``World.mapping``."""
        return SqsMapping(name="trial", event_source_arn=self.queue.arn, function_name="trial", **settings)

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``."""
        return {"filters": [{"pattern": '{"body": {"want": ["yes"]}}'}]}

    async def make_poller(self, mapping: Mapping, surroundings: Surroundings) -> Poller:
        """See ``World.make_poller``."""
        api = FaultySqs(self.sqs, Rates(entry_failed=self._half), random.Random(1)) if self._half else self.sqs
        return await make_poller(mapping, MemoryAws({SQS.name: api}), None, surroundings)

    def given(self, event: dict[str, Any]) -> list[Given]:
        """See ``World.given``."""
        return [Given(one["messageId"], _key(one), one["body"]) for one in event["Records"]]

    def value_of(self, source: str, event_id: str) -> str:
        """See ``World.value_of``."""
        return self._values[event_id]

    def held_at_most(self, mapping: Mapping, concurrency: int) -> int:
        """See ``World.held_at_most``: what can be run, and no more than one receive beyond."""
        return concurrency * mapping.batch_size + RECEIVE_LIMIT

    def _deleted(self, message: Message) -> None:
        self.on_acknowledged(message.body)


class FifoQueue(StandardQueue):
    """A FIFO queue. Keys are message groups."""

    name: ClassVar[str] = "sqs-fifo"
    features: ClassVar[Features] = replace(QUEUE, order=Order.GROUP, batching_window=False)
    queue_name: ClassVar[str] = "orders.fifo"

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        self._values[self.queue.put(value, group=key, deduplication=value)] = value


def _named(key: str) -> dict[str, Any]:
    return {"key": {"DataType": "String", "StringValue": key}}


def _key(record: dict[str, Any]) -> str:
    group = record["attributes"].get("MessageGroupId")
    key = group if group is not None else record["messageAttributes"]["key"]["stringValue"]
    assert isinstance(key, str)
    return key

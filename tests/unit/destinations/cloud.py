"""Services that note what destinations send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import AwsService, BusEvent, MessageAttribute
    from pollers.aws.errors import AwsError


@dataclass
class Cloud:
    """SQS, SNS, S3, Lambda and EventBridge. They refuse with ``error``, and checks alone with ``look``."""

    error: AwsError | None = None
    look: AwsError | None = None
    regions: list[str] = field(default_factory=list)
    asked: int = 0
    looks: int = 0
    messages: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[dict[str, MessageAttribute]] = field(default_factory=list)
    trace_headers: list[str | None] = field(default_factory=list)
    objects: list[tuple[str, str, bytes]] = field(default_factory=list)
    invoked: list[tuple[str, bytes]] = field(default_factory=list)
    events: list[BusEvent] = field(default_factory=list)

    @property
    def deliveries(self) -> int:
        """How many reports arrived."""
        return len(self.messages) + len(self.objects) + len(self.invoked) + len(self.events)

    async def client(self, service: AwsService[Any], region: str) -> Cloud:
        self.regions.append(region)
        return self

    def _check(self, look: bool = False) -> None:
        self.looks += look
        error = self.error or (self.look if look else None)
        if error is not None:
            raise error

    async def queue_url(self, name: str, owner: str) -> str:
        self.asked += 1
        self._check(look=True)
        return f"http://queues/{owner}/{name}"

    async def send(
        self, url: str, body: str, *, attributes: Mapping[str, MessageAttribute], trace_header: str | None
    ) -> None:
        self._check()
        self.messages.append((url, body))
        self.attributes.append(dict(attributes))
        self.trace_headers.append(trace_header)

    async def check_topic(self, topic_arn: str) -> None:
        self._check(look=True)

    async def publish(self, topic_arn: str, message: str, *, attributes: Mapping[str, MessageAttribute]) -> None:
        self._check()
        self.messages.append((topic_arn, message))
        self.attributes.append(dict(attributes))

    async def check_bucket(self, bucket: str) -> None:
        self._check(look=True)

    async def put(self, *given: Any) -> None:  # noqa: ANN401 - an event of a bus, or an object of a bucket
        self._check()
        if len(given) == 1:
            self.events.append(given[0])
        else:
            self.objects.append(given)

    async def check_function(self, function_arn: str) -> None:
        self._check(look=True)

    async def invoke_event(self, function_arn: str, event: bytes) -> None:
        self._check()
        self.invoked.append((function_arn, event))

    async def check_bus(self, bus_arn: str) -> None:
        self._check(look=True)

"""SQS queues, standard and FIFO: the form of their ARNs, their mappings' settings, and what Lambda refuses about them.

Names, defaults and limits are Lambda's (docs/lambda 1.2), but for ``visibility``, which is Headrace's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from config.faults import Finding
from config.options.model import Model, Refused
from config.sources.kind import ArnForm, EventSource, Family, SourceConfig, Words
from config.sources.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from config.options.outcome import Reading
    from config.text.arns import Arn

FIFO_BATCH_LIMIT = 10
UNWINDOWED_BATCH_LIMIT = 10
VISIBILITY_LIMIT_SECONDS = 43_200
"""12 hours: SQS keeps a message hidden no longer than this from its receive."""
LONGEST_POLL_SECONDS = 20
"""What SQS allows at most, and the cheapest way to wait."""


class ScalingConfig(Model):
    """Limits of an SQS mapping's concurrency."""

    maximum_concurrency: int | None = Field(
        default=None, ge=2, le=1000, description="invocations at most at a time for this mapping"
    )


class ProvisionedPollerConfig(Model):
    """Pollers that are always running (docs/lambda 2.3)."""

    refused: ClassVar[tuple[Refused, ...]] = (
        Refused(
            ("poller_group_name", "PollerGroupName"),
            "found a poller group, which Kafka sources have, expected minimum_pollers and maximum_pollers",
        ),
    )

    minimum_pollers: int = Field(default=2, ge=2, le=200, description="pollers that are always running")
    maximum_pollers: int = Field(
        default=200, ge=2, le=10_000, description="pollers at most; each serves 10 invocations at a time"
    )


class RetryDelay(Model):
    """A delay that grows with the message's receive count, doubling from ``initial`` up to ``maximum`` (seconds)."""

    initial: int = Field(
        ge=0, le=VISIBILITY_LIMIT_SECONDS, description="seconds after the first failure; doubles with each further one"
    )
    maximum: int = Field(ge=0, le=VISIBILITY_LIMIT_SECONDS, description="seconds at most")


class Visibility(Model):
    """How messages are kept hidden; Headrace's own, not AWS's."""

    heartbeat: bool = Field(
        default=True, description="extend the visibility of held messages until they are acknowledged"
    )
    retry_delay: Annotated[int, Field(ge=0, le=VISIBILITY_LIMIT_SECONDS)] | RetryDelay | None = Field(
        default=None,
        description="seconds after which a failed message is seen again; null: when its visibility timeout runs out, as on Lambda",
    )
    long_poll_seconds: int = Field(
        default=LONGEST_POLL_SECONDS,
        ge=1,
        le=LONGEST_POLL_SECONDS,
        description="seconds that a receive from an idle queue waits",
    )


class SqsMapping(Mapping):
    """A queue to a function."""

    kind: ClassVar[str] = "sqs"

    batch_size: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="messages a batch at most; above 10 needs a batching window; FIFO queues at most 10",
    )
    maximum_batching_window_in_seconds: int = Field(
        default=0, ge=0, le=300, description="seconds to gather a batch; not for FIFO queues"
    )
    scaling_config: ScalingConfig = Field(default=ScalingConfig(), description="limits of the mapping's concurrency")
    provisioned_poller_config: ProvisionedPollerConfig | None = Field(
        default=None, description="provisioned mode; not together with `maximum_concurrency`"
    )
    visibility: Visibility = Field(
        default=Visibility(), description="how messages are kept hidden; Headrace's own, not AWS's"
    )

    def particulars(self) -> Iterator[str]:
        """The limit of its concurrency, if there is one."""
        if self.scaling_config.maximum_concurrency is not None:
            yield f"concurrency {self.scaling_config.maximum_concurrency}"

    @property
    def fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return self.event_source_arn.endswith(".fifo")


_STANDARD = ArnForm(
    "an SQS standard queue", "sqs", re.compile(r"[A-Za-z0-9_-]{1,80}"), "arn:aws:sqs:us-east-1:000000000000:orders"
)
_FIFO = ArnForm(
    "an SQS FIFO queue",
    "sqs",
    re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo"),
    "arn:aws:sqs:us-east-1:000000000000:orders.fifo",
)


def _expected(_arn: Arn) -> str:
    return "a queue's ARN, arn:aws:sqs:REGION:ACCOUNT:NAME"


def _batch_needs_window(source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    if source.form is _FIFO or not reading.sure("batch_size", "maximum_batching_window_in_seconds"):
        return
    size = reading.values.get("batch_size", 0)
    if size > UNWINDOWED_BATCH_LIMIT and not reading.values.get("maximum_batching_window_in_seconds"):
        yield Finding(
            ("batch_size",),
            f"found {size} without a batching window, expected at most {UNWINDOWED_BATCH_LIMIT}, or "
            "maximum_batching_window_in_seconds of at least 1 (AWS: Maximum batch window in seconds must be greater "
            "than 0 if maximum batch size is greater than 10)",
        )


def _fifo_limits(source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    if source.form is not _FIFO:
        return
    window = reading.values.get("maximum_batching_window_in_seconds")
    if window:
        message = f"found {window} on a FIFO queue, expected 0 or nothing (AWS: Batching window is not supported for FIFO queues)"
        yield Finding(("maximum_batching_window_in_seconds",), message)
    size = reading.values.get("batch_size", 0)
    if size > FIFO_BATCH_LIMIT:
        yield Finding(
            ("batch_size",), f"found {size} on a FIFO queue, expected an integer from 1 to {FIFO_BATCH_LIMIT}"
        )


def _provisioned_pollers(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    pollers = reading.values.get("provisioned_poller_config")
    if pollers is None:
        return
    if pollers.minimum_pollers > pollers.maximum_pollers:
        yield Finding(
            ("provisioned_poller_config", "minimum_pollers"),
            f"found {pollers.minimum_pollers} with maximum_pollers {pollers.maximum_pollers}, expected no more than that (AWS: "
            "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000])",
        )
    scaling = reading.values.get("scaling_config")
    if scaling is not None and scaling.maximum_concurrency is not None:
        yield Finding(
            ("provisioned_poller_config",),
            "found it together with scaling_config.maximum_concurrency, expected one of them (AWS: Provisioned mode for "
            "SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the control mechanism and "
            "remove maximum concurrency.)",
        )


def _retry_delay(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    visibility = reading.values.get("visibility")
    delay = visibility.retry_delay if visibility is not None else None
    if isinstance(delay, RetryDelay) and delay.initial > delay.maximum:
        message = f"found {delay.initial} with maximum {delay.maximum}, expected no more than that"
        yield Finding(("visibility", "retry_delay", "initial"), message)


SQS = SourceConfig(
    model=SqsMapping,
    family=Family("queue", "SQS"),
    called="an SQS queue",
    forms=(_STANDARD, _FIFO),
    expected=_expected,
    rules=(_batch_needs_window, _fifo_limits, _provisioned_pollers, _retry_delay),
    words=Words(
        duplicate='An event source mapping with SQS arn (" {source} ") and function (" {function} ") already exists.',
        url=re.compile(r"https://sqs|http://|.*/queue/", re.DOTALL),
    ),
)

"""The seam between a stream's engine and where its failure records go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pollers.errors import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from config import Arn
    from pollers.aws.api import Aws
    from pollers.destinations.record import FailureRecord


@dataclass(frozen=True, slots=True)
class Origin:
    """The mapping whose failure records go to a destination."""

    mapping: str
    event_source_arn: str


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """One kind of on-failure destination. ``service`` is the service in its ARNs, ``called`` its name in a list of all kinds."""

    service: str
    called: str
    make: Callable[[Arn, Aws, Origin], Awaitable[Destination]]


class DestinationUnusable(SourceUnusable):
    """The on-failure destination cannot take records as configured. A batch could not be discarded then, so nothing is read."""


class Destination(Protocol):
    """Where the failure records of one mapping go."""

    @property
    def arn(self) -> str:
        """The ARN, as configured."""

    async def check(self) -> str | None:
        """Ask whether the destination exists, before anything is read.

        Raises :class:`DestinationUnusable` when it cannot be used, and :class:`pollers.aws.errors.AwsError` for errors that may
        be temporary. Returns a warning when it may not ask: for a queue or a topic Lambda needs only the permission to
        deliver, which does not include the permission to look.
        """

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """Deliver one record. ``event`` is the whole event of the discarded batch; only S3 keeps it.

        Raises :class:`pollers.aws.errors.AwsError`; the checkpoint must not move before the call returned.
        """

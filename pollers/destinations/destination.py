"""What a destination is, which forms of a report it takes, and which kinds of destination each use has.

A **kind** of destination is one declaration, and so is a **purpose**: what is reported, and to which kinds. A kind says which
form of a report it needs, and a report gives the forms that the kinds of its purpose need; the types hold the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from config import parse_arn
from config.text.targets import target_of, target_problem
from pollers.aws.api import NO_ATTRIBUTES, MessageAttribute
from pollers.errors import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from config import Arn
    from config.text.targets import Target
    from pollers.aws.api import Aws, BusEvent


@dataclass(frozen=True, slots=True)
class Message:
    """A report as queues, topics and functions get it. Only queues take the ``trace_header``, and functions the body alone."""

    body: str
    attributes: Mapping[str, MessageAttribute] = field(default_factory=lambda: NO_ATTRIBUTES)
    trace_header: str | None = None


class Messaged(Protocol):
    """A report that can be sent as a message."""

    def message(self) -> Message:
        """The same message each time. Raises :class:`Undeliverable` when there can be none."""


class Stored(Protocol):
    """A report that can be an object in a bucket."""

    def object_key(self) -> str:
        """Where it lies. The same each time: a delivery that is repeated since its reply was lost writes the same object again."""

    async def object_body(self) -> bytes:
        """What lies there; asynchronous, since making it may take long."""


class Announced(Protocol):
    """A report that can be an event on a bus."""

    def bus_event(self, bus_arn: str) -> BusEvent:
        """The event for this bus."""


ReportT = TypeVar("ReportT", contravariant=True)
"""A report, in the form that a destination needs."""
OneReportT = TypeVar("OneReportT")


class OwnFunctions(Protocol):
    """The functions that run here, as destinations: they are told apart by their ARNs and not called through AWS."""

    def has(self, function_arn: str) -> bool:
        """Whether the ARN names a function that runs here."""

    async def accept(self, function_arn: str, event: bytes) -> None:
        """Invoke it asynchronously: the event is durable when this returns. The same event is taken once, however often it comes.

        Raises whatever keeps the queue from taking it, which may pass.
        """


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to destinations. ``region`` is that of what no ARN gives one for: a bucket."""

    aws: Aws
    region: str
    own_functions: OwnFunctions | None = None


class DestinationUnusable(SourceUnusable):
    """The destination cannot take reports as configured. A batch could not be discarded then, so nothing is read."""


class Undeliverable(DestinationUnusable):
    """The destination can never take this one report: it is too large, or has characters that the service refuses."""


class Destination(Protocol[ReportT]):
    """Where reports go."""

    @property
    def arn(self) -> str:
        """The ARN, as configured."""

    async def check(self) -> str | None:
        """Ask whether the destination exists, before it is needed.

        Raises :class:`DestinationUnusable` when it cannot be used, and :class:`pollers.aws.errors.AwsError` for errors that may
        be temporary. Returns a warning when it may not ask: for a queue or a topic Lambda needs only the permission to
        deliver, which does not include the permission to look.
        """

    async def deliver(self, report: ReportT) -> None:
        """Deliver one report: the destination has it when this returns.

        Raises :class:`pollers.aws.errors.AwsError`, and :class:`Undeliverable` for what it can never take.
        """


@dataclass(frozen=True, slots=True)
class Use:
    """How a destination is called in messages to people (``on-failure``), and the setting that names it."""

    called: str
    setting: str


@dataclass(frozen=True, slots=True)
class DestinationKind(Generic[ReportT]):
    """One kind of destination: which ARNs name one, and how it is made."""

    target: Target
    make: Callable[[Arn, Ways, Use], Awaitable[Destination[ReportT]]]


@dataclass(frozen=True, slots=True)
class Purpose(Generic[OneReportT]):
    """What destinations are used for: the kinds that may be, ``plural`` as they are called together."""

    use: Use
    plural: str
    kinds: tuple[DestinationKind[OneReportT], ...]


async def make(arn: str, purpose: Purpose[OneReportT], ways: Ways) -> Destination[OneReportT]:
    """The destination that an ARN names. Raises :class:`DestinationUnusable` when its kind is none of the purpose's."""
    problem = target_problem(arn, tuple(kind.target for kind in purpose.kinds), purpose.plural)
    if problem is not None:
        raise DestinationUnusable(f"{purpose.use.setting}: {problem}")
    parsed = parse_arn(arn)
    target = target_of(parsed)
    kind = next(kind for kind in purpose.kinds if kind.target is target)
    return await kind.make(parsed, ways, purpose.use)

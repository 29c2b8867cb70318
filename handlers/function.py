"""What a mapping invokes: one interface, and one type of result whatever ran the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from handlers.copies import Copies

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024
"""Lambda's limit on a synchronous event (docs/lambda 2.1, 8.1: "6 MB" is MiB)."""

RESPONSE_LIMIT_BYTES = PAYLOAD_LIMIT_BYTES + 100
"""The largest response that Lambda takes whole: the 6,291,556 bytes that its own error text names (docs/lambda 8.1)."""

STREAMED_LIMIT_BYTES = 200 * 1024 * 1024
"""The largest response that Lambda streams (docs/lambda 8.6)."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The function returned. ``body`` is what it returned, byte for byte; it may not be JSON."""

    body: bytes


@dataclass(frozen=True, slots=True)
class FunctionError:
    """The function ran and failed: it raised, timed out, exited, could not be initialised or answered too much.

    ``document`` is Lambda's own error document (docs/lambda 8.1), as JSON.
    """

    error_type: str
    message: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Throttle:
    """The function did not run because it is at its limit (429). Costs a stream batch no attempt."""

    message: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InfrastructureError:
    """The function did not run, or nobody can tell, through no fault of its own. Costs a stream batch no attempt."""

    message: str
    retry_after_seconds: float | None = None


Result: TypeAlias = Payload | FunctionError | Throttle | InfrastructureError


@dataclass(frozen=True, slots=True)
class Invocation:
    """One finished invocation.

    ``log`` holds the function's log lines, newest last, as far as the way of running it gives any (bounded).
    """

    request_id: str
    result: Result
    duration_seconds: float
    log: tuple[str, ...] = ()
    streamed: bool = False
    """The response went to the call's stream; ``result`` is then empty, or the error that ended it."""
    reported: bool = False
    """``log`` has what Lambda itself says of an invocation: START, END and REPORT, as far as the function's levels let it."""


class ResponseStream(Protocol):
    """Where one invocation's response goes while the function still writes it."""

    def begin(self, content_type: str) -> None:
        """The function streams its response, of this type. Called once, before the first chunk; never for a buffered response."""

    async def write(self, chunk: bytes) -> None:
        """Pass a chunk on. Waits while the reader is slow; how long a reader may be so is for whoever made the stream to say.

        Raises :class:`handlers.errors.ReaderGone` when there is nobody to read any more. The function then runs on to its end
        (docs/lambda 8.6), and what it still writes is dropped.
        """


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller gives along with the event.

    ``client_context`` is JSON as text. With a ``stream``, a function that streams its response does so into it; one that does
    not, or cannot, is answered as a whole in :attr:`Invocation.result`.

    ``may_begin`` is asked when a worker is there at last, which may have taken long to start, with nothing awaited between it and
    the event's delivery. When it says no, the function does not run, and the result is an :class:`InfrastructureError`.
    """

    client_context: str | None = None
    stream: ResponseStream | None = None
    may_begin: Callable[[], bool] | None = None


PLAIN = Call()
"""Nothing but the event, as mappings call."""


@dataclass(frozen=True, slots=True)
class FunctionStatus:
    """What a function's runner is doing now. ``workers`` is the number of started workers (0 where there are none)."""

    workers: int
    busy: int
    started_total: int = 0
    problem: str | None = None
    log_lines_dropped_total: int = 0
    embedded_metrics_total: int = 0
    """Metrics in the embedded metric format among what it printed."""


class Function(Protocol):
    """A function that can be invoked, up to ``concurrency`` at a time.

    Entered before its first invocation and left after its last (``async with``). Entering does not wait for workers and fails
    only with :class:`handlers.errors.FunctionUnusable`, for what no retry can cure (a missing folder, a handler that is not
    callable, in process). Leaving stops whatever it started, killed whole, and waits for that.
    """

    @property
    def name(self) -> str:
        """Its key under ``functions`` in the configuration."""

    @property
    def arn(self) -> str:
        """Its unqualified ARN, as invocations and on-failure records name it."""

    @property
    def concurrency(self) -> int:
        """How many invocations may run at a time. A caller never exceeds it."""

    @property
    def timeout_seconds(self) -> float:
        """After how long an invocation is stopped and becomes a :class:`FunctionError`."""

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run the function once on an encoded event, and never raise for what the function does.

        Cancelling the call stops the invocation for good: when the cancellation has been delivered, the function is no longer
        running on this event (a worker that ran it has been killed; for a remote function the connection has been closed).
        """

    def status(self) -> FunctionStatus:
        """What is running, for the console and the metrics; cheap."""

    async def __aenter__(self) -> Function: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Copied(Protocol):
    """A function whose code is in folders, of which it can run copies."""

    def run_copies(self, copies: Copies) -> None:
        """Run what is in ``copies``, and make what is not there yet. Called before it is entered; whoever calls it removes them
        once the function has been left."""


@runtime_checkable
class Provable(Protocol):
    """A function whose code does not run yet when it is entered, but when something of it is started."""

    async def prove(self) -> None:
        """Start as much of it as loads its code, and keep that for the first invocation.

        Raises :class:`handlers.errors.FunctionUnusable` with file and line of the user's code, as far as they are known, when that
        fails; whoever asked reports it.
        """

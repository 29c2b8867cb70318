"""One invocation of a batch, the same for every source: the function is called, its answer judged, and both are told as facts.

The task that calls :func:`invoke` owns the batch and its permit, before and after: nothing here keeps either. What a crash
leaves at each line is therefore the caller's to say: a queue's messages come back by their visibility timeout, a stream's
records lie above the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from handlers.function import PLAIN, FunctionError, Payload, Throttle
from pollers.engine.responses import SUCCESS, Verdict
from pollers.telemetry.facts import NOT_RUN, Invoked, Invoking, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random
    from typing import TypeAlias

    from handlers.function import Call, Invocation
    from pollers.engine.poller import Surroundings
    from pollers.engine.stop import Stop
    from pollers.telemetry.payloads import PayloadStart

    Judge: TypeAlias = Callable[[bytes], Verdict]
    """Reads what a function returned, which decides only when the function ran and did not fail."""

STOPPED = "stopped"
"""The error of an invocation that a stop or a crash of ours cut short."""


_RANDOM_BITS = ~((0xF << 76) | (0b11 << 62))
_VERSION_4 = (4 << 76) | (0b10 << 62)
"""Version and variant of a random UUID. Made by hand, since each batch needs one and ``uuid.UUID`` costs three times as much."""


@dataclass(slots=True)
class Attempt:
    """A batch, about to be invoked. ``ids``, ``records`` (encoded) and those in ``event`` are in the same order.

    The last four are told as the facts tell them (:class:`pollers.telemetry.facts.Invoking`).
    """

    source: str
    ids: Sequence[str]
    records: Sequence[bytes]
    event: bytes
    number: int = 1
    gather_seconds: float = 0.0
    iterator_age_seconds: float | None = None
    trace_headers: Sequence[str] = ()


@dataclass(slots=True)
class Ended:
    """What became of an attempt. ``failed_ids`` are all of the batch unless its outcome is SUCCESS or PARTIAL.

    ``unhandled``: the function failed; an ERROR without it is one that its response said. ``took_seconds`` is what the caller
    waited, which is more than the function's own time where that is measured closer to it.
    """

    outcome: Outcome
    request_id: str
    failed_ids: Sequence[str] = ()
    error: str | None = None
    unhandled: bool = False
    retry_after_seconds: float | None = None
    took_seconds: float = 0.0

    @property
    def ran(self) -> bool:
        """Whether the function ran to its end. If not, that was no answer to this batch."""
        return self.outcome not in NOT_RUN and self.outcome is not Outcome.ABANDONED


def accept_all(_: bytes) -> Verdict:
    """The :data:`Judge` of a mapping that does not report batch item failures: whatever is returned is success."""
    return SUCCESS


def new_request_id(random: Random) -> str:
    """A fresh request id. Drawn from the poller's own random numbers, so that a simulation can be played again."""
    text = f"{random.getrandbits(128) & _RANDOM_BITS | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def invoke(
    attempt: Attempt, judge: Judge, surroundings: Surroundings, stop: Stop, now: float, call: Call = PLAIN
) -> Ended:
    """Bring ``attempt`` to the function once, with a permit that the caller holds. A hurried ``stop`` abandons it.

    ``now`` is ``anyio.current_time()``, which the caller has just read: that takes a microsecond, and each batch comes by here.

    Every Invoking has its Invoked, also when this raises: cancelled from outside (a crash), or by a fault of the function's runner.
    """
    request_id = new_request_id(surroundings.random)
    if stop.hurried:
        # Nothing was begun, so nothing is told; the first await of a cancelled scope might come too late for that.
        return Ended(Outcome.ABANDONED, request_id, attempt.ids, STOPPED)
    facts = surroundings.facts
    facts.emit(
        Invoking(
            attempt.source,
            attempt.ids,
            request_id,
            len(attempt.event),
            attempt.number,
            attempt.gather_seconds,
            attempt.iterator_age_seconds,
            attempt.trace_headers,
        )
    )
    ended: Ended | None = None
    invocation: Invocation | None = None
    try:
        with stop.running():
            invocation = await surroundings.function.invoke(attempt.event, request_id=request_id, call=call)
        if invocation is not None:
            ended = _judged(invocation, attempt.ids, judge)
    finally:
        if ended is None:
            ended = Ended(Outcome.ABANDONED, request_id, attempt.ids, STOPPED)
        ended.took_seconds = anyio.current_time() - now
        seconds = ended.took_seconds if invocation is None else invocation.duration_seconds
        facts.emit(_invoked(attempt, ended, seconds, surroundings.first_payload))
    return ended


def _judged(invocation: Invocation, ids: Sequence[str], judge: Judge) -> Ended:
    request_id, result = invocation.request_id, invocation.result
    if isinstance(result, Payload):
        verdict = judge(result.body)
        if verdict.success:
            return Ended(Outcome.SUCCESS, request_id)
        if verdict.problem is not None:
            return Ended(Outcome.ERROR, request_id, ids, verdict.problem)
        return Ended(Outcome.PARTIAL, request_id, [one for one in ids if one in verdict.failed])
    if isinstance(result, FunctionError):
        error = f"{result.error_type}: {result.message}" if result.error_type else result.message
        return Ended(Outcome.ERROR, request_id, ids, error, unhandled=True)
    outcome = Outcome.THROTTLE if isinstance(result, Throttle) else Outcome.INFRASTRUCTURE
    return Ended(outcome, request_id, ids, result.message, retry_after_seconds=result.retry_after_seconds)


def _invoked(attempt: Attempt, ended: Ended, seconds: float, first_payload: PayloadStart) -> Invoked:
    payload = b""
    if ended.failed_ids and attempt.records:
        payload = first_payload(attempt.records[attempt.ids.index(ended.failed_ids[0])])
    return Invoked(
        attempt.source,
        attempt.ids,
        ended.request_id,
        ended.outcome,
        seconds,
        ended.failed_ids,
        ended.error,
        payload,
    )

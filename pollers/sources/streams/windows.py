"""Tumbling windows: which window a record belongs to, its state, and when it closes (docs/lambda 4.11). A decider.

Windows are aligned to multiples of their length since the epoch and chosen by a record's arrival time. A shard's windows follow
each other: a record that arrived before the open window began (arrival times may step back) belongs to the open one.
The state belongs to the shard, so that a shard with tumbling windows has one lane whatever its parallelization factor
(docs/lambda 10.3 leaves that open).

Each window ends with an invocation of its own, without records, whose ``isFinalInvokeForWindow`` is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from pollers.checkpoints.store import OpenWindow
from pollers.engine.responses import shortened
from pollers.jsontext.members import member_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.engine.batching import Envelope

STATE_LIMIT_BYTES = 1024 * 1024
"""A window whose state has become larger is terminated early."""
OPEN_AFTER_END_SECONDS = 120.0
"""How long after its end a window is kept open for records that may still come ("up to 2 minutes")."""
NO_STATE = b"{}"


class StateMissing(ValueError):  # noqa: N818 - what is wrong with a response
    """The function's response has no ``state``: a failed invocation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A function's response: ``state`` as JSON, and whether it says anything of failed records (it need not)."""

    state: bytes
    names_failures: bool


def read_answer(response: bytes) -> Answer:
    """The response to an invocation of a window. Raises StateMissing.

    The state is the function's own text: read and written again, a number of more than 64 bits would become another one.
    """
    try:
        answer = member_texts(response)
        state = answer["state"]
    except (ValueError, KeyError) as error:
        raise StateMissing('the response must be {"state": {...}} for a mapping with a tumbling window') from error
    if not state.startswith("{"):
        raise StateMissing(f"the response's state must be a JSON object, not {shortened(state)}")
    return Answer(state.encode(), "batchItemFailures" in answer)


class Windows:
    """The windows of one shard, one open at a time."""

    def __init__(
        self,
        length_seconds: int,
        shard_id: str,
        event_source_arn: str,
        opened: OpenWindow | None = None,
        store_bytes: int | None = None,
    ) -> None:
        """``store_bytes``: how large a state the store of checkpoints takes, None for any size."""
        self._length = length_seconds
        self._shard = orjson.dumps(shard_id)
        self._source = orjson.dumps(event_source_arn)
        self._store_bytes = store_bytes
        self.open = opened

    @property
    def terminated_early(self) -> bool:
        """Whether the open window's state has outgrown its limit, so that it must close now."""
        return self.open is not None and (len(self.open.state) > STATE_LIMIT_BYTES or self.unwritable)

    @property
    def unwritable(self) -> bool:
        """Whether the open window's state is too large for the store of checkpoints."""
        return self.open is not None and self._store_bytes is not None and len(self.open.state) > self._store_bytes

    def admit(self, arrivals: Sequence[float]) -> int:
        """How many of the next records, in order, belong to the open window; opens one for the first if none is open."""
        if not arrivals:
            return 0
        if self.open is None:
            start = arrivals[0] // self._length * self._length
            self.open = OpenWindow(start, start + self._length, NO_STATE)
        if self.terminated_early:
            return 0
        end = self.open.end
        if max(arrivals) < end:
            return len(arrivals)
        return next(index for index, arrival in enumerate(arrivals) if arrival >= end)

    def must_close(self, next_arrival: float | None, wall: float, *, at_tip: bool, shard_ended: bool) -> bool:
        """Whether the open window's last invocation is due.

        ``next_arrival`` is that of the next record, None when nothing is queued; ``at_tip``: the last poll found nothing;
        ``shard_ended``: nothing will ever follow.
        """
        if self.open is None:
            return False
        if self.terminated_early:
            return True
        if next_arrival is not None:
            return next_arrival >= self.open.end
        return shard_ended or (at_tip and wall >= self.open.end + OPEN_AFTER_END_SECONDS)

    def closes_at(self) -> float | None:
        """The wall-clock time at which the open window closes if no record comes."""
        return None if self.open is None else self.open.end + OPEN_AFTER_END_SECONDS

    def envelope(self, around: Envelope, *, final: bool) -> Envelope:
        """``around`` (the source's own) with what says which window is open. That of its ``final`` invocation is no longer."""
        window = self.open
        if window is None:
            raise RuntimeError("no window is open")
        return around.with_members(
            b'"window":{"start":"%b","end":"%b"}' % (_timestamp(window.start), _timestamp(window.end)),
            b'"state":%b' % window.state,
            b'"shardId":%b' % self._shard,
            b'"eventSourceARN":%b' % self._source,
            b'"isFinalInvokeForWindow":%b' % _json_bool(final),
            b'"isWindowTerminatedEarly":%b' % _json_bool(final and self.terminated_early),
        )

    def accepted(self, state: bytes) -> None:
        """The function accepted records of the open window and returned its new state."""
        if self.open is None:
            raise RuntimeError("no window is open")
        self.open = OpenWindow(self.open.start, self.open.end, state)

    def closed(self) -> None:
        """The last invocation of the open window is done with."""
        self.open = None


def _timestamp(seconds: float) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _json_bool(value: bool) -> bytes:
    return b"true" if value else b"false"

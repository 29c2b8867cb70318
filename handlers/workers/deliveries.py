"""Makes what a runtime is given with an event: ids, deadline and trace, new for each invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.function import PLAIN
from handlers.runtime_api import Delivery

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from handlers.function import Call


class Deliveries:
    """The deliveries of one function."""

    def __init__(
        self, function_arn: str, timeout_seconds: float, wall_clock: Callable[[], float], random: random.Random
    ) -> None:
        """``random`` makes ids, which are no secrets; ``wall_clock`` gives seconds since the epoch."""
        self._function_arn = function_arn
        self._timeout_seconds = timeout_seconds
        self._wall_clock = wall_clock
        self._bits = random.getrandbits

    def make(self, event: bytes, request_id: str, call: Call = PLAIN) -> Delivery:
        """One invocation's, whose deadline is the function's timeout from now."""
        bits, now = self._bits, self._wall_clock()
        return Delivery(
            request_id=request_id,
            invocation_id=f"{bits(128):032x}",
            deadline_ms=int((now + self._timeout_seconds) * 1000),
            function_arn=self._function_arn,
            trace_id=f"Root=1-{int(now):08x}-{bits(96):024x};Parent={bits(64):016x};Sampled=0",
            event=event,
            client_context=call.client_context,
            streamed=call.stream is not None,
        )

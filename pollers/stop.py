"""How a poller is told to stop, in two steps (DESIGN decision 9)."""

from __future__ import annotations

import anyio


class Stop:
    """Asked by the supervisor, watched by one mapping's poller.

    ``requested``: no new receive or read; what runs finishes and is acknowledged, the rest is handed back; then ``run`` returns.
    ``hurried``: the grace period is over (or a second signal came): running invocations are cancelled and their messages go back.
    """

    def __init__(self) -> None:
        self.requested = anyio.Event()
        self.hurried = anyio.Event()

    def request(self) -> None:
        """Begin the orderly stop. Calling it again changes nothing."""
        self.requested.set()

    def hurry(self) -> None:
        """Skip the wait for running invocations. Implies :meth:`request`."""
        self.requested.set()
        self.hurried.set()

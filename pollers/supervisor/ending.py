"""The last step of the process: it ends in time, whatever hangs (docs/design, decision 16)."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.stdlib.get_logger(__name__)

LAST_LINES_SECONDS = (0.2, 0.5)
"""How long the last log lines may take to be written: when everything else took all its time, and when nothing did."""
SECOND_SIGNAL_SECONDS = 1.0
"""After a second signal the process is gone within this; after a third at once."""


class Ending:
    """Ends the process at a time that may change. From a thread: an event loop that hangs would not.

    ``leave`` ends it, given the exit code and how long the last lines may take; ``exit_code`` is asked then. Nothing is
    lost by it that a crash would not lose: no promise rests on what is closed at the end.
    """

    def __init__(self, leave: Callable[[int, float], None], exit_code: Callable[[], int]) -> None:
        self._leave = leave
        self._exit_code = exit_code
        self._at = math.inf
        self._at_most = math.inf
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._signals = 0

    def within(self, seconds: float) -> None:
        """End in ``seconds`` at the latest, whatever was said before; but for a second signal."""
        with self._changed:
            self._at = time.monotonic() + seconds
            self._look_again()

    @property
    def last_lines_seconds(self) -> float:
        """How long the last lines may take now."""
        least, most = LAST_LINES_SECONDS
        return max(least, min(most, self._gone_at() - time.monotonic()))

    def signalled(self) -> None:
        """One more signal to stop has come. The second one ends the process soon, a third at once."""
        self._signals += 1
        if self._signals == 2:
            with self._changed:
                self._at_most = time.monotonic() + SECOND_SIGNAL_SECONDS
                self._look_again()
        elif self._signals > 2:
            os._exit(self._exit_code())

    def _gone_at(self) -> float:
        return min(self._at, self._at_most)

    def _look_again(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="ending", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while (left := self._gone_at() - LAST_LINES_SECONDS[0] - time.monotonic()) > 0:
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
        log.warning("headrace ends without waiting for what has not closed", exit_code=self._exit_code())
        self._leave(self._exit_code(), LAST_LINES_SECONDS[0])

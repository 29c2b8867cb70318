"""The last step of the process: it ends in time, whatever hangs (DESIGN decision 16)."""

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

SECOND_SIGNAL_SECONDS = 1.0
"""After a second signal the process is gone within this; after a third at once."""


class Ending:
    """Ends the process at a time that may be brought forward. From a thread: an event loop that hangs would not.

    ``leave`` ends it; ``exit_code`` is asked then. Nothing is lost by it that a crash would not lose: no promise rests on what is
    closed at the end.
    """

    def __init__(self, leave: Callable[[int], None], exit_code: Callable[[], int]) -> None:
        self._leave = leave
        self._exit_code = exit_code
        self._at = math.inf
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._signals = 0

    def within(self, seconds: float) -> None:
        """End in ``seconds`` at the latest."""
        with self._changed:
            self._at = min(self._at, time.monotonic() + seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="ending", daemon=True)
                self._thread.start()
            self._changed.notify()

    def signalled(self) -> None:
        """One more signal to stop has come. The second one ends the process soon, a third at once."""
        self._signals += 1
        if self._signals == 2:
            self.within(SECOND_SIGNAL_SECONDS)
        elif self._signals > 2:
            os._exit(self._exit_code())

    def _watch(self) -> None:
        with self._changed:
            while (left := self._at - time.monotonic()) > 0:
                self._changed.wait(left)
        log.warning("headrace ends without waiting for what has not closed", exit_code=self._exit_code())
        self._leave(self._exit_code())

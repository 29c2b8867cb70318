"""Signals that arrive while Headrace is still starting."""

from __future__ import annotations

import os
import signal


def heed_signals_while_starting() -> None:
    """Nothing is held yet, so a stop ends the process at once; there is nothing to reload either.

    The default would be wrong: as process 1 of a container SIGTERM is ignored, and then nobody would ever stop, and SIGHUP kills.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, lambda *_: None)

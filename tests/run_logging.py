"""Logging as ``headrace run`` sets it up, for as long as a test needs it.

A logger keeps what it was set up with at its first use, which is right for a process that sets logging up once. In tests it
would be wrong for all that come later in the same process, so loggers look anew each time here.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from pollers.telemetry.logging import NOISY, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from pollers.telemetry.output import Outlet


@contextmanager
def as_run_logs(*, stream: TextIO | None = None, outlet: Outlet | None = None) -> Iterator[None]:
    """Records from info up go to ``stream`` or ``outlet``; everything is as it was afterwards."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in (None, *NOISY)}
    try:
        configure_logging("info", stream=stream, outlet=outlet)
        structlog.configure(cache_logger_on_first_use=False)
        yield
    finally:
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        structlog.reset_defaults()

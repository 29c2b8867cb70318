"""Logs that nobody reads: everything that is logged goes to an outlet whose stream has stalled for good."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import structlog

from pollers.telemetry.output import LINES_WAITING, Outlet
from tests.run_logging import as_run_logs

if TYPE_CHECKING:
    from collections.abc import Iterator


UNREAD_EVERY = 4
"""Of so many simulations one has logs that nobody reads."""


@contextmanager
def logs_of(seed: int) -> Iterator[None]:
    """Where a simulation's logs go: nowhere, or to a reader that has stalled."""
    with structlog.testing.capture_logs() if seed % UNREAD_EVERY else nobody_reads():
        yield


@contextmanager
def nobody_reads() -> Iterator[Outlet]:
    """What is logged within waits for a reader that never comes, or is dropped where ten thousand lines wait already."""
    outlet = _stalled()
    with as_run_logs(outlet=outlet):
        yield outlet


def lines_put(outlet: Outlet) -> int:
    """How many lines have been logged, dropped ones included."""
    assert outlet._lines <= LINES_WAITING
    return outlet._lines + outlet.dropped


@cache
def _stalled() -> Outlet:
    """One of the process, since its thread never ends. It is full before long."""
    return Outlet(lambda _: threading.Event().wait())  # type: ignore[arg-type]

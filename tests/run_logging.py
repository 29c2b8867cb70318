"""Logging as ``headrace run`` sets it up, for as long as a test needs it; each test has what it set up for itself alone."""

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

_configure = structlog.configure
PACKAGES = frozenset({"pollers", "handlers", "config"})


def let_loggers_look_anew() -> None:
    """A logger keeps what it found at its first use, which is right for a process that sets logging up once: not for tests.

    Loggers of Headrace's modules live as long as the process, so they would go on with what an earlier test had set up.
    """
    structlog.configure = _uncached


def _uncached(*settings: object, **named: object) -> None:
    _configure(*settings, **{**named, "cache_logger_on_first_use": False})  # type: ignore[arg-type]


@contextmanager
def as_it_was() -> Iterator[None]:
    """Whatever is set up within is gone afterwards."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = _levels()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for name in _levels():
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
        structlog.reset_defaults()


def _levels() -> dict[str | None, int]:
    """Of every logger that Headrace sets: commands set those of whole packages, functions one of their own."""
    ours = (name for name in logging.root.manager.loggerDict if name.partition(".")[0] in PACKAGES)
    return {name: logging.getLogger(name).level for name in (None, *NOISY, *ours)}


@contextmanager
def as_run_logs(*, stream: TextIO | None = None, outlet: Outlet | None = None) -> Iterator[None]:
    """Records from info up go to ``stream`` or ``outlet``; everything is as it was afterwards."""
    with as_it_was():
        configure_logging("info", stream=stream, outlet=outlet)
        yield

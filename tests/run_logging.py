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
    before = _settings()
    try:
        yield
    finally:
        for name in _settings():
            logger = logging.getLogger(name)
            level, propagate, handlers = before.get(name, (logging.NOTSET, True, []))
            logger.setLevel(level)
            logger.propagate, logger.handlers[:] = propagate, handlers
        structlog.reset_defaults()


def _settings() -> dict[str | None, tuple[int, bool, list[logging.Handler]]]:
    """Of every logger that Headrace sets: commands set those of whole packages, functions one of their own."""
    ours = (name for name in logging.root.manager.loggerDict if name.partition(".")[0] in PACKAGES)
    loggers = {name: logging.getLogger(name) for name in (None, *NOISY, *ours)}
    return {name: (logger.level, logger.propagate, logger.handlers[:]) for name, logger in loggers.items()}


@contextmanager
def as_run_logs(*, stream: TextIO | None = None, outlet: Outlet | None = None) -> Iterator[None]:
    """Records from info up go to ``stream`` or ``outlet``; everything is as it was afterwards."""
    with as_it_was():
        configure_logging("info", stream=stream, outlet=outlet)
        yield

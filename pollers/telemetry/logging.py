"""Logs: coloured and readable on a terminal, one JSON object a line on stderr elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import orjson
import structlog

from handlers.logs import OfInvocations, mark_invocation, of_function

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

    from pollers.telemetry.output import Outlet

LEVEL_VARIABLE = "HEADRACE_LOG_LEVEL"
NOISY = ("botocore", "aiobotocore", "aiohttp", "asyncio", "pymongo", "urllib3")
"""Libraries whose lines below the level of a warning are left out."""


class _ToOutlet(logging.Handler):
    """Hands each record to an outlet, so that logging never waits for the reader of the log."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            self._outlet.put(line, ours=not of_function(record))
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Nothing is buffered here."""


def configure_logging(level: str | None = None, *, stream: TextIO | None = None, outlet: Outlet | None = None) -> None:
    """Send structlog's and the standard library's records to ``stream`` (stderr), from ``level`` (HEADRACE_LOG_LEVEL, info) up.

    With an ``outlet`` for the same stream, no caller waits until its record is written.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping().get(
        (level or os.environ.get(LEVEL_VARIABLE, "info")).upper(), logging.INFO
    )
    on_terminal = stream.isatty()
    shared = _shared(on_terminal)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream) if outlet is None else _ToOutlet(outlet)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(on_terminal)],
        )
    )
    handler.addFilter(OfInvocations())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _shared(on_terminal: bool) -> list[Processor]:
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if on_terminal else "iso", utc=not on_terminal)
    return [
        structlog.contextvars.merge_contextvars,
        mark_invocation,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        stamp,
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(on_terminal: bool) -> list[Processor]:
    if on_terminal:
        return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]
    # Without the frames' local variables: those may hold payloads and credentials.
    tracebacks = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    )
    return [tracebacks, structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, **_: Any) -> str:  # noqa: ANN401 - structlog's own signature
    """Always one line: values that JSON cannot carry are shown by their repr."""
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        return orjson.dumps({_shown(str(key)): _shown(value) for key, value in event.items()}).decode()


def _shown(value: object) -> str:
    """A value's repr as valid UTF-8; only its type where it is nested too deep or its own repr fails."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # user code's own __repr__ may raise anything, RecursionError among others
        text = f"<{type(value).__name__}, which cannot be shown>"
    return text.encode("utf-8", "backslashreplace").decode()

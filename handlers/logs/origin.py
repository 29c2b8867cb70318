"""Tells functions' log records from Headrace's. In process, a handler's records carry its function's name and request id."""

from __future__ import annotations

import contextvars
import logging
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from config.models import LoggingConfig
    from handlers.logs.tail import LogTail

LOGGERS = "handlers.functions"
"""The parent of the loggers for workers' output, each of which has its function's name."""
_OF_FUNCTIONS = (f"{LOGGERS}.", "function:")
"""How the names of functions' loggers begin: workers' first, then those that modules of in-process functions make."""
_LEVELS = {"TRACE": 1, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}


class Origin(NamedTuple):
    """The invocation that runs in the current context, the least level that its function logs, and where its log is kept."""

    function: str
    request_id: str
    level: int
    tail: LogTail | None = None


_origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("headrace_invocation")


def context_of(function: str, request_id: str, level: int, tail: LogTail | None = None) -> contextvars.Context:
    """A context for one invocation: empty except for what its log records carry."""
    context = contextvars.Context()
    context.run(_origin.set, Origin(function, request_id, level, tail))
    return context


def least_level(config: LoggingConfig) -> int:
    """The level below which a function's records are left out; 0: none is."""
    return _LEVELS[config.application_level] if config.application_level is not None else 0


def admit(modules: str, level: int) -> None:
    """Let the loggers of a function's modules (their names begin with ``modules``) through from a level below INFO on.

    Others have the level of Headrace's own log.
    """
    logging.getLogger(modules).setLevel(level if 0 < level < logging.INFO else logging.NOTSET)


def of_function(record: logging.LogRecord) -> bool:
    """Whether a function logs it, and not Headrace. Only right in the thread that logs, whose context says so."""
    return record.name.startswith(_OF_FUNCTIONS) or _origin.get(None) is not None


def mark_invocation(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A processor of structlog's: marks what invocations log by structlog, as :class:`OfInvocations` does for ``logging``."""
    origin = _origin.get(None)
    if origin is not None:
        event.setdefault("function", origin.function)
        event.setdefault("request_id", origin.request_id)
    return event


class OfInvocations(logging.Filter):
    """For the handler of Headrace's log: marks what invocations log, and leaves out what their functions' levels do.

    It runs in the thread that logs, where the invocation is known.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        origin = _origin.get(None)
        if origin is None:
            return True
        if record.levelno < origin.level:
            return False
        for name in ("function", "request_id"):
            if not hasattr(record, name):
                setattr(record, name, getattr(origin, name))
        if origin.tail is not None:
            origin.tail.add(_as_lambda_has_it(record, origin.request_id))
        return True


def keep(text: str) -> None:
    """Add what the invocation that runs in the current context printed to its log's tail; nothing outside of one."""
    origin = _origin.get(None)
    if origin is not None and origin.tail is not None and text:
        origin.tail.add(text)


def _as_lambda_has_it(record: logging.LogRecord, request_id: str) -> str:
    """The record in the form that AWS's client for Python gives it."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"[{record.levelname}]\t{at}\t{request_id}\t{_message(record)}"
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) and len(record.exc_info) == 3 else None
    if not isinstance(error, BaseException):
        return text
    return f"{text}\n{''.join(traceback.format_exception(error)).rstrip()}"


def _message(record: logging.LogRecord) -> str:
    """Its text. User code that logs what cannot be formatted is not to fail by it."""
    try:
        # What comes by structlog is a mapping.
        return str(record.msg.get("event")) if isinstance(record.msg, dict) else record.getMessage()
    except Exception:
        return record.msg if isinstance(record.msg, str) else "(text not available)"

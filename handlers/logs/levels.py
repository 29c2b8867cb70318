"""The level of what a function logs, in whichever way it is said, as one of structlog's (docs/lambda 8.4).

A function's own words for levels are Lambda's: TRACE, DEBUG, INFO, WARN, ERROR and FATAL, and what Python calls them.
"""

from __future__ import annotations

import re

import orjson

RANKS = {"TRACE": 0, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
"""Lambda's levels, for comparing."""

SEVERITIES = {0: "debug", 10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
"""What structlog calls a rank."""

_NAMES = {**RANKS, "WARNING": 30, "CRITICAL": 50, "PANIC": 50}
_MEMBERS = ("level", "log_level", "log level", "log.level", "logLevel", "severity", "levelname")
_NUMBERED = range(10, 61)  # 10 (trace) to 60 (fatal), as Node.js's loggers number them
_NODE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,15}Z\t[^\t\n]{0,64}\t([A-Z]{4,5})\t")
"""What AWS's client for Node.js writes: time, request id, level."""


def rank(text: str) -> int | None:
    """The level that a log event names: ``[ERROR] ...``, Node.js's form, or a JSON object's ``level``; None: it names none."""
    first = text[:1]
    if first == "[":
        return _NAMES.get(text[1 : max(1, text.find("]", 0, 12))])
    if first == "{":
        return _of_members(text)
    found = _NODE.match(text) if first.isdigit() else None
    return _NAMES.get(found[1]) if found else None


def severity(text: str, known: int | None = None) -> str:
    """The level, if it is not ``known``, as structlog calls it; info if the event names none, as on Lambda."""
    found = rank(text) if known is None else known
    return SEVERITIES[RANKS["INFO"] if found is None else found]


def _of_members(text: str) -> int | None:
    if not any(name in text for name in ("evel", "everity")):
        return None
    try:
        members = orjson.loads(text)
    except ValueError:
        return None
    for name in _MEMBERS:
        value = members.get(name)
        if isinstance(value, str):
            return _NAMES.get(value.strip().upper())
        if isinstance(value, int) and value in _NUMBERED:
            return max(0, value // 10 * 10 - 10)
    return None

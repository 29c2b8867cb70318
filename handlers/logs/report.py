"""What Lambda itself says of an invocation, as text or as JSON, and at which levels (docs/lambda 8.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from handlers.logs.levels import RANKS
from handlers.logs.lines import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import LoggingConfig

_DEBUG = RANKS["DEBUG"]


@dataclass(frozen=True, slots=True)
class Report:
    """What Lambda's REPORT line says about one invocation."""

    request_id: str
    duration_seconds: float
    memory_size_mib: int
    max_memory_used_mib: int
    init_seconds: float | None = None
    status: str | None = None
    error_type: str | None = None

    def line(self) -> str:
        """The line, in Lambda's format. Billed are whole milliseconds, rounded up."""
        duration_ms = self.duration_seconds * 1000
        parts = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(round(duration_ms, 2))} ms",
            f"Memory Size: {self.memory_size_mib} MB",
            f"Max Memory Used: {self.max_memory_used_mib} MB",
        ]
        if self.init_seconds is not None:
            parts.append(f"Init Duration: {self.init_seconds * 1000:.2f} ms")
        if self.status is not None:
            parts.append(f"Status: {self.status}")
        if self.error_type is not None:
            parts.append(f"Error Type: {self.error_type}")
        return "\t".join(parts) + "\t"

    def record(self) -> dict[str, Any]:
        """The same as the record of Lambda's ``platform.report`` event."""
        duration_ms = round(self.duration_seconds * 1000, 3)
        metrics: dict[str, Any] = {
            "durationMs": duration_ms,
            "billedDurationMs": math.ceil(round(duration_ms, 2)),
            "memorySizeMB": self.memory_size_mib,
            "maxMemoryUsedMB": self.max_memory_used_mib,
        }
        if self.init_seconds is not None:
            metrics["initDurationMs"] = round(self.init_seconds * 1000, 3)
        record = {"requestId": self.request_id, "metrics": metrics, "status": self.status or "success"}
        return record if self.error_type is None else {**record, "errorType": self.error_type}


class PlatformLog:
    """Makes START, END and REPORT of an invocation; None where the function's ``system_log_level`` leaves it out.

    As text they have Headrace's own levels (START and END are debug); as JSON, Lambda's (its guide's "system log level event
    mapping"): the start is INFO, the end DEBUG, the report INFO, and both WARN if the invocation failed.
    """

    def __init__(self, config: LoggingConfig, wall_clock: Callable[[], float]) -> None:
        self._json = config.log_format == "JSON"
        self._wall_clock = wall_clock
        self._least = RANKS[config.system_level]

    def start(self, request_id: str) -> LogEvent | None:
        """The invocation begins."""
        if not self._json:
            return LogEvent(f"START RequestId: {request_id} Version: $LATEST", _DEBUG)
        return self._event("start", {"requestId": request_id, "version": "$LATEST"}, "INFO")

    def end(self, report: Report) -> LogEvent | None:
        """The invocation has ended."""
        if not self._json:
            return LogEvent(f"END RequestId: {report.request_id}", _DEBUG)
        record = {"requestId": report.request_id, "status": report.status or "success"}
        return self._event("runtimeDone", record, "WARN" if report.status else "DEBUG")

    def report(self, report: Report) -> LogEvent | None:
        """What it took."""
        if not self._json:
            return LogEvent(report.line(), RANKS["INFO"])
        return self._event("report", report.record(), "WARN" if report.status else "INFO")

    def _event(self, kind: str, record: dict[str, Any], level: str) -> LogEvent | None:
        if RANKS[level] < self._least:
            return None
        at = datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = orjson.dumps({"time": at, "type": f"platform.{kind}", "record": record}).decode()
        return LogEvent(text, RANKS[level])

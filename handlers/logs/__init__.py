"""What functions log: frames and lines, levels, and whose a record is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.logs.embedded_metrics import is_embedded_metric
    from handlers.logs.frames import LOG_DESCRIPTOR
    from handlers.logs.intake import WORK_A_TURN, Intake, Share, StreamText
    from handlers.logs.levels import RANKS, rank, severity
    from handlers.logs.lines import Allowance, Counts, LogEvent, readable
    from handlers.logs.origin import (
        LOGGERS,
        OfInvocations,
        admit,
        context_of,
        keep,
        least_level,
        mark_invocation,
        of_function,
    )
    from handlers.logs.report import PlatformLog, Report
    from handlers.logs.tail import LogTail, log_tail, machine_memory_mib

__all__ = [
    "LOGGERS",
    "LOG_DESCRIPTOR",
    "RANKS",
    "WORK_A_TURN",
    "Allowance",
    "Counts",
    "Intake",
    "LogEvent",
    "LogTail",
    "OfInvocations",
    "PlatformLog",
    "Report",
    "Share",
    "StreamText",
    "admit",
    "context_of",
    "is_embedded_metric",
    "keep",
    "least_level",
    "log_tail",
    "machine_memory_mib",
    "mark_invocation",
    "of_function",
    "rank",
    "readable",
    "severity",
]
__getattr__ = lazily(
    __name__,
    {
        "embedded_metrics": "is_embedded_metric",
        "frames": "LOG_DESCRIPTOR",
        "intake": "Intake Share StreamText WORK_A_TURN",
        "levels": "RANKS rank severity",
        "lines": "Allowance Counts LogEvent readable",
        "origin": "LOGGERS OfInvocations admit context_of keep least_level mark_invocation of_function",
        "report": "PlatformLog Report",
        "tail": "LogTail log_tail machine_memory_mib",
    },
)

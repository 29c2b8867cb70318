"""What happens, as facts, and the folds over them. Imports nothing above it: what emits a fact knows no sink.

::

    facts  sinks                  what can happen, and how it reaches those who use it
      counts                        what a fact adds to which count; from it:
        ledger                        the books of one mapping, which must balance
        tally  families  metrics      Prometheus's metrics
      board  mapping_board  series  how each mapping stands now, and how it has gone in the last minutes
      troubles                      what is logged of what goes wrong
      recorder  conclusions         what happened to one event, and what follows from that; async_facts, async_conclusions: of those
                                    that functions are called with asynchronously
      tracing  trace_headers        spans
    logging  output  metric_lines  the log, and standard output that never blocks

May import :mod:`pollers.clocks`, :mod:`pollers.jsontext`, :mod:`handlers` and :mod:`config`. Each file is imported when one of its
names is first used: only a running Headrace needs prometheus-client and OpenTelemetry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.telemetry.board import Board
    from pollers.telemetry.durations import age
    from pollers.telemetry.facts import (
        MAPPING_TASK,
        NOT_RUN,
        OPENING_TASK,
        RECEIVE_TASK,
        Checkpointed,
        Deleted,
        DeleteRetried,
        Depth,
        DestinationFailed,
        DiscardCondition,
        Discarded,
        Doing,
        EndDoubted,
        EndRevoked,
        Expired,
        Extended,
        Fact,
        Filtered,
        Invoked,
        Invoking,
        Listed,
        Outcome,
        Polled,
        PollFailed,
        Received,
        Removed,
        Returned,
        ShardEnded,
        ShardSeen,
        State,
        WriteRefused,
    )
    from pollers.telemetry.families import PREFIX, Family, gauge
    from pollers.telemetry.ledger import Ledger
    from pollers.telemetry.logging import configure_logging
    from pollers.telemetry.mapping_board import Failure, MappingBoard, Shard, Task, shortened
    from pollers.telemetry.metric_lines import on_stdout
    from pollers.telemetry.metrics import Metrics, encoded
    from pollers.telemetry.output import take_over
    from pollers.telemetry.payloads import PayloadStart, base64_member, json_member, text_member
    from pollers.telemetry.recorder import Moment, Recorder
    from pollers.telemetry.series import BUCKET_SECONDS, BUCKETS, quantile
    from pollers.telemetry.sinks import Facts, Routes, Sink
    from pollers.telemetry.tracing import Traced, Traces, tracer
    from pollers.telemetry.troubles import Troubles

__all__ = [
    "BUCKETS",
    "BUCKET_SECONDS",
    "MAPPING_TASK",
    "NOT_RUN",
    "OPENING_TASK",
    "PREFIX",
    "RECEIVE_TASK",
    "Board",
    "Checkpointed",
    "DeleteRetried",
    "Deleted",
    "Depth",
    "DestinationFailed",
    "DiscardCondition",
    "Discarded",
    "Doing",
    "EndDoubted",
    "EndRevoked",
    "Expired",
    "Extended",
    "Fact",
    "Facts",
    "Failure",
    "Family",
    "Filtered",
    "Invoked",
    "Invoking",
    "Ledger",
    "Listed",
    "MappingBoard",
    "Metrics",
    "Moment",
    "Outcome",
    "PayloadStart",
    "PollFailed",
    "Polled",
    "Received",
    "Recorder",
    "Removed",
    "Returned",
    "Routes",
    "Shard",
    "ShardEnded",
    "ShardSeen",
    "Sink",
    "State",
    "Task",
    "Traced",
    "Traces",
    "Troubles",
    "WriteRefused",
    "age",
    "base64_member",
    "configure_logging",
    "encoded",
    "gauge",
    "json_member",
    "on_stdout",
    "quantile",
    "shortened",
    "take_over",
    "text_member",
    "tracer",
]
__getattr__ = lazily(
    __name__,
    {
        "board": "Board",
        "mapping_board": "Failure MappingBoard Shard Task shortened",
        "sinks": "Facts Routes Sink",
        "durations": "age",
        "facts": (
            "Checkpointed DeleteRetried Deleted Depth DestinationFailed DiscardCondition Discarded Doing "
            "EndDoubted EndRevoked Expired Extended Fact Filtered Invoked Invoking Listed MAPPING_TASK "
            "NOT_RUN OPENING_TASK Outcome PollFailed Polled RECEIVE_TASK Received Removed Returned "
            "ShardEnded ShardSeen State WriteRefused"
        ),
        "families": "Family PREFIX gauge",
        "ledger": "Ledger",
        "logging": "configure_logging",
        "metric_lines": "on_stdout",
        "metrics": "Metrics encoded",
        "output": "take_over",
        "payloads": "PayloadStart base64_member json_member text_member",
        "recorder": "Moment Recorder",
        "series": "BUCKETS BUCKET_SECONDS quantile",
        "tracing": "Traced Traces tracer",
        "troubles": "Troubles",
    },
)

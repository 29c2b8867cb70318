"""One worker's log: its own output and Headrace's lines about its invocations, each with its request id."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import structlog

from handlers.logs import (
    LOGGERS,
    RANKS,
    WORK_A_TURN,
    Allowance,
    Counts,
    Intake,
    LogEvent,
    LogTail,
    PlatformLog,
    Report,
    Share,
    StreamText,
    is_embedded_metric,
    rank,
    severity,
)
from handlers.workers.log_reader import RECORDS_A_TURN, LogQueue, LogReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from config.models import LoggingConfig

_FAREWELL = ("LAMBDA_RUNTIME", "Failed to get next invocation")
"""Words of the line that AWS's client logs as an error when it is told to exit instead of being given an invocation."""


class LogRules:
    """How a function's ``logging_config`` filters its log; shared by its workers."""

    def __init__(
        self,
        function: str,
        config: LoggingConfig,
        wall_clock: Callable[[], float],
        metric_line: Callable[[str], None] | None = None,
    ) -> None:
        """``metric_line`` gets each metric in the embedded format, as it was written; it must not block."""
        self.log = _logger(function, config)
        self.platform = PlatformLog(config, wall_clock)
        self.counts = Counts()
        self.intake_share, self.queue_share = Share(WORK_A_TURN), Share(RECORDS_A_TURN)
        self._metric_line = metric_line
        self._least = RANKS[config.application_level] if config.application_level is not None else None

    def admits(self, event: LogEvent) -> bool:
        """Whether an event goes into the log. A metric is counted, and goes into the log unless it is wanted elsewhere."""
        text = event.text
        if not text or text.isspace():
            return False
        if text[0] != "{" or event.stream is None or not is_embedded_metric(text):
            return self._least is None or self._high_enough(event, self._least)
        self.counts.metrics += 1
        if self._metric_line is not None:
            self._metric_line(text)
        return self._metric_line is None

    def _high_enough(self, event: LogEvent, least: int) -> bool:
        """Whether ``application_log_level`` lets an event pass; what Headrace itself says always does.

        A record, or a JSON object, that names no level is INFO (Lambda's rule). Plain text has no level, and always passes.
        """
        if event.stream is None:
            return True
        found = rank(event.text) if event.rank is None else event.rank
        if found is None:
            if event.stream != "log" and not event.text.startswith("{"):
                return True
            found = RANKS["INFO"]
        return found >= least


def _logger(function: str, config: LoggingConfig) -> FilteringBoundLogger:
    """Where the function's events go. A level below INFO that it asks for wins over that of Headrace's whole log."""
    name = f"{LOGGERS}.{function}"
    asked = "DEBUG" in (config.application_level, config.system_log_level) or config.application_level == "TRACE"
    logging.getLogger(name).setLevel(logging.DEBUG if asked else logging.NOTSET)
    logger: FilteringBoundLogger = structlog.get_logger(name).bind(function=function)
    return logger


@dataclass(slots=True)
class InvocationLog:
    """The log of one invocation."""

    request_id: str
    tail: LogTail = field(default_factory=LogTail)
    answered: bool = False
    """The result has been given: what the worker writes from now on is not part of it."""


class _Whose(NamedTuple):
    """Which invocation ran, or ran last, when something was read; None before the first."""

    invocation: InvocationLog | None
    late: bool
    """It had its answer already, so this is not part of its result."""


class WorkerOutput:
    """The log of one worker. Its events belong to the invocation that runs, or ran last; before the first, to none."""

    def __init__(self, rules: LogRules, pid: Callable[[], int | None]) -> None:
        self._rules = rules
        self._pid = pid
        self._queue = LogQueue(self._write, rules.queue_share)
        self._intake = Intake[_Whose](rules.intake_share, self._take)
        self._init_tail = LogTail()
        self._current: InvocationLog | None = None
        self._readers: list[LogReader] = []
        self._ending = False

    def open(self, *, framed: bool) -> tuple[int, int, int | None]:
        """Make the pipes: the worker's ends for its standard output and error, and for AWS's client's frames."""
        allowance = Allowance(self._rules.counts)
        self._readers = [LogReader(stream, allowance, self) for stream in ("stdout", "stderr")]
        stdout, stderr = self._readers
        return stdout.write_end, stderr.write_end, stdout.frame_end() if framed else None

    def started(self) -> None:
        """The worker has its ends."""
        for reader in self._readers:
            reader.started()

    def begin(self, request_id: str) -> InvocationLog:
        """An invocation begins. Everything that the worker has written before belongs to the one before, so it is read first."""
        self._settle()
        self._current = InvocationLog(request_id)
        self._add_own(self._current, self._rules.platform.start(request_id))
        return self._current

    def ending(self) -> None:
        """Headrace has told the worker to end: its client will log that as an error, which it is not."""
        self._ending = True

    def answered(self) -> None:
        """The invocation has its answer. Everything written before the answer belongs to it, a last line without an end too."""
        self._settle()
        if self._current is not None:
            self._current.answered = True

    def conclude(self, log: InvocationLog, report: Report, failure: str | None) -> None:
        """The invocation is over; ``failure`` is Headrace's line about one that it ended itself."""
        log.answered = True
        if failure is not None:
            self._add_own(log, LogEvent(failure, RANKS["ERROR"]))
        self._add_own(log, self._rules.platform.end(report))
        self._add_own(log, self._rules.platform.report(report))

    def close(self) -> None:
        """The worker has ended: read the rest."""
        for reader in self._readers:
            reader.close()

    @property
    def behind(self) -> bool:
        """Whether output that was read still waits to be parsed."""
        return self._intake.behind

    async def caught_up(self) -> None:
        """Wait until all output that was read is parsed and added to its invocation."""
        await self._intake.caught_up()

    def put(self, text: StreamText, data: bytes) -> None:
        """Called by a reader with what it has read, or without data to end a partial line."""
        current = self._current
        self._intake.put(text, data, _Whose(current, current is not None and current.answered))

    async def flush(self) -> None:
        """Wait until everything is logged."""
        await self._intake.caught_up()
        await self._queue.flush()

    def init_log(self) -> tuple[str, ...]:
        """What was written before the first invocation."""
        return self._init_tail.lines()

    def _settle(self) -> None:
        for reader in self._readers:
            reader.settle()

    def _take(self, events: list[LogEvent], whose: _Whose) -> None:
        if self._ending:
            events = [_without_alarm(event) for event in events]
        admitted, current = (
            [event for event in events if event.stream is None or self._rules.admits(event)],
            whose.invocation,
        )
        if not whose.late:
            tail = self._init_tail if current is None else current.tail
            for event in admitted:
                tail.add(event.text)
        self._queue.put(admitted, current.request_id if current is not None else None)

    def _add_own(self, log: InvocationLog, event: LogEvent | None) -> None:
        if event is None:
            return
        log.tail.add(
            event.text
        )  # in order: its own output before this has been parsed (caught_up), or is too late for the result
        if self._intake.behind:
            self._intake.put_event(event, _Whose(log, late=True))
        else:
            self._queue.put((event,), log.request_id)

    def _write(self, event: LogEvent, request_id: str | None) -> None:
        origin = {} if event.stream is None else {"stream": event.stream}
        say = getattr(self._rules.log, severity(event.text, event.rank))
        say(event.text, request_id=request_id, pid=self._pid(), **origin)


def _without_alarm(event: LogEvent) -> LogEvent:
    """The event, or at debug level the line of AWS's client about being told to exit."""
    return event._replace(rank=RANKS["DEBUG"]) if all(words in event.text for words in _FAREWELL) else event

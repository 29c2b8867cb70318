"""Metrics that are read at a scrape, not counted: the state of every mapping and function now."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pollers.schedules.views import views
from pollers.status.api_gauges import FAMILIES as API
from pollers.status.api_gauges import api_metrics
from pollers.status.schedule_gauges import FAMILIES as SCHEDULES
from pollers.status.schedule_gauges import schedule_metrics
from pollers.supervisor.mapping import MappingState
from pollers.telemetry import output
from pollers.telemetry.facts import State
from pollers.telemetry.families import PREFIX, Family, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from pollers.status.loop_monitor import LoopMonitor
    from pollers.status.snapshot import Status
    from pollers.supervisor.mapping import MappingRunner
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.board import Board
    from pollers.telemetry.mapping_board import MappingBoard


def _of_mapping(name: str, meaning: str) -> Family:
    return Family(name, "gauge", ("mapping",), meaning)


def _of_function(name: str, meaning: str) -> Family:
    return Family(name, "gauge", ("function",), meaning)


EVENTS_IN_FLIGHT = _of_mapping("events_in_flight", "events held now")
BATCHES_IN_FLIGHT = _of_mapping("batches_in_flight", "batches with the function now")
OLDEST_BATCH = _of_mapping(
    "oldest_batch_seconds", "for how long the oldest batch has been with the function; 0 without any"
)
LEDGER_BALANCE = _of_mapping("ledger_balance", "1 while every received event is accounted for")
UP = _of_mapping("up", "1 while the mapping is polling")
WAITING = _of_mapping("waiting_for_permit", "tasks that wait for a permit")
WAITING_FOR_WRITE = _of_mapping("waiting_for_write", "lanes that wait for a checkpoint to be written (streams)")
QUEUE_DEPTH = _of_mapping("queue_depth", "messages ready in the queue, approximate, sampled each 15 s (SQS)")
QUEUE_HIDDEN = _of_mapping("queue_in_flight", "messages received by somebody and not deleted, as above (SQS)")
QUEUE_DELAYED = _of_mapping("queue_delayed", "messages that are delayed, as above (SQS)")
SHARD_LAG = _of_mapping("shard_lag_seconds", "how far the shard furthest behind is behind its tip (streams)")
SHARDS = _of_mapping("shards", "shards known and not ended (streams)")
RESTARTS = Family("restarts", "counter", ("mapping",), "failures after which the mapping was started again")
STATE = Family("mapping_state", "gauge", ("mapping", "state"), "1 for the state that the mapping is in")
MAPPING_INFO = Family(
    "mapping_info",
    "gauge",
    ("mapping", "source", "function"),
    "1, with the mapping's source and function: what a mapping made by the API, whose name is a UUID, is about",
)
MAPPING_BACKLOG = _of_mapping(
    "mapping_backlog_seconds",
    "how far behind: greatest iterator age of the shards read here (streams), or how long this replica alone would need for the "
    "messages that are ready (SQS)",
)
MAPPING_UTILISATION = _of_mapping("mapping_utilisation", "running invocations, of those that are permitted: 0 to 1")
MAPPING_OPEN_SHARDS = _of_mapping("mapping_open_shards", "shards that can be read now, whoever reads them (streams)")
MAPPING_OWNED_SHARDS = _of_mapping("mapping_owned_shards", "shards that this replica reads (streams)")
BACKLOG = Family("backlog_seconds", "gauge", (), "the longest backlog of all mappings")
UTILISATION = Family(
    "utilisation", "gauge", (), "running invocations of the busiest function, of its concurrency: 0 to 1"
)
OPEN_SHARDS = Family("open_shards", "gauge", (), "shards of all mappings that can be read now, whoever reads them")
OWNED_SHARDS = Family("owned_shards", "gauge", (), "shards of all mappings that this replica reads")
SIZING = (
    (MAPPING_BACKLOG, BACKLOG, "backlog_seconds"),
    (MAPPING_UTILISATION, UTILISATION, "utilisation"),
    (MAPPING_OPEN_SHARDS, OPEN_SHARDS, "open_shards"),
    (MAPPING_OWNED_SHARDS, OWNED_SHARDS, "owned_shards"),
)
"""What an autoscaler asks for: of each mapping, of all, and its name in ``/api/scaling``."""
WORKERS = _of_function("workers", "started workers; for functions without workers, 0")
WORKERS_BUSY = _of_function("workers_busy", "invocations that run")
LOG_LINES_DROPPED = Family(
    "log_lines_dropped", "counter", ("function",), "lines of workers dropped because there were too many"
)
EMBEDDED_METRICS = Family(
    "embedded_metrics", "counter", ("function",), "metrics that workers printed in the embedded metric format"
)
CONCURRENCY = _of_function("concurrency", "invocations at most at a time")
PERMITS = _of_function("permits_held", "permits held by all callers of the function")
LIVE = Family("live", "gauge", (), "1 while /healthz answers 200")
READY = Family("ready", "gauge", (), "1 while /readyz answers 200")
LOOP_LAG = Family(
    "loop_lag_seconds", "gauge", (), "how late the event loop's timers were at worst in the last half minute"
)
OUTPUT_LINES_DROPPED = Family(
    "output_lines_dropped",
    "counter",
    ("stream",),
    "lines of Headrace's own stdout and stderr that were dropped because nobody read them fast enough",
)
INFO = Family("info", "gauge", ("version",), "1, with Headrace's version")

READ = (
    EVENTS_IN_FLIGHT,
    BATCHES_IN_FLIGHT,
    OLDEST_BATCH,
    LEDGER_BALANCE,
    UP,
    STATE,
    MAPPING_INFO,
    RESTARTS,
    WAITING,
    WAITING_FOR_WRITE,
    QUEUE_DEPTH,
    QUEUE_HIDDEN,
    QUEUE_DELAYED,
    SHARD_LAG,
    SHARDS,
    *(family for pair in SIZING for family in pair[:2]),
    WORKERS,
    WORKERS_BUSY,
    LOG_LINES_DROPPED,
    EMBEDDED_METRICS,
    CONCURRENCY,
    PERMITS,
    LIVE,
    READY,
    LOOP_LAG,
    OUTPUT_LINES_DROPPED,
    INFO,
    *SCHEDULES,
    *API,
)
"""Every metric that is read at a scrape."""


class Gauges(Collector):
    """Reads the runtime and the board whenever it is asked."""

    def __init__(self, runtime: Runtime, board: Board, monitor: LoopMonitor, status: Status) -> None:
        self._runtime = runtime
        self._board = board
        self._monitor = monitor
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus-client asks for them."""
        yield from self._mappings()
        yield from self._sizes()
        yield from self._functions()
        yield gauge(LIVE, {"": float(not self._status.problems())})
        yield gauge(READY, {"": float(not self._status.unready())})
        yield gauge(LOOP_LAG, {"": self._monitor.lag(anyio.current_time())})
        yield _counter(OUTPUT_LINES_DROPPED, output.current.dropped() if output.current is not None else {})
        yield gauge(INFO, {version("headrace"): 1.0})
        yield from schedule_metrics(lambda: views(self._runtime.services))
        yield from api_metrics(self._runtime.services)

    def _mappings(self) -> Iterable[Metric]:
        now = anyio.current_time()
        runners = self._runtime.mappings
        of: dict[str, tuple[MappingRunner, MappingBoard]] = {n: (r, self._board.of(n)) for n, r in runners.items()}

        def drawn(family: Family, read: Callable[[MappingRunner, MappingBoard], float | None]) -> GaugeMetricFamily:
            values = {name: read(*both) for name, both in of.items()}
            return gauge(family, {name: value for name, value in values.items() if value is not None})

        yield drawn(EVENTS_IN_FLIGHT, lambda runner, _: runner.ledger.in_flight)
        yield drawn(BATCHES_IN_FLIGHT, lambda _, board: len(board.flights))
        yield drawn(OLDEST_BATCH, lambda _, board: board.oldest_flight(now) or 0.0)
        yield drawn(LEDGER_BALANCE, lambda runner, _: float(runner.balanced))
        yield drawn(UP, lambda runner, _: float(runner.state is MappingState.RUNNING))
        yield _states(runners)
        yield _infos(runners)
        yield _counter(RESTARTS, {name: runner.restarts for name, runner in runners.items()})
        yield drawn(WAITING, lambda _, board: _count(board, State.WAITING_FOR_PERMIT))
        yield drawn(WAITING_FOR_WRITE, lambda _, board: _count(board, State.WAITING_FOR_WRITE))
        yield drawn(QUEUE_DEPTH, lambda _, board: _depth(board, "visible"))
        yield drawn(QUEUE_HIDDEN, lambda _, board: _depth(board, "in_flight"))
        yield drawn(QUEUE_DELAYED, lambda _, board: _depth(board, "delayed"))
        yield drawn(SHARD_LAG, lambda _, board: board.iterator_age(now))
        yield drawn(SHARDS, lambda _, board: sum(not s.ended for s in board.shards.values()) if board.shards else None)

    def _sizes(self) -> Iterable[Metric]:
        sizings = dict(self._status.sizings())
        total = self._status.overall(sizings.values())
        for of_mapping, of_all, name in SIZING:
            yield gauge(of_mapping, {mapping: getattr(one, name) for mapping, one in sizings.items()})
            yield gauge(of_all, {"": getattr(total, name)})

    def _functions(self) -> Iterable[Metric]:
        hosts = self._runtime.functions
        states = {name: host.function.status() for name, host in hosts.items() if host.function is not None}
        yield gauge(WORKERS, {name: state.workers for name, state in states.items()})
        yield gauge(WORKERS_BUSY, {name: state.busy for name, state in states.items()})
        yield _counter(LOG_LINES_DROPPED, {name: state.log_lines_dropped_total for name, state in states.items()})
        yield _counter(EMBEDDED_METRICS, {name: state.embedded_metrics_total for name, state in states.items()})
        yield gauge(CONCURRENCY, {name: host.permits.concurrency for name, host in hosts.items()})
        yield gauge(PERMITS, {name: host.permits.held for name, host in hosts.items()})


def _depth(board: MappingBoard, which: str) -> float | None:
    return None if board.depth is None else getattr(board.depth, which)


def _count(board: MappingBoard, state: State) -> int:
    return sum(task.doing.state is state for task in board.tasks.values())


def _counter(family: Family, values: dict[str, int]) -> CounterMetricFamily:
    found = CounterMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for name, value in values.items():
        found.add_metric([name], value)
    return found


def _states(runners: dict[str, MappingRunner]) -> GaugeMetricFamily:
    drawn = GaugeMetricFamily(PREFIX + STATE.name, STATE.meaning, labels=STATE.labels)
    for name, runner in runners.items():
        for state in MappingState:
            drawn.add_metric([name, state.value], float(runner.state is state))
    return drawn


def _infos(runners: dict[str, MappingRunner]) -> GaugeMetricFamily:
    drawn = GaugeMetricFamily(PREFIX + MAPPING_INFO.name, MAPPING_INFO.meaning, labels=MAPPING_INFO.labels)
    for name, runner in runners.items():
        drawn.add_metric([name, runner.model.event_source_arn, runner.host.name], 1.0)
    return drawn

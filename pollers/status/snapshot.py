"""Everything that the console, ``headrace status``, ``headrace top``, health and the gauges show: one snapshot, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio

from config.models import ProvidedFunction, PythonFunction
from pollers.clocks.clock import Clock, SystemClock
from pollers.made_mappings.views import waiting_documents
from pollers.resources.views import settings_document
from pollers.schedules.views import problems as schedule_problems
from pollers.schedules.views import views
from pollers.sources.registry import concurrency_limit, kind_of
from pollers.status import asynchronous
from pollers.status.health import Problem, Vitals, stalls, unready
from pollers.status.scaling import Sizing, overall, sizing
from pollers.status.sentences import Surrounding, sentence
from pollers.supervisor.mapping import MappingRunner, MappingState
from pollers.telemetry.mapping_board import shortened
from pollers.telemetry.series import BUCKET_SECONDS, BUCKETS, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pollers.functions.host import FunctionHost
    from pollers.invocations import QueueSnapshot
    from pollers.status.loop_monitor import LoopMonitor
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.board import Board
    from pollers.telemetry.mapping_board import Failure, MappingBoard, Shard

RATE_SECONDS = 15.0
"""The time over which rates and latencies are calculated."""
RECENT_BUCKETS = 3
"""How many buckets of the series a snapshot has by default, for readers that have the earlier ones already."""


class Status:
    """Reads the runtime, the board and the asynchronous ``queue``, where there is one. Every method is synchronous and cheap."""

    def __init__(
        self,
        runtime: Runtime,
        board: Board,
        monitor: LoopMonitor,
        *,
        payloads: bool = False,
        clock: Clock | None = None,
        queue: Callable[[], QueueSnapshot] | None = None,
    ) -> None:
        self._runtime = runtime
        self._board = board
        self._monitor = monitor
        self._payloads = payloads
        self._clock = clock or SystemClock()
        self._queue = queue
        self.started_at = self._clock.time()

    def problems(self) -> list[Problem]:
        """Why the process is not live; none when it is."""
        now = anyio.current_time()
        found = [
            problem
            for runner in self._runtime.mappings.values()
            for problem in stalls(self._board.of(runner.name), self._vitals(runner), now)
        ]
        found += [Problem(None, f"the {task} has died") for task in self._monitor.dead()]
        return found

    def unready(self) -> list[Problem]:
        """Why the process is not ready; none when it is. Includes what makes it not live."""
        found = self.problems()
        if self._runtime.stopping:
            found.append(Problem(None, "shutting down"))
        for runner in self._runtime.mappings.values():
            found += unready(self._board.of(runner.name), self._vitals(runner))
        found += [
            Problem(None, f"the {service.name} broke down and starts again: {shortened(service.problem)}")
            for service in self._runtime.service_runners
            if service.problem is not None
        ]
        if self._queue is not None:
            found += asynchronous.problems(self._queue())
        found += [Problem(None, shortened(problem)) for problem in schedule_problems(self._runtime.services)]
        return found

    def _vitals(self, runner: MappingRunner) -> Vitals:
        function = runner.host.function
        timeout = function.timeout_seconds if function is not None else runner.host.model.timeout
        return Vitals(
            runner.name,
            runner.state,
            runner.problem,
            runner.state_since,
            timeout,
            self._runtime.config.runtime.shutdown_grace,
        )

    def snapshot(self, *, series: bool = False) -> dict[str, Any]:
        """The whole snapshot: :meth:`summary`, the ``schedules`` and the ``mappings``."""
        return {
            **self.summary(),
            "schedules": list(self.schedules()),
            "mappings": list(self.mappings(series=series)),
        }

    def summary(self) -> dict[str, Any]:
        """The process as a whole, and its functions."""
        live, ready = self.problems(), self.unready()
        queue, now = self._queue() if self._queue is not None else None, self._clock.time()
        events = queue.functions if queue is not None else {}
        return {
            "now": now,
            "started_at": self.started_at,
            "stopping": self._runtime.stopping,
            "live": not live,
            "ready": not ready,
            "problems": [asdict(problem) for problem in ready],
            "loop_lag_seconds": round(self._monitor.lag(anyio.current_time()), 4),
            "functions": [
                {
                    **_function(host),
                    "asynchronous": asynchronous.of_function(events[name], now) if name in events else None,
                    "settings": settings_document(self._runtime.services, name),
                }
                for name, host in self._runtime.functions.items()
            ],
            "asynchronous": asynchronous.document(queue, self._runtime.functions, now) if queue is not None else None,
            "waiting_mappings": waiting_documents(self._runtime.services),
        }

    def schedules(self) -> Iterator[dict[str, Any]]:
        """One schedule after the other."""
        for view in views(self._runtime.services):
            yield view.as_dict()

    def mappings(self, *, series: bool = False) -> Iterator[dict[str, Any]]:
        """One mapping after the other. ``series`` is the last fifteen minutes, or only the end of them."""
        for name in list(self._runtime.mappings):
            if (runner := self._runtime.mappings.get(name)) is not None:
                yield self._mapping(runner, series=series)

    def sizings(self) -> Iterator[tuple[str, Sizing]]:
        """What an autoscaler asks of each mapping, one after the other; zeros for those that do not run."""
        for name in list(self._runtime.mappings):
            if (runner := self._runtime.mappings.get(name)) is not None:
                yield name, self._sizing(runner)

    def _sizing(self, runner: MappingRunner) -> Sizing:
        if runner.state is not MappingState.RUNNING:
            return Sizing()
        concurrency, limit = runner.host.permits.concurrency, concurrency_limit(runner.model)
        permitted = concurrency if limit is None else min(concurrency, limit)
        backlog = kind_of(runner.model).shown.backlog
        return sizing(self._board.of(runner.name), backlog, permitted, anyio.current_time())

    def overall(self, sizings: Iterable[Sizing]) -> Sizing:
        """The same of the process as a whole, from what :meth:`sizings` gave."""
        hosts = self._runtime.functions.values()
        busy = [(host.function.status().busy, host.permits.concurrency) for host in hosts if host.function is not None]
        return overall(sizings, busy)

    def history(self) -> Iterator[dict[str, Any]]:
        """Each mapping's last fifteen minutes, one after the other."""
        for name in list(self._runtime.mappings):
            if name in self._runtime.mappings:
                yield {"name": name, "series": self._board.of(name).series.as_columns(anyio.current_time())}

    def _mapping(self, runner: MappingRunner, *, series: bool) -> dict[str, Any]:
        now = anyio.current_time()
        board = self._board.of(runner.name)
        model, kind = runner.model, kind_of(runner.model)
        return {
            "name": runner.name,
            "source": model.event_source_arn,
            "kind": kind.names.form(model),
            "label": kind.names.label(model),
            "backlog": kind.shown.backlog.value,
            "function": runner.host.name,
            "made_by_api": runner.name not in self._runtime.given.event_source_mappings,
            "state": runner.state.value,
            "sentence": self.sentence(runner),
            "problem": shortened(runner.problem) if runner.problem else None,
            "restarts": runner.restarts,
            "ledger": {**runner.ledger.as_dict(), "balanced": runner.balanced},
            "depth": asdict(board.depth) if board.depth is not None else None,
            "iterator_age_seconds": board.iterator_age(now) if runner.state is MappingState.RUNNING else None,
            "batches_in_flight": len(board.flights),
            "oldest_batch_seconds": board.oldest_flight(now),
            **_rates(board, now),
            "shards": [_shard(name, shard) for name, shard in board.shards.items()],
            "failures": [self._failure(failure) for failure in reversed(board.failures)],
            "series": board.series.as_columns(now, BUCKETS if series else RECENT_BUCKETS),
        }

    def sentence(self, runner: MappingRunner) -> str:
        """Why the mapping is idle, or what it is busy with."""
        around = Surrounding(
            runner.state,
            kind_of(runner.model).shown.backlog,
            runner.problem,
            runner.host.permits.held,
            runner.host.permits.concurrency,
            "workers" if isinstance(runner.host.model, PythonFunction | ProvidedFunction) else "invocations",
        )
        return sentence(self._board.of(runner.name), around, anyio.current_time())

    def _failure(self, failure: Failure) -> dict[str, Any]:
        shown = {
            "at": failure.at,
            "request_id": failure.request_id,
            "outcome": failure.outcome,
            "error": failure.error,
            "count": failure.count,
            "ids": list(failure.ids),
        }
        if self._payloads:
            shown["payload"] = failure.payload.decode("utf-8", "replace")
        return shown


def _rates(board: MappingBoard, now: float) -> dict[str, Any]:
    buckets = board.series.recent(now, RATE_SECONDS)
    seconds = BUCKET_SECONDS * len(buckets)
    # Counts and latencies include the bucket that is being filled; rates do not, as it is not a whole period yet.
    filling = board.series.current(now)
    until_now = buckets if buckets[-1] is filling else [*buckets, filling]
    durations = [duration for bucket in until_now for duration in bucket.durations]
    return {
        "received_per_second": sum(bucket.received for bucket in buckets) / seconds,
        "done_per_second": sum(bucket.done for bucket in buckets) / seconds,
        "batches_per_second": sum(bucket.invocations for bucket in buckets) / seconds,
        "failed_recently": sum(bucket.failed for bucket in until_now),
        "latency_seconds": {f"p{share}": quantile(durations, share / 100) for share in (50, 95, 99)},
    }


def _shard(name: str, shard: Shard) -> dict[str, Any]:
    return {
        "id": name,
        "parents": list(shard.parents),
        "ended": shard.ended,
        "elsewhere": shard.elsewhere,
        "behind": shard.behind,
    }


def _function(host: FunctionHost) -> dict[str, Any]:
    function = host.function
    status = function.status() if function is not None else None
    return {
        "name": host.name,
        "runtime": getattr(host.model, "runtime", "python"),
        "state": host.state.value,
        "concurrency": host.permits.concurrency,
        "permits_held": host.permits.held,
        "workers": status.workers if status is not None else 0,
        "busy": status.busy if status is not None else 0,
        "started_total": status.started_total if status is not None else 0,
        "log_lines_dropped_total": status.log_lines_dropped_total if status is not None else 0,
        "problem": (status.problem if status is not None else None) or host.problem,
    }

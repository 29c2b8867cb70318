"""OpenTelemetry traces, where the extra ``otel`` is installed and traces are asked for.

A batch has a span, with links to the senders of its messages, and below it a span for each invocation.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from pollers.clocks.clock import Clock, SystemClock
from pollers.telemetry.facts import (
    MAPPING_TASK,
    NOT_RUN,
    Doing,
    Expired,
    Invoked,
    Invoking,
    Outcome,
    Removed,
    Returned,
    State,
)
from pollers.telemetry.mapping_board import shortened
from pollers.telemetry.trace_headers import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.trace import Link, Span, Tracer

    from pollers.telemetry.facts import Fact
    from pollers.telemetry.sinks import Routes

log = structlog.stdlib.get_logger(__name__)

ASKED_FOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SWITCH = "HEADRACE_OTEL"
"""1: trace, also with the exporter's default endpoint; 0: do not trace, even if other variables ask for it."""
LAST_TRACES_SECONDS = 0.2
"""How long the last spans may take to be exported when the process stops."""


def wanted(environ: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Whether the environment asks for traces, by OpenTelemetry's own variables or by :data:`SWITCH`."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    switch = environ.get(SWITCH)
    return switch == "1" or (switch != "0" and any(environ.get(name) for name in ASKED_FOR))


@contextmanager
def tracer() -> Iterator[Tracer | None]:
    """A tracer that exports over OTLP (HTTP), flushed at the end; None where traces are not asked for or not installed.

    A provider that is set up already (by ``opentelemetry-instrument``) is used unchanged.
    """
    if not wanted():
        yield None
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        log.warning("no traces: install headrace[otel]", missing=missing.name)
        yield None
        return
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        yield current.get_tracer("headrace")
        return
    named = Resource({SERVICE_NAME: "headrace"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=Resource.create().merge(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield provider.get_tracer("headrace")
    finally:
        # In a thread, with a bound: shutdown itself waits without end for a collector that does not answer.
        last = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(LAST_TRACES_SECONDS)


@dataclass(frozen=True, slots=True)
class Traced:
    """A mapping as its spans name it: ``system`` is OpenTelemetry's word for the source's service, ``source`` the queue's,
    stream's or table's own name."""

    mapping: str
    function: str
    system: str
    source: str
    region: str


class Traces:
    """The sink. ``named`` gives a mapping's names. The number of open spans is bounded by the batches with the function."""

    wants_trace_headers = True

    def __init__(self, tracer: Tracer, named: Callable[[str], Traced], clock: Clock | None = None) -> None:
        self._tracer = tracer
        self._named = named
        self._clock = clock or SystemClock()

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        batches = Batches(self._tracer, self._named(mapping), self._clock)
        return {
            Invoking: batches.invoking,
            Invoked: batches.invoked,
            Returned: batches.given_up,
            Expired: batches.given_up,
            Doing: batches.restarted,
            Removed: lambda _: batches.end_all(),
        }

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Not supported: the state of open spans is kept in the routes of a mapping."""
        raise TypeError("ask for the routes of a mapping")


class Batches:
    """The spans of one mapping's batches."""

    def __init__(self, tracer: Tracer, named: Traced, clock: Clock) -> None:
        from opentelemetry import trace

        self._trace = trace
        self._tracer = tracer
        self._time = clock.time
        self._open: dict[tuple[str, str], Span] = {}
        self._invocations: dict[str, tuple[Span, Span, tuple[str, str]]] = {}
        self._attributes: dict[str, Any] = {
            "messaging.system": named.system,
            "messaging.operation.type": "process",
            "messaging.destination.name": named.source,
            "headrace.mapping": named.mapping,
            "cloud.region": named.region,
        }
        self._function = named.function
        self._name = f"process {named.mapping}"

    def invoking(self, fact: Invoking) -> None:
        """A batch begins, or goes to the function again."""
        now = self._time()
        key = (fact.source, fact.ids[0] if fact.ids else "")
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = self._begin(fact, now - fact.gather_seconds)
        child = self._tracer.start_span(
            f"invoke {self._function}",
            self._trace.set_span_in_context(batch),
            self._trace.SpanKind.CLIENT,
            {
                "faas.invoked_name": self._function,
                "faas.invocation_id": fact.request_id,
                "headrace.attempt": fact.attempt,
                "messaging.message.body.size": fact.size_bytes,
            },
            start_time=_nanoseconds(now),
        )
        self._invocations[fact.request_id] = batch, child, key

    def _begin(self, fact: Invoking, began: float) -> Span:
        attributes = {**self._attributes, "messaging.batch.message_count": len(fact.ids)}
        if fact.source:
            attributes["messaging.destination.partition.id"] = fact.source
        if fact.iterator_age_seconds is not None:
            attributes["headrace.iterator_age_seconds"] = fact.iterator_age_seconds
        kind = self._trace.SpanKind.CONSUMER
        links = self._links(fact.trace_headers)
        # A trace of its own: a span of another task that is current here is not its parent.
        nothing = self._trace.set_span_in_context(self._trace.INVALID_SPAN)
        return self._tracer.start_span(self._name, nothing, kind, attributes, links, _nanoseconds(began))

    def _links(self, headers: Sequence[str]) -> list[Link]:
        contexts = [context for header in headers if (context := parsed(header)) is not None]
        return [
            self._trace.Link(
                self._trace.SpanContext(
                    one.trace_id, one.span_id, is_remote=True, trace_flags=self._trace.TraceFlags(int(one.sampled))
                )
            )
            for one in contexts
        ]

    def invoked(self, fact: Invoked) -> None:
        """An invocation ended, and its batch with it unless it is tried again."""
        batch, child, key = self._invocations.pop(fact.request_id, (None, None, None))
        if batch is None or child is None or key is None:
            return
        end = _nanoseconds(self._time())
        for span in (child, batch):
            span.set_attribute("headrace.outcome", fact.outcome.value)
            if fact.failed_ids:
                span.set_attribute("headrace.failed_event_count", len(fact.failed_ids))
            if fact.outcome not in (Outcome.SUCCESS, Outcome.PARTIAL):
                span.set_status(self._trace.StatusCode.ERROR, shortened(fact.error or fact.outcome))
        child.end(end)
        # After NOT_RUN the same batch is invoked again, so its span stays open.
        if fact.outcome not in NOT_RUN:
            self._open.pop(key, None)
            batch.end(end)

    def given_up(self, fact: Returned | Expired) -> None:
        """End the spans of batches that are returned instead of invoked again."""
        if self._open:
            source = fact.source if isinstance(fact, Returned) else ""
            for one in fact.ids:
                batch = self._open.get((source, one))
                if batch is not None and not any(known is batch for known, _, _ in self._invocations.values()):
                    del self._open[source, one]
                    batch.end(_nanoseconds(self._time()))

    def restarted(self, fact: Doing) -> None:
        """End all spans when a new poller starts: it does not continue the batches of the last one."""
        if fact.task == MAPPING_TASK and fact.state is State.STARTING:
            self.end_all()

    def end_all(self) -> None:
        """End every open span."""
        for _, child, _ in self._invocations.values():
            child.end()
        for batch in self._open.values():
            batch.end()
        self._invocations.clear()
        self._open.clear()


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)

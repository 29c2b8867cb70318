"""Traces: a span a batch with links to its messages' senders, a child for each invocation, and nothing where
traces are not asked for.
"""

from __future__ import annotations

import gzip
import random
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp.test_utils import unused_port
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from config.models import KinesisMapping, SqsMapping
from handlers.function import InfrastructureError, Result, Throttle
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.registry import traced
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.poller import SqsPoller
from pollers.sources.sqs.trace_header import trace_header
from pollers.telemetry.facts import Doing, Invoked, Invoking, Outcome, Removed, Returned, State
from pollers.telemetry.sinks import Facts
from pollers.telemetry.trace_headers import TraceContext, parsed
from pollers.telemetry.tracing import Traces, tracer, wanted
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.sqs_world import FAILED, OK, Call, ScriptedFunction, sqs_mapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from config.models import Mapping

XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
XRAY_IDS = (0x5759E988BD862E3FE1BE46A994272793, 0x53995C3F42CD8AD8)
W3C = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
QUEUE = SqsMapping(
    name="orders", event_source_arn="arn:aws:sqs:eu-west-1:000000000000:orders-queue", function_name="work"
)
STREAM = KinesisMapping(
    name="clicks",
    event_source_arn="arn:aws:kinesis:eu-west-1:000000000000:stream/clicks-stream",
    function_name="work",
    starting_position="LATEST",
)


class Collected:
    """A tracer whose spans are kept, and the facts of one mapping that go to it."""

    def __init__(self, mapping: Mapping = QUEUE) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.sink = Traces(self.provider.get_tracer("test"), lambda _: traced(mapping))
        self.facts = Facts(mapping.name, [self.sink], traced=True)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        """Ended batches (CONSUMER) or invocations (CLIENT)."""
        return [span for span in self.spans if span.kind is kind]


def test_a_batch_is_a_span_with_its_invocation_below_and_links_to_its_senders() -> None:
    """X-Ray's header and W3C's, each sender linked once; times from gathering to the end."""
    told = Collected()
    headers = ["nonsense", XRAY, W3C]
    told.facts.emit(Invoking("", ["1", "2"], "r-1", 200, gather_seconds=3.0, trace_headers=headers))
    assert told.spans == []
    told.facts.emit(Invoked("", ["1", "2"], "r-1", Outcome.PARTIAL, 0.1, ["2"]))
    [batch], [invocation] = told.of(SpanKind.CONSUMER), told.of(SpanKind.CLIENT)
    assert (batch.name, batch.parent) == ("process orders", None)
    assert invocation.name == "invoke work"
    assert invocation.parent is not None
    assert batch.context is not None
    assert invocation.parent.span_id == batch.context.span_id
    assert [(f"{link.context.trace_id:032x}", link.context.trace_flags) for link in batch.links] == [
        ("5759e988bd862e3fe1be46a994272793", 1),
        ("0af7651916cd43dd8448eb211c80319c", 0),
    ]
    assert batch.attributes is not None
    expected = {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": "orders-queue",
        "messaging.batch.message_count": 2,
        "headrace.mapping": "orders",
        "headrace.outcome": "partial",
        "headrace.failed_event_count": 1,
    }
    assert expected.items() <= dict(batch.attributes).items()
    assert batch.start_time is not None
    assert invocation.start_time is not None
    assert 2.9e9 < invocation.start_time - batch.start_time < 3.1e9
    assert batch.status.status_code is StatusCode.UNSET


def test_a_failed_batch_of_a_stream_tells_its_shard_and_its_error() -> None:
    """Each try of a failed batch is a span of its own, so that none stays open for days."""
    told = Collected(STREAM)
    for attempt in (1, 2):
        request = f"r-{attempt}"
        told.facts.emit(Invoking("shard-1", ["7"], request, 1, attempt, iterator_age_seconds=1.5))
        told.facts.emit(Invoked("shard-1", ["7"], request, Outcome.ERROR, 0.1, error="Boom: " + "x" * 9_000))
    first, second = told.of(SpanKind.CONSUMER)
    assert first.attributes is not None
    assert first.attributes["messaging.destination.partition.id"] == "shard-1"
    assert second.status.status_code is StatusCode.ERROR
    assert second.status.description is not None
    assert len(second.status.description) < 1_000


def test_a_throttled_batch_is_one_span_over_its_tries() -> None:
    """It is the same batch that waits and goes again."""
    told = Collected()
    for attempt, outcome in ((1, Outcome.THROTTLE), (2, Outcome.INFRASTRUCTURE), (3, Outcome.SUCCESS)):
        told.facts.emit(Invoking("", ["1"], f"r-{attempt}", 1, attempt))
        told.facts.emit(Invoked("", ["1"], f"r-{attempt}", outcome, 0.1))
    assert (len(told.of(SpanKind.CONSUMER)), len(told.of(SpanKind.CLIENT))) == (1, 3)


@pytest.mark.parametrize("end", [Returned("", ["1", "2"], 0, "stopping"), Doing("mapping", State.STARTING), Removed()])
def test_a_batch_that_is_never_tried_again_is_not_left_open(end: Returned | Doing | Removed) -> None:
    """It goes back, its poller is replaced, its mapping is removed."""
    told = Collected()
    told.facts.emit(Invoking("", ["1", "2"], "r-1", 1))
    told.facts.emit(Invoked("", ["1", "2"], "r-1", Outcome.THROTTLE, 0.1))
    assert told.of(SpanKind.CONSUMER) == []
    told.facts.emit(end)
    assert len(told.of(SpanKind.CONSUMER)) == 1


@pytest.mark.parametrize(
    ("header", "context"),
    [
        (XRAY, TraceContext(*XRAY_IDS, True)),
        (XRAY.replace("Sampled=1", "Sampled=0").replace(";", " ; "), TraceContext(*XRAY_IDS, False)),
        ("Self=1-1-1;" + XRAY + ";Lineage=a:0", TraceContext(*XRAY_IDS, True)),
        (W3C.upper(), TraceContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, False)),
        ("Root=1-5759e988-bd862e3fe1be46a994272793", None),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", None),
        ("", None),
    ],
)
def test_headers_are_read_in_both_spellings(header: str, context: TraceContext | None) -> None:
    """Without a span to link to there is nothing to link."""
    assert parsed(header) == context


@given(st.text())
def test_any_header_is_read_or_passed_over(header: str) -> None:
    """What others write into a message breaks nothing."""
    parsed(header)


def test_a_senders_own_header_comes_before_x_rays() -> None:
    """Both may be there; a message without any is linked to nothing."""
    attributes = {"AWSTraceHeader": XRAY}
    own = {"traceparent": {"StringValue": W3C, "DataType": "String"}}
    assert trace_header({"Attributes": attributes, "MessageAttributes": own}) == W3C
    assert (
        trace_header({"Attributes": attributes, "MessageAttributes": {"traceparent": {"BinaryValue": "AA=="}}}) == XRAY
    )
    assert trace_header({"Attributes": attributes}) == XRAY
    assert trace_header({}) is None


@asynccontextmanager
async def polling(told: Collected, queue: Queue, results: list[Result]) -> AsyncIterator[None]:
    """A real poller whose function answers ``results`` in turn, then accepts."""

    async def answer(call: Call) -> Result:
        return results.pop(0) if results else OK

    stop = Stop()
    around = Surroundings(
        ScriptedFunction(answer),
        Permits(5).claim(),
        told.facts,
        SQS.shown.first_payload,
        stop,
        virtual_time.VirtualClock(),
        random.Random(1),
    )
    async with anyio.create_task_group() as group:
        group.start_soon(SqsPoller(sqs_mapping(queue), MemorySqs(queue), around).run)
        yield
        stop.request()


@virtual_time.test
async def test_the_queues_poller_hands_on_its_messages_trace_headers() -> None:
    """From the wire to the link, over a throttle, a lost worker and a failure."""
    told, queue = Collected(), Queue("orders", visibility_seconds=30)
    queue.put("m1", trace_header=XRAY)
    async with polling(told, queue, [Throttle("slow"), InfrastructureError("lost"), FAILED]):
        await virtual_time.eventually(lambda: not queue.messages)
    batches = told.of(SpanKind.CONSUMER)
    assert [f"{span.links[0].context.span_id:x}" for span in batches] == ["53995c3f42cd8ad8"] * 2
    assert [(span.attributes or {})["headrace.outcome"] for span in batches] == ["error", "success"]
    assert len(told.of(SpanKind.CLIENT)) == 4


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"HEADRACE_OTEL": "1"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "HEADRACE_OTEL": "0"}, False),
        ({"HEADRACE_OTEL": "1", "OTEL_SDK_DISABLED": "true"}, False),
        ({"HEADRACE_OTEL": "1", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_environment_decides(environment: dict[str, str], asked: bool) -> None:
    """OpenTelemetry's own variables, and one of ours."""
    assert wanted(environment) is asked


def test_nothing_is_imported_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing that is off costs nothing, and tracing that is not installed is logged, not raised."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delenv("HEADRACE_OTEL", raising=False)
    with tracer() as made:
        assert made is None
    monkeypatch.setenv("HEADRACE_OTEL", "1")
    with tracer() as made:
        assert made is None


def test_spans_reach_a_collector_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTLP over HTTP, flushed when the tracer is closed, named as OTEL_SERVICE_NAME says."""
    with collector() as (url, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "orders-headrace")
        with tracer() as made:
            assert made is not None
            facts = Facts("orders", [Traces(made, lambda _: traced(QUEUE))])
            facts.emit(Invoking("", ["1"], "r-1", 1))
            facts.emit(Invoked("", ["1"], "r-1", Outcome.SUCCESS, 0.1))
        last_traces_are_out()
        assert any(b"process orders" in body and b"orders-headrace" in body for body in received)


def test_a_collector_that_is_away_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the process waits for it a few seconds at most."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    began = time.monotonic()
    with tracer() as made:
        assert made is not None
        made.start_span("lost").end()
    assert time.monotonic() - began < 60


def last_traces_are_out() -> None:
    """Nobody waits for them for long, since a collector may be away."""
    for thread in threading.enumerate():
        if thread.name == "last traces":
            thread.join(60)


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Takes what is posted to it."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()

"""Metrics of Lambda's API and of function URLs, read at a scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from pollers.lambda_api import LambdaApiService
from pollers.lambda_api.counts import OUTCOMES
from pollers.telemetry.families import PREFIX, Family, gauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

REQUESTS = Family("api_requests", "counter", ("operation", "status"), "requests that Lambda's API and URLs answered")
INVOCATIONS = Family(
    "api_invocations",
    "counter",
    ("function", "outcome"),
    "synchronous invocations, by URLs too: `success`, `error` of the function, `throttled`, `not_run`: out of reach",
)
DURATIONS = Family(
    "api_invocation_duration_seconds", "histogram", ("function",), "how long synchronous invocations took"
)
UNDER_WAY = Family("api_requests_under_way", "gauge", (), "requests that are being answered")
HELD = Family("api_body_bytes", "gauge", (), "bytes of requests and of answers that are held")
FAMILIES = (REQUESTS, INVOCATIONS, DURATIONS, UNDER_WAY, HELD)


def api_metrics(services: Iterable[object]) -> Iterable[Metric]:
    """The families of the API among the services of a process, if it is served."""
    for service in services:
        if isinstance(service, LambdaApiService):
            yield from _of(service)


def _of(api: LambdaApiService) -> Iterable[Metric]:
    requests = CounterMetricFamily(PREFIX + REQUESTS.name, REQUESTS.meaning, labels=REQUESTS.labels)
    for (operation, status), count in api.counts.requests.items():
        requests.add_metric([operation, str(status)], count)
    yield requests
    invocations = CounterMetricFamily(PREFIX + INVOCATIONS.name, INVOCATIONS.meaning, labels=INVOCATIONS.labels)
    durations = HistogramMetricFamily(PREFIX + DURATIONS.name, DURATIONS.meaning, labels=DURATIONS.labels)
    for name, calls in api.counts.functions.items():
        for outcome in OUTCOMES:
            invocations.add_metric([name, outcome], calls.outcomes[outcome])
        calls.durations.add_to(durations, [name])
    yield invocations
    yield durations
    yield gauge(UNDER_WAY, {"": api.server.requests})
    yield gauge(HELD, {"": api.server.bodies.held_bytes})

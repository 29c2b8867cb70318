"""Prometheus metrics: Lambda's event source mapping metrics under their own names in snake case, and what Lambda hides.

docs/lambda 7.1. Labels are names of mappings and functions and words of ours, never ids. So their number is bounded, and the labels
of a removed mapping go with it. Counting is a few additions a batch; prometheus-client's families are made at a scrape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pollers.telemetry.facts import Removed
from pollers.telemetry.families import (
    COUNTERS,
    DISCARDED,
    HISTOGRAMS,
    INVOCATIONS,
    ITERATOR_AGE,
    POLL_FAILURES,
    PREFIX,
    Family,
    gauge,
)
from pollers.telemetry.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from pollers.telemetry.facts import Fact
    from pollers.telemetry.sinks import Routes


class Metrics(Collector):
    """The sink, and the collector that prometheus-client asks at a scrape. Other collectors may be registered in ``registry``."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        tally = self._tallies.setdefault(mapping, Tally())
        return {**tally.handlers(), Removed: lambda _: self.forget(mapping)}

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Count one fact."""
        take = self.routes(mapping).get(type(fact))
        if take is not None:
            take(fact)

    def forget(self, mapping: str) -> None:
        """Drop a mapping that was removed, with its labels."""
        self._tallies.pop(mapping, None)

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus-client asks for them."""
        tallies = dict(self._tallies)
        for name, family in COUNTERS.items():
            yield _labelled(family, (((mapping,), getattr(tally, name)) for mapping, tally in tallies.items()))
        yield _labelled(POLL_FAILURES, _by(tallies, "poll_failures"))
        yield _labelled(INVOCATIONS, _by(tallies, "outcomes"))
        yield _labelled(DISCARDED, _by(tallies, "discarded_by"))
        for name, family in HISTOGRAMS.items():
            drawn = HistogramMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
            for mapping, tally in tallies.items():
                getattr(tally, name).add_to(drawn, (mapping,))
            yield drawn
        yield gauge(ITERATOR_AGE, {m: t.iterator_age for m, t in tallies.items() if t.iterator_age is not None})


class _Collected(Collector):
    """Families that were collected before."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def encoded(families: Sequence[Metric], accept: str = "") -> tuple[bytes, str]:
    """The text and its content type: OpenMetrics where ``accept`` asks for it, else Prometheus's own format."""
    encode, content_type = choose_encoder(accept)
    return encode(_Collected(families)), content_type


def _by(tallies: dict[str, Tally], name: str) -> Iterator[tuple[tuple[str, ...], int]]:
    for mapping, tally in tallies.items():
        for word, count in getattr(tally, name).items():
            yield (mapping, word), count


def _labelled(family: Family, values: Iterable[tuple[Sequence[str], float]]) -> CounterMetricFamily:
    drawn = CounterMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for labels, value in values:
        drawn.add_metric(labels, value)
    return drawn

"""Metrics: Lambda's names, right numbers, a valid exposition, bounded labels, and little time spent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from pollers.supervisor.idleness import Idleness
from pollers.telemetry.board import Board
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    DestinationFailed,
    DiscardCondition,
    Discarded,
    EndDoubted,
    EndRevoked,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Polled,
    PollFailed,
    Received,
    Removed,
    Returned,
    WriteRefused,
)
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.metrics import Metrics, encoded
from pollers.telemetry.recorder import Recorder
from pollers.telemetry.sinks import Facts, Sink
from tests.unit.server.rig import rig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prometheus_client import Metric

TEN = [str(number) for number in range(10)]


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample of ours: (name without prefix, mapping, other label's value) to value."""
    text, _ = encoded(list(metrics.registry.collect()))
    return {
        (sample.name.removeprefix("headrace_"), sample.labels.pop("mapping"), *sample.labels.values()): sample.value
        for family in prometheus(text.decode())
        for sample in family.samples
        if sample.name.startswith("headrace_")
    }


def told(*facts: Fact) -> dict[tuple[str, ...], float]:
    """What the metrics of mapping ``m`` are after these facts."""
    metrics = Metrics()
    emitted = Facts("m", [metrics])
    for fact in facts:
        emitted.emit(fact)
    return samples(metrics)


@pytest.mark.parametrize(
    ("name", "fact", "value"),
    [
        ("polled_event_count_total", Received("", TEN, 1), 10),
        ("filtered_out_event_count_total", Filtered("", TEN), 10),
        ("invoked_event_count_total", Invoking("", TEN, "r", 1), 10),
        ("failed_invoke_event_count_total", Invoked("", TEN, "r", Outcome.ERROR, 1.0), 10),
        ("failed_invoke_event_count_total", Invoked("", TEN, "r", Outcome.PARTIAL, 1.0, TEN[:3]), 3),
        ("failed_invoke_event_count_total", Invoked("", TEN, "r", Outcome.SUCCESS, 1.0), 0),
        ("failed_invoke_event_count_total", Invoked("", TEN, "r", Outcome.THROTTLE, 1.0), 0),
        ("throttles_total", Invoked("", TEN, "r", Outcome.THROTTLE, 1.0), 1),
        ("deleted_event_count_total", Deleted(TEN), 10),
        ("checkpointed_event_count_total", Checkpointed("s", 7, "1"), 7),
        ("checkpoint_writes_refused_total", WriteRefused("the disk is full"), 1),
        ("checkpoint_writes_refused_total", WriteRefused(""), 0),
        ("dropped_event_count_total", Discarded("s", TEN, DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED), 10),
        ("dropped_event_count_total", Discarded("s", TEN, DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED, "arn"), 0),
        ("dropped_event_count_total", Discarded("s", TEN, DiscardCondition.EXPIRED), 0),
        (
            "on_failure_destination_delivered_event_count_total",
            Discarded("s", TEN, DiscardCondition.RECORD_AGE_EXCEEDED, "arn"),
            10,
        ),
        ("destination_delivery_failures_total", DestinationFailed("arn", "no", 1.0), 1),
        ("shard_ends_doubted_total", EndDoubted("s", "the stream lists it as open"), 1),
        ("shard_ends_doubted_total", EndDoubted("s", ""), 0),
        ("shard_ends_revoked_total", EndRevoked("s"), 1),
        ("polls_total", Polled("", 0), 1),
        ("polled_event_count_total", Polled("", 0), 0),
        ("returned_event_count_total", Returned("", TEN, None, "failed"), 10),
        ("expired_receipts_total", Expired(TEN, "late"), 10),
        ("deletes_retried_total", DeleteRetried(TEN, "no"), 10),
        ("visibility_extensions_total", Extended(TEN, 30, failed=2), 8),
        ("visibility_extensions_failed_total", Extended(TEN, 30, failed=2), 2),
        ("batch_size_count", Invoking("", TEN, "r", 1), 1),
        ("batch_size_sum", Invoking("", TEN, "r", 1), 10),
        ("batch_size_sum", Invoking("", TEN, "r", 1, attempt=2), 0),
        ("batch_fill_seconds_sum", Invoking("", TEN, "r", 1, gather_seconds=2.5), 2.5),
        ("invocation_duration_seconds_sum", Invoked("", TEN, "r", Outcome.SUCCESS, 1.5), 1.5),
        ("iterator_age_seconds", Invoking("s", TEN, "r", 1, iterator_age_seconds=42.0), 42),
    ],
)
def test_a_fact_moves_the_metric_that_lambda_names(name: str, fact: Fact, value: float) -> None:
    """docs/lambda 7.1; what Lambda does not count is not counted."""
    assert told(fact)[name, "m"] == value


def test_labels_tell_outcomes_conditions_and_throttles_apart() -> None:
    """Words of ours, never ids."""
    found = told(
        PollFailed("", "slow down", 1.0, throttled=True),
        PollFailed("", "broken", 1.0),
        Invoked("", TEN, "r", Outcome.SUCCESS, 1.0),
        Invoked("", TEN, "r", Outcome.PARTIAL, 1.0, TEN[:1]),
        Discarded("s", TEN[:2], DiscardCondition.OVERSIZED),
    )
    assert found["poll_failures_total", "m", "true"] == found["poll_failures_total", "m", "false"] == 1
    assert found["invocations_total", "m", "success"] == found["invocations_total", "m", "partial"] == 1
    assert found["discarded_event_count_total", "m", "Oversized"] == 2


def test_histograms_count_each_value_under_its_bound() -> None:
    """Cumulative, the bound itself included, the last one all."""
    found = told(*(Invoked("", TEN, "r", Outcome.SUCCESS, seconds) for seconds in (0.001, 0.0011, 0.5, 901.0)))
    bounds = {key[-1]: value for key, value in found.items() if key[0] == "invocation_duration_seconds_bucket"}
    assert (bounds["0.001"], bounds["0.005"], bounds["0.5"], bounds["900.0"], bounds["+Inf"]) == (1, 2, 3, 3, 4)


def test_ids_shards_errors_and_requests_never_become_labels() -> None:
    """However many there are, the number of series stays the same."""
    metrics = Metrics()
    facts = Facts("m", [metrics])
    sizes = set()
    for number in range(300):
        shard, ids = f"shard-{number}", [f"id-{number}"]
        for fact in (
            Polled(shard, 1, 1.0),
            PollFailed(shard, f"error {number}", 1.0),
            Received(shard, ids, 1),
            Invoking(shard, ids, f"request-{number}", 1, attempt=number, iterator_age_seconds=1.0),
            Invoked(shard, ids, f"request-{number}", Outcome.ERROR, 1.0, error=f"error {number}"),
            Returned(shard, ids, None, f"reason {number}"),
            Discarded(shard, ids, DiscardCondition.EXPIRED, f"arn:{number}"),
            DestinationFailed(f"arn:{number}", f"error {number}", 1.0),
            Checkpointed(shard, 1, str(number)),
        ):
            facts.emit(fact)
        sizes.add(len(samples(metrics)))
    assert len(sizes) == 1


def test_a_removed_mapping_takes_its_labels_with_it() -> None:
    """And one of the same name begins anew."""
    metrics = Metrics()
    for name in ("gone", "kept"):
        Facts(name, [metrics]).emit(Deleted(TEN))
    Facts("gone", [metrics]).emit(Removed())
    assert {key[1] for key in samples(metrics) if key[0] == "deleted_event_count_total"} == {"kept"}
    Facts("gone", [metrics]).emit(Deleted(TEN[:1]))
    assert samples(metrics)["deleted_event_count_total", "gone"] == 1


@pytest.mark.parametrize(
    ("accept", "parse"),
    [
        ("", prometheus),
        ("*/*", prometheus),
        (";;q=,= version=/", prometheus),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", prometheus),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", openmetrics),
    ],
)
async def test_what_is_scraped_can_be_parsed(tmp_path: Path, accept: str, parse: object) -> None:
    """Prometheus's text format, and OpenMetrics for who asks for it; types, names and help agree."""
    async with rig(tmp_path) as at:
        at.facts("a").emit(Invoking("", TEN, "r", 1))
        reply = await at.session.get("/metrics", headers={"Accept": accept})
        assert reply.status == 200
        families: Iterable[Metric] = list(parse(await reply.text()))  # type: ignore[operator]
        ours = {family.name: family for family in families if family.name.startswith("headrace_")}
        assert ours["headrace_batch_size"].type == "histogram"
        assert all(family.documentation and family.type != "unknown" for family in ours.values())
        assert {
            "headrace_up",
            "headrace_loop_lag_seconds",
            "headrace_ledger_balance",
            "headrace_workers",
        } <= ours.keys()


async def test_labels_vanish_from_the_scrape_after_a_reload_removes_a_mapping(tmp_path: Path) -> None:
    """Counters and gauges alike."""
    from tests.unit.supervisor.fakes import config, mapping

    async with rig(tmp_path) as at:
        at.facts("b").emit(Received("", TEN, 1))
        at.facts("b").emit(Deleted(TEN))
        assert 'mapping="b"' in await (await at.session.get("/metrics")).text()
        await at.runtime.reload(config(tmp_path, mapping("a")))
        assert 'mapping="b"' not in await (await at.session.get("/metrics")).text()
        assert "b" not in at.board.mappings


async def test_a_batch_costs_microseconds_in_all_sinks_together() -> None:
    """docs/design, decision 7: telemetry is paid once a batch. Measured against a loop of plain Python, so that a busy machine does
    not matter: all sinks together cost less than folding the batch's ten ids a few times."""
    sinks: list[Sink] = [Ledger(), Idleness(), Board(), Recorder(), Metrics()]
    facts = Facts("m", sinks)

    def batch() -> None:
        facts.emit(Polled("", 10))
        facts.emit(Received("", TEN, 5_000, TEN))  # type: ignore[arg-type]
        facts.emit(Invoking("", TEN, "r", 5_000, 1, 0.1))
        facts.emit(Invoked("", TEN, "r", Outcome.SUCCESS, 0.01))
        facts.emit(Deleted(TEN))

    def plain() -> None:
        for _ in range(60):
            for one in TEN:
                one.startswith("x")

    ratios = []
    for _ in range(5):
        took = []
        for work in (batch, plain):
            began = time.thread_time()
            for _ in range(400):
                work()
            took.append(time.thread_time() - began)
        ratios.append(took[0] / took[1])
        await asyncio.sleep(0)
    assert min(ratios) < 1.0, ratios

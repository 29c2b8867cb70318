"""What is counted of requests and of invocations, as a scrape sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from handlers.error_documents import raised
from handlers.errors import FunctionUnusable
from handlers.function import Throttle
from pollers.status.api_gauges import api_metrics
from tests.unit.lambda_api.rig import Asked, Rig, rig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from handlers.function import Result


class Scraped(Collector):
    def __init__(self, at: Rig) -> None:
        self._at = at

    def collect(self) -> Iterable[Metric]:
        return api_metrics([object(), self._at.service])


def scraped(at: Rig) -> set[str]:
    """Lines with a value other than 0, without those of buckets and times."""
    registry = CollectorRegistry()
    registry.register(Scraped(at))
    lines = generate_latest(registry).decode().splitlines()
    return {line for line in lines if not re.search(r"^#|_bucket|_created|_sum| 0\.0$", line)}


async def test_requests_and_invocations_are_counted() -> None:
    """By operation and status, and by function and outcome; a throttle is no invocation."""
    error: list[Result] = [raised("ValueError", "no", [], "id"), Throttle("busy")]
    async with rig() as at:

        async def answer(asked: Asked) -> Result:
            return error.pop(0)

        await at.invoke()
        at.told["orders"].answer = answer
        for _ in range(2):
            await at.invoke()
        at.told["orders"].problem = FunctionUnusable("gone")
        await at.invoke("nobody")
        await at.invoke(X_Amz_Invocation_Type="Event")
        async with at.session.get("/nowhere"):
            pass
        assert scraped(at) == {
            'headrace_api_requests_total{operation="Invoke",status="200"} 2.0',
            'headrace_api_requests_total{operation="Invoke",status="202"} 1.0',
            'headrace_api_requests_total{operation="Invoke",status="404"} 1.0',
            'headrace_api_requests_total{operation="Invoke",status="429"} 1.0',
            'headrace_api_requests_total{operation="none",status="404"} 1.0',
            'headrace_api_invocations_total{function="orders",outcome="success"} 1.0',
            'headrace_api_invocations_total{function="orders",outcome="error"} 1.0',
            'headrace_api_invocations_total{function="orders",outcome="throttled"} 1.0',
            'headrace_api_invocation_duration_seconds_count{function="orders"} 2.0',
        }


async def test_a_function_that_cannot_be_had_did_not_run() -> None:
    """It has no duration."""
    async with rig() as at:
        at.told["orders"].problem = FunctionUnusable("gone")
        await at.invoke()
        assert 'headrace_api_invocations_total{function="orders",outcome="not_run"} 1.0' in scraped(at)
        assert not any("_count" in line for line in scraped(at))

"""What ``headrace run`` writes of its functions' logs and metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Workplace, ended
from tests.e2e.queues import queue

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

METRIC = (
    '{"_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": [{"Namespace": "orders", "Dimensions": [[]], '
    '"Metrics": [{"Name": "placed"}]}]}, "placed": 1}'
)


async def test_records_have_their_level_and_metrics_are_passed_on(tmp_path: Path, ministack: Emulator) -> None:
    """A debug record that the function's level asks for is there, a metric is a line of its own, without an envelope."""
    workplace = Workplace(tmp_path, ministack)
    async with queue(ministack) as source:
        await source.send(["a"])
        workplace.function(
            f"""
            import logging
            def handler(event, context):
                logging.debug("looked")
                logging.error("failed\\nbadly")
                print({METRIC!r})
                note(id=context.aws_request_id)
            """
        )
        workplace.configure(
            {"q": {"event_source_arn": source.arn}},
            function={"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}},
            runtime={"embedded_metrics": "stdout"},
        )
        with workplace.headrace("--until-idle", "2") as process:
            assert await ended(process) == 0, workplace.log.read_text()
    (request,) = workplace.count()
    records = [line for line in workplace.logged() if line.get("stream") == "log"]
    assert [(line["level"], json.loads(line["event"])["message"]) for line in records] == [
        ("debug", "looked"),
        ("error", "failed\nbadly"),
    ]
    assert {(line["function"], line["request_id"]) for line in records} == {("work", request)}
    assert workplace.log.read_text().splitlines().count(METRIC) == 1

"""Schedules, as a user runs them: real processes and workers, kill -9, a reload, the console and the end of an idle run."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from anyio import to_thread

from tests.e2e.chromium import page
from tests.e2e.harness import Workplace, ended, terminate, until
from tests.e2e.operator import Operator

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(600)

NOTING = """
    def handler(event, context):
        note(id=event if isinstance(event, str) else event["resources"][0], request=context.aws_request_id)
"""
AHEAD_SECONDS = 8
ONCE_ARN = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/hourly"


class Nowhere:
    """Schedules need no AWS."""

    region = "eu-west-1"
    endpoint_url = "http://127.0.0.1:9"


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    found = Workplace(tmp_path, cast("Emulator", Nowhere()))
    found.function(NOTING)
    return found


def schedule(expression: str, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """A schedule of the function."""
    return {"schedule_expression": expression, "function_name": "work", **settings}


async def test_a_due_time_runs_once_whatever_ends_the_process(workplace: Workplace) -> None:
    """Killed between two runs: the first is not repeated, the one that was missed is made up for; a reload adds another."""
    operator = Operator()
    at = int(time.time()) + AHEAD_SECONDS
    schedules = {
        "hourly": schedule("rate(1 hour)"),
        "missed": schedule(f"at({datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S})", input='"missed"'),
    }
    workplace.configure({}, schedules=schedules, runtime={"http": operator.http})
    with workplace.headrace() as process:
        await until(lambda: workplace.count()[ONCE_ARN], running=process)
        process.send_signal(signal.SIGKILL)
        await ended(process)
    await until(lambda: time.time() > at)
    with workplace.headrace() as process:
        await until(lambda: workplace.count()["missed"], running=process)
        workplace.configure(
            {},
            schedules={**schedules, "added": schedule("rate(1 day)", input='"added"')},
            runtime={"http": operator.http},
        )
        assert (await operator.run("reload")).out == "schedule: added\n"
        await until(lambda: workplace.count()["added"], running=process)
        shown = await operator.run("status")
        async with page(workplace.folder) as seen:
            await seen.open(operator.url)
            await seen.until("document.querySelectorAll('#schedules tr').length === 3")
            names = "[...document.querySelectorAll('#schedules td:first-child')].map(one => one.textContent).join()"
            assert await seen.value(names) == "added,hourly,missed"
            assert await seen.value("document.getElementById('schedules-part').hidden") is False
            assert seen.complaints == []
        terminate(process)
        assert await ended(process) == 0
    assert workplace.count() == {ONCE_ARN: 1, "missed": 1, "added": 1}
    assert len({note["request"] for note in workplace.notes()}) == 3
    assert [line.split()[0] for line in shown.out.splitlines()[-3:]] == ["added", "hourly", "missed"]
    [*_, books] = [line for line in workplace.logged("shutdown 7: ledger") if line.get("service") == "schedules"]
    assert books["balanced"]


async def test_an_idle_run_ends_although_something_is_due_later(workplace: Workplace) -> None:
    """But not before what was due at the start has run."""
    workplace.configure({}, schedules={"hourly": schedule("rate(1 hour)")})
    with workplace.headrace("--until-idle", "2") as process:
        assert await ended(process) == 0
    assert await to_thread.run_sync(workplace.count) == {ONCE_ARN: 1}

"""Reading a changed configuration again: whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from config import load
from pollers.supervisor.reloading import reload_from
from tests.unit.supervisor.fakes import Bench
from tests.unit.supervisor.runtimes import make_runtime, running
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
functions: {orders: {code: ., handler: app.handler}}
event_source_mappings:
  q: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:q", function_name: orders}
"""


@virtual_time.test
async def test_a_function_that_was_broken_on_disk_refuses_a_reload(tmp_path: Path) -> None:
    """With its place; what runs goes on. Repaired, with an import that is not there, it is taken, and that is said."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    path = tmp_path / "headrace.yaml"
    path.write_text(CONFIG)
    runtime = make_runtime(load(path).config, Bench())
    async with running(runtime):
        (tmp_path / "app.py").write_text("def handel(event, context): ...\n")
        path.write_text(CONFIG.replace("orders: {code", "orders: {timeout: 9, code"))
        [fault] = (await reload_from(runtime, path)).faults
        assert fault.startswith(f"{path}:2: functions.orders.handler: found 'app.handler', but ")
        assert runtime.config.functions["orders"].timeout == 3

        (tmp_path / "app.py").write_text("import nowhere\ndef handler(event, context): ...\n")
        with structlog.testing.capture_logs() as logged:
            assert (await reload_from(runtime, path)).changed == ["q"]
        [note] = [line for line in logged if line["event"] == "configuration note"]
        assert note["log_level"] == "warning"
        assert "imports nowhere" in note["note"]
        runtime.stop()

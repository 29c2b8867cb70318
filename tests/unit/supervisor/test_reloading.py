"""Reading a changed configuration again: whole, or not at all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from config import load
from pollers.supervisor.reloading import reload_from
from tests.unit.supervisor.fakes import Bench
from tests.unit.supervisor.runtimes import make_runtime, running
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from config import Loaded

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


@virtual_time.test
async def test_what_was_read_last_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the reload before it takes longer to look at its functions: it does not bring back what it has read."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    path = tmp_path / "headrace.yaml"
    path.write_text(CONFIG)
    runtime = make_runtime(load(path).config, Bench())
    read, go_on = threading.Event(), threading.Event()

    def load_slowly_at_first(path: Path) -> Loaded:
        loaded = load(path)
        if not read.is_set():
            read.set()
            go_on.wait(0.5)
        return loaded

    monkeypatch.setattr("pollers.supervisor.reloading.load_runnable", load_slowly_at_first)
    async with running(runtime):
        async with anyio.create_task_group() as group:
            path.write_text(CONFIG.replace("orders: {code", "orders: {timeout: 9, code"))
            group.start_soon(reload_from, runtime, path)
            await to_thread.run_sync(read.wait)
            path.write_text(CONFIG.replace("orders: {code", "orders: {timeout: 10, code"))
            await reload_from(runtime, path)
            go_on.set()
        assert runtime.config.functions["orders"].timeout == 10
        runtime.stop()

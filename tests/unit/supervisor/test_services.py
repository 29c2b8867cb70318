"""What calls functions beside the mappings: started, run again, waited for and stopped with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.supervisor.runtime import ReloadRefused
from pollers.supervisor.service import Books
from tests.unit.supervisor.fakes import Bench, FakeFunction, config, mapping
from tests.unit.supervisor.runtimes import make_runtime, running
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import Config
    from pollers.engine.stop import Stop
    from pollers.supervisor.runtime import Runtime


@dataclass
class FakeService:
    """Does what a test tells it to."""

    name: str = "fake"
    failures: list[Exception] = field(default_factory=list)
    work: str = ""
    refused: str | None = None
    account: Books | None = None
    holding: int = 0
    deaf: bool = False
    ran: int = 0
    hurried: bool = False
    applied: list[Config] = field(default_factory=list)

    async def run(self, stop: Stop) -> None:
        self.ran += 1
        if self.failures:
            raise self.failures.pop()
        await (stop.until_hurried() if self.holding else stop.until_requested())
        self.hurried = stop.hurried
        if self.deaf:
            await anyio.sleep_forever()
        self.holding = 0

    def running(self) -> int:
        return self.holding

    def held(self) -> int:
        return self.holding

    def left(self) -> str:
        return self.work

    def refusal(self, config: Config) -> str | None:
        return self.refused

    def apply(self, config: Config) -> None:
        self.applied.append(config)

    def books(self) -> Books | None:
        return self.account


def runtime_with(tmp_path: Path, *services: FakeService) -> Runtime:
    """A runtime with one mapping and these services."""
    runtime = make_runtime(config(tmp_path, mapping("q")), Bench())
    runtime.services = services
    return runtime


@virtual_time.test
async def test_a_service_runs_beside_the_mappings_until_the_stop(tmp_path: Path) -> None:
    """It is asked to stop when they are."""
    service = FakeService()
    runtime = runtime_with(tmp_path, service)
    async with running(runtime) as codes:
        assert service.ran == 1
        runtime.stop()
    assert codes == [0]
    assert not service.hurried


@virtual_time.test
async def test_a_service_that_breaks_down_is_run_again(tmp_path: Path) -> None:
    """After a pause; what is wrong is known meanwhile, and the mappings do not notice."""
    service = FakeService(failures=[RuntimeError("second"), RuntimeError("first")])
    runtime = runtime_with(tmp_path, service)
    async with running(runtime) as codes:
        (runner,) = runtime.service_runners
        assert runner.problem is not None
        assert "first" in runner.problem
        await anyio.sleep(5)
        assert (service.ran, runner.restarts) == (3, 2)
        assert runtime.mappings["q"].restarts == 0
        runtime.stop()
    assert codes == [0]


@virtual_time.test
async def test_the_grace_period_is_the_services_too(tmp_path: Path) -> None:
    """What runs for them may finish within it, and is hurried when it is over."""
    service = FakeService(holding=2)
    runtime = runtime_with(tmp_path, service)
    async with running(runtime) as codes:
        began = anyio.current_time()
        runtime.stop()
        await virtual_time.settle()
        assert not runtime.nothing_held
    assert anyio.current_time() - began == pytest.approx(30, abs=1)
    assert service.hurried
    assert codes == [0]


@virtual_time.test
async def test_a_service_that_does_not_let_go_is_cancelled_and_told_of(tmp_path: Path) -> None:
    """As a crash would: the exit code says that something was held."""
    service = FakeService(holding=1, deaf=True)
    runtime = runtime_with(tmp_path, service)
    async with running(runtime) as codes:
        runtime.stop()
        await virtual_time.settle()
        runtime.stop()
    assert codes == [1]


@virtual_time.test
async def test_functions_are_left_after_the_services(tmp_path: Path) -> None:
    """A service may need its functions for as long as it runs."""
    functions: list[FakeFunction] = []
    seen: list[int] = []

    class Late(FakeService):
        async def run(self, stop: Stop) -> None:
            await stop.until_requested()
            await anyio.sleep(1)
            seen.append(functions[0].left)

    runtime = make_runtime(config(tmp_path, mapping("q")), Bench(), functions)
    runtime.services = (Late(),)
    async with running(runtime):
        runtime.stop()
    assert seen == [0]
    assert functions[0].left == 1


@virtual_time.test
async def test_until_idle_waits_for_what_a_service_has_left(tmp_path: Path) -> None:
    """A queue with events in it is not idle."""
    service = FakeService(work="2 events are queued")
    runtime = runtime_with(tmp_path, service)
    async with running(runtime, until_idle=1.0) as codes:
        await anyio.sleep(60)
        before = runtime.stopping
        service.work = ""
        await anyio.sleep(5)
        assert (before, runtime.stopping) == (False, True)
    assert codes == [0]


@virtual_time.test
async def test_books_that_do_not_balance_are_told(tmp_path: Path) -> None:
    """By the exit code, like a mapping's."""
    runtime = runtime_with(tmp_path, FakeService(account=Books(False, {"accepted": 2, "succeeded": 1})))
    async with running(runtime) as codes:
        runtime.stop()
    assert codes == [1]


@virtual_time.test
async def test_a_reload_reaches_services_unless_one_refuses(tmp_path: Path) -> None:
    """A refusal leaves everything as it was."""
    service = FakeService(refused="schedules came: restart Headrace to apply that")
    runtime = runtime_with(tmp_path, service)
    async with running(runtime):
        changed = config(tmp_path, mapping("q"), mapping("r"))
        with pytest.raises(ReloadRefused, match="schedules came"):
            await runtime.reload(changed)
        assert (service.applied, list(runtime.mappings)) == ([], ["q"])
        service.refused = None
        await runtime.reload(changed)
        assert service.applied == [changed]
        runtime.stop()


@virtual_time.test
async def test_another_destination_does_not_renew_a_function(tmp_path: Path) -> None:
    """How a function is called is no part of what runs: its workers stay."""
    functions: list[FakeFunction] = []
    old = config(tmp_path, mapping("q"))
    runtime = make_runtime(old, Bench(), functions)
    async with running(runtime):
        model = old.functions["orders"]
        invoke = model.event_invoke_config.model_copy(update={"maximum_retry_attempts": 0})
        called = model.model_copy(update={"event_invoke_config": invoke})
        host = runtime.functions["orders"]
        await runtime.reload(old.model_copy(update={"functions": {"orders": called}}))
        assert runtime.functions["orders"] is host
        assert host.model is called
        runtime.stop()
    assert len(functions) == 1

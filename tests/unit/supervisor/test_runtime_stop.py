"""How a runtime stops: in order, in a hurry, while something loads or hangs; and what its exit code says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from handlers.errors import FunctionUnusable
from pollers.errors import SourceUnusable
from pollers.supervisor.mapping import MappingState
from pollers.supervisor.runtime import Runtime
from pollers.telemetry.facts import Deleted, Received
from tests.unit.supervisor.fakes import Bench, FakeFunction, FakePoller, config, mapping
from tests.unit.supervisor.runtimes import make_runtime, running, state_of
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.engine.poller import Surroundings


@virtual_time.test
async def test_the_grace_period_ends_in_a_hurry(tmp_path: Path) -> None:
    """Invocations that do not finish within the grace period are stopped, and what they held goes back."""
    bench = Bench(stubborn={"slow"})
    runtime = make_runtime(config(tmp_path, mapping("slow")), bench)
    async with running(runtime) as codes:
        began = anyio.current_time()
        runtime.stop()
    assert anyio.current_time() - began == pytest.approx(30, abs=1)
    assert bench.last("slow").hurried
    assert codes == [0]


@virtual_time.test
async def test_a_second_signal_skips_the_wait(tmp_path: Path) -> None:
    """Asking twice hurries at once."""
    bench = Bench(stubborn={"slow"})
    runtime = make_runtime(config(tmp_path, mapping("slow")), bench)
    async with running(runtime) as codes:
        began = anyio.current_time()
        runtime.stop()
        await virtual_time.settle()
        runtime.stop()
        runtime.stop()
    assert anyio.current_time() - began < 1
    assert codes == [0]


@virtual_time.test
async def test_a_stop_requested_while_a_mapping_waits_to_restart_is_not_lost(tmp_path: Path) -> None:
    """The back-off of a broken mapping does not hold the process up."""
    bench = Bench(failures={"q": [SourceUnusable("gone")] * 50})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime) as codes:
        began = anyio.current_time()
        runtime.stop()
    assert anyio.current_time() - began < 1
    assert codes == [0]


@virtual_time.test
async def test_a_stop_before_the_first_poll_is_not_lost(tmp_path: Path) -> None:
    """A signal that comes while everything starts ends everything."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    runtime.stop()
    assert await runtime.run() == 0


class SlowlyLoading(FakeFunction):
    """A function whose code takes minutes to load. ``ends_badly``: and that cannot be interrupted, and fails in the end."""

    ends_badly = False

    async def __aenter__(self) -> FakeFunction:
        with anyio.CancelScope(shield=self.ends_badly):
            await anyio.sleep(120)
        if self.ends_badly:
            raise FunctionUnusable("took too long to import")
        return await super().__aenter__()


@virtual_time.test
async def test_a_stop_does_not_wait_for_code_that_takes_minutes_to_load(tmp_path: Path) -> None:
    """The stop of a mapping whose function is still being imported is as prompt as any other, and in order."""
    runtime = Runtime(config(tmp_path, mapping("q")), Bench().make, SlowlyLoading)
    async with running(runtime) as codes:
        began = anyio.current_time()
        runtime.stop()
    assert anyio.current_time() - began < 1
    assert codes == [0]


@virtual_time.test
async def test_a_mapping_whose_function_is_still_loading_can_be_paused(tmp_path: Path) -> None:
    """Whoever drains or reloads does not wait for a slow import either."""
    runtime = Runtime(config(tmp_path, mapping("q")), Bench().make, SlowlyLoading)
    async with running(runtime):
        runtime.mappings["q"].pause()
        await virtual_time.settle()
        assert state_of(runtime, "q") is MappingState.PAUSED
        runtime.stop()


@virtual_time.test
async def test_a_function_that_fails_to_load_after_the_stop_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its late failure is the end of it, not a wait for somebody who asks again."""
    uninterruptible = type("Uninterruptible", (SlowlyLoading,), {"ends_badly": True})
    runtime = Runtime(config(tmp_path, mapping("q")), Bench().make, uninterruptible)
    with anyio.fail_after(200):
        async with running(runtime) as codes:
            runtime.stop()
    assert codes == [0]


@virtual_time.test
async def test_books_that_do_not_balance_fail_the_exit_code(tmp_path: Path) -> None:
    """Exit 0 says that every received event is accounted for."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime) as codes:
        facts = bench.last("q").surroundings.facts
        facts.emit(Received("", ["1", "2"], 10))
        facts.emit(Deleted(["1"]))
        runtime.stop()
    assert codes == [1]


class HangingPoller(FakePoller):
    """Waits for a service that never answers, with an event in its hands, whatever it is told."""

    async def run(self) -> None:
        await anyio.sleep_forever()

    def running(self) -> int:
        return 0


@pytest.mark.parametrize(("holding", "code"), [(0, 0), (3, 1)], ids=["nothing held", "events held"])
@virtual_time.test
async def test_with_nothing_running_a_mapping_that_hangs_is_left_within_three_seconds(
    tmp_path: Path, holding: int, code: int
) -> None:
    """As a crash would leave it; the exit code says whether anything was held."""

    async def make(mapping: object, surroundings: Surroundings) -> HangingPoller:
        return HangingPoller(mapping, surroundings, holding=holding)  # type: ignore[arg-type]

    told: list[float] = []
    runtime = Runtime(config(tmp_path, mapping("q")), make, FakeFunction, clock=virtual_time.VirtualClock())
    runtime.on_ending = told.append
    async with running(runtime) as codes:
        began = anyio.current_time()
        assert not runtime.nothing_held, "new messages may come at any time"
        runtime.stop()
        await virtual_time.eventually(lambda: runtime.stopping)
        assert runtime.nothing_held == (code == 0), "also while the stop is under way: it may have to end there"
    assert anyio.current_time() - began < 3
    assert codes == [code]
    assert max(told) < 3, "told at the signal, and nothing later since"


@virtual_time.test
async def test_invocations_of_workers_that_only_start_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    """The poller waits for one, but the function runs none."""
    bench, functions = Bench(stubborn={"slow"}), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("slow")), bench, functions)
    async with running(runtime) as codes:
        functions[0].busy = 0
        began = anyio.current_time()
        runtime.stop()
    assert anyio.current_time() - began < 3
    assert codes == [0]


@virtual_time.test
async def test_functions_that_nobody_used_are_not_among_those_that_did_not_stop(tmp_path: Path) -> None:
    """They have started nothing, so nothing of them is left, also when a second signal lets nobody finish."""
    runtime = make_runtime(config(tmp_path, mapping("slow"), spare={}), Bench(stubborn={"slow"}))
    with structlog.testing.capture_logs() as lines:
        async with running(runtime):
            runtime.stop()
            runtime.stop()
    left = [line["functions"] for line in lines if line["event"].startswith("functions did not stop")]
    assert left == [["orders"]]

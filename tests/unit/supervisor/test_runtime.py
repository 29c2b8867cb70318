"""The runtime: mappings start, fail, restart, pause, reload and stop without touching one another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from handlers.errors import FunctionUnusable
from pollers.aws.errors import AccessDenied, NotFound
from pollers.errors import SourceUnusable
from pollers.supervisor.mapping import MappingState
from pollers.supervisor.runtime import ReloadRefused, Runtime
from pollers.telemetry.facts import Deleted, Received, Removed
from tests.unit.supervisor.fakes import Bench, FakeFunction, FakePoller, config, mapping
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from config.models import Config
    from pollers.engine.poller import Surroundings


@asynccontextmanager
async def running(runtime: Runtime, *, until_idle: float | None = None) -> AsyncIterator[list[int]]:
    """The runtime at work; its exit code is appended to the list when it ends."""
    codes: list[int] = []

    async def run() -> None:
        codes.append(await runtime.run(until_idle=until_idle))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await virtual_time.settle()
        yield codes


def state_of(runtime: Runtime, name: str) -> MappingState:
    return runtime.mappings[name].state


def make_runtime(configuration: Config, bench: Bench, functions: list[FakeFunction] | None = None) -> Runtime:
    made = functions if functions is not None else []

    def make_function(name: str, model: object) -> FakeFunction:
        made.append(FakeFunction(name, model))  # type: ignore[arg-type]
        return made[-1]

    return Runtime(configuration, bench.make, make_function, clock=virtual_time.VirtualClock())


@virtual_time.test
async def test_a_stop_ends_every_mapping_then_the_functions_and_exits_0(tmp_path: Path) -> None:
    """An idle runtime stops at once, in order."""
    bench, functions = Bench(), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b")), bench, functions)
    with structlog.testing.capture_logs() as lines:
        async with running(runtime) as codes:
            began = anyio.current_time()
            runtime.stop()
    assert codes == [0]
    assert anyio.current_time() - began < 0.2
    assert bench.last("a").ended
    assert bench.last("b").ended
    assert [function.left for function in functions] == [1]
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == []


@virtual_time.test
async def test_a_function_is_shared_by_its_mappings(tmp_path: Path) -> None:
    """Two mappings of one function enter it once and claim from the same permits."""
    bench, functions = Bench(), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b")), bench, functions)
    async with running(runtime):
        first, second = (bench.last(name).surroundings for name in "ab")
        assert first.function is second.function
        for _ in range(functions[0].concurrency):
            assert first.claim.try_acquire()
        assert not second.claim.try_acquire()
        for _ in range(functions[0].concurrency):
            first.claim.release()
        runtime.stop()


@virtual_time.test
async def test_a_function_that_no_mapping_names_is_there_and_is_not_loaded(tmp_path: Path) -> None:
    """Only ``headrace invoke`` may use it; the line of the start counts the functions that mappings use."""
    functions = list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a"), spare={}), Bench(), functions)
    with structlog.testing.capture_logs() as lines:
        async with running(runtime):
            states = {name: host.state.value for name, host in runtime.functions.items()}
            assert states == {"orders": "running", "spare": "not used yet"}
            await runtime.reload(config(tmp_path, mapping("a"), mapping("b", "spare"), spare={}))
            await virtual_time.settle()
            assert [function.name for function in functions] == ["orders", "spare"]
            await runtime.reload(config(tmp_path, mapping("a"), spare={}))
            assert [function.left for function in functions] == [0, 1], "what no mapping names any more does not idle"
            assert runtime.functions["spare"].state.value == "not used yet"
            await runtime.reload(config(tmp_path, mapping("a")))
            assert list(runtime.functions) == ["orders"]
            runtime.stop()
    [started] = [line for line in lines if line["event"] == "headrace started"]
    assert started["functions"] == 1


@virtual_time.test
async def test_one_mappings_failure_never_stops_another(tmp_path: Path) -> None:
    """A mapping that breaks down restarts with back-off while its neighbour keeps its one poller."""
    bench = Bench(failures={"bad": [RuntimeError("boom"), RuntimeError("boom")]})
    runtime = make_runtime(config(tmp_path, mapping("bad"), mapping("good")), bench)
    async with running(runtime) as codes:
        await virtual_time.eventually(lambda: len(bench.pollers["bad"]) == 3, within=60)
        await virtual_time.settle()
        assert runtime.mappings["bad"].state is MappingState.RUNNING
        assert runtime.mappings["bad"].restarts == 2
        assert len(bench.pollers["good"]) == 1
        runtime.stop()
    assert codes == [0]


@virtual_time.test
async def test_an_unusable_source_is_retried_slowly_and_comes_back(tmp_path: Path) -> None:
    """Denied access and missing queues are tried again until they are mended."""
    bench = Bench(failures={"q": [SourceUnusable("no such queue"), AccessDenied("AccessDenied", "not you")]})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime):
        assert runtime.mappings["q"].state is MappingState.BACKING_OFF
        assert runtime.mappings["q"].problem == "no such queue"
        await virtual_time.eventually(lambda: runtime.mappings["q"].state is MappingState.RUNNING, within=60)
        runtime.stop()


@virtual_time.test
async def test_what_makes_a_source_unusable_is_reported_once_whichever_call_meets_it(tmp_path: Path) -> None:
    """A queue that vanishes is missed first by a receive and then by the start: one report, until something else is wrong."""

    def unusable(operation: str, code: str) -> SourceUnusable:
        cause = NotFound(code, "it is not there", operation=operation)
        problem = SourceUnusable(f"arn: {cause}")
        problem.__cause__ = cause
        return problem

    missing = [
        unusable(operation, "QueueDoesNotExist") for operation in ("ReceiveMessage", "GetQueueUrl", "GetQueueUrl")
    ]
    bench = Bench(failures={"q": [*missing, unusable("GetQueueUrl", "QueueDeletedRecently")]})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    with structlog.testing.capture_logs() as lines:
        async with running(runtime):
            await virtual_time.eventually(lambda: runtime.mappings["q"].state is MappingState.RUNNING, within=200)
            runtime.stop()
    reports = [line["error"] for line in lines if line["event"] == "mapping cannot run and is tried again slowly"]
    assert ["QueueDoesNotExist" in report for report in reports] == [True, False]


@virtual_time.test
async def test_what_failed_together_is_told_together(tmp_path: Path) -> None:
    """A fault of ours decides and comes with its trace; the others have lines of their own, and the console names them all."""
    fault, denied = KeyError("ours"), SourceUnusable("not permitted")
    together = ExceptionGroup("", [denied, ExceptionGroup("", [fault, SourceUnusable("gone"), denied])])
    bench = Bench(failures={"q": [together]})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    with structlog.testing.capture_logs() as lines:
        async with running(runtime):
            assert runtime.mappings["q"].problem == "'ours'; also: not permitted; also: gone"
            await virtual_time.eventually(lambda: runtime.mappings["q"].state is MappingState.RUNNING, within=2)
            runtime.stop()
    told = [(line.get("exc_info") or line["error"], line["log_level"]) for line in lines if line["event"] in TOLD]
    assert told == [(fault, "error"), ("not permitted", "error"), ("gone", "error"), ("not permitted", "debug")]


TOLD = ("mapping broke down and starts again", "another task of the mapping failed with it")


@virtual_time.test
async def test_an_unusable_function_stops_just_its_mappings_and_is_tried_again(tmp_path: Path) -> None:
    """Repairing the code on disk is enough: the function is entered anew at the next attempt."""
    bench, attempts = Bench(), list[str]()

    def make_function(name: str, model: object) -> FakeFunction:
        attempts.append(name)
        problem = FunctionUnusable("no module named app") if attempts.count("broken") < 3 and name == "broken" else None
        return FakeFunction(name, model, problem=problem)  # type: ignore[arg-type]

    runtime = Runtime(config(tmp_path, mapping("a", "broken"), mapping("b"), broken={}), bench.make, make_function)
    async with running(runtime):
        assert runtime.mappings["a"].problem == "no module named app"
        assert runtime.mappings["b"].state is MappingState.RUNNING
        await virtual_time.eventually(lambda: runtime.mappings["a"].state is MappingState.RUNNING, within=60)
        runtime.stop()


@virtual_time.test
async def test_a_function_that_breaks_down_stops_its_mappings_and_starts_anew_with_them(tmp_path: Path) -> None:
    """Nothing that it ran is waited for; the mapping says why, and its neighbour goes on."""
    bench, functions = Bench(stubborn={"a"}), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b", "other"), other={}), bench, functions)
    with structlog.testing.capture_logs() as lines:
        async with running(runtime):
            functions[0].break_down.set()
            await virtual_time.settle()
            assert bench.last("a").hurried
            assert runtime.mappings["a"].problem == runtime.functions["orders"].problem == "the runner died"
            assert state_of(runtime, "b") is MappingState.RUNNING
            await virtual_time.eventually(lambda: state_of(runtime, "a") is MappingState.RUNNING, within=60)
            runtime.stop()
            runtime.stop()
    assert [function.name for function in functions] == ["orders", "other", "orders"]
    assert [line["function"] for line in lines if line["event"] == "function broke down"] == ["orders"]


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


@virtual_time.test
async def test_pause_hands_back_and_resume_polls_anew(tmp_path: Path) -> None:
    """A paused mapping has no poller; resuming makes a new one, and its neighbour never notices."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b")), bench)
    async with running(runtime):
        runtime.mappings["a"].pause()
        await virtual_time.settle()
        assert state_of(runtime, "a") is MappingState.PAUSED
        assert bench.last("a").ended
        runtime.mappings["a"].resume()
        await virtual_time.settle()
        assert state_of(runtime, "a") is MappingState.RUNNING
        assert (len(bench.pollers["a"]), len(bench.pollers["b"])) == (2, 1)
        runtime.mappings["a"].pause()
        await virtual_time.settle()
        runtime.stop()


@virtual_time.test
async def test_a_disabled_mapping_does_not_poll(tmp_path: Path) -> None:
    """``enabled: false`` is listed and does nothing."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("off", enabled=False)), bench)
    async with running(runtime) as codes:
        assert runtime.mappings["off"].state is MappingState.DISABLED
        runtime.stop()
    assert codes == [0]
    assert not bench.pollers


@virtual_time.test
async def test_a_disabled_mapping_is_said_at_the_start(tmp_path: Path) -> None:
    """Whoever forgot that it is disabled need not wonder why nothing comes."""
    with structlog.testing.capture_logs() as events:
        runtime = make_runtime(config(tmp_path, mapping("off", enabled=False)), Bench())
        async with running(runtime):
            await virtual_time.settle()
            runtime.stop()
    assert [(e["mapping"]) for e in events if e["event"] == "mapping is disabled and does not poll"] == ["off"]


@virtual_time.test
async def test_reload_touches_only_what_changed(tmp_path: Path) -> None:
    """Added mappings start, removed ones stop, changed ones restart, the rest keep their pollers and functions."""
    bench, functions = Bench(), list[FakeFunction]()
    before = config(tmp_path, mapping("same"), mapping("changed", batch_size=1), mapping("gone", "other"), other={})
    after = config(tmp_path, mapping("same"), mapping("changed", batch_size=2), mapping("new", "third"), third={})
    runtime = make_runtime(before, bench, functions)
    async with running(runtime):
        did = await runtime.reload(after)
        await virtual_time.settle()
        assert did == {"added": ["new"], "removed": ["gone"], "changed": ["changed"]}
        assert {name: len(pollers) for name, pollers in bench.pollers.items()} == {
            "same": 1,
            "changed": 2,
            "gone": 1,
            "new": 1,
        }
        assert bench.last("gone").ended
        assert {function.name: function.left for function in functions} == {"orders": 0, "other": 1, "third": 0}
        runtime.stop()


@virtual_time.test
async def test_reload_of_a_changed_function_restarts_its_mappings_with_a_new_one(tmp_path: Path) -> None:
    """The old function is left before the new one is entered."""
    bench, functions = Bench(), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a")), bench, functions)
    async with running(runtime):
        await runtime.reload(config(tmp_path, mapping("a"), orders={"timeout": 60}))
        await virtual_time.settle()
        assert [(f.timeout_seconds, f.entered, f.left) for f in functions] == [(3, 1, 1), (60, 1, 0)]
        runtime.stop()


@virtual_time.test
async def test_reload_that_moves_a_functions_source_to_another_region_restarts_the_function(tmp_path: Path) -> None:
    """Its workers are told the region of its sources; the mapping that is added later runs on the new ones."""
    bench, functions = Bench(), list[FakeFunction]()
    runtime = make_runtime(config(tmp_path, mapping("a")), bench, functions)
    async with running(runtime):
        elsewhere = mapping("b", event_source_arn="arn:aws:sqs:eu-west-3:000000000000:b")
        await runtime.reload(config(tmp_path, mapping("a"), elsewhere))
        await virtual_time.settle()
        assert [(f.entered, f.left) for f in functions] == [(1, 1), (1, 0)]
        assert set(runtime.mappings) == {"a", "b"}
        runtime.stop()


@virtual_time.test
async def test_reload_refuses_what_needs_a_restart(tmp_path: Path) -> None:
    """A change of region is refused whole, with everything running on."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("a")), bench)
    other = config(tmp_path, mapping("b"))
    async with running(runtime):
        with pytest.raises(ReloadRefused, match="aws changed"):
            await runtime.reload(other.model_copy(update={"aws": other.aws.model_copy(update={"region": "eu-west-1"})}))
        assert len(bench.pollers["a"]) == 1
        assert not bench.last("a").ended
        runtime.stop()


@virtual_time.test
async def test_a_paused_mapping_stays_paused_when_a_reload_changes_it(tmp_path: Path) -> None:
    """Who paused it had a reason."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("a", batch_size=1)), bench)
    async with running(runtime):
        runtime.mappings["a"].pause()
        await virtual_time.settle()
        await runtime.reload(config(tmp_path, mapping("a", batch_size=2)))
        await virtual_time.settle()
        assert state_of(runtime, "a") is MappingState.PAUSED
        assert len(bench.pollers["a"]) == 1
        runtime.mappings["a"].resume()
        await virtual_time.settle()
        assert (state_of(runtime, "a"), bench.last("a").mapping.batch_size) == (MappingState.RUNNING, 2)
        runtime.stop()


@virtual_time.test
async def test_a_removed_mapping_says_so_after_its_last_fact(tmp_path: Path) -> None:
    """Whoever counted it may forget it; one of the same name begins new books."""
    heard: list[tuple[str, object]] = []
    bench = Bench()
    runtime = Runtime(
        config(tmp_path, mapping("a"), mapping("b")),
        bench.make,
        lambda name, model: FakeFunction(name, model),
        sinks=(lambda name, fact: heard.append((name, fact)),),
    )
    async with running(runtime) as codes:
        bench.last("b").surroundings.facts.emit(Received("", ["1"], 1))
        bench.last("b").surroundings.facts.emit(Deleted(["1"]))
        await runtime.reload(config(tmp_path, mapping("a")))
        assert [fact for name, fact in heard if name == "b"][-1] == Removed()
        await runtime.reload(config(tmp_path, mapping("a"), mapping("b")))
        await virtual_time.settle()
        assert runtime.mappings["b"].ledger.received == 0
        runtime.stop()
    assert codes == [0]


@virtual_time.test
async def test_a_removed_mapping_whose_books_do_not_balance_fails_the_exit_code(tmp_path: Path) -> None:
    """Taking it out does not hide it."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b")), bench)
    async with running(runtime) as codes:
        bench.last("b").surroundings.facts.emit(Received("", ["1"], 1))
        await runtime.reload(config(tmp_path, mapping("a")))
        runtime.stop()
    assert codes == [1]


@virtual_time.test
async def test_a_stop_during_a_reload_starts_nothing_new(tmp_path: Path) -> None:
    """The reload is refused when what it waited for has ended; the shutdown goes its way."""
    bench = Bench(stubborn={"slow"})
    runtime = make_runtime(config(tmp_path, mapping("slow")), bench)
    refused: list[str] = []

    async def reload() -> None:
        try:
            await runtime.reload(config(tmp_path, mapping("new")))
        except ReloadRefused as reason:
            refused.append(str(reason))

    async with running(runtime) as codes, anyio.create_task_group() as group:
        group.start_soon(reload)
        await virtual_time.settle()
        runtime.stop()
    assert (codes, refused) == ([0], ["shutting down"])
    assert "new" not in bench.pollers


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

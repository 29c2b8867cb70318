"""The runtime: mappings start, fail, restart and pause without touching one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from handlers.errors import FunctionUnusable
from pollers.aws.errors import AccessDenied, NotFound
from pollers.errors import SourceUnusable
from pollers.supervisor.mapping import MappingState
from pollers.supervisor.runtime import Runtime
from tests.unit.supervisor.fakes import Bench, FakeFunction, config, mapping
from tests.unit.supervisor.runtimes import make_runtime, running, state_of
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path


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
    assert started["functions"] == 2


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

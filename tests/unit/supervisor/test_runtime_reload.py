"""What a reload of a runtime touches, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from config.models import Schedule
from pollers.supervisor.mapping import MappingState
from pollers.supervisor.runtime import ReloadRefused, Runtime
from pollers.telemetry.facts import Deleted, Received, Removed
from tests.unit.supervisor.fakes import Bench, FakeFunction, config, mapping
from tests.unit.supervisor.runtimes import make_runtime, running, state_of
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from config.models import Config, FunctionModel


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
        assert did == {
            "added": ["new"],
            "removed": ["gone"],
            "changed": ["changed"],
            "functions": ["other", "third"],
            "schedules": [],
        }
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
async def test_the_first_schedule_needs_a_restart(tmp_path: Path) -> None:
    """Where nothing has opened the state, nobody could run it."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("a")), bench)
    schedule = Schedule(name="s", schedule_expression="rate(1 hour)", function_name="f")
    changed = config(tmp_path, mapping("a")).model_copy(update={"schedules": {"s": schedule}})
    async with running(runtime):
        with pytest.raises(ReloadRefused, match="the first schedule needs the state"):
            await runtime.reload(changed)
        runtime.stop()


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


@virtual_time.test
async def test_a_stop_during_a_reload_waits_for_no_function_of_the_new_configuration(tmp_path: Path) -> None:
    """The functions may be closed already when the reload goes on: it adds none that the shutdown would wait for in vain."""
    bench = Bench(stubborn={"slow"})
    runtime = make_runtime(config(tmp_path, mapping("slow"), mapping("quick")), bench)

    async def reload() -> None:
        with pytest.raises(ReloadRefused):
            await runtime.reload(config(tmp_path, mapping("slow"), mapping("quick"), orders={"timeout": 9}, spare={}))

    with structlog.testing.capture_logs() as lines:
        async with running(runtime) as codes, anyio.create_task_group() as group:
            group.start_soon(reload)
            await virtual_time.settle()
            runtime.stop()
            await virtual_time.settle()
            began = anyio.current_time()
            bench.last("slow").surroundings.stop.hurry()
        took = anyio.current_time() - began
    assert codes == [0]
    assert took < 0.1
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == []


@virtual_time.test
async def test_a_reload_names_the_functions_that_it_changed_also_without_a_mapping(tmp_path: Path) -> None:
    """Those that lost their last mapping did not change, though they are made anew."""
    runtime = make_runtime(config(tmp_path, mapping("a"), mapping("b", "idle"), idle={}, spare={}, gone={}), Bench())
    async with running(runtime):
        did = await runtime.reload(config(tmp_path, mapping("a"), idle={}, spare={"timeout": 9}, new={}))
        assert did == {
            "added": [],
            "removed": ["b"],
            "changed": [],
            "functions": ["gone", "new", "spare"],
            "schedules": [],
        }
        assert [host.model.timeout for host in runtime.functions.values()] == [3, 3, 9, 3]
        runtime.stop()


@virtual_time.test
async def test_a_reload_after_the_stop_is_refused_at_once(tmp_path: Path) -> None:
    """Not when the last batch has ended: whoever asks waits for that in vain."""
    bench = Bench(stubborn={"slow"})
    runtime = make_runtime(config(tmp_path, mapping("slow")), bench)
    async with running(runtime):
        runtime.stop()
        began = anyio.current_time()
        with pytest.raises(ReloadRefused, match="shutting down"):
            await runtime.reload(config(tmp_path, mapping("slow"), orders={"timeout": 9}))
        assert anyio.current_time() == began
        runtime.stop()


class LeavesSlowly(FakeFunction):
    """Takes half a second to stop what it has started."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await anyio.sleep(0.5)
        await super().__aexit__(kind, error, traceback)


@virtual_time.test
async def test_a_stop_while_a_reload_leaves_a_function_starts_nothing_new(tmp_path: Path) -> None:
    """The mappings of the old configuration have ended; those of the new one do not begin."""
    bench, made = Bench(), list[LeavesSlowly]()

    def make_function(name: str, model: FunctionModel) -> LeavesSlowly:
        made.append(LeavesSlowly(name, model))
        return made[-1]

    runtime = Runtime(config(tmp_path, mapping("a")), bench.make, make_function, clock=virtual_time.VirtualClock())

    async def reload() -> None:
        with pytest.raises(ReloadRefused, match="shutting down"):
            await runtime.reload(config(tmp_path, mapping("a"), mapping("new"), orders={"timeout": 9}))

    async with running(runtime) as codes, anyio.create_task_group() as group:
        group.start_soon(reload)
        await virtual_time.settle()
        assert bench.last("a").ended
        runtime.stop()
    assert codes == [0]
    assert (len(bench.pollers["a"]), "new" in bench.pollers) == (1, False)
    assert [function.left for function in made] == [1]
    assert list(runtime.mappings) == ["a"]


@virtual_time.test
async def test_reloads_that_are_asked_for_together_take_turns(tmp_path: Path) -> None:
    """The second one begins where the first one ended."""
    bench = Bench(stubborn={"a"})
    runtime = make_runtime(config(tmp_path, mapping("a")), bench)
    did: list[list[str]] = []

    async def reload(seconds: int) -> None:
        did.append((await runtime.reload(config(tmp_path, mapping("a"), orders={"timeout": seconds})))["changed"])

    async with running(runtime):
        async with anyio.create_task_group() as group:
            for seconds in (9, 9, 10):
                group.start_soon(reload, seconds)
                await virtual_time.settle()
            for _ in range(2):
                bench.last("a").surroundings.stop.hurry()
                await virtual_time.settle()
        assert did == [["a"], [], ["a"]]
        assert runtime.functions["orders"].model == runtime.config.functions["orders"]
        assert runtime.functions["orders"].model.timeout == 10
        runtime.stop()
        runtime.stop()


@virtual_time.test
async def test_what_was_made_elsewhere_completes_every_configuration(tmp_path: Path) -> None:
    """At the start and at each reload; what was given is remembered as it was given."""
    made = mapping("made")

    def complete(config: Config) -> Config:
        return config.model_copy(update={"event_source_mappings": {**config.event_source_mappings, "made": made}})

    runtime = make_runtime(config(tmp_path, mapping("a")), Bench())
    runtime.complete = complete
    async with running(runtime):
        assert set(runtime.mappings) == {"a", "made"}
        runner = runtime.mappings["made"]
        changed = config(tmp_path, mapping("b"))
        did = await runtime.reload(changed)
        assert (did["added"], did["removed"]) == (["b"], ["a"])
        assert runtime.given is changed
        assert runtime.mappings["made"] is runner
        runtime.stop()

"""``--until-idle``: ending when all is done, and when nothing more can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from handlers.errors import FunctionUnusable
from pollers.errors import SourceUnusable
from pollers.supervisor.unreachable import Trouble, Unreachable
from pollers.supervisor.until_idle import Sight, Verdict, judge
from pollers.telemetry.facts import Doing, Listed, Polled, Received, Removed, Returned, ShardEnded, State
from tests.unit.supervisor.fakes import Bench, FakeFunction, config, mapping
from tests.unit.supervisor.runtimes import make_runtime, running
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1000.0
YOUNG = Trouble(NOW - 59, "no route")
OLD = Trouble(NOW - 60, "no credentials")


@pytest.mark.parametrize(
    ("sights", "verdict"),
    [
        ([], Verdict.CAUGHT_UP),
        ([Sight("a", "")], Verdict.CAUGHT_UP),
        ([Sight("a", ""), Sight("b", "3 are held")], Verdict.BUSY),
        ([Sight("a", "no route", YOUNG), Sight("b", "")], Verdict.TROUBLED),
        ([Sight("a", "no credentials", OLD), Sight("b", "3 are held")], Verdict.BUSY),
        ([Sight("a", "no credentials", OLD), Sight("b", "no route", YOUNG)], Verdict.TROUBLED),
        ([Sight("a", "no credentials", OLD), Sight("b", "")], Verdict.GIVEN_UP),
    ],
)
def test_what_is_out_of_reach_is_given_up_when_all_else_is_done(sights: list[Sight], verdict: Verdict) -> None:
    """Not before a minute, and never as caught up."""
    assert judge(sights, NOW, 60.0) is verdict


class TestReach:
    """Since when a mapping has got nothing from its source."""

    def _unreachable(self) -> Unreachable:
        self.now = 0.0
        return Unreachable(lambda: self.now)

    def test_trouble_lasts_from_the_first_failure_until_an_answer(self) -> None:
        """Tries in between do not begin it anew."""
        unreachable = self._unreachable()
        for self.now, fact in (
            (1.0, Doing("receive", State.BACKING_OFF, "first")),
            (2.0, Doing("receive", State.POLLING)),
            (3.0, Doing("receive", State.BACKING_OFF, "second")),
        ):
            unreachable("q", fact)
        assert unreachable.trouble("q") == Trouble(1.0, "second")
        unreachable("q", Polled("", 0))
        assert unreachable.trouble("q") is None
        assert unreachable.trouble("unknown") is None

    def test_one_shard_without_an_answer_is_trouble_whatever_the_others_do(self) -> None:
        """Until it answers, or has ended."""
        unreachable = self._unreachable()
        unreachable("s", Doing("shard-1", State.BACKING_OFF, "timeout"))
        unreachable("s", Doing("shard-2", State.BACKING_OFF, "timeout"))
        unreachable("s", Polled("shard-2", 5))
        assert unreachable.trouble("s") is not None
        unreachable("s", ShardEnded("shard-1"))
        assert unreachable.trouble("s") is None

    def test_a_stream_that_cannot_be_opened_is_trouble_until_it_is_listed(self) -> None:
        """It says before each try that its wait is over; that is no answer. A mapping that starts again is none either."""
        unreachable = self._unreachable()
        unreachable("s", Doing("stream", State.BACKING_OFF, "no route"))
        unreachable("s", Doing("stream", State.ENDED))
        unreachable("s", Doing("mapping", State.BACKING_OFF, "no credentials"))
        unreachable("s", Doing("mapping", State.ENDED))
        assert unreachable.trouble("s") is not None
        unreachable("s", Listed(4))
        assert unreachable.trouble("s") is None

    def test_a_mapping_that_breaks_down_at_each_start_is_in_trouble_since_the_first(self) -> None:
        """Its stream is listed each time, and some shards answer. Once it has run for a while, another breakdown is a new one."""
        unreachable = self._unreachable()
        for self.now in (10.0, 45.0, 105.0):
            unreachable("s", Listed(4))
            unreachable("s", Polled("shard-1", 5))
            assert unreachable.trouble("s") is None
            unreachable("s", Doing("mapping", State.BACKING_OFF, "history is lost", 30.0))
            assert unreachable.trouble("s") == Trouble(10.0, "history is lost")
        self.now = 170.0
        unreachable("s", Listed(4))
        unreachable("s", Doing("mapping", State.BACKING_OFF, "denied", 5.0))
        assert unreachable.trouble("s") == Trouble(170.0, "denied")
        unreachable("s", Removed())
        unreachable("s", Doing("mapping", State.BACKING_OFF, "denied", 5.0))
        assert unreachable.trouble("s") == Trouble(170.0, "denied")

    def test_checkpoints_that_can_be_written_again_are_no_trouble(self) -> None:
        """Their task has no polls; its end is said."""
        unreachable = self._unreachable()
        unreachable("s", Doing("checkpoints", State.BACKING_OFF, "disk full"))
        unreachable("s", Doing("checkpoints", State.ENDED))
        assert unreachable.trouble("s") is None


@virtual_time.test
async def test_until_idle_ends_after_the_quiet_time(tmp_path: Path) -> None:
    """Caught up and quiet for the given seconds: exit 0 by itself."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    began = anyio.current_time()
    async with running(runtime, until_idle=5) as codes:
        bench.last("q").behind = True
        await anyio.sleep(20)
        assert not codes
        bench.last("q").behind = False
        facts = bench.last("q").surroundings.facts
        facts.emit(Received("", ["1"], 10))
        facts.emit(Returned("", ["1"], None, "failed"))
    assert codes == [0]
    assert 25 <= anyio.current_time() - began < 28


@virtual_time.test
async def test_a_mapping_that_cannot_run_ends_it_after_a_minute_with_1(tmp_path: Path) -> None:
    """A backfill whose queue is missing must not look done; its neighbour finishes first. It never says both."""
    bench = Bench(failures={"q": [SourceUnusable("no such queue")] * 100})
    runtime = make_runtime(config(tmp_path, mapping("q"), mapping("fine")), bench)
    began = anyio.current_time()
    with structlog.testing.capture_logs() as logged:
        async with running(runtime, until_idle=5) as codes:
            pass
    assert codes == [1]
    assert 60 <= anyio.current_time() - began < 75
    events = [line["event"] for line in logged]
    assert "every source is caught up" not in events
    [said] = [line for line in logged if line["event"] == "not caught up: nothing could be read"]
    assert (said["mapping"], said["error"], said["log_level"]) == ("q", "no such queue", "error")
    assert events.count("ending although not every source is caught up") == 1


@virtual_time.test
async def test_a_queue_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    """Within the minute: then all is as if it had been there."""
    bench = Bench(failures={"q": [SourceUnusable("no such queue")] * 3})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime, until_idle=5) as codes:
        await anyio.sleep(40)
        assert len(bench.pollers["q"]) == 4
        bench.last("q").surroundings.facts.emit(Polled("", 0))
    assert codes == [0]


@virtual_time.test
async def test_a_source_that_stops_answering_ends_it_with_1(tmp_path: Path) -> None:
    """The poller runs and tries again and again; nothing is held."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime, until_idle=5) as codes:
        bench.last("q").behind = True
        for _ in range(30):
            bench.last("q").surroundings.facts.emit(Doing("receive", State.BACKING_OFF, "no route to host", 5.0))
            await anyio.sleep(5)
            if codes:
                break
    assert codes == [1]


@virtual_time.test
async def test_what_is_held_is_finished_however_long_the_source_is_away(tmp_path: Path) -> None:
    """A batch that runs is not cut short for it."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime, until_idle=5) as codes:
        bench.last("q").holding = 3
        bench.last("q").surroundings.facts.emit(Doing("receive", State.BACKING_OFF, "no route to host", 5.0))
        await anyio.sleep(300)
        assert not codes
        bench.last("q").holding = 0
    assert codes == [1]


@virtual_time.test
async def test_a_function_that_cannot_be_used_ends_it_with_1(tmp_path: Path) -> None:
    """Nothing is read for it, so nothing is caught up."""
    from pollers.supervisor.runtime import Runtime

    def make_function(name: str, model: object) -> FakeFunction:
        return FakeFunction(name, model, problem=FunctionUnusable("no such module"))  # type: ignore[arg-type]

    runtime = Runtime(config(tmp_path, mapping("a")), Bench().make, make_function)
    async with running(runtime, until_idle=5) as codes:
        pass
    assert codes == [1]


@virtual_time.test
async def test_a_batch_that_is_retried_for_ever_is_said_every_minute(tmp_path: Path) -> None:
    """It is never idle; whoever waits learns for what."""
    bench = Bench()
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    with structlog.testing.capture_logs() as logged:
        async with running(runtime, until_idle=5) as codes:
            bench.last("q").holding = 3
            await anyio.sleep(200)
            assert not codes
            runtime.stop()
    said = [line for line in logged if line["event"] == "until idle: still waiting"]
    assert len(said) == 3
    assert said[0]["why"] == "3 messages or records are held"


@virtual_time.test
async def test_a_signal_while_sources_are_asked_is_not_taken_for_a_second_one(tmp_path: Path) -> None:
    """The end by itself comes at the same time: running invocations still have their grace."""
    bench = Bench(stubborn={"q"})
    runtime = make_runtime(config(tmp_path, mapping("q")), bench)
    async with running(runtime, until_idle=5):
        await anyio.sleep(4.9)
        runtime.stop()
        await anyio.sleep(10)
        assert not bench.last("q").hurried

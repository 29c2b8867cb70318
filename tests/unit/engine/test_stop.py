"""A stop: two steps, taken once, that reach every scope and every child, whenever those were made."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.stop import Stop
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Family:
    """Stops of one family, what was opened in each, and a model of which steps each has taken."""

    stops: list[Stop] = field(default_factory=lambda: [Stop()])
    parents: list[int | None] = field(default_factory=lambda: [None])
    requested: list[bool] = field(default_factory=lambda: [False])
    hurried: list[bool] = field(default_factory=lambda: [False])
    waits: list[tuple[int, anyio.CancelScope]] = field(default_factory=list)
    runs: list[tuple[int, anyio.CancelScope]] = field(default_factory=list)

    def do(self, what: str, which: int, opened: ExitStack) -> None:
        """One call, and what the model says of it."""
        which %= len(self.stops)
        stop = self.stops[which]
        match what:
            case "request":
                stop.request()
                self._take(which, hurried=False)
            case "hurry":
                stop.hurry()
                self._take(which, hurried=True)
            case "child":
                self.stops.append(stop.child())
                self.parents.append(which)
                self.requested.append(self.requested[which])
                self.hurried.append(self.hurried[which])
            case "wait":
                self.waits.append((which, opened.enter_context(stop.waiting())))
            case _:
                self.runs.append((which, opened.enter_context(stop.running())))

    def _take(self, which: int, *, hurried: bool) -> None:
        for index in range(len(self.stops)):
            if which in self._lineage(index):
                self.requested[index] = True
                self.hurried[index] |= hurried

    def _lineage(self, index: int | None) -> list[int]:
        return [] if index is None else [index, *self._lineage(self.parents[index])]

    def check(self) -> None:
        """Every stop and every scope agrees with the model."""
        assert [stop.requested for stop in self.stops] == self.requested
        assert [stop.hurried for stop in self.stops] == self.hurried
        assert [scope.cancel_called for _, scope in self.waits] == [self.requested[which] for which, _ in self.waits]
        assert [scope.cancel_called for _, scope in self.runs] == [self.hurried[which] for which, _ in self.runs]


CALLS = st.tuples(st.sampled_from(["request", "hurry", "child", "wait", "run"]), st.integers(0, 9))


@given(st.lists(CALLS, max_size=12))
def test_steps_reach_every_child_and_every_scope_in_whatever_order_they_are_made(calls: list[tuple[str, int]]) -> None:
    """Scopes and children that are made after a step are stopped as those before it; a step goes down and never up."""

    async def run() -> None:
        family = Family()
        # Closed in the reverse order, as nested ``with`` statements would be.
        with ExitStack() as opened:
            for what, which in calls:
                family.do(what, which, opened)
                family.check()

    virtual_time.run(run)


@virtual_time.test
async def test_a_request_ends_sleeps_and_leaves_what_runs_alone() -> None:
    """A hurry ends that too."""
    stop = Stop()
    ended: list[str] = []

    async def sleep() -> None:
        await stop.sleep(3600.0)
        ended.append("sleep")

    async def work() -> None:
        with stop.running() as scope:
            await anyio.sleep(3600.0)
        assert scope.cancelled_caught
        ended.append("work")

    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        group.start_soon(work)
        await settle()
        stop.request()
        await settle()
        assert ended == ["sleep"]
        stop.hurry()
    assert ended == ["sleep", "work"]
    assert not stop._request.scopes, "a scope that was left is kept: a poller enters millions"
    assert not stop._hurry.scopes


@virtual_time.test
async def test_a_stop_that_came_before_the_wait_is_not_lost() -> None:
    """Each way of waiting ends at once."""
    stop = Stop()
    stop.hurry()
    with anyio.fail_after(1.0):
        await stop.sleep(3600.0)
        await stop.until_requested()
        await stop.until_hurried()
        assert await stop.unless_requested(_an_hour) is None


async def _an_hour() -> str:
    await anyio.sleep(3600.0)
    return "an hour later"


@virtual_time.test
async def test_a_time_that_has_passed_is_no_wait() -> None:
    """Callers give what is left of a time, which may be less than nothing."""
    began = anyio.current_time()
    await Stop().sleep(-1.0)
    assert anyio.current_time() == began


@virtual_time.test
async def test_unless_requested_hands_over_what_came_or_was_raised() -> None:
    """An exception comes as it was raised, in no group."""

    async def three() -> int:
        await anyio.sleep(1.0)
        return 3

    async def fail() -> int:
        raise KeyError("x")

    assert await Stop().unless_requested(three) == 3
    with pytest.raises(KeyError):
        await Stop().unless_requested(fail)


@virtual_time.test
async def test_a_stop_cuts_the_call_that_unless_requested_makes() -> None:
    """The call is cancelled and has ended when None comes back."""
    stop, ended = Stop(), False

    async def call() -> int:
        nonlocal ended
        try:
            await anyio.sleep_forever()
        finally:
            ended = True
        return 1

    async with anyio.create_task_group() as group:
        group.start_soon(_request_after, stop.request, 1.0)
        assert await stop.unless_requested(call) is None
    assert ended


async def _request_after(request: Callable[[], None], seconds: float) -> None:
    await anyio.sleep(seconds)
    request()


@virtual_time.test
async def test_a_child_that_stopped_by_itself_leaves_its_parent_and_its_siblings_alone() -> None:
    """One shard that is lost does not stop the others."""
    parent = Stop()
    lost, other = parent.child(), parent.child()
    lost.hurry()
    assert (parent.requested, other.requested, lost.hurried) == (False, False, True)
    parent.request()
    assert (other.requested, other.hurried) == (True, False)


@virtual_time.test
async def test_children_that_nobody_uses_any_more_are_forgotten() -> None:
    """A poller that lives for months has had many shards."""
    parent = Stop()
    kept = parent.child()
    for _ in range(100):
        parent.child()
    gc.collect()
    assert len(parent._children) == 1
    parent.request()
    assert kept.requested

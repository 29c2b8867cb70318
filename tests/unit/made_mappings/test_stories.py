"""Any story of changes, reloads, kills and full disks: what runs in the end is what a much simpler account says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.engine.stop import Stop
from pollers.made_mappings import MadeMappingError, MappingRegister
from pollers.storage import StoreUnwritable
from tests.unit.made_mappings.fakes import FakeRuntime, made_mappings
from tests.unit.made_mappings.test_register import QUEUE, Disk, config, file_mapping
from tests.worlds import virtual_time

FUNCTIONS = ("orders", "audit")
STORIES = 150

steps = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(FUNCTIONS), st.booleans()),
    st.tuples(st.just("size"), st.integers(0, 3), st.integers(1, 10)),
    st.tuples(st.just("enable"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("delete"), st.integers(0, 3)),
    st.tuples(st.just("file"), st.sets(st.sampled_from(FUNCTIONS)), st.booleans()),
    st.tuples(st.just("disk"), st.booleans()),
    st.tuples(st.just("wait")),
    st.tuples(st.just("kill")),
)


@dataclass
class Story:
    """The account, and what it is about. ``wanted``: function, batch size and whether enabled, by UUID."""

    disk: Disk = field(default_factory=Disk)
    functions: set[str] = field(default_factory=lambda: set(FUNCTIONS))
    twin: bool = False
    wanted: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    runtime: FakeRuntime = field(default_factory=FakeRuntime)
    register: MappingRegister = field(init=False)

    @property
    def file(self) -> Any:  # noqa: ANN401 - a configuration
        """What the file gives."""
        twins = {"twin": file_mapping("twin")} if self.twin and "orders" in self.functions else {}
        return config(*self.functions, **twins)

    async def start(self) -> None:
        """A new process over the same disk."""
        self.runtime = FakeRuntime()
        self.register = made_mappings(self.runtime, self.disk)
        self.runtime.given = self.file
        await self.register.open()
        self.runtime.follow(self.file)

    async def change(self, step: tuple[Any, ...]) -> None:
        """One change through the API; it counts when it is answered, and only then."""
        known = sorted(self.wanted)
        try:
            match step:
                case ("create", function, enabled):
                    asked = {"EventSourceArn": QUEUE, "FunctionName": function, "Enabled": enabled}
                    made = await self.register.create(asked, function, {})
                    self.wanted[made.uuid] = (function, 10, enabled)
                case ("size", which, size) if which < len(known):
                    await self.register.update(known[which], {"BatchSize": size}, None)
                    function, _, enabled = self.wanted[known[which]]
                    self.wanted[known[which]] = (function, size, enabled)
                case ("enable", which, enabled) if which < len(known):
                    await self.register.update(known[which], {"Enabled": enabled}, None)
                    function, size, _ = self.wanted[known[which]]
                    self.wanted[known[which]] = (function, size, enabled)
                case ("delete", which) if which < len(known):
                    await self.register.delete(known[which])
                    del self.wanted[known[which]]
        except (MadeMappingError, StoreUnwritable):
            pass

    def check(self) -> None:
        """What runs is what is wanted, but for those that wait; every one is listed, and the rest is gone from the disk."""
        twins = {"orders"} if "twin" in self.file.event_source_mappings else set()
        running = {
            name: (one.function_name, one.batch_size, one.enabled)
            for name, one in self.runtime.config.event_source_mappings.items()
            if name != "twin"
        }
        runnable = {name: one for name, one in self.wanted.items() if one[0] in self.functions - twins}
        assert running == runnable
        listed = {name: one for name, one in self.register.registered().items() if one.made is not None}
        assert set(listed) == set(self.wanted) == set(self.disk.documents)
        assert set(self.register.waiting()) == self.wanted.keys() - runnable.keys()
        assert all(one.state == ("Enabled" if self.wanted[name][2] else "Disabled") for name, one in listed.items())


@settings(max_examples=STORIES)
@given(st.lists(steps, max_size=12))
def test_any_story_comes_to_what_was_answered(story: list[tuple[Any, ...]]) -> None:
    """Whatever happened meanwhile."""
    virtual_time.run(lambda: told(story))


async def told(steps: list[tuple[Any, ...]]) -> None:
    """Live through the steps, a life at a time, and look at the end."""
    story, left = Story(), list(steps)
    while True:
        await story.start()
        async with anyio.create_task_group() as life:
            life.start_soon(story.register.run, Stop())
            while left and left[0][0] != "kill":
                await one(story, left.pop(0))
            if not left:
                await virtual_time.settle()
                story.check()
            life.cancel_scope.cancel()
        if not left:
            return
        left.pop(0)


async def one(story: Story, step: tuple[Any, ...]) -> None:
    """A single step that is no kill."""
    match step:
        case ("file", functions, twin):
            story.functions, story.twin = functions, twin
            async with story.runtime.reading:
                await story.runtime.reload(story.file)
            story.register.apply(story.runtime.config)
        case ("disk", full):
            story.disk.full = full
        case ("wait",):
            await virtual_time.settle()
        case _:
            await story.change(step)

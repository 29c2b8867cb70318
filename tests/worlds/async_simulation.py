"""One seed's whole story of the asynchronous queue: functions with moods, targets that go away, a disk that fills up, crashes and
stops; and what must hold in all of it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.destinations.ended import Condition
from pollers.engine.failures import taken_apart
from pollers.invocations import QueueFull
from pollers.storage import StoreUnwritable
from tests.worlds import virtual_time
from tests.worlds.async_world import FAILED, OK, AsyncWorld, Settings, models, world_of
from tests.worlds.inline_state import Killed
from tests.worlds.virtual_time import EPOCH, START

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.invocations import AsyncQueue

CALM_SECONDS = 2_000.0
"""In which everything must have come to an end once all is well: no wait is longer than five minutes."""
LONGEST_WAIT = 300.0
FULL = StoreUnwritable("state.db could not be written (database or disk is full); nothing of it was kept")


@dataclass
class Story:
    """What happened to one event. ``certain``: its acceptance was told to the caller."""

    function: str
    accepted_at: float
    certain: bool = False
    running: bool = False
    begun: int = 0
    answers: list[Result | Exception] = field(default_factory=list)

    def answered(self, kind: type) -> int:
        """How often the function brought a result of this kind, whether anybody learned of it or not."""
        return sum(isinstance(answer, kind) for answer in self.answers)


class Simulation:
    """A few lives of a process on one folder, and a last one in which all is well."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._stories: dict[str, Story] = {}
        self._limits = {f"f{number}": self._random.randint(1, 3) for number in range(self._random.randint(1, 3))}
        self._cut_short = 0
        self._broken = {name for name in self._limits if self._random.random() < 0.2}
        self._reserved_nothing: set[str] = set()
        self._calm_since = 0.0
        self._moods: dict[str, float] = {}
        self._world: AsyncWorld

    async def run(self) -> None:
        """Tell the story, and see that every rule held."""
        async with world_of(functions_of=dict(self._limits)) as self._world:
            world = self._world
            world.answer = self._answer
            world.on_begin, world.on_end = self._begins, self._ends
            world.may_break = True
            world.settings = {name: self._settings() for name in self._limits}
            for _ in range(self._random.randint(1, 5)):
                await self._life()
            await self._last_life()
            self._judge()

    # -- what goes wrong ------------------------------------------------------------------------------------------------

    def _settings(self) -> Settings:
        chance = self._random
        return Settings(
            maximum_retry_attempts=chance.randint(0, 2),
            maximum_event_age_seconds=chance.choice([60, 90, 600, 21_600]),
            on_success=chance.choice([None, "arn:ok", "arn:all"]),
            on_failure=chance.choice([None, "arn:failed", "arn:all"]),
            dead_letters=chance.choice([None, "arn:dead"]),
        )

    def _answer(self, function: str, request_id: str) -> Result | Exception:
        if function in self._broken:
            return FAILED
        if self._random.random() > self._moods.get(function, 0.0):
            return OK
        kinds: list[Result | Exception] = [
            FAILED,
            FAILED,
            Throttle("busy"),
            Throttle("busy", self._random.uniform(0, 400)),
            InfrastructureError("no connection"),
            RuntimeError("the runner died"),
        ]
        return self._random.choice(kinds)

    async def _trouble(self) -> None:
        """Something goes wrong, or is well again."""
        world, chance = self._world, self._random
        while True:
            await anyio.sleep(chance.expovariate(1 / 20))
            function = chance.choice(list(self._limits))
            match chance.randrange(8):
                case 0:
                    world.state.problem = FULL if chance.random() < 0.5 else None
                case 1:
                    world.down = set(
                        chance.sample(["arn:ok", "arn:failed", "arn:all", "arn:dead"], chance.randint(0, 4))
                    )
                case 2:
                    self._moods[function] = chance.choice([0.0, 0.3, 1.0])
                case 3:
                    world.unusable = chance.choice([None, RuntimeError("it does not load")])
                case 4:
                    reserved = chance.choice([None, 0, 1])
                    world.functions[function].reserve(reserved)
                    self._reserved_nothing |= {function} if reserved == 0 else set()
                case 5:
                    await world.functions.apply(models(self._limits), {function})
                    world.queue.apply(None)  # type: ignore[arg-type]  # not looked at
                case 6:
                    world.run_seconds = chance.choice([0.0, 0.5, 40.0])
                case _:
                    pass

    async def _client(self, queue: AsyncQueue, life: int) -> None:
        """Calls, some of them twice at the same time."""
        for number in range(self._random.randint(1, 12)):
            await anyio.sleep(self._random.expovariate(1 / 5))
            function = self._random.choice(list(self._limits))
            request_id = f"{life}-{id(self):x}-{len(self._stories)}-{number}"
            self._stories[request_id] = story = Story(function, anyio.current_time())
            taken: list[bool] = []
            async with anyio.create_task_group() as group:
                for _ in range(self._random.choice([1, 1, 2])):
                    group.start_soon(_accept, queue, function, request_id, taken)
            story.certain = any(taken)
            assert taken.count(True) <= 1, f"{request_id} was queued twice"

    # -- lives ----------------------------------------------------------------------------------------------------------

    async def _life(self) -> None:
        world, chance = self._world, self._random
        killed = chance.random() < 0.5
        try:
            with anyio.CancelScope() as everything:
                async with world.life() as queue:
                    if killed:
                        loop = virtual_time.current_loop()
                        loop.at_step(loop.steps + chance.randint(1, 4_000), lambda: self._kill(everything))
                    async with anyio.create_task_group() as group:
                        group.start_soon(self._trouble)
                        for life in range(chance.randint(1, 3)):
                            group.start_soon(self._client, queue, life)
                        await anyio.sleep(chance.uniform(0, 500))
                        group.cancel_scope.cancel()
                    if killed:
                        self._kill(everything)
                        await anyio.lowlevel.checkpoint()
                    await self._stop()
        except Exception as error:
            if not isinstance(taken_apart(error).cause, Killed):
                raise
        world.busy.clear()
        for story in self._stories.values():
            story.running = False
        if not killed:
            assert queue.books().balanced, queue.books()
            assert queue.held() == queue.running() == 0

    def _kill(self, everything: anyio.CancelScope) -> None:
        if self._world.state.killed or everything.cancel_called:
            return
        self._cut_short += 1
        self._world.crashed = self._world.state.killed = True
        everything.cancel()

    async def _stop(self) -> None:
        if self._random.random() < 0.5:
            # Nobody hurries it, so it waits for the disk.
            self._world.state.problem = None
            return
        self._cut_short += 1
        self._world.runner.end()
        await anyio.sleep(self._random.uniform(0, 3))
        self._world.runner.hurry()

    async def _last_life(self) -> None:
        world = self._world
        world.unusable, world.run_seconds, self._moods = None, 0.5, {}
        world.down.clear()
        self._calm_since = anyio.current_time()
        async with world.life() as queue:
            await virtual_time.eventually(lambda: _is_over(queue), within=CALM_SECONDS, every=5.0)
            assert queue.left() == ""
        assert queue.books().balanced
        assert queue.snapshot().bytes == 0

    # -- what must hold -------------------------------------------------------------------------------------------------

    def _begins(self, function: str, request_id: str) -> None:
        story = self._stories[request_id]
        assert not story.running, f"{request_id} runs twice at a time"
        assert self._world.busy[function] <= self._limits[function], "more run than the function may"
        age = self._world.settings[function].maximum_event_age_seconds
        assert anyio.current_time() - story.accepted_at <= age + 1.0, f"{request_id} runs though it is too old"
        story.running = True
        story.begun += 1

    def _ends(self, request_id: str, answer: Result | Exception | None) -> None:
        story = self._stories[request_id]
        story.running = False
        if answer is not None:
            story.answers.append(answer)

    def _judge(self) -> None:
        reports: dict[str, list[tuple[str, Condition, int, float]]] = defaultdict(list)
        for report in self._world.delivered:
            ended = report.ended
            seconds = ended.ended_at - EPOCH + START
            entry = (report.target, ended.condition, ended.invoke_count, seconds)
            reports[ended.event.request_id].append(entry)
        for request_id, story in self._stories.items():
            told = reports.pop(request_id, [])
            assert story.certain or not (told and not story.begun and not self._cut_short)
            self._judge_end(request_id, story, told)
        assert not reports, f"reports of what nobody sent: {reports}"

    def _judge_end(self, request_id: str, story: Story, told: list[tuple[str, Condition, int, float]]) -> None:
        settings = self._world.settings[story.function]
        retries = settings.maximum_retry_attempts
        assert story.answered(FunctionError) <= 1 + retries + self._cut_short, f"{request_id} was retried too often"
        conditions = {condition for _, condition, _, _ in told}
        assert len(conditions) <= 1, f"{request_id} ended in two ways: {conditions}"
        twice = [
            target for target, times in Counter(target for target, *_ in told).items() if times > 1 + self._cut_short
        ]
        assert not twice, f"{request_id} was reported to {twice} again and again"
        if settings.on_success and settings.on_failure and story.certain:
            assert told, f"{request_id} was lost: {story}"
        for _, condition, count, ended_at in told:
            answered = story.answered(Payload) + story.answered(FunctionError)
            assert answered <= count <= story.begun + self._cut_short, f"{request_id}: {count} of {story}"
            assert count == answered or self._cut_short, f"{request_id}: {count} of {story}"
            self._judge_condition(story, condition, ended_at)

    def _judge_condition(self, story: Story, condition: Condition, ended_at: float) -> None:
        age = ended_at - story.accepted_at
        settings = self._world.settings[story.function]
        match condition:
            case Condition.SUCCESS:
                assert story.answered(Payload)
            case Condition.RETRIES_EXHAUSTED:
                assert story.answered(FunctionError) >= 1 + settings.maximum_retry_attempts
            case Condition.EVENT_AGE_EXCEEDED:
                assert age + LONGEST_WAIT > settings.maximum_event_age_seconds
                stuck = ended_at > self._calm_since + 2 * LONGEST_WAIT and story.function not in self._broken
                assert not stuck, f"all was well, and {story} was not run"
            case Condition.ZERO_RESERVED_CONCURRENCY:
                assert story.function in self._reserved_nothing


async def _accept(queue: AsyncQueue, function: str, request_id: str, taken: list[bool]) -> None:
    try:
        taken.append(await queue.accept(function, request_id.encode(), request_id=request_id))
    except (StoreUnwritable, QueueFull):
        taken.append(False)


def _is_over(queue: AsyncQueue) -> bool:
    snapshot = queue.snapshot()
    return not snapshot.depth and not any(books.reporting for books in snapshot.functions.values())

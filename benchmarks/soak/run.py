"""The soak itself: emulators, proxies, producers, the program, the faults of a schedule, a drain, and the books."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import yaml

from benchmarks.soak.books import Life, Page, page
from benchmarks.soak.chaos import ON_THE_WIRE, Fault, schedule
from benchmarks.soak.program import Program
from benchmarks.soak.proxy import Proxy
from benchmarks.soak.sources import Queue, Source, Stream, Table
from pollers.checkpoints.inspection import look
from pollers.demo.world import World
from pollers.emulators import Emulator, KinesisLocal, Ministack, started

if TYPE_CHECKING:
    from collections.abc import Collection

FUNCTION = Path(__file__).with_name("function")
FUNCTION_SECONDS = 3
RESHARD_EVERY = 7.0
LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a soak. ``rate`` is of each source, a second; ``patience`` ends a drain without progress."""

    seconds: float
    seed: int
    rate: int
    kinds: Collection[str]
    patience: float
    folder: Path


@dataclass(slots=True)
class Result:
    """What came of it."""

    pages: list[Page] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    longest_wait: float = 0.0
    reshardings: int = 0
    shards: tuple[int, int] = (0, 0)


async def soak(plan: Plan) -> Result:
    """Run the plan. Emulators are installed and started in threads, as they block."""
    async with AsyncExitStack() as stack:
        emulators: list[Emulator] = []
        for context in (started(Ministack()), started(KinesisLocal())):
            emulators.append(await anyio.to_thread.run_sync(context.__enter__))
            stack.push(context.__exit__)
        proxies = [Proxy(emulator, Random(f"{plan.seed} {emulator.name}")) for emulator in emulators]
        for proxy in proxies:
            await stack.enter_async_context(proxy.listening())
        world = await stack.enter_async_context(World(emulators[0].endpoint_url))
        stream = Stream(world, emulators[1].endpoint_url, Random(f"{plan.seed} shards"))
        sources: list[Source] = [
            Queue(world, "messages", fifo=False),
            Queue(world, "groups", fifo=True),
            stream,
            Table(world),
        ]
        return await _Soak(plan, sources, stream, proxies).run()


class _Soak:
    def __init__(self, plan: Plan, sources: list[Source], stream: Stream, proxies: list[Proxy]) -> None:
        self._plan = plan
        self._sources = sources
        self._stream = stream
        self._proxies = proxies
        self._result = Result()
        self._busy_until = time.monotonic() + plan.seconds

    async def run(self) -> Result:
        for source in self._sources:
            await source.create()
        self._configure()
        result, plan = self._result, self._plan
        async with anyio.create_task_group() as group:
            program = Program(plan.folder, group, Random(f"{plan.seed} workers"))
            try:
                await program.start()
                group.start_soon(self._watch)
                await self._storm(program)
                (plan.folder / "calm").touch()
                await self._drained()
                await program.stop()
                await program.settled()
            finally:
                program.abandon()
            group.cancel_scope.cancel()
        result.lives, result.stops, result.reshardings = program.lives, program.stops, self._stream.reshardings
        for proxy in self._proxies:
            result.made.update({f"{kind} (replies)": count for kind, count in proxy.made.items()})
        await self._close(program)
        return result

    async def _storm(self, program: Program) -> None:
        """Producers and faults, for as long as the plan says."""
        begun = time.monotonic()
        self._busy_until = begun + self._plan.seconds
        async with anyio.create_task_group() as group:
            for source in self._sources:
                group.start_soon(self._produce, source)
            for fault in schedule(Random(self._plan.seed), self._plan.seconds, self._plan.kinds):
                await anyio.sleep(max(0.0, begun + fault.at - time.monotonic()))
                group.start_soon(self._make, fault, program)

    def _configure(self) -> None:
        ministack, kinesis = (proxy.endpoint_url for proxy in self._proxies)
        functions = {
            source.mapping: {
                **{"code": str(FUNCTION), "handler": "app.handler", "timeout": FUNCTION_SECONDS, "concurrency": 2},
                "environment": {
                    "JOURNAL": str(self._journal(source)),
                    "CALM": str(self._plan.folder / "calm"),
                    "ORDERED": "yes" if source.ordered else "no",
                },
            }
            for source in self._sources
        }
        mappings = {
            source.mapping: {
                **{"function_name": source.mapping, "function_response_types": ["ReportBatchItemFailures"]},
                **source.settings,
            }
            for source in self._sources
        }
        settings = {
            "aws": {"region": "us-east-1", "endpoint_url": ministack, "endpoint_urls": {"kinesis": kinesis}},
            "runtime": {"http": False, "checkpoints": f"sqlite:{self._plan.folder / 'checkpoints.db'}"},
            "functions": functions,
            "event_source_mappings": mappings,
        }
        (self._plan.folder / "headrace.yaml").write_text(yaml.safe_dump(settings))

    def _journal(self, source: Source) -> Path:
        return self._plan.folder / f"{source.mapping}.journal"

    async def _produce(self, source: Source) -> None:
        """Tens of events, evenly; the stream is resharded in between, never beside, so that its order is known."""
        begun = time.monotonic()
        reshard_at = begun + RESHARD_EVERY
        while (now := time.monotonic()) < self._busy_until:
            due = int((now - begun) * self._plan.rate) - len(source.sent.ids)
            if due >= 10:
                await source.send(10)
            else:
                await anyio.sleep(0.05)
            if source is self._stream and now > reshard_at:
                await self._stream.reshard()
                reshard_at = time.monotonic() + RESHARD_EVERY

    async def _make(self, fault: Fault, program: Program) -> None:
        made = True
        if fault.kind in ON_THE_WIRE:
            await self._damage(fault)
        elif fault.kind == "kill":
            await program.kill(fault.seconds)
        elif fault.kind == "terminate":
            await program.terminate(fault.seconds)
        elif fault.kind == "kill a worker":
            made = await program.kill_worker()
        elif fault.kind == "locked store":
            made = await program.lock_store(fault.seconds)
        else:
            program.log_unread += 1
            await anyio.sleep(fault.seconds)
            program.log_unread -= 1
        self._result.made[fault.kind] += made

    async def _damage(self, fault: Fault) -> None:
        for proxy in self._proxies:
            proxy.active[fault.kind] += 1
            if fault.kind == "cut":
                proxy.cut()
        await anyio.sleep(fault.seconds)
        for proxy in self._proxies:
            proxy.active[fault.kind] -= 1

    async def _watch(self) -> None:
        """The longest time in which nothing ran though something waited."""
        last, since = -1, time.monotonic()
        while True:
            run, waiting = await self._progress()
            if run != last or not waiting:
                last, since = run, time.monotonic()
            self._result.longest_wait = max(self._result.longest_wait, time.monotonic() - since)
            await anyio.sleep(LOOK_EVERY)

    async def _progress(self) -> tuple[int, int]:
        """How much the journals hold, and how many events have not run."""
        size, waiting = 0, 0
        for source in self._sources:
            text = await self._read(source)
            size += len(text)
            waiting += len(page(source.mapping, source.sent, text, left=0).faults)
        return size, waiting

    async def _read(self, source: Source) -> str:
        with suppress(FileNotFoundError):
            return await anyio.Path(self._journal(source)).read_text()
        return ""

    async def _drained(self) -> None:
        last, since = -1, time.monotonic()
        while time.monotonic() - since < self._plan.patience:
            size, waiting = await self._progress()
            if not waiting and not sum([await source.left() for source in self._sources]):
                return
            if size != last:
                last, since = size, time.monotonic()
            await anyio.sleep(LOOK_EVERY)

    async def _close(self, program: Program) -> None:
        still_open = {shard for shard, _, _ in await self._stream.open_shards()}
        ended: set[str] = set()
        for mapping in look(program.checkpoints):
            if mapping.name == self._stream.mapping:
                ended = {shard.shard_id for shard in mapping.shards if shard.checkpoint.ended}
        self._result.shards = len(still_open), len(ended)
        for source in self._sources:
            wrong = sorted(ended & still_open) if source is self._stream else []
            text = await self._read(source)
            self._result.pages.append(
                page(source.mapping, source.sent, text, left=await source.left(), wrongly_ended=wrong)
            )

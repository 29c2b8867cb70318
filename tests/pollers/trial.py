"""A mapping under trial: a world, a function written in the test, a poller from the registry, and a witness of it all."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from config.models import Config, HttpFunction
from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.engine.failures import taken_apart
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.registry import kind_of
from pollers.supervisor.runtime import Runtime
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts
from tests.pollers.function import Call, TrialFunction, accept
from tests.pollers.witness import Witness
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import FunctionModel, Mapping
    from pollers.engine.poller import Poller
    from pollers.supervisor.mapping import MappingRunner
    from tests.pollers.function import Behaviour
    from tests.pollers.world import World

F = TypeVar("F")

NAME = "trial"
PATIENCE_SECONDS = 3_600.0
"""Virtual time after which everything must be done once nothing is in its way."""
INVOKED_SECONDS = 600.0
"""In which an invocation that a test waits for must begin."""
CAUGHT_UP_SECONDS = 60.0
"""In which a poller whose source has nothing left says so."""


class Trial:
    """One mapping. Settings are the mapping's; it can run one poller after another on the same world."""

    def __init__(
        self,
        world: World,
        behaviour: Behaviour = accept,
        *,
        concurrency: int = 5,
        timeout_seconds: float = 3.0,
        **settings: Any,  # noqa: ANN401 - the mapping's own
    ) -> None:
        self.world = world
        self.mapping = world.mapping(**settings)
        self.witness = witness = Witness(world)
        self.function = TrialFunction(
            behaviour, concurrency, timeout_seconds, world.given, world.features.partial, self._began, witness.ended
        )
        self.permits = Permits(concurrency)
        self.stop = Stop()
        self.ledger = Ledger()
        self.poller: Poller | None = None

    # -- what a test does and asks ---------------------------------------------------------------------------------------

    def put(self, *values: str, key: str = "k") -> None:
        """Add events of one key."""
        for value in values:
            self.witness.put(value, key)
            self.world.put(value, key)

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind."""
        return [fact for fact in self.witness.facts if isinstance(fact, kind)]

    @property
    def accepted(self) -> list[str]:
        """The values that the function accepted, in the order that it did."""
        return self.witness.accepted

    @property
    def acknowledged(self) -> list[str]:
        """The values that will not come again, in the order that this became certain."""
        return self.witness.acknowledged

    @property
    def invoked(self) -> list[list[str]]:
        """The values of every invocation, in the order that they began."""
        return [call.values for call in self.function.calls]

    @property
    def everything(self) -> set[str]:
        """All that was put."""
        return set(self.witness.place)

    @property
    def all_done(self) -> bool:
        """Whether everything that was put was accepted, and is acknowledged."""
        return set(self.accepted) >= self.everything and not self.world.left()

    async def finish(self) -> None:
        """Wait until everything that was put is done."""
        await virtual_time.eventually(lambda: self.all_done, within=PATIENCE_SECONDS)

    async def until_caught_up(self) -> None:
        """Wait until the poller says that the source has nothing left."""
        assert self.poller is not None
        with anyio.fail_after(CAUGHT_UP_SECONDS):
            while not await self.poller.caught_up():
                await anyio.sleep(0.5)

    async def until_invoked(self, times: int = 1) -> None:
        """Wait until so many invocations have begun."""
        with anyio.fail_after(INVOKED_SECONDS):
            while len(self.function.calls) < times:
                await self.function.invoked.wait()

    # -- lives of pollers ------------------------------------------------------------------------------------------------

    async def make_poller(self) -> Poller:
        """A new poller, with a stop and books of its own."""
        self.stop, self.ledger = Stop(), Ledger()
        facts = Facts(NAME, [self.ledger, self.witness.note])
        clock = virtual_time.VirtualClock()
        shown = kind_of(self.mapping).shown.first_payload
        around = Surroundings(self.function, self.permits.claim(), facts, shown, self.stop, clock, random.Random(7))
        self.poller = poller = await self.world.make_poller(self.mapping, around)
        self.witness.balances = lambda: self.ledger.balances(poller.held())
        return poller

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Poller]:
        """A poller at work; asked to stop at the end, and then everything is handed back."""
        poller = await self.make_poller()
        async with anyio.create_task_group() as group:
            group.start_soon(poller.run)
            yield poller
            self.stop.request()
        self.check_stopped()

    async def crash_at(self, step: int) -> bool:
        """Run a poller that crashes so many turns of the loop from now. Whether it was all done before."""
        loop, poller = virtual_time.current_loop(), await self.make_poller()
        done_before = False
        with anyio.CancelScope() as scope:

            def crash() -> None:
                nonlocal done_before
                done_before = self.all_done
                scope.cancel()

            loop.at_step(loop.steps + step, crash)
            await poller.run()
        self._check_crashed(poller)
        return done_before

    @asynccontextmanager
    async def crashing(self) -> AsyncIterator[Poller]:
        """A poller at work, which crashes at the end."""
        poller = await self.make_poller()
        async with anyio.create_task_group() as group:
            group.start_soon(poller.run)
            yield poller
            group.cancel_scope.cancel()
        self._check_crashed(poller)

    async def failure(self) -> Exception:
        """Run a poller that fails by itself; the cause, with everything handed back."""
        poller = await self.make_poller()
        try:
            await poller.run()
        except Exception as failure:
            self.check_stopped()
            return taken_apart(failure).cause
        raise AssertionError("it did not fail")

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[Runtime]:
        """The mapping under its real supervisor; stopped in order at the end, with exit code 0."""
        runtime, codes = self._runtime(), list[int]()

        async def run() -> None:
            codes.append(await runtime.run())

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await virtual_time.settle()
            yield runtime
            runtime.stop()
        assert codes == [0]
        self._check_idle()
        self.check()

    async def until_idle(self, quiet_seconds: float) -> int:
        """Run the mapping under its real supervisor until it is idle for so long; the exit code."""
        code = await self._runtime().run(until_idle=quiet_seconds)
        self._check_idle()
        self.check()
        return code

    def _runtime(self) -> Runtime:
        runtime = Runtime(
            self.configuration(self.mapping),
            self._make_supervised,
            lambda name, model: self.function,
            has_store=True,
            sinks=(self.witness.note,),
            clock=virtual_time.VirtualClock(),
            seed=random.Random(7),
        )
        self.witness.balances = lambda: self.runner(runtime).balanced
        return runtime

    def configuration(self, mapping: Mapping) -> Config:
        """A configuration of this mapping and its function."""
        function: FunctionModel = HttpFunction(
            runtime="http",
            url="http://127.0.0.1:9",
            concurrency=self.function.concurrency,
            timeout=self.function.timeout_seconds,
        )
        return Config(functions={NAME: function}).model_copy(update={"event_source_mappings": {NAME: mapping}})

    @staticmethod
    def runner(runtime: Runtime) -> MappingRunner:
        """The supervisor of the mapping."""
        return runtime.mappings[NAME]

    async def _make_supervised(self, mapping: Mapping, surroundings: Surroundings) -> Poller:
        self.poller = await self.world.make_poller(mapping, surroundings)
        self.mapping = mapping
        return self.poller

    # -- what must hold at the end of a life ------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing that must hold was broken so far."""
        assert not self.witness.violations, self.witness.violations

    def check_stopped(self) -> None:
        """After a poller ended in order: nothing is held, nothing runs, and the books balance."""
        assert self.poller is not None
        held, check = self.poller.held(), self.witness.check
        check(held == 0, f"{held} are held after the end")
        check(self.ledger.balances(0), f"the books do not balance after the end: {self.ledger.as_dict()}")
        self._check_idle()
        self.check()

    def _check_crashed(self, poller: Poller) -> None:
        books = self.ledger.as_dict()
        self.witness.check(self.ledger.balances(poller.held()), f"after a crash: {books}, held {poller.held()}")
        self._check_idle()

    def _check_idle(self) -> None:
        self.witness.check(not self.function.running, "an invocation runs after the end")
        self.witness.check(self.permits.held == 0, f"{self.permits.held} permits are held after the end")

    def _began(self, call: Call) -> None:
        function, check = self.function, self.witness.check
        check(len(call.given) <= self.mapping.batch_size, f"a batch of {len(call.given)}")
        check(call.size_bytes <= PAYLOAD_LIMIT_BYTES, f"an event of {call.size_bytes} bytes")
        check(len(function.running) < function.concurrency, "more invocations than the function allows")
        self.witness.began(call, function.running)

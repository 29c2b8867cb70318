"""The made mappings of a running Headrace: read in memory, changed on the disk first, then applied as a reload is."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from config.sources import registry, source_of
from pollers.clocks.clock import Clock, SystemClock
from pollers.made_mappings.completing import Completed, completed, what_it_does
from pollers.made_mappings.documents import read, written
from pollers.made_mappings.entry import Entry
from pollers.made_mappings.errors import AlreadyMapped, GivenByFile, InUse, Misfit, NoFunction, NoSource, NotThere
from pollers.made_mappings.made import MadeMapping
from pollers.made_mappings.reading import model_of
from pollers.made_mappings.registered import Registered, uuid_of
from pollers.made_mappings.settling import Settling
from pollers.made_mappings.states import ApiState, going_on, state_of, transition
from pollers.made_mappings.store import damage
from pollers.sources.registry import kind_of
from pollers.storage import StoreDamaged
from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from config.models import Config
    from config.models import Mapping as MappingModel
    from pollers.engine.stop import Stop
    from pollers.made_mappings.store import MappingRows
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

WRITE_SECONDS = 30.0
"""How long a change may wait for the disk; cancelling it meanwhile would leave open whether it counts."""
PAUSED = "An operator of Headrace has paused it"


class MappingRegister:
    """Every mapping as Lambda's API knows it: those that it made, and the file's, which it only shows.

    :meth:`open` comes first, and :meth:`completed` completes every configuration that ``runtime`` is to run. A change is durable
    when its method returns, and is applied in the background: by :meth:`run`, which the supervisor runs as one of its services.
    Changes are made one at a time; what they end or wait for holds up nobody else. ``forget`` drops the checkpoints of a mapping,
    ``is_missing`` asks a service whether a mapping's source does not exist. ``base`` completes a configuration by what else was
    made: functions.
    """

    name = "made_mappings"

    def __init__(
        self,
        rows: MappingRows,
        runtime: Runtime,
        forget: Callable[[str], Awaitable[None]],
        is_missing: Callable[[MappingModel], Awaitable[bool]],
        *,
        base: Callable[[Config], Config] = lambda config: config,
        clock: Clock | None = None,
    ) -> None:
        self._rows = rows
        self._runtime = runtime
        self._base = base
        self._is_missing = is_missing
        self._clock = clock or SystemClock()
        self._entries: dict[str, Entry] = {}
        self._settling = Settling(self._entries, runtime, self.completed, rows, forget)
        self._changing = anyio.Lock()
        self._seen: dict[str, tuple[MappingModel, float]] = {}
        self._said: dict[str, str] = {}
        self._unfit: dict[str, MadeMapping] = {}
        """Whose settings were right for the Headrace that made them. They lie in the state for one that knows them."""

    async def open(self) -> None:
        """Read what was made before. Raises a StoreError when that is not possible."""
        for name, text in (await self._rows.load()).items():
            try:
                self._take(read(name, text))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreDamaged(damage(name, f"cannot be read ({error})")) from error
        self._say_waiting()

    def _take(self, made: MadeMapping) -> None:
        try:
            # A clock that was set back since then puts no time that had passed into the future.
            model = model_of(made, max(made.modified_at, self._clock.time()))
        except Misfit as misfit:
            self._unfit[made.uuid] = made
            faults = [fault.message for fault in misfit.faults]
            log.error(
                "a mapping made through the API does not fit this Headrace and is left",
                mapping=made.uuid,
                faults=faults,
            )
            return
        entry = self._entries[made.uuid] = Entry(made, model)
        entry.running, entry.applied = entry.target, not made.deleting

    def completed(self, config: Config) -> Config:
        """``config`` with the made mappings that can run beside what it gives."""
        return self._completed(config).config

    def waiting(self) -> dict[str, str]:
        """Why made mappings do not run, by UUID."""
        return self._completed(self._runtime.given).waiting

    def _completed(self, config: Config) -> Completed:
        running = [entry.running for entry in self._entries.values() if entry.running is not None]
        return completed(self._base(config), running)

    # -- reading ---------------------------------------------------------------------------------------------------------

    def registered(self) -> dict[str, Registered]:
        """Every mapping, by UUID."""
        waiting = self.waiting()
        made = {name: self._made(entry, waiting) for name, entry in self._entries.items()}
        return {**{name: self._of_file(name, model) for name, model in self._given().items()}, **made}

    def one(self, name: str) -> Registered:
        """The mapping with this UUID. Raises NotThere."""
        if (entry := self._entries.get(name)) is not None:
            return self._made(entry, self.waiting())
        if (model := self._given().get(name)) is not None:
            return self._of_file(name, model)
        raise NotThere(name)

    def _given(self) -> dict[str, MappingModel]:
        given = self._runtime.given.event_source_mappings
        return {uuid_of(name, model.event_source_arn): model for name, model in given.items()}

    def _made(self, entry: Entry, waiting: Mapping[str, str]) -> Registered:
        name = entry.made.uuid
        runner = self._runtime.mappings.get(name)
        remark = waiting.get(name)
        if runner is not None and runner.state is MappingState.PAUSED:
            remark = PAUSED
        problem = runner.problem if runner is not None else None
        return Registered(
            name, entry.model, entry.made, entry.state(runner), entry.made.modified_at, remark=remark, problem=problem
        )

    def _of_file(self, name: str, model: MappingModel) -> Registered:
        runner = self._runtime.mappings.get(model.name)
        if runner is None:
            state = state_of(model, None)
        else:
            state = state_of(model, runner.state, restarts=runner.restarts, renewed=going_on(runner))
        known, since = self._seen.get(name, (None, 0.0))
        if known != model:
            known, since = self._seen[name] = model, self._clock.time()
        remark = PAUSED if runner is not None and runner.state is MappingState.PAUSED else None
        problem = runner.problem if runner is not None else None
        return Registered(name, model, None, state, since, remark=remark, problem=problem)

    # -- changing --------------------------------------------------------------------------------------------------------

    async def create(self, settings: Mapping[str, Any], function_arn: str, tags: Mapping[str, str]) -> Registered:
        """Make a mapping. ``settings`` are in AWS's spelling, with the bare name of the function.

        Raises Misfit, NoFunction, NoSource and AlreadyMapped, and what :meth:`_write` raises.
        """
        now = self._clock.time()
        made = MadeMapping(str(uuid.uuid4()), dict(settings), function_arn, now, now, dict(tags))
        aws = self._runtime.given.aws
        model = model_of(made, now, aws)
        self._check_function(model)
        # Before its turn: a service that answers late holds up nobody else.
        if await self._is_missing(registry.located(model, aws.endpoint_urls)):
            raise NoSource(kind_of(model).shown.reported.missing(model))
        async with self._changing:
            self._check_function(model)
            self._check_twins(model)
            await self._write(made)
            entry = self._entries[made.uuid] = Entry(made, model, transition=ApiState.CREATING)
        log.info(
            "mapping made through the API", mapping=made.uuid, source=model.event_source_arn, function=function_arn
        )
        self._settling.wake()
        return self._made(entry, {})

    async def update(self, name: str, settings: Mapping[str, Any], function_arn: str | None) -> Registered:
        """Change these settings; None among them takes one away. ``function_arn`` comes with another function.

        Raises what :meth:`create` raises, and NotThere, GivenByFile and InUse.
        """
        async with self._changing:
            entry = self._changeable(name)
            if entry.made.deleting:
                raise InUse(name)
            now = self._clock.time()
            arn = function_arn or entry.made.function_arn
            made = replace(entry.made, settings=entry.made.changed(settings), function_arn=arn, modified_at=now)
            model = model_of(made, now)
            if function_arn is not None:
                self._check_function(model)
                self._check_twins(model)
            await self._write(made)
            entry.change(made, model, transition(entry.model, model))
        runner = self._runtime.mappings.get(name)
        if settings.get("Enabled") and runner is not None and runner.paused:
            runner.resume()  # who enables a mapping does not ask who stopped it
        log.info("mapping changed through the API", mapping=name, settings=sorted(settings))
        self._settling.wake()
        return self._made(entry, {})

    async def delete(self, name: str) -> Registered:
        """End the mapping, and then forget it. Once more for one that is ending: nothing changes. Raises as :meth:`update` does."""
        async with self._changing:
            entry = self._changeable(name)
            if not entry.made.deleting:
                made = replace(entry.made, deleting=True, modified_at=self._clock.time())
                await self._write(made)
                entry.change(made, entry.model, ApiState.DELETING)
                log.info("mapping deleted through the API: it finishes what it holds", mapping=name)
        self._settling.wake()
        return self._made(entry, {})

    async def tag(self, name: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        """Change the tags. Raises NotThere and GivenByFile, and what :meth:`_write` and ``change`` raise."""
        async with self._changing:
            entry = self._entry(name)
            made = replace(entry.made, tags=change(entry.made.tags))
            await self._write(made)
            entry.made = made

    async def _write(self, made: MadeMapping) -> None:
        """Raises a StoreError when the disk refuses, and then nothing has changed; TimeoutError when it does not answer: whether
        it has changed is known after the next start.
        """
        with anyio.fail_after(WRITE_SECONDS, shield=True):
            await self._rows.save(made.uuid, written(made))

    def _entry(self, name: str) -> Entry:
        if (entry := self._entries.get(name)) is not None:
            return entry
        if (model := self._given().get(name)) is not None:
            raise GivenByFile(model.name, self._runtime.where(("event_source_mappings", model.name)))
        raise NotThere(name)

    def _changeable(self, name: str) -> Entry:
        entry = self._entry(name)
        entry.state(self._runtime.mappings.get(name))
        if entry.transition is not None and not entry.made.deleting:
            raise InUse(name)
        return entry

    def _check_function(self, model: MappingModel) -> None:
        if model.function_name not in self._base(self._runtime.given).functions:
            raise NoFunction(model.function_name)

    def _check_twins(self, model: MappingModel) -> None:
        others = {name: entry.model for name, entry in self._entries.items() if name != model.name}
        for name, other in {**self._given(), **others}.items():
            if what_it_does(other) == what_it_does(model):
                raise AlreadyMapped(_duplicate(model), name)

    # -- as a service ----------------------------------------------------------------------------------------------------

    async def run(self, stop: Stop) -> None:
        """Apply changes until stopped. What is not applied then is at the next start, when all of it is read from the disk."""
        await self._settling.run(stop)

    def running(self) -> int:
        """It invokes nothing: the mappings do."""
        return 0

    def held(self) -> int:
        """Nothing that an abrupt end would cost."""
        return 0

    def left(self) -> str:
        """Changes that have not been applied: ``--until-idle`` waits for them, since they may bring work."""
        pending = sum(not entry.applied for entry in self._entries.values())
        return f"{pending} mappings are being changed through the API" if pending else ""

    def refusal(self, config: Config) -> str | None:
        """Every configuration can be completed."""
        return None

    def apply(self, config: Config) -> None:
        """Say which mappings wait from now on."""
        self._say_waiting()

    def _say_waiting(self) -> None:
        said, self._said = self._said, self.waiting()
        for name, reason in self._said.items():
            if said.get(name) != reason:
                log.warning("a mapping made through the API waits", mapping=name, reason=reason)

    def books(self) -> None:
        """It takes nothing over."""
        return


def _duplicate(model: MappingModel) -> str:
    """AWS's words for a second mapping of one source and one function."""
    words = source_of(model.event_source_arn).kind.words
    return words.duplicate.format(source=model.event_source_arn, function=model.function_name)

"""The made functions of a running Headrace: read in memory, changed on the disk first, then applied as a reload is."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import CapacityLimiter

from pollers.aside import aside
from pollers.clocks.clock import Clock, SystemClock
from pollers.made_functions import archive
from pollers.made_functions.completing import completed
from pollers.made_functions.documents import read, written
from pollers.made_functions.entry import Entry
from pollers.made_functions.errors import AlreadyThere, Changing, GivenByFile, Misfit, NotThere
from pollers.made_functions.made import Code, MadeFunction
from pollers.made_functions.reading import model_of
from pollers.made_functions.runtimes import remark
from pollers.made_functions.settling import Settling
from pollers.made_functions.store import damage
from pollers.storage import StoreDamaged, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from config.models import Config, FunctionModel
    from pollers.engine.stop import Stop
    from pollers.made_functions.folders import CodeFolders
    from pollers.made_functions.store import FunctionRows
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

WRITE_SECONDS = 30.0
"""How long a change may wait for the disk; cancelling it meanwhile would leave open whether it counts."""


class FunctionRegister:
    """The functions that Lambda's API made.

    :meth:`open` comes first, and :meth:`completed` completes every configuration that ``runtime`` is to run. A change is durable
    when its method returns, and is applied in the background: by :meth:`run`, which the supervisor runs as one of its services.
    A function is changed by one at a time. ``forget`` drops what else the API made of a function.
    """

    name = "made_functions"

    def __init__(
        self,
        rows: FunctionRows,
        folders: CodeFolders,
        runtime: Runtime,
        forget: Callable[[str], Awaitable[None]],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._rows = rows
        self._folders = folders
        self._runtime = runtime
        self._forget = forget
        self._clock = clock or SystemClock()
        self._entries: dict[str, Entry] = {}
        self._underway: set[str] = set()
        self._writing = anyio.Lock()
        # One package at a time: each takes up to its unpacked size of the disk's time.
        self._disk = CapacityLimiter(1)
        self._settling = Settling(self._entries, runtime, self._leave, self._remove_code)

    async def open(self) -> None:
        """Read what was made before, and finish what a kill has left. Raises a StoreError when that is not possible."""
        for name, text in (await self._rows.load()).items():
            try:
                made = read(name, text)
                model = model_of(made, self._folders.place(name, made.code.revision))
            except (ValueError, KeyError, TypeError, AttributeError, Misfit) as error:
                raise StoreDamaged(damage(name, f"cannot be read ({error})")) from error
            if made.deleting:
                await self._forget(name)
                await self._rows.remove(name)
            else:
                self._entries[name] = Entry(made, model, running=model, applied=True, entered=True)
        kept = {(name, entry.made.code.revision) for name, entry in self._entries.items()}
        await self._in_thread(partial(self._folders.keep_only, kept))

    def completed(self, config: Config) -> Config:
        """``config`` with the made functions that it does not have itself."""
        return completed(config, {name: one.running for name, one in self._entries.items() if one.running is not None})

    # -- reading ---------------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Entry | None:
        """What is made of this name; None where there is nothing, or the configuration gives the function."""
        entry = self._entries.get(name)
        if entry is None or entry.made.deleting or name in self._runtime.given.functions:
            return None
        return entry

    def hides(self, name: str) -> bool:
        """Whether a function of this name that still runs is one that has been deleted, even if another has its name by now."""
        entry = self._entries.get(name)
        if entry is None or name in self._runtime.given.functions:
            return False
        return entry.made.deleting or not entry.entered

    def names(self) -> list[str]:
        """Of all functions that :meth:`find` finds."""
        return [name for name in self._entries if self.find(name) is not None]

    # -- changing --------------------------------------------------------------------------------------------------------

    async def create(self, name: str, settings: Mapping[str, Any], zipped: bytes) -> Entry:
        """Make a function. ``settings`` are in AWS's spelling.

        Raises AlreadyThere, GivenByFile, Misfit, ArchiveRefused and NotKept, and what :meth:`_write` raises.
        """
        self._refuse_given(name)
        old = self._entries.get(name)
        if name in self._underway or (old is not None and not old.made.deleting):
            raise AlreadyThere(name)
        with self._only(name):
            if old is not None and not old.forgotten:
                await self._forget(name)
                old.forgotten = True
            made = MadeFunction(name, dict(settings), await _code(zipped), str(uuid.uuid4()), self._clock.time())
            model = self._model(made)
            await self._unpack(made, zipped)
            await self._write(made, partial(self._enter, Entry(made, model)))
        self._say("function made through the API", made)
        self._settling.wake()
        return self._entries[name]

    async def update_code(
        self, name: str, zipped: bytes, settings: Mapping[str, Any], *, dry_run: bool = False
    ) -> Entry:
        """Give the function other code, and these settings with it. With ``dry_run`` only the package is judged.

        Raises NotThere, GivenByFile, Changing, Misfit, ArchiveRefused and NotKept, and what :meth:`_write` raises.
        """
        entry = self._changeable(name)
        with self._only(name):
            made = self._changed(entry, settings, await _code(zipped))
            model = self._model(made)
            if dry_run:
                await self._in_thread(partial(archive.read_package, zipped))
                return Entry(made, model, running=model, applied=True, entered=True)
            await self._unpack(made, zipped)
            old = entry.made.code.revision
            await self._write(made, lambda: entry.change(made, model))
            self._settling.drop(name, old)
        self._say("code of a function changed through the API", made)
        self._settling.wake()
        return entry

    async def update_configuration(self, name: str, settings: Mapping[str, Any]) -> Entry:
        """Change these settings; None among them takes one away. Raises what :meth:`update_code` raises of settings."""
        entry = self._changeable(name)
        with self._only(name):
            made = self._changed(entry, settings, entry.made.code)
            model = self._model(made)
            await self._write(made, lambda: entry.change(made, model))
        log.info("function changed through the API", function=name, settings=sorted(settings))
        self._settling.wake()
        return entry

    async def delete(self, name: str) -> None:
        """End the function: nobody can call it from now on, what it has begun goes on. What else the API made of it goes with it.

        Raises NotThere, GivenByFile and Changing, and what :meth:`_write` raises.
        """
        entry = self._there(name)
        with self._only(name):
            made = replace(entry.made, deleting=True, modified_at=self._clock.time())
            await self._write(made, lambda: entry.change(made, entry.model))
            self._settling.drop(name, made.code.revision)
            self._settling.wake()
            log.info("function deleted through the API", function=name)
            await self._forget(name)
            entry.forgotten = True

    def _changed(self, entry: Entry, settings: Mapping[str, Any], code: Code) -> MadeFunction:
        merged = {key: value for key, value in {**entry.made.settings, **settings}.items() if value is not None}
        now = self._clock.time()
        return replace(entry.made, settings=merged, code=code, revision_id=str(uuid.uuid4()), modified_at=now)

    def _refuse_given(self, name: str) -> None:
        if name in self._runtime.given.functions:
            raise GivenByFile(name, self._runtime.where(("functions", name)))

    def _there(self, name: str) -> Entry:
        self._refuse_given(name)
        entry = self._entries.get(name)
        if name in self._underway:
            raise Changing(name, pending=entry is None)
        if entry is None or entry.made.deleting:
            raise NotThere(name)
        return entry

    def _changeable(self, name: str) -> Entry:
        entry = self._there(name)
        if not entry.applied:
            raise Changing(name, pending=not entry.entered)
        return entry

    @contextmanager
    def _only(self, name: str) -> Iterator[None]:
        """While a change of the function is made, no other begins."""
        self._underway.add(name)
        try:
            yield
        finally:
            self._underway.discard(name)

    def _model(self, made: MadeFunction) -> FunctionModel:
        return model_of(made, self._folders.place(made.name, made.code.revision))

    async def _unpack(self, made: MadeFunction, zipped: bytes) -> None:
        await self._in_thread(partial(self._folders.unpack, zipped, made.name, made.code.revision))

    async def _remove_code(self, name: str, revision: str) -> None:
        await self._in_thread(partial(self._folders.remove, name, revision))

    async def _in_thread(self, work: Callable[[], object]) -> None:
        await aside(work, limiter=self._disk)

    async def _write(self, made: MadeFunction, then: Callable[[], None]) -> None:
        """Keep it, ``then`` have it in memory too.

        Raises a StoreError when the disk refuses, and then nothing has changed; TimeoutError when it does not answer: whether it
        has changed is known after the next start.
        """
        try:
            async with self._writing:
                with anyio.fail_after(WRITE_SECONDS, shield=True):
                    await self._rows.save(made.name, written(made))
                    then()
        except StoreError:
            known = self._entries.get(made.name)
            if known is None or known.made.code.revision != made.code.revision:
                await self._remove_code(made.name, made.code.revision)
            raise

    def _enter(self, entry: Entry) -> None:
        self._entries[entry.made.name] = entry

    def _say(self, event: str, made: MadeFunction) -> None:
        code = made.code
        log.info(event, function=made.name, code_sha256=code.sha256, bytes=code.size, revision=code.revision)
        if (what := remark(made.settings)) is not None:
            log.warning("function runs on another interpreter", function=made.name, remark=what)

    # -- as a service ----------------------------------------------------------------------------------------------------

    async def _leave(self, name: str, entry: Entry) -> None:
        """Forget a deleted function, unless another one has its name by now. Raises a StoreError."""
        if not entry.forgotten:
            await self._forget(name)
            entry.forgotten = True
        async with self._writing:
            if self._entries.get(name) is entry:
                await self._rows.remove(name)
                del self._entries[name]

    async def run(self, stop: Stop) -> None:
        """Apply changes until stopped. What is not applied then is at the next start, when all of it is read from the disk."""
        await self._settling.run(stop)

    def running(self) -> int:
        """It invokes nothing."""
        return 0

    def held(self) -> int:
        """Nothing that an abrupt end would cost."""
        return 0

    def left(self) -> str:
        """Changes that have not been applied: ``--until-idle`` waits for them, since they may bring work."""
        pending = sum(not entry.applied for entry in self._entries.values())
        return f"{pending} functions are being changed through the API" if pending else ""

    def refusal(self, config: Config) -> str | None:
        """Every configuration can be completed."""
        return None

    def apply(self, config: Config) -> None:
        """Say which functions wait from now on, since the configuration gives them."""
        self._settling.say_waiting()

    def books(self) -> None:
        """It takes nothing over."""
        return


async def _code(zipped: bytes) -> Code:
    return Code(uuid.uuid4().hex, await aside(partial(archive.digest, zipped)), len(zipped))

"""The resources of a running Headrace: read in memory, changed on the disk first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio
import structlog

from pollers.clocks.clock import Clock, SystemClock
from pollers.resources.changes import Before
from pollers.resources.documents import read, written
from pollers.resources.made import NOTHING
from pollers.resources.precedence import (
    EVENT_INVOKE_CONFIG,
    FUNCTION_URL,
    gives,
    invoking_of,
    overruled,
    settled,
    sighted,
    url_of,
)
from pollers.storage import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.models import Config, FunctionModel
    from pollers.engine.stop import Stop
    from pollers.functions import FunctionHost
    from pollers.resources.changes import Change
    from pollers.resources.made import Invoking, Made, Url
    from pollers.resources.precedence import FunctionSettings
    from pollers.resources.store import ResourceRows

    T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

WRITE_SECONDS = 30.0
"""How long a change may wait for the disk; cancelling it meanwhile would leave open whether it counts."""


class Resources:
    """What the API made of functions, over what their configuration gives.

    :meth:`open` and :meth:`follow` come first. It is one of the services that the supervisor runs, so that reserved concurrency is
    applied as soon as functions have hosts, and times that replies tell are kept.

    A change is durable when :meth:`change` returns, and counts from then on: whoever asks :meth:`settings_of` before each attempt
    needs to be told of nothing. Changes are made one at a time. A function that leaves the configuration keeps what the API made of
    it, and has it again when it comes back.
    """

    name = "resources"

    def __init__(self, rows: ResourceRows, hosts: Mapping[str, FunctionHost], *, clock: Clock | None = None) -> None:
        self._rows = rows
        self._hosts = hosts
        self._clock = clock or SystemClock()
        self._models: Mapping[str, FunctionModel] = {}
        self._followed = False
        self._made: dict[str, Made] = {}
        self.unwritten: set[str] = set()
        """Functions of which something seen has not been kept yet."""
        self._awake = anyio.Event()
        self._changing = anyio.Lock()

    async def open(self) -> None:
        """Read what was made before. Raises a StoreError when that is not possible."""
        for name, text in (await self._rows.load()).items():
            try:
                self._made[name] = read(text)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreDamaged(
                    f"what was made of function {name} through the API cannot be read ({error}): the state (runtime.state) is "
                    "damaged; restore a copy of it"
                ) from error

    # -- reading ---------------------------------------------------------------------------------------------------------

    def settings_of(self, name: str) -> FunctionSettings:
        """How the function is invoked now. Cheap; also for a function that is not configured."""
        return settled(self._models.get(name), self.made_of(name))

    def made_of(self, name: str) -> Made:
        """All that is kept of the function, whatever the configuration gives."""
        return self._made.get(name, NOTHING)

    def invoking_of(self, name: str) -> Invoking | None:
        """Its event invoke config, whoever gave it."""
        return invoking_of(self._models.get(name), self.made_of(name))

    def url_of(self, name: str) -> Url | None:
        """Its URL's config, whoever gave it."""
        return url_of(self._models.get(name), self.made_of(name))

    def given_by(self, name: str, option: str) -> str | None:
        """Who gave an option that counts: ``configuration``, ``api``, or None for nobody."""
        made = self.made_of(name)
        by_api = {EVENT_INVOKE_CONFIG: made.invoking, FUNCTION_URL: made.url}[option]
        if gives(self._models.get(name), option):
            return "configuration"
        return "api" if by_api is not None else None

    # -- changing --------------------------------------------------------------------------------------------------------

    async def change(self, name: str, change: Change[T]) -> T:
        """Make one of the :mod:`pollers.resources.changes`.

        Raises what the change raises; a StoreError when the disk refuses, and then nothing has changed; TimeoutError when the disk
        does not answer: whether it has changed is known after the next start.
        """
        async with self._changing:
            made, answer = change(Before(name, self._models.get(name), self.made_of(name), self._clock.time()))
            with anyio.fail_after(WRITE_SECONDS, shield=True):
                await self._rows.save({name: written(made)})
                # A reload may have come meanwhile.
                self._made[name] = replace(made, seen=self.made_of(name).seen)
            self._reserve([name])
            return answer

    async def forget(self, name: str) -> None:
        """Drop all that was made of a function that has been deleted. Raises as :meth:`change` does."""
        async with self._changing:
            with anyio.fail_after(WRITE_SECONDS, shield=True):
                await self._rows.remove(name)
                self._made.pop(name, None)
                self.unwritten.discard(name)
            self._reserve([name])

    # -- following the configuration -------------------------------------------------------------------------------------

    def follow(self, models: Mapping[str, FunctionModel]) -> None:
        """These functions are configured from now on. Says in the log what of the API's does not count."""
        before, self._models = self._models, dict(models)
        first, self._followed = not self._followed, True
        now = self._clock.time()
        for name, model in models.items():
            made = self.made_of(name)
            known = overruled(name, before.get(name), made)
            if options := [option for option in overruled(name, model, made) if option not in known]:
                log.warning(
                    "the configuration gives what was made through the API: the configuration counts, and what was made is kept",
                    options=options,
                )
            self._made[name] = sighted(model, made, now)
            if self._made[name] is not made:
                self.unwritten.add(name)
        gone = sorted(
            name
            for name, made in self._made.items()
            if made.by_api and name not in models and (first or name in before)
        )
        if gone:
            log.warning(
                "functions are not configured: what the API made of them is kept until they are", functions=gone
            )
        self._reserve(models)
        self._awake.set()

    def _reserve(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._hosts:
                self._hosts[name].reserve(self.made_of(name).reserved)

    async def _write_seen(self) -> None:
        async with self._changing:
            made = {name: self._made[name] for name in self.unwritten}
            await self._rows.save({name: written(each) for name, each in made.items()})
            # Not those that a reload has changed meanwhile.
            self.unwritten -= {name for name, each in made.items() if self._made[name] is each}

    # -- as a service ----------------------------------------------------------------------------------------------------

    async def run(self, stop: Stop) -> None:
        """Apply reserved concurrency, then keep what is seen of the configuration, until stopped. Raises a StoreError."""
        self._reserve(self._models)
        while not stop.requested:
            self._awake = anyio.Event()
            if self.unwritten:
                await self._write_seen()
            with stop.waiting():
                await self._awake.wait()

    def running(self) -> int:
        """It invokes nothing."""
        return 0

    def held(self) -> int:
        """Nothing that an abrupt end would cost."""
        return 0

    def left(self) -> str:
        """``--until-idle`` need not wait for it."""
        return ""

    def refusal(self, config: Config) -> str | None:
        """Every configuration can be followed."""
        return None

    def apply(self, config: Config) -> None:
        """Follow a changed configuration."""
        self.follow(config.functions)

    def books(self) -> None:
        """It takes nothing over."""
        return

"""The resources of a running Headrace: read in memory, changed on the disk first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import structlog

from pollers.clocks.clock import Clock, SystemClock
from pollers.resources.changes import Before
from pollers.resources.documents import read, written
from pollers.resources.made import NOTHING
from pollers.resources.precedence import invoking_of, overruled, settled, sighted, url_of
from pollers.storage import StoreDamaged, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import FunctionModel
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

    :meth:`open` first, then :meth:`follow` with the configured functions, and again after each reload. A change is durable when its
    call returns, and counts from then on: whoever asks :meth:`settings_of` before each attempt needs to be told of nothing. Changes
    are made one at a time.

    A function that leaves the configuration keeps what the API made of it, and has it again when it comes back.
    """

    def __init__(self, rows: ResourceRows, hosts: Mapping[str, FunctionHost], *, clock: Clock | None = None) -> None:
        self._rows = rows
        self._hosts = hosts
        self._clock = clock or SystemClock()
        self._models: Mapping[str, FunctionModel] = {}
        self._made: dict[str, Made] = {}
        self._changing = anyio.Lock()

    # -- following the configuration -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Read what was made before. Raises what ``ResourceRows.load`` raises, and StoreDamaged for a text that nobody wrote."""
        for name, text in (await self._rows.load()).items():
            try:
                self._made[name] = read(text)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreDamaged(
                    f"what was made of function {name} through the API cannot be read ({error}): the state is damaged; "
                    "restore a copy of it"
                ) from error

    async def follow(self, models: Mapping[str, FunctionModel]) -> None:
        """These functions are configured from now on, and have hosts. Says in the log what no longer counts."""
        async with self._changing:
            before, self._models = self._models, dict(models)
            await self._remember(models)
            for name, model in models.items():
                made = self.made_of(name)
                self._reserve(name, made.reserved)
                known = set(overruled(name, before.get(name), made))
                if options := [option for option in overruled(name, model, made) if option not in known]:
                    log.warning(
                        "the configuration now gives what was made through the API, and counts", options=options
                    )
            gone = sorted(name for name, made in self._made.items() if made.by_api and name not in models)
            if gone and (not before or set(gone) & set(before)):
                log.warning(
                    "functions are not configured: what the API made of them is kept until they are again",
                    functions=gone,
                )

    async def _remember(self, models: Mapping[str, FunctionModel]) -> None:
        now = self._clock.time()
        seen = {name: sighted(model, self.made_of(name), now) for name, model in models.items()}
        new = {name: made for name, made in seen.items() if made is not self.made_of(name)}
        self._made.update(new)
        try:
            await self._rows.save({name: written(made) for name, made in new.items()})
        except StoreError as error:
            # Only times in replies hang on it.
            log.warning("when functions were changed could not be kept", problem=str(error))

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
                self._made[name] = made
            self._reserve(name, made.reserved)
            return answer

    def _reserve(self, name: str, concurrency: int | None) -> None:
        if name in self._hosts:
            self._hosts[name].reserve(concurrency)

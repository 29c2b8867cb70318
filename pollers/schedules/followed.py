"""The schedules of the configuration as they are now, for whoever takes and keeps them, and a wait for a reason to look again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from pollers.schedules.one_schedule import OneSchedule

LOOK_SECONDS = 1.0
"""How often it is looked for schedules to take, beside the looks that find some."""


class Followed:
    """What :meth:`follow` was told last. ``rng`` spreads the looks of replicas."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._ones: Mapping[str, OneSchedule] = {}
        self._told = anyio.Event()
        self._claims = anyio.Event()

    @property
    def ones(self) -> Mapping[str, OneSchedule]:
        """The schedules of the configuration, by name."""
        return self._ones

    def follow(self, ones: Mapping[str, OneSchedule]) -> None:
        """These are the schedules of the configuration now. Those that have left it are stopped, and written as they stand."""
        for name, one in self._ones.items():
            if one.hold is not None:
                if name not in ones:
                    one.hold.stop.request()
                one.hold.decided()
        self._ones = dict(ones)
        self._told.set()
        self._claims.set()

    def has(self, one: OneSchedule) -> bool:
        """Whether this very schedule is still in the configuration."""
        return self._ones.get(one.schedule.name) is one

    async def until_any(self) -> None:
        """Until the configuration has a schedule."""
        await self._told.wait()
        while not self._ones:
            self._told = anyio.Event()
            await self._told.wait()

    async def claims_wanted(self) -> None:
        """Until something may have to be taken, or a while has passed."""
        with anyio.move_on_after(LOOK_SECONDS * self._rng.uniform(0.8, 1.2)):
            await self._claims.wait()
        self._claims = anyio.Event()

    async def claim_again(self) -> None:
        """Something may have to be taken."""
        self._claims.set()

"""Keeps a replica's leases: renews them, looks what others do, and tells the engine. Each is a task that waits for no other."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.checkpoints.errors import LeaseLost
from pollers.leases.errors import OwnersElsewhere
from pollers.leases.leases import Take
from pollers.leases.owning import renew, unsaid
from pollers.leases.taking import ask_for, pass_on
from pollers.storage.errors import StoreError, StoreUnwritable

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from pollers.leases.replica import Replica

log = structlog.stdlib.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often a replica looks for leases that were given to it."""
RETRY_SECONDS = 0.5
"""After how long a renewal that was refused is tried again."""
LATE_LOOK_SECONDS = 2.0
"""The pause after a look that failed."""
DEPART_SECONDS = 1.0
"""The longest that taking back and passing on may hold up the end of a replica: others manage without it, a little later."""


class Keeper:
    """The tasks of ``keep``. ``known_here``: which leases this replica could use; it takes and asks for no others."""

    def __init__(
        self,
        replica: Replica,
        rng: random.Random,
        *,
        with_kcl: bool = False,
        known_here: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self._replica = replica
        self._rng = rng
        self._known_here = known_here
        self._with_kcl = with_kcl
        self._renewing: set[str] = set()
        self._told: frozenset[str] = frozenset()
        self._problems: dict[str, str] = {}
        self._trouble: Callable[[str | None], None] = lambda _problem: None
        self._looking = anyio.Lock()
        self._look = anyio.Event()
        self._renew = anyio.Event()
        self._tell = anyio.Event()

    @property
    def readable(self) -> list[str]:
        """The shards that may be read, as far as the table tells: those that have not ended, and all of whose parents have."""
        current = self._replica.current
        open_ids = {shard_id: None for shard_id, item in current.items() if not item.checkpoint.ended}
        return [
            shard_id
            for shard_id in open_ids
            if open_ids.keys().isdisjoint(current[shard_id].checkpoint.parents) and self._known_here(shard_id)
        ]

    @property
    def problem(self) -> str | None:
        """Why renewals or looks fail, if they do."""
        return next(iter(self._problems.values()), None)

    def take_of(self, shard_id: str) -> Take:
        """How a lease would be taken that was seen last as it is known."""
        item = self._replica.items[shard_id]
        return Take(shard_id, item.counter, item.owner)

    def leave(self) -> None:
        """See ``MappingCheckpoints.leave``. Leases say so at once, and what this replica has asked for is taken back."""
        self._replica.leases.leave()
        self._renew.set()
        self._look.set()

    async def depart(self) -> None:
        """See ``MappingCheckpoints.depart``. While :meth:`run` goes on, or after it has failed."""
        with anyio.move_on_after(DEPART_SECONDS), suppress(StoreError):
            async with self._looking:
                await self._replica.look()
                await self._respond()

    async def run(
        self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None] = lambda _problem: None
    ) -> None:
        """Until cancelled. ``changed`` and ``trouble``: see ``MappingCheckpoints.keep``.

        Raises StoreError for what waiting does not cure.
        """
        self._trouble = trouble
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_renewing)
                tasks.start_soon(self._keep_looking)
                tasks.start_soon(self._keep_telling, changed)
        except BaseExceptionGroup as group:
            # The tasks raise one kind of error each; the first tells what to do.
            raise _first(group) from None

    # -- renewing --------------------------------------------------------------------------------------------------------

    async def _keep_renewing(self) -> None:
        leases, replica = self._replica.leases, self._replica
        async with anyio.create_task_group() as tasks:
            while True:
                now = replica.clock()
                for shard_id in [*leases.due(now), *(name for name in sorted(leases.mine) if unsaid(replica, name))]:
                    if shard_id not in self._renewing:
                        self._start_renewal(tasks, shard_id)
                self._renew = anyio.Event()
                due_at = leases.next_due()
                wait = LOOK_SECONDS if due_at is None else min(max(due_at - now, 0.05), LOOK_SECONDS)
                with anyio.move_on_after(wait):
                    await self._renew.wait()

    def _start_renewal(self, tasks: TaskGroup, shard_id: str) -> None:
        self._renewing.add(shard_id)
        tasks.start_soon(self._renewal, shard_id)

    async def _renewal(self, shard_id: str) -> None:
        try:
            await renew(self._replica, shard_id)
        except LeaseLost as lost:
            log.debug("a lease was lost", shard=shard_id, error=str(lost))
        except StoreUnwritable as error:
            self._failed("renewals", error)
            await anyio.sleep(RETRY_SECONDS * self._rng.uniform(0.8, 1.2))
        else:
            self._worked("renewals")
        finally:
            self._renewing.discard(shard_id)

    def _failed(self, what: str, error: StoreUnwritable) -> None:
        if not self._problems:
            log.warning("the lease table does not answer: what cannot be renewed in time rests", error=str(error))
        if what not in self._problems:
            self._problems[what] = str(error)
            self._trouble(self.problem)

    def _worked(self, what: str) -> None:
        if self._problems.pop(what, None) is not None:
            self._trouble(self.problem)
            if not self._problems:
                log.info("the lease table answers again", table=self._replica.table.name)

    # -- looking ---------------------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            pause = LOOK_SECONDS
            self._look = anyio.Event()
            try:
                async with self._looking:
                    await self._look_once()
                    await self._respond()
                self._worked("looks")
            except StoreUnwritable as error:
                self._failed("looks", error)
                pause = LATE_LOOK_SECONDS
            self._replica.tell()
            self._compare()
            with anyio.move_on_after(pause * self._rng.uniform(0.8, 1.2)):
                await self._look.wait()

    async def _look_once(self) -> None:
        replica = self._replica
        if replica.leases.whole_look_due(self.readable, replica.clock()):
            await replica.look()
        elif replica.table.indexed:
            await replica.look_for_mine()
        foreign = replica.leases.foreign()
        if foreign and not self._with_kcl:
            raise OwnersElsewhere(
                f"{', '.join(foreign)} {'is' if len(foreign) == 1 else 'are'} at work on the lease table {replica.table.name}, "
                "and not by Headrace: stop that application first, or set runtime.leases.with_kcl: true"
            )

    async def _respond(self) -> None:
        """Ask for leases; when leaving, take asks back, and pass on what was given to this replica.

        In this order: an ask that cannot be taken back any more, as it was obeyed meanwhile, shows a lease to pass on.
        """
        replica = self._replica
        for asking in replica.leases.asks(self.readable, replica.clock()):
            await ask_for(replica, asking)
        for take in replica.leases.declined():
            await pass_on(replica, take)

    # -- telling ---------------------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Tell the engine, if there is something to take, or shards have come or ended."""
        items = self._replica.current
        shape = frozenset(f"{name} ended" if item.checkpoint.ended else name for name, item in items.items())
        if shape != self._told or self._replica.leases.takes(self.readable):
            self._told = shape
            self._tell.set()

    async def _keep_telling(self, changed: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._tell.wait()
            self._tell = anyio.Event()
            await changed()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found

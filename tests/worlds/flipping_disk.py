"""The real checkpoint file under a simulated mapping, whose disk changes bits of it whenever the process is not running.

A crash leaves what kill -9 leaves: the files as they are, the log included (they are copied to another folder). Then bits flip,
one after the other. A flip may change nothing that a mapping is told, and then stays; or the file is refused, and the copy from
before is put back, as the refusal advises. Anything else fails the run.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pollers.checkpoints import SqliteStore, StoreUnreadable
from pollers.checkpoints.session import SqliteSession

if TYPE_CHECKING:
    import random
    from types import TracebackType
    from typing import TypeVar

    from pollers.checkpoints.store import Opened
    from pollers.clocks.clock import Clock
    from pollers.storage.writer import Operation

    T = TypeVar("T")

FILE = "checkpoints.db"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
FLIPS_AT_MOST = 4
"""Between two lives."""


class InlineWriter:
    """Stands for :class:`pollers.storage.writer.Writer`, without its thread, which virtual time could not wait for."""

    def __init__(self, session: SqliteSession) -> None:
        self._session = session

    async def call(self, operation: Operation[T]) -> T:
        """See ``Writer.call``."""
        [outcome] = self._session.run([operation])
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[no-any-return]

    async def stop(self) -> None:
        """See ``Writer.stop``."""
        self._session.stop()


class InlineStore(SqliteStore):
    """The store of one SQLite file, without its thread."""

    async def __aenter__(self) -> InlineStore:
        session = SqliteSession(self.path)
        session.start()
        self._writer = InlineWriter(session)  # type: ignore[assignment]
        return self


class FlippingDisk:
    """A :class:`pollers.checkpoints.store.CheckpointStore` over many lives of its process, each of which :meth:`begin` starts.

    ``refused`` and ``harmless`` count what became of the flips.
    """

    least_interval_seconds = 0.0

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self._chance = chance
        self._clock = clock
        self._room = tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="flipping-disk-")
        self._folders = 0
        self._folder = self._new_folder()
        self._store: InlineStore | None = None
        self._opened: set[tuple[str, str]] = set()
        self.refused = self.harmless = 0

    async def __aenter__(self) -> FlippingDisk:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._store is not None:
            await self._store.__aexit__(kind, error, traceback)
        self._room.cleanup()

    async def begin(self) -> None:
        """A process starts on the file as the last one, and the disk, have left it."""
        for _ in range(self._chance.randint(0, FLIPS_AT_MOST) if self._opened else 0):
            if not await self._flip():
                break
        self._store = await self._entered(self._folder)

    async def end(self, *, crashed: bool) -> None:
        """The process has ended."""
        store, self._store = self._store, None
        assert store is not None
        left = self._copy(self._folder) if crashed else self._folder
        await store.__aexit__(None, None, None)
        self._folder = left

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        assert self._store is not None
        self._opened.add((mapping, identity))
        return await self._store.open(mapping, identity)

    async def _flip(self) -> bool:
        """One bit of one file changes. False when a copy without its lock was put back: it is to be used before it rots again."""
        sound = await self._told(self._copy(self._folder))
        changed = self._copy(self._folder)
        file = self._chance.choice([file for file in sorted(changed.iterdir()) if file.stat().st_size])
        content = bytearray(file.read_bytes())
        bit = self._chance.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        try:
            told = await self._told(self._copy(changed))
        except StoreUnreadable:
            self.refused += 1
            if self._chance.random() < 0.5:
                return True
            (self._folder / f"{FILE}.lock").unlink(missing_ok=True)
            return False
        assert told == sound, f"bit {bit} of {file.name} was believed: {told} instead of {sound}"
        self.harmless += 1
        self._folder = changed
        return True

    async def _told(self, folder: Path) -> object:
        """All that the mapping is told."""
        told = []
        async with InlineStore(folder / FILE, clock=self._clock) as store:
            for mapping, identity in sorted(self._opened):
                opened = await store.open(mapping, identity)
                told.append((opened.fresh, opened.previous_identity, opened.start, await opened.checkpoints.load()))
        return told

    async def _entered(self, folder: Path) -> InlineStore:
        return await InlineStore(folder / FILE, clock=self._clock).__aenter__()

    def _copy(self, folder: Path) -> Path:
        copied = self._new_folder()
        for file in folder.iterdir():
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, copied / file.name)
        return copied

    def _new_folder(self) -> Path:
        self._folders += 1
        folder = Path(self._room.name) / str(self._folders)
        folder.mkdir()
        return folder

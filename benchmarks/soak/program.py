"""The real command ``headrace run``, started again and again, with its log read (or not) and its processes killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from benchmarks.soak.books import Life, life

if TYPE_CHECKING:
    from random import Random

    from anyio.abc import Process, TaskGroup

STOP_SECONDS = 90.0
LOG_SECONDS = 30.0
"""For the rest of a log, which a worker that outlives its Headrace for a moment may keep open."""
_PORTION = 1 << 16


class Program:
    """One process at a time. ``lives`` are those that have ended, ``stops`` the seconds from SIGTERM to each exit."""

    def __init__(self, folder: Path, group: TaskGroup, random: Random) -> None:
        self.lives: list[Life] = []
        self.stops: list[float] = []
        self.log_unread = 0
        self.over = False
        self._folder = folder
        self._group = group
        self._random = random
        self._process: Process | None = None
        self._asked = False
        self._changing = anyio.Lock()
        self._started = 0
        self._ended = 0

    @property
    def checkpoints(self) -> Path:
        """Where the configuration puts them."""
        return self._folder / "checkpoints.db"

    async def start(self) -> None:
        """Start it, read its log, and start it again whenever it ends by itself."""
        self._asked = False
        command = [sys.executable, "-m", "pollers", "run", str(self._folder / "headrace.yaml")]
        self._process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, env=os.environ
        )
        self._started += 1
        log, whole = self._folder / f"log-{self._started}", anyio.Event()
        log.touch()
        self._group.start_soon(self._read, self._process, log, whole)
        self._group.start_soon(self._watch, self._process, log, whole)

    async def kill(self, pause: float) -> None:
        """SIGKILL, and after a while a new start."""
        async with self._changing:
            await self._end(signal.SIGKILL)
            await anyio.sleep(pause)
            await self.start()

    async def terminate(self, pause: float) -> None:
        """SIGTERM, as long as a stop takes, and after a while a new start."""
        async with self._changing:
            await self._stopped()
            await anyio.sleep(pause)
            await self.start()

    async def stop(self) -> None:
        """SIGTERM for the last time."""
        async with self._changing:
            self.over = True
            await self._stopped()

    def abandon(self) -> None:
        """Leave no process behind, however the soak ends."""
        self.over = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def kill_worker(self) -> bool:
        """SIGKILL to one of its workers; whether there was one."""
        workers = self._workers()
        if not workers:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._random.choice(workers), signal.SIGKILL)
        return True

    async def lock_store(self, seconds: float) -> bool:
        """Keep the checkpoint file from being written for so long; whether it could be kept."""
        return await anyio.to_thread.run_sync(_hold, self.checkpoints, seconds)

    async def _stopped(self) -> None:
        asked = time.monotonic()
        self._asked = True
        await self._end(signal.SIGTERM)
        self.stops.append(time.monotonic() - asked)

    async def _end(self, by: signal.Signals) -> None:
        process = self._process
        assert process is not None
        ended = self._ended
        with suppress(ProcessLookupError):
            process.send_signal(by)
        with anyio.move_on_after(STOP_SECONDS):
            while self._ended == ended:
                await anyio.sleep(0.02)
        if self._ended == ended:
            process.kill()
            while self._ended == ended:
                await anyio.sleep(0.02)

    async def _watch(self, process: Process, log: Path, whole: anyio.Event) -> None:
        code = await process.wait()
        asked = self._asked
        self._ended += 1
        if code >= 0 and not asked and not self.over:
            await self.start()
        with anyio.move_on_after(LOG_SECONDS):
            await whole.wait()
        self.lives.append(life(await anyio.Path(log).read_text(errors="replace"), code, asked_to_stop=asked))

    async def settled(self) -> None:
        """Wait until all that has ended is in ``lives``."""
        while len(self.lives) < self._ended:
            await anyio.sleep(0.02)

    async def _read(self, process: Process, log: Path, whole: anyio.Event) -> None:
        assert process.stderr is not None
        async with await anyio.open_file(log, "ab") as into:
            with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                while True:
                    while self.log_unread:
                        await anyio.sleep(0.05)
                    await into.write(await process.stderr.receive(_PORTION))
                    await into.flush()
        whole.set()

    def _workers(self) -> list[int]:
        """The processes under Headrace's own that run functions."""
        assert self._process is not None
        parents: dict[int, int] = {}
        commands: dict[int, bytes] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes()
        ours = {self._process.pid}
        while found := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= found
        return sorted(
            p for p in ours if b"workers/main.py" in commands.get(p, b"") and b"workers/keeper.py" not in commands[p]
        )


def _hold(path: Path, seconds: float) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return True

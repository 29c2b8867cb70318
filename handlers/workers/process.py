"""One worker's processes: started through a keeper (:mod:`handlers.workers.keeper`), and gone, whole, when told.

``subprocess`` starts the keeper and the end of its control socket tells of its exit, so neither the event loop's child
watchers nor their threads are needed, and uvloop and asyncio behave alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from handlers.logs import LOG_DESCRIPTOR
from handlers.system import descriptor_limit
from handlers.workers.strays import kill_strays, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KILL_SECONDS = 5.0
"""How long a keeper is given to kill its worker before it is killed itself (the kernel then kills the worker)."""

_HINTS = {
    errno.ENOENT: "it is missing, or the interpreter that its first line names is",
    errno.ENOEXEC: "it is neither a program for this machine nor a script whose first line names an interpreter",
}

_KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run. ``command``'s first part is looked for in the environment's ``PATH`` or relative to ``cwd``.

    ``scratch`` is the folder that is removed by the keeper if Headrace dies and cannot do so itself. ``framed``: its runtime client
    writes AWS's frames (:mod:`handlers.logs.frames`) if it is given a descriptor for them.
    """

    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    scratch: Path
    framed: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker ended. ``status`` is a wait status; None if it never ran, or its end was not seen."""

    status: int | None
    error: str | None = None
    max_rss_kib: int = 0

    @property
    def reason(self) -> str | None:
        """Lambda's wording (docs/lambda 8.1); None for a plain exit with status 0."""
        if self.status is None:
            return self.error or "signal: killed"
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            name = (signal.strsignal(number) or f"signal {number}").lower()
            return f"signal: {name}" + (" (core dumped)" if os.WCOREDUMP(self.status) else "")
        code = os.waitstatus_to_exitcode(self.status)
        return f"exit status {code}" if code else None


class WorkerProcess:
    """A running worker. :attr:`exited` is set once nothing of it is left."""

    def __init__(
        self, keeper: subprocess.Popen[bytes], control: socket.socket, launch: Launch, on_started: Callable[[], None]
    ) -> None:
        self._keeper = keeper
        self._control: socket.socket | None = control
        self._program = launch.command[0]
        self._mark = mark_of(launch.environment)
        self._keeper_was_killed = False
        self._on_started = on_started
        self._received = b""
        self._kill_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self._pid: int | None = None
        self.exit = Exit(None)
        self._loop.add_reader(control.fileno(), self._control_readable)

    @classmethod
    def start(
        cls,
        launch: Launch,
        *,
        stdout: int,
        stderr: int,
        frames: int | None = None,
        on_started: Callable[[], None] = lambda: None,
    ) -> WorkerProcess:
        """Start a worker. It is told of ``frames``, a descriptor for the frames of AWS's runtime clients.

        Raises:
            OSError: if not even its keeper could be started.
        """
        ours, theirs = socket.socketpair()
        environment, passed = dict(launch.environment), [theirs.fileno()]
        if frames is not None:
            environment[LOG_DESCRIPTOR] = str(frames)
            passed.append(frames)
        try:
            ours.setblocking(False)
            keeper = subprocess.Popen(  # noqa: S603 - running the configured command is the purpose
                [
                    *(sys.executable, "-I", "-S", str(_KEEPER)),
                    *(str(theirs.fileno()), str(launch.scratch), str(descriptor_limit.former or 0)),
                    *launch.command,
                ],
                cwd=launch.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=passed,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(keeper, ours, launch, on_started)

    @property
    def keeper_pid(self) -> int:
        """Its parent process, and that of whatever it leaves behind."""
        return self._keeper.pid

    @property
    def pid(self) -> int | None:
        """The worker's pid, which is also its process group and its session; None before it is started."""
        if self._pid is None:
            self._control_readable()
        return self._pid

    def terminate(self) -> None:
        """Ask its process group to end (SIGTERM)."""
        self._order(b"T")

    def kill(self) -> None:
        """Kill it whole. Returns at once: :meth:`wait` tells when it is done."""
        self._order(b"K")
        if self._kill_timer is None and not self._closed.is_set():
            self._kill_timer = self._loop.call_later(KILL_SECONDS, self._keeper.kill)

    async def wait(self) -> Exit:
        """Wait until nothing of it is left."""
        await self._closed.wait()
        while self._keeper.poll() is None:  # noqa: ASYNC110 - its socket has closed, so it is about to exit
            await anyio.sleep(0.0005)
        if self._keeper_was_killed:
            await to_thread.run_sync(kill_strays, self._mark)
        return self.exit

    def _order(self, order: bytes) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):  # it has ended, or its buffer is full of orders of the same kind
                self._control.send(order)

    def _control_readable(self) -> None:
        if self._control is None:
            return
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take_line(line.decode())

    def _take_line(self, line: str) -> None:
        word, *numbers = line.split()
        if word == "started":
            self._pid = int(numbers[0])
            self._on_started()
        elif word == "failed":
            code = int(numbers[0])
            why = f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
            self.exit = Exit(None, f"{self._program}: {why}" + (f": {_HINTS[code]}" if code in _HINTS else ""))
        elif word == "exited":
            self.exit = Exit(int(numbers[0]), None, int(numbers[1]))

    def _close(self) -> None:
        assert self._control is not None  # noqa: S101 - the only caller has just read from it
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._control = None
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        if self.exit.status is None and self.exit.error is None and self._pid is not None:
            self._keeper_was_killed = True
            self._kill_what_a_dead_keeper_left(self._pid)
        self._closed.set()

    def _kill_what_a_dead_keeper_left(self, pid: int) -> None:
        """Kill the worker's process group.

        On Linux the kernel has killed the worker with its keeper (``PR_SET_PDEATHSIG``), elsewhere it still runs; its children may
        run on both. What has left the group is found by its environment in :meth:`wait`.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)

"""Runs one worker and outlives it: started by path as ``python -I -S keeper.py CONTROL SCRATCH DESCRIPTORS COMMAND...``.

A worker's keeper is its parent process, in a session of its own. It guarantees two things that Headrace alone cannot.

1. When the worker ends or must end, everything that it started ends with it: its process group and, on Linux, processes that
   left the group too, because orphans of the worker become the keeper's children.
2. When Headrace is gone, even killed, the control socket closes, and the worker is killed in the same way.

If the keeper itself is killed, the kernel kills the worker (Linux).

Written to the control socket: ``started PID``, then ``exited WAITSTATUS MAXRSS_KIB`` once nothing is left, or
``failed ERRNO`` if the command could not be executed. Read from it: ``T`` asks the worker's group to end, ``K`` (or
the end of the stream) kills it.

Imports only what a bare interpreter has, and little of it: it runs once for each worker.
"""

# ruff: noqa: SIM105 - importing contextlib would cost each start of a worker some milliseconds

from __future__ import annotations

import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
_KILLING_SECONDS = 4.0  # Headrace kills a keeper that has not finished after 5


def main() -> None:
    """Run the worker until nothing of it is left."""
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    scratch, descriptors, command = sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    wakeup = _catch_signals()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker, error = _start(command, control, descriptors)
    if error:
        _report(control, f"failed {error}")
        return
    _silence()
    status, orphaned = _watch(control, wakeup, worker)
    _kill_group(worker, signal.SIGKILL)
    _kill_rest()
    heard = _report(control, f"exited {status} {_max_rss_kib()}")
    if scratch and (orphaned or not heard):  # a worker may end because Headrace died, before the keeper notices that
        _remove(scratch)


def _catch_signals() -> int:
    """Let the end of a child wake the loop, and ignore signals that a service manager sends to all: Headrace decides the end."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return readable


def _pipe() -> tuple[int, int]:
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    return readable, writable


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _start(command: list[str], control: int, descriptors: int) -> tuple[int, int]:
    """Start the worker in a session of its own: its pid, and the errno if it could not be executed.

    Forking is safe here as it would not be in Headrace: this process has one thread. The worker's pid is told before
    its program runs, so that it is known to Headrace whenever the program connects.
    """
    readable, writable = os.pipe()  # closed by a successful exec
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        try:
            os.setsid()
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)
            for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD", "SIGPIPE", "SIGXFSZ"):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            _limit(descriptors)
            _report(control, f"started {os.getpid()}")
            os.execvp(command[0], command)  # noqa: S606 - running the configured command is the purpose
        except OSError as error:
            os.write(writable, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writable)
    failed = os.read(readable, 16)
    os.close(readable)
    if failed:
        os.waitpid(worker, 0)
    return worker, int(failed or 0)


def _limit(descriptors: int) -> None:
    """Give the worker the soft limit of file descriptors that Headrace began with; 0: it is still that."""
    if descriptors:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _silence() -> None:
    """Let go of the worker's output, so that it ends when the worker does."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    frames = os.environ.get("_LAMBDA_TELEMETRY_LOG_FD")
    if frames is not None:
        os.close(int(frames))


def _watch(control: int, wakeup: int, worker: int) -> tuple[int, bool]:
    """Wait for the worker's end, or for the order to end it: its wait status, and whether Headrace is gone."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        status = _reap(worker)
        if status is not None:
            return status, False
        for number, _ in poll.poll():
            if number == wakeup:
                _drain(wakeup)
                continue
            order = _receive(control)
            if order == b"T":
                _kill_group(worker, signal.SIGTERM)
            else:
                _kill_group(worker, signal.SIGKILL)
                return os.waitpid(worker, 0)[1], not order


def _receive(control: int) -> bytes:
    try:
        return os.read(control, 1)
    except OSError:
        return b""


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        pass


def _reap(worker: int) -> int | None:
    """Reap whoever ended; the worker's wait status if it was the worker.

    The rest of the worker's group is killed while the worker still is a zombie: nobody else can have its id yet.
    """
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        pid, status = os.waitpid(worker, os.WNOHANG)
        return status if pid else None
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        if ended.si_pid == worker:
            _kill_group(worker, signal.SIGKILL)
            return os.waitpid(worker, 0)[1]
        os.waitpid(ended.si_pid, 0)


def _kill_group(worker: int, number: int) -> None:
    try:
        os.killpg(worker, number)
    except (ProcessLookupError, PermissionError):
        pass


def _kill_rest() -> None:
    """Kill whatever the worker left behind and reap it."""
    deadline = time.monotonic() + _KILLING_SECONDS
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:  # nothing is left, as nearly always, so /proc is not searched
            return
        for child in _children():
            try:
                os.kill(child, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(0.0005)


def _children() -> list[int]:
    if not _LINUX:
        return []
    me, found = os.getpid(), []
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as file:
            return [int(child) for child in file.read().split()]
    except OSError:  # a kernel that does not list them
        pass
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            if parent == me:
                found.append(int(name))
    return found


def _max_rss_kib() -> int:
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return size if _LINUX else size // 1024  # macOS counts bytes


def _remove(scratch: str) -> None:
    import shutil

    shutil.rmtree(scratch, ignore_errors=True)


def _report(control: int, line: str) -> bool:
    """Write a line to Headrace; False if Headrace is gone."""
    try:
        os.write(control, line.encode() + b"\n")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()

"""Finds and kills what a worker left behind after its keeper was killed.

Normally the keeper adopts a worker's orphans, so that they are found by descent. A worker that kills its own keeper leaves orphans
that nobody of ours adopts: they are recognised by their environment, which names the worker's log stream.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.system import descendants, running

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK = "AWS_LAMBDA_LOG_STREAM_NAME"
"""Unique for each worker: 128 bits of it are random."""
_KILLING_SECONDS = 2.0


def mark_of(environment: Mapping[str, str]) -> bytes:
    """The entry by which processes with this environment are recognised; empty if there is none."""
    value = environment.get(_MARK)
    return f"{_MARK}={value}".encode() if value else b""


def kill_strays(mark: bytes) -> None:
    """Kill every process that was given ``mark``, and what is below it, until there is none.

    For a thread: it looks at every process of the machine.
    """
    deadline = time.monotonic() + _KILLING_SECONDS
    while mark and time.monotonic() < deadline:
        found = [pid for pid in running() if pid != os.getpid() and mark in _environment(pid)]
        if not found:
            return
        for pid in (*found, *(child for parent in found for child in descendants(parent))):
            _kill(pid)
        time.sleep(0.001)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []

"""Keeps other processes of the same user, such as workers, out of this process's memory and environment. Linux only."""

from __future__ import annotations

import os
import sys

VARIABLE = "HEADRACE_DUMPABLE"
"""With the value 1 nothing is changed: for core files, and for profilers that do not run as root."""

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """From now on only root may trace this process or read its memory, environment and descriptors in /proc.

    A worker with ``credentials: none`` would find Headrace's own in ``/proc/PID/environ`` otherwise. What is started from
    here on begins as the system has it.
    """
    if sys.platform != "linux" or os.environ.get(VARIABLE) == "1":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

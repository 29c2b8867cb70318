"""Ends Python code that runs in another thread, where that can be done without harm to the rest of the process."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import TYPE_CHECKING

from handlers.in_process.calls import InvocationStopped

if TYPE_CHECKING:
    import threading
    from pathlib import Path
    from types import FrameType


def interrupt_thread(thread: threading.Thread, folder: Path) -> None:
    """Have ``InvocationStopped`` raised in ``thread``, if what it executes right now is the function's own code.

    Python has no way to kill a thread; this ends an endless loop, which would burn a processor for good otherwise. A thread
    inside anybody else's code is left alone: there the exception could keep a lock from being released that the whole
    process needs, logging's for one. It comes into effect when a blocking call of the function's code returns.
    """
    identity = thread.ident
    if identity is None or not _is_in(identity, folder):
        return
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), ctypes.py_object(InvocationStopped))
    if not _is_in(identity, folder):  # it went on in between: take it back, unless it has been raised already
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), None)


def _is_in(identity: int, folder: Path) -> bool:
    frame = _frames().get(identity)
    return frame is not None and frame.f_code.co_filename.startswith(f"{folder}/")


def _frames() -> dict[int, FrameType]:
    """Where each thread is. The only way to see it; documented, "for specialised use" such as this.

    Some releases of Python 3.11 and 3.12 hold their list of threads while they make the frames: a garbage collection then, whose
    finalizers let another thread run that starts or ends, and the process stands still for ever.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()

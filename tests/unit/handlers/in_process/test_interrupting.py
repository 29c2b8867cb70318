"""Looking where another thread is, before it is interrupted, does no harm."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from handlers.in_process.interrupting import interrupt_thread

LOOKS = """
import gc, os, sys, threading, time
from pathlib import Path
from handlers.in_process.interrupting import interrupt_thread

class Finalized:
    def __init__(self): self.me = self
    def __del__(self): time.sleep(0)

def comes_and_goes():
    while True:
        one = threading.Thread(target=int)
        one.start()
        one.join()

def deep(levels):
    while not levels:
        time.sleep(0.001)
    deep(levels - 1)

gc.set_threshold(5)
for target, arguments in [(comes_and_goes, ())] * 2 + [(deep, (50,))] * 5:
    threading.Thread(target=target, args=arguments, daemon=True).start()
for _ in range(2_000):
    Finalized()
    interrupt_thread(threading.main_thread(), Path("/nowhere"))
print("fine", flush=True)
os._exit(0)
"""


def test_the_process_never_stands_still_while_threads_come_and_go() -> None:
    """Python's own look at all threads may, where the garbage collector comes in between (3.11.7 does at once)."""
    done = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_as_it_was(monkeypatch: pytest.MonkeyPatch, collects: bool) -> None:
    """It is off for the look alone."""
    seen: list[bool] = []

    def current_frames() -> dict[int, object]:
        seen.append(gc.isenabled())
        return {}

    monkeypatch.setattr(sys, "_current_frames", current_frames)
    if not collects:
        gc.disable()
    try:
        interrupt_thread(threading.current_thread(), Path("/nowhere"))
        assert gc.isenabled() is collects
    finally:
        gc.enable()
    assert seen == [False]

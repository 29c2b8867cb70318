"""How a keeper finds what its worker left behind, on real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEAVES = """
import ctypes, os, sys, time
from handlers.workers import keeper

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
listdir = os.listdir
if sys.argv[1] == "lists":
    os.listdir = None  # every process of the machine is not looked at
else:
    builtin = open
    def without_lists(path, mode):
        if path.endswith("/children"):
            raise FileNotFoundError
        return builtin(path, mode)
    keeper.open = without_lists
ready, begun = os.pipe()
if sys.argv[2] == "some":
    if os.fork() == 0:  # leaves the session, its parent, and its children before they end
        os.setsid()
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                os.fork()
                os.write(begun, b"x")
                time.sleep(600)
        os._exit(0)
    got = 0
    while got < 6:
        got += len(os.read(ready, 6))
else:
    keeper._children = None
keeper._kill_rest()
try:
    os.waitpid(-1, os.WNOHANG)
    print("some are left")
except ChildProcessError:
    print("none is left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts orphans")
@pytest.mark.parametrize("how", ["lists", "looks"])
@pytest.mark.parametrize("what", ["some", "nothing"])
def test_all_that_a_worker_left_is_killed(how: str, what: str) -> None:
    """By the kernel's list of children, or else by a look at every process; where nothing is left nothing is looked for."""
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, how, what], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == ("none is left\n", "")

"""What a process of the same user can see of Headrace, asked of the real kernel."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pollers.cli import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is nothing to be set")

LOOKS = """
import ctypes, os, socket, subprocess, sys, time
from handlers.system.connected_sockets import can_identify, held, holds
from handlers.system.memory_privacy import keep_memory_private

prctl = ctypes.CDLL(None).prctl
ready, begun = os.pipe()
"".encode("idna")  # loads it while files can be read
ours = os.fork()
if ours == 0:
    if os.geteuid() == 0:
        os.setgid(65534), os.setuid(65534), prctl(4, 1, 0, 0, 0)  # as after an exec
    keep_memory_private()
    # Its own looks at itself go on: it tells clients apart by them, and metrics count descriptors.
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    own = can_identify() and holds(os.getpid(), held(client.getsockname(), server.getsockname()))
    child = subprocess.Popen(["sleep", "60"], cwd="/")
    for _ in range(2000):  # its owner is root as long as it is not dumpable: until it has become another program
        as_usual = os.stat(f"/proc/{child.pid}/environ").st_uid == os.geteuid()
        if as_usual:
            break
        time.sleep(0.01)
    child.kill()
    os.write(begun, f"{own} {len(os.listdir('/proc/self/fd')) > 3} {as_usual}".encode())
    os.kill(os.getpid(), 19)  # waits to be killed
    os._exit(0)
os.close(begun)
print(os.read(ready, 64).decode().strip())
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
for name in ("environ", "mem", "maps", "fd"):
    try:
        os.listdir(f"/proc/{ours}/fd") if name == "fd" else open(f"/proc/{ours}/{name}", "rb").read(1)
        print(name)
    except PermissionError:
        pass
    except OSError:
        print(name)
if prctl and ctypes.CDLL(None).ptrace(16, ours, 0, 0) == 0:
    print("traced")
os.kill(ours, 9)
"""


@pytest.mark.parametrize(("dumpable", "seen"), [("0", []), ("1", ["environ", "mem", "maps", "fd"])])
def test_another_process_of_the_user_sees_nothing_of_ours(dumpable: str, seen: list[str]) -> None:
    """Neither environment nor memory nor descriptors, unless told otherwise; what is started from here is as usual."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKS],
        env={**os.environ, "HEADRACE_DUMPABLE": dumpable},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told, *rest = done.stdout.splitlines()
    assert told == "True True True"
    assert [name for name in rest if name != "traced"] == seen
    if dumpable == "0":
        assert "traced" not in rest


@pytest.mark.parametrize("command", [["run"], ["invoke", "f"], ["demo"]])
def test_every_command_that_runs_functions_keeps_its_memory_private_first(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read that a worker should not see."""

    def first() -> None:
        raise SystemExit(77)

    monkeypatch.setattr("handlers.system.memory_privacy.keep_memory_private", first)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert CliRunner().invoke(main, command).exit_code == 77

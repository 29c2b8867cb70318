"""Who holds a connection's other end, and who descends from whom, asked of the real kernel."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from handlers.runtime_api import peers
from handlers.runtime_api.peers import is_headraces_own, is_workers_own
from handlers.system import connected_sockets, process_tree
from handlers.system.connected_sockets import Held, can_identify, held, held_by_any, holds
from handlers.system.process_tree import Families, descendants, parent_of, walked
from handlers.workers.strays import kill_strays, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not tell")

CONNECTS = """
import os, socket, sys, time
if "away" in sys.argv:
    if os.fork():
        time.sleep(600)
    os.setsid()
    if os.fork():
        os._exit(0)
one = socket.create_connection((sys.argv[1], int(sys.argv[2])))
time.sleep(600)
"""
ADOPTS = """
import ctypes, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
one = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
print(one.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        server.settimeout(20)
        yield server


@contextmanager
def running(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python program while this lasts; it and all below it are gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, env=environment and {**environment}
    )
    try:
        yield process
    finally:
        for pid in (*descendants(process.pid), process.pid):
            os.kill(pid, 9)
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("ask", [connected_sockets._asked, connected_sockets._looked_up])
def test_a_socket_is_found_while_it_is_held(host: str, ask: Callable[..., Held | None]) -> None:
    """By netlink as by the kernel's table, with its maker's user; closed, it is nobody's."""
    with listening(host) as server, socket.create_connection(server.getsockname()[:2]) as client:
        accepted, peer = server.accept()
        with accepted:
            found = ask(peer[:2], accepted.getsockname()[:2])
            assert found == Held(os.fstat(client.fileno()).st_ino, os.geteuid())
            assert holds(os.getpid(), found)
            client.close()
            found = ask(peer[:2], accepted.getsockname()[:2])
            assert found is None or found.inode == 0
            assert held(peer[:2], accepted.getsockname()[:2]) is None


def test_a_connection_of_the_worker_and_of_what_it_started_is_its_own() -> None:
    """Also of a process that has left the worker's session and lost its parents; not one of anybody else."""
    with listening() as server:
        host, port = server.getsockname()
        for where in ("", "away"):
            with running(ADOPTS, CONNECTS, host, str(port), where) as keeper:
                assert keeper.stdout is not None
                leader = int(keeper.stdout.readline())
                accepted, peer = server.accept()
                with accepted:
                    assert is_workers_own(leader, keeper.pid, peer, accepted.getsockname())
                    with running("import time; time.sleep(600)") as other:
                        assert not is_workers_own(other.pid, other.pid, peer, accepted.getsockname())


def test_a_process_below_the_worker_is_found_without_a_look_at_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bootstrap whose every request is a new ``curl`` costs no more on a machine with thousands of processes."""
    monkeypatch.setattr(peers, "descendants", lambda _root: pytest.fail("every process was looked at"))
    with listening() as server:
        host, port = server.getsockname()
        for where in ("", "away"):
            with running(ADOPTS, CONNECTS, host, str(port), where) as keeper:
                assert keeper.stdout is not None
                leader = int(keeper.stdout.readline())
                accepted, peer = server.accept()
                with accepted:
                    assert is_workers_own(leader, keeper.pid, peer, accepted.getsockname())


def test_another_user_cannot_make_a_root_s_headrace_look_at_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection would hold the event loop. A worker's process that has given up root is found by the walk."""
    monkeypatch.setattr(peers, "descendants", lambda _root: pytest.fail("every process was looked at"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with listening() as server, socket.create_connection(server.getsockname()) as client:
        accepted, peer = server.accept()
        with accepted:
            theirs = Held(os.fstat(client.fileno()).st_ino, 12_345)
            monkeypatch.setattr(peers, "held", lambda _client, _server: theirs)
            with running("import time; time.sleep(600)") as other:
                assert not is_workers_own(other.pid, other.pid, peer, accepted.getsockname())
                assert is_workers_own(other.pid, os.getppid(), peer, accepted.getsockname())


def test_a_new_root_costs_no_look_at_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker more does not hold the event loop for a file of each process of the machine."""
    families = Families()
    families.below([os.getpid()])
    with running(ADOPTS, "import time; time.sleep(600)") as keeper:
        assert keeper.stdout is not None
        leader = int(keeper.stdout.readline())
        looked_at: list[int] = []

        def parent(pid: int) -> int:
            looked_at.append(pid)
            return parent_of(pid)

        monkeypatch.setattr(process_tree, "parent_of", parent)
        below = families.below([os.getpid(), keeper.pid])
        assert below[keeper.pid] == [leader]
        assert {keeper.pid, leader} <= set(looked_at)
        assert os.getppid() not in looked_at


def test_a_walk_finds_what_a_look_at_every_process_finds() -> None:
    """Children of a thread that is not the first one, too; nothing below what does not exist."""
    program = """
import subprocess, sys, threading, time
def start():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("started", flush=True)
    time.sleep(600)
threading.Thread(target=start, daemon=True).start()
time.sleep(600)
"""
    with running(program) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        assert list(walked(parent.pid)) == descendants(parent.pid) != []
        assert set(descendants(os.getpid())) <= set(walked(os.getpid()))
    assert list(walked(2**22 + 1)) == []


def test_a_client_that_closes_at_once_is_refused() -> None:
    """What it sent has come, it cannot be told any more: whoever waits for no answer is no worker."""
    with listening() as server:
        for linger in (False, True):
            client = socket.create_connection(server.getsockname())
            if linger:  # a reset instead of an orderly end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
            client.close()
            accepted, peer = server.accept()
            with accepted:
                own = accepted.getsockname()
                assert not is_workers_own(os.getpid(), os.getpid(), peer, own)
                assert is_headraces_own(peer, own)
    assert not is_workers_own(os.getpid(), os.getpid(), None, ("127.0.0.1", 1))
    assert is_headraces_own(None, ("127.0.0.1", 1))


def test_code_of_functions_is_told_from_an_operator() -> None:
    """This process and all below it are Headrace's; whoever is not, and is there, is not. Another machine's client is not here."""
    with listening() as server:
        host, port = server.getsockname()
        with running(CONNECTS, host, str(port)), socket.create_connection(server.getsockname()):
            for _ in range(2):
                accepted, peer = server.accept()
                with accepted:
                    assert is_headraces_own(peer, accepted.getsockname())
        code = (
            "import socket, sys; from handlers.runtime_api.peers import is_headraces_own as own;"
            "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True);"
            "a, peer = s.accept(); print(own(peer, a.getsockname()), flush=True)"
        )
        with running(code) as other:
            assert other.stdout is not None
            with socket.create_connection(("127.0.0.1", int(other.stdout.readline()))):
                assert other.stdout.readline() == "False\n"
    assert not is_headraces_own(("192.0.2.1", 40_000), ("192.0.2.2", 8787))


def test_where_nobody_can_tell_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without /proc or netlink runs workers all the same."""
    assert can_identify()
    monkeypatch.setattr(connected_sockets, "_way_to_ask", lambda: None)
    assert is_workers_own(1, 1, ("127.0.0.1", 1), ("127.0.0.1", 2))
    assert not is_headraces_own(("127.0.0.1", 1), ("127.0.0.1", 2))
    with pytest.raises(OSError, match="does not tell"):
        held(("127.0.0.1", 1), ("127.0.0.1", 2))


def test_a_process_that_hides_its_descriptors_holds_what_its_user_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may not be readable (a program without read permission): it works, and another user's client is refused."""

    def hides(pid: int, found: Held) -> bool:
        raise PermissionError

    monkeypatch.setattr(connected_sockets, "holds", hides)
    assert held_by_any([os.getpid()], Held(1, os.geteuid()))
    assert not held_by_any([os.getpid()], Held(1, os.geteuid() + 1))


def test_families_are_what_descends_from_each_root() -> None:
    """As exactly as a look at everything, also when a root is told of after its children were seen."""
    families = Families()
    assert families.below([]) == {}
    with listening() as server:
        host, port = server.getsockname()
        with (
            running(ADOPTS, CONNECTS, host, str(port), "away") as one,
            running(ADOPTS, CONNECTS, host, str(port)) as other,
        ):
            accepted = [server.accept()[0] for _ in range(2)]
            families.below([one.pid])
            until(lambda: len(descendants(one.pid)) == 3)  # one of them a zombie
            for _ in range(2):
                below = families.below([one.pid, other.pid])
                assert {root: set(pids) for root, pids in below.items()} == {
                    root: set(descendants(root)) for root in (one.pid, other.pid)
                }
            assert len(below[other.pid]) == 1
            for end in accepted:
                end.close()
    until(lambda: families.below([one.pid, other.pid]) == {one.pid: [], other.pid: []})
    assert parent_of(os.getpid()) == os.getppid()
    assert parent_of(2**22 + 1) == 0


def test_strays_are_known_by_the_environment_that_they_were_given() -> None:
    """And what is below them, whatever its environment is; nobody else is touched."""
    given = {"AWS_LAMBDA_LOG_STREAM_NAME": f"test/{os.getpid()}-{time.monotonic_ns()}"}
    spawns = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], env={}); print(1, flush=True); time.sleep(600)"
    )
    with running("import time; time.sleep(600)") as other:
        process = subprocess.Popen([sys.executable, "-c", spawns], stdout=subprocess.PIPE, env=given)
        assert process.stdout is not None
        process.stdout.readline()
        (child,) = descendants(process.pid)
        kill_strays(mark_of(given))
        assert process.wait(10) == -9
        until(lambda: not os.path.exists(f"/proc/{child}") or parent_of(child) != process.pid)
        process.stdout.close()
        assert other.poll() is None
    kill_strays(mark_of({}))

"""A client that costs next to nothing: requests made beforehand over connections that stay open, for benchmarks of servers."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class KeptConnection:
    """One connection, used for one request after the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Send a request and wait for the whole reply: its status and body."""
        self._socket.sendall(sent)
        data = b""
        while (end := data.find(_END)) < 0:
            data += self._more()
        head = data[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(data) < end + len(_END) + length:
            data += self._more()
        return int(data[9:12]), data[end + len(_END) :]

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _more(self) -> bytes:
        found = self._socket.recv(1 << 16)
        if not found:
            raise ConnectionError("the server closed the connection")
        return found


@dataclass(frozen=True, slots=True)
class Load:
    """What callers did: replies, how long it took, and how many of them were not as expected."""

    replies: int
    seconds: float
    wrong: int


def latencies(port: int, sent: bytes, expected: int, seconds: float) -> list[float]:
    """One caller: milliseconds from the first byte sent to the last received, sorted. Raises SystemExit for another status."""
    connection, found = KeptConnection(port), []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        status, body = connection.ask(sent)
        found.append((time.perf_counter() - began) * 1000)
        if status != expected:
            raise SystemExit(f"status {status}, expected {expected}: {body[:300]!r}")
    connection.close()
    return sorted(found)


def load(port: int, sent: Callable[[], bytes], expected: int, connections: int, seconds: float) -> Load:
    """Callers in threads, each on a connection of its own."""
    counts = [[0, 0] for _ in range(connections)]
    until = time.perf_counter() + seconds

    def call(count: list[int]) -> None:
        connection = KeptConnection(port)
        while time.perf_counter() < until:
            status, _ = connection.ask(sent())
            count[0] += 1
            count[1] += status != expected
        connection.close()

    began = time.perf_counter()
    threads = [Thread(target=call, args=(count,)) for count in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(sum(c[0] for c in counts), time.perf_counter() - began, sum(c[1] for c in counts))

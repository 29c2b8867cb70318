"""Asks the kernel which process holds the other end of a TCP connection on this machine. Linux only."""

from __future__ import annotations

import errno
import functools
import ipaddress
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Address: TypeAlias = "tuple[str, int]"
"""Host (an IP address) and port."""

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_HEADER = struct.Struct("=IHHII")
_DIAG_REQUEST = struct.Struct("=BBBBI")
_DIAG_ID = struct.Struct("!HH16s16s")
_DIAG_ID_TAIL = struct.Struct("=III")
_DIAG_MESSAGE_HEAD_BYTES = 4
_DIAG_COUNTERS = struct.Struct("=IIIII")  # expires, rqueue, wqueue, uid, inode


@dataclass(frozen=True, slots=True)
class Held:
    """A socket that some process holds. ``user`` is the uid of the process that made it."""

    inode: int
    user: int


def can_identify() -> bool:
    """Whether this system can tell who holds a socket; tried once, with one of our own."""
    return _way_to_ask() is not None


def held(local: Address, remote: Address) -> Held | None:
    """The socket that is bound to ``local`` and connected to ``remote``; None if no process holds it, or no longer.

    Raises OSError if the kernel does not say.
    """
    ask = _way_to_ask()
    if ask is None:
        raise OSError(errno.ENOSYS, "this system does not tell who holds a socket")
    found = ask(local, remote)
    return found if found is not None and found.inode else None


@functools.cache
def _way_to_ask() -> Callable[[Address, Address], Held | None] | None:
    """Netlink, or else the kernel's table, which is slow where there are many connections: whichever knows one of our own."""
    if sys.platform != "linux":
        return None
    for ask in (_asked, _looked_up):
        try:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as one,
            ):
                found = ask(one.getsockname(), one.getpeername())
                if found is not None and holds(os.getpid(), found):
                    return ask
        except OSError:
            continue
    return None


def holds(pid: int, found: Held) -> bool:
    """Whether a process has the socket among its descriptors. Raises PermissionError if it hides them."""
    folder, wanted = f"/proc/{pid}/fd", f"socket:[{found.inode}]"
    try:
        names = os.listdir(folder)
    except PermissionError:
        raise
    except OSError:  # it has ended
        return False
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") == wanted:
                return True
        except OSError:
            continue
    return False


def held_by_any(pids: Iterable[int], found: Held) -> bool:
    """Whether one of these processes holds the socket. One that hides its descriptors is taken to hold every socket of its user."""
    hidden = []
    for pid in pids:
        try:
            if holds(pid, found):
                return True
        except PermissionError:
            hidden.append(pid)
    return any(found.user in users_of(pid) for pid in hidden)


def users_of(pid: int) -> list[int]:
    """The user ids that a process has (real, effective, saved, of the file system); none if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [int(number) for line in lines if line.startswith("Uid:") for number in line.split()[1:]]


def _asked(local: Address, remote: Address) -> Held | None:
    family = _family(local)
    ports = _DIAG_ID.pack(local[1], remote[1], _packed(local), _packed(remote))
    payload = (
        _DIAG_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 2**32 - 1)
        + ports
        + _DIAG_ID_TAIL.pack(0, 2**32 - 1, 2**32 - 1)
    )
    header = _NLMSG_HEADER.pack(_NLMSG_HEADER.size + len(payload), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG) as netlink:
        netlink.send(header + payload)
        answer = netlink.recv(4096)
    if _NLMSG_HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:  # an error: it knows no such socket
        return None
    identity = _NLMSG_HEADER.size + _DIAG_MESSAGE_HEAD_BYTES
    if answer[identity : identity + _DIAG_ID.size] != ports:  # it also gives sockets that listen on the port
        return None
    counters = _DIAG_COUNTERS.unpack_from(answer, identity + _DIAG_ID.size + _DIAG_ID_TAIL.size)
    return Held(inode=counters[4], user=counters[3])


def _family(end: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in end[0] else socket.AF_INET


def _packed(end: Address) -> bytes:
    return ipaddress.ip_address(end[0].partition("%")[0]).packed.ljust(16, b"\0")


def _looked_up(local: Address, remote: Address) -> Held | None:
    table = Path("/proc/net/tcp6" if ":" in local[0] else "/proc/net/tcp").read_text()
    wanted = [_hexadecimal(local), _hexadecimal(remote)]
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[1:3] == wanted:
            return Held(inode=int(fields[9]), user=int(fields[7]))
    return None


def _hexadecimal(end: Address) -> str:
    """As the kernel's table writes it: words of four bytes in the machine's own order."""
    packed = ipaddress.ip_address(end[0].partition("%")[0]).packed
    words = (int.from_bytes(packed[start : start + 4], sys.byteorder) for start in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"

"""Whose process is at the other end of a connection to a worker's endpoint.

Each worker has a port of its own, which any process of the machine could connect to; clients of the Runtime API can carry no
secret (some of them take nothing but ``host:port``), so the kernel is asked instead. Known on Linux only; elsewhere nobody is
refused.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

from handlers.worker_memory import session_members

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_HEADER = struct.Struct("=IHHII")
_DIAG_REQUEST = struct.Struct("=BBBBI")
_DIAG_ID = struct.Struct("!HH16s16s")
_DIAG_ID_TAIL = struct.Struct("=III")
_DIAG_MESSAGE_HEAD_BYTES = 4
_DIAG_COUNTERS = struct.Struct("=IIIII")  # expires, rqueue, wqueue, uid, inode


def owned_by_session(session: int, client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether the client's end of a TCP connection (IPv4) is held by a process of ``session``; True where nobody can tell."""
    inode = socket_inode(client, server)
    if not inode:
        return True
    wanted = f"socket:[{inode}]"
    try:
        if _holds(session, wanted):  # the leader is asked first: it is who it nearly always is
            return True
    except PermissionError:
        return True
    return any(_holds(pid, wanted) for pid in session_members(session) if pid != session)


def socket_inode(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The inode of the socket that is bound to ``local`` and connected to ``remote``; None if the kernel does not say."""
    if sys.platform != "linux":
        return None
    try:
        return _asked(local, remote)
    except OSError:
        return _looked_up(local, remote)


def _asked(local: tuple[str, int], remote: tuple[str, int]) -> int:
    identity = _DIAG_ID.pack(local[1], remote[1], _address(local), _address(remote)) + _DIAG_ID_TAIL.pack(
        0, 2**32 - 1, 2**32 - 1
    )
    payload = _DIAG_REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 2**32 - 1) + identity
    header = _NLMSG_HEADER.pack(_NLMSG_HEADER.size + len(payload), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG) as netlink:
        netlink.send(header + payload)
        answer = netlink.recv(4096)
    kind = _NLMSG_HEADER.unpack_from(answer)[1]
    if kind != _SOCK_DIAG_BY_FAMILY:
        raise OSError("the kernel knows no such socket, or does not say")
    offset = _NLMSG_HEADER.size + _DIAG_MESSAGE_HEAD_BYTES + _DIAG_ID.size + _DIAG_ID_TAIL.size
    return int(_DIAG_COUNTERS.unpack_from(answer, offset)[4])


def _address(end: tuple[str, int]) -> bytes:
    return socket.inet_aton(end[0]) + bytes(12)


def _looked_up(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    try:
        table = Path("/proc/net/tcp").read_text()
    except OSError:
        return None
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[1] == _hexadecimal(local) and fields[2] == _hexadecimal(remote):
            return int(fields[9])
    return None


def _hexadecimal(end: tuple[str, int]) -> str:
    return f"{int.from_bytes(socket.inet_aton(end[0]), sys.byteorder):08X}:{end[1]:04X}"


def _holds(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return not os.path.isdir("/proc/self/fd")  # without /proc nobody can tell
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") == wanted:
                return True
        except OSError:
            continue
    return False

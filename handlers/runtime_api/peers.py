"""Whose process is at the other end of a connection: a worker's own, one of Headrace's, or a stranger's.

Each worker has a port of its own, which any process of the machine could connect to; clients of the Runtime API can carry no
secret (some of them take nothing but ``host:port``), so the kernel is asked instead. Who cannot be told is refused: a client
that waits for an answer can always be told. Where no client can (systems other than Linux), nobody is refused.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from handlers.system import (
    Address,
    Held,
    can_identify,
    can_walk,
    descendants,
    held,
    held_by_any,
    holds,
    running,
    users_of,
    walked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def is_workers_own(leader: int, keeper: int, client: Address | None, server: Address | None) -> bool:
    """Whether the client's end is held by the worker ``leader`` or a process that it started, all of them below ``keeper``."""
    if not can_identify():
        return True
    found = _held(client, server)
    if found is None:
        return False
    if held_by_any([leader], found):  # asked first: it is who it nearly always is
        return True
    if os.geteuid() not in (0, found.user):  # another user's, which might ask for a look again and again
        return False
    return any(held_by_any((pid for pid in look(keeper) if pid != leader), found) for look in _looks(found))


def _looks(found: Held) -> tuple[Callable[[int], Iterable[int]], ...]:
    """How the processes below a keeper are found, one way after the other.

    A look at every process holds the event loop the longer the more there are: a root's Headrace does not do that for other
    users. The last walk is for a process that has just lost its parent, which no look may have seen anywhere.
    """
    if can_walk() and found.user != os.geteuid():
        return walked, walked
    return walked, descendants, walked


def is_headraces_own(client: Address | None, server: Address | None) -> bool:
    """Whether the client's end is held by this process or one below it: by code of a function, which is no operator.

    A connection from this machine whose client is gone already counts as theirs, as that is how one would hide.
    """
    if not can_identify():
        return False
    found = _held(client, server)
    if found is None:
        return client is None or server is None or _is_local(client, server)
    hidden = []
    own = {os.getpid(), *descendants(os.getpid())}
    for pid in own:
        try:
            if holds(pid, found):
                return True
        except PermissionError:
            hidden.append(pid)
    # Where one of ours hides what it holds, of its user's sockets only those are believed that somebody else is seen to hold.
    return any(found.user in users_of(pid) for pid in hidden) and not _held_elsewhere(own, found)


def _held_elsewhere(own: set[int], found: Held) -> bool:
    for pid in running():
        try:
            if pid not in own and holds(pid, found):
                return True
        except PermissionError:
            continue
    return False


def _held(client: Address | None, server: Address | None) -> Held | None:
    """The client's end; None if nobody holds it any more, or the kernel does not say. uvloop has no address of who is gone."""
    if client is None or server is None:
        return None
    try:
        return held(client[:2], server[:2])
    except (OSError, ValueError):
        return None


def _is_local(client: Address, server: Address) -> bool:
    return client[0] == server[0] or ipaddress.ip_address(client[0].partition("%")[0]).is_loopback

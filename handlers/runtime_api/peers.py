"""Which process is at the other end of a connection: a worker's own, one of Headrace's, or a stranger's.

Each worker has a port of its own, and any process of the machine could connect to it. Clients of the Runtime API cannot carry a
secret (some accept nothing but ``host:port``), so the kernel is asked who holds the other end. A client that cannot be identified
is refused: one that waits for an answer always can be. Systems other than Linux identify nobody, so there nobody is refused.
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
    if os.geteuid() not in (
        0,
        found.user,
    ):  # another user's: it could make us search all processes as often as it likes
        return False
    return any(held_by_any((pid for pid in look(keeper) if pid != leader), found) for look in _looks(found))


def _looks(found: Held) -> tuple[Callable[[int], Iterable[int]], ...]:
    """Ways to list the processes below a keeper, to be tried in this order.

    ``walked`` costs as much as there are processes below the keeper; ``descendants`` looks at every process of the machine, which
    holds up the event loop, so a Headrace that runs as root does not do it for other users' connections. The last walk is for a
    process whose parent has just ended: between two looks it moves to the keeper, so each of them may miss it.
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
    # One of ours does not show what it holds, and could hold any socket of its user. It is taken for a stranger's only if
    # a stranger is seen to hold it.
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
    """The client's end; None if nobody holds it any more, or the kernel does not say (uvloop gives no address of who has gone)."""
    if client is None or server is None:
        return None
    try:
        return held(client[:2], server[:2])
    except (OSError, ValueError):
        return None


def _is_local(client: Address, server: Address) -> bool:
    return client[0] == server[0] or ipaddress.ip_address(client[0].partition("%")[0]).is_loopback

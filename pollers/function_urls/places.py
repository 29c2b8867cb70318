"""Which function URL a request is for: by its host name, or by its path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.function_urls.percent import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

PATHS = "/function-urls/"
"""``/function-urls/NAME/...``, for clients that cannot resolve the host name. It is no part of ``rawPath``."""

HOSTS = ".lambda-url."
"""In the host name of every URL."""

_HOST = re.compile(r"([a-z0-9_-]+)\.lambda-url\.([a-z0-9-]+)\.[a-z0-9.-]*[a-z0-9-]\.?")
_PORT = re.compile(r":\d*$")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What resolvers and clients take as a part of a host name, whatever letters a function's name may have."""
_EVERYWHERE = {"0.0.0.0": "localhost", "[::]": "localhost"}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes. ``name`` is the URL's as it was asked for, and None where the region is another; ``path`` is the raw
    path that the function sees, ``domain`` the URL's host name, None when the request came by path."""

    name: str | None
    path: str
    domain: str | None = None


def place_of(hosts: Iterable[str], path: str, region: str) -> Place | None:
    """The place that a request names; None for a request that is for no function URL.

    ``hosts`` may have been asked for, with or without port; the first that is a URL's counts. ``path`` is percent-encoded. Hosts
    decide first: under a URL's own host name every path is the function's. A path that leads out of its function's by
    ``..`` names no URL: signatures are made over paths without them, so that one for another function would be as good.
    """
    for host in hosts:
        domain = without_port(host).lower()
        by_host = _HOST.fullmatch(domain)
        if by_host is not None:
            return Place(by_host[1] if by_host[2] == region else None, path, domain.rstrip("."))
    if path.startswith(PATHS):
        name, slash, rest = path.removeprefix(PATHS).partition("/")
        return Place(None if _climbs(rest) else decoded(name), slash + rest or "/")
    return None


def _climbs(path: str) -> bool:
    """Whether the dot segments of a path lead above where it begins."""
    depth = 0
    for segment in path.split("/") if ".." in path else ():
        depth += -1 if segment == ".." else segment not in ("", ".")
        if depth < 0:
            return True
    return False


def without_port(host: str) -> str:
    """The name or address in a Host header."""
    return _PORT.sub("", host.strip())


def domain_of(name: str, region: str) -> str:
    """The host name of a function's URL, without port."""
    return f"{name}.lambda-url.{region}.localhost".lower()


def address_of(name: str, region: str, base: str) -> str:
    """Where a function's URL is reached, when the server is at ``base`` (``http://HOST:PORT``): by host name, or by path where the
    name cannot be a part of one."""
    scheme, _, host = base.partition("://")
    port = host.rpartition(":")[2]
    if _LABEL.fullmatch(name):
        return f"{scheme}://{domain_of(name, region)}:{port}/"
    address = host.rpartition(":")[0]
    return f"{scheme}://{_EVERYWHERE.get(address, address)}:{port}{PATHS}{name}/"


def known(asked: str, names: Iterable[str]) -> str | None:
    """The function whose URL is asked for, upper and lower case being the same in host names; None if there is none.

    Of functions whose names differ in nothing else, only one that is asked for to the letter is meant.
    """
    folded = asked.lower()
    alike = [name for name in names if name.lower() == folded]
    if asked in alike:
        return asked
    return alike[0] if len(alike) == 1 else None

"""Who a request is really from: what reverse proxies say of it is believed only from those that are trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    from pollers.function_urls.head import Head

    Address: TypeAlias = IPv4Address | IPv6Address
    Network: TypeAlias = IPv4Network | IPv6Network

PREFIX = "x-forwarded-"
_PORTS = {"https": "443", "http": "80"}
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


@dataclass(frozen=True, slots=True)
class Client:
    """The client as far as it can be known.

    ``hosts`` are those that it may have asked for, with their ports: a proxy keeps the header, or tells it in another.
    ``forwarded`` are the headers that tell the function of the client, in place of all ``x-forwarded-*`` that were sent.
    ``trusted``: a trusted proxy brought the request.
    """

    source_ip: str
    hosts: tuple[str, ...]
    forwarded: Mapping[str, str]
    trusted: bool


class Proxies:
    """The reverse proxies that are trusted: addresses and networks. Raises ValueError for what is neither."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(one, strict=False) for one in trusted)

    def client_of(self, head: Head) -> Client:
        """Who sent the request.

        From a trusted proxy the ``x-forwarded-*`` headers count, and the source is the right-most address of ``x-forwarded-for``
        that is no trusted proxy itself: what stands left of it, the client may have made up. From anybody else these headers say
        what the connection says.
        """
        peer = _peer(head.peer)
        if peer is None or not self._trusts(peer):
            return self._seen(head)
        fields = head.fields
        proto = fields.get("x-forwarded-proto") or _scheme(head)
        given = {name: value for name, value in fields.items() if name.startswith(PREFIX)}
        forwarded = {
            "x-forwarded-for": str(peer),
            "x-forwarded-proto": proto,
            "x-forwarded-port": _PORTS.get(_last(proto).lower(), str(head.port)),
            **given,
        }
        hosts = (fields.get("host", ""), _last(fields.get("x-forwarded-host", "")))
        return Client(str(self._source(peer, fields.get("x-forwarded-for", ""))), hosts, forwarded, trusted=True)

    def _seen(self, head: Head) -> Client:
        source = _spelled(head.peer)
        forwarded = {
            "x-forwarded-for": source,
            "x-forwarded-proto": _scheme(head),
            "x-forwarded-port": str(head.port),
        }
        return Client(source, (head.fields.get("host", ""),), forwarded, trusted=False)

    def _source(self, peer: Address, chain: str) -> Address:
        source = peer
        for text in reversed(chain.split(",")):
            address = _address(text)
            if address is None:
                # Not an address, so nobody can tell what stands left of it.
                break
            source = address
            if not self._trusts(address):
                break
        return source

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(maxsize=1_024)
def _spelled(peer: str) -> str:
    """An address as functions see it; what is none as it is."""
    address = _peer(peer)
    return peer if address is None else str(address)


@lru_cache(maxsize=1_024)
def _peer(text: str) -> Address | None:
    """The address that a connection is from, which has few forms; of what clients write themselves nothing is remembered."""
    return _address(text)


def _address(text: str) -> Address | None:
    """An address, also with a port or in brackets; one of IPv4 inside IPv6 as that of IPv4."""
    text = text.strip().strip('"')
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        text = found[1] or found[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _scheme(head: Head) -> str:
    return "https" if head.secure else "http"


def _last(values: str) -> str:
    """The last of several values: that of the proxy nearest to us."""
    return values.rpartition(",")[2].strip()

"""Who a request is from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.function_urls.proxies import Proxies
from tests.unit.function_urls.requests import PEER, head

PROXY = "10.0.0.1"
TRUSTED = Proxies(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "chain", "source"),
    [
        (PROXY, b"203.0.113.9", "203.0.113.9"),
        (PROXY, b"6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (PROXY, b"6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (PROXY, b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (PROXY, b"unknown, 10.0.0.2", "10.0.0.2"),
        (PROXY, b"203.0.113.9, nonsense", PROXY),
        (PROXY, b"", PROXY),
        (PROXY, b"203.0.113.9:4711", "203.0.113.9"),
        (PROXY, b'"[2001:db8::1]:4711"', "2001:db8::1"),
        (PROXY, b"2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", b"203.0.113.9", "203.0.113.9"),
        ("fd00::1%eth0", b"203.0.113.9", "203.0.113.9"),
        (PEER, b"203.0.113.9", PEER),
        ("11.0.0.1", b"10.0.0.1", "11.0.0.1"),
    ],
)
def test_the_source_is_the_right_most_address_that_is_not_trusted(peer: str, chain: bytes, source: str) -> None:
    """What stands left of it, the client may have made up."""
    sent = head(b"/", (b"X-Forwarded-For", chain), peer=peer)
    assert TRUSTED.client_of(sent).source_ip == source


def test_several_headers_are_one_chain() -> None:
    """A proxy may add a header of its own, after the client's."""
    sent = head(b"/", (b"X-Forwarded-For", b"6.6.6.6"), (b"x-forwarded-for", b"203.0.113.9"), peer=PROXY)
    assert TRUSTED.client_of(sent).source_ip == "203.0.113.9"


def test_what_anybody_else_says_is_replaced_by_what_we_see() -> None:
    """None of the headers that were sent is left."""
    sent = head(
        b"/",
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"bank.example"),
        (b"X-Forwarded-Prefix", b"/admin"),
    )
    client = TRUSTED.client_of(sent)
    assert client.forwarded == {"x-forwarded-for": PEER, "x-forwarded-proto": "http", "x-forwarded-port": "9001"}
    assert client.hosts == ("hello.lambda-url.us-east-1.localhost:9001",)


def test_what_a_trusted_proxy_says_is_kept() -> None:
    """Word for word; what it does not say follows from what it says."""
    sent = head(
        b"/",
        (b"X-Forwarded-For", b"6.6.6.6, 203.0.113.9"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"shop.example"),
        peer=PROXY,
    )
    client = TRUSTED.client_of(sent)
    assert client.forwarded == {
        "x-forwarded-for": "6.6.6.6, 203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "x-forwarded-host": "shop.example",
    }
    assert client.hosts == ("hello.lambda-url.us-east-1.localhost:9001", "shop.example")


def test_a_trusted_proxy_that_says_nothing_is_the_client() -> None:
    """Then the connection counts."""
    client = TRUSTED.client_of(head(peer=PROXY))
    assert client.forwarded == {"x-forwarded-for": PROXY, "x-forwarded-proto": "http", "x-forwarded-port": "80"}


def test_a_connection_without_an_address_is_nobody_that_is_trusted() -> None:
    """Such as one of a Unix socket."""
    assert TRUSTED.client_of(head(b"/", (b"X-Forwarded-For", b"1.2.3.4"), peer="")).source_ip == ""


def test_what_is_no_network_is_refused() -> None:
    """When it is given, not when it is used."""
    with pytest.raises(ValueError, match="proxy"):
        Proxies(["proxy"])


@given(chain=st.binary(), peer=st.sampled_from([PROXY, PEER]))
def test_any_chain_gives_an_address(chain: bytes, peer: str) -> None:
    """Whatever bytes it has; of an untrusted peer its own."""
    source = TRUSTED.client_of(head(b"/", (b"X-Forwarded-For", chain), peer=peer)).source_ip
    assert source == PEER if peer == PEER else source

"""Which URL a request is for."""

from __future__ import annotations

import pytest

from pollers.function_urls.places import Place, address_of, domain_of, known, place_of

REGION = "eu-west-1"
DOMAIN = "hello.lambda-url.eu-west-1.localhost"


@pytest.mark.parametrize(
    ("host", "path", "place"),
    [
        (f"{DOMAIN}:9001", "/a/b", Place("hello", "/a/b", DOMAIN)),
        (DOMAIN.upper(), "/", Place("hello", "/", DOMAIN)),
        (f"{DOMAIN}.:9001", "/", Place("hello", "/", DOMAIN)),
        ("hello.lambda-url.eu-west-1.on.aws", "/", Place("hello", "/", "hello.lambda-url.eu-west-1.on.aws")),
        (DOMAIN, "/function-urls/other/x", Place("hello", "/function-urls/other/x", DOMAIN)),
        (DOMAIN, "/2015-03-31/functions/", Place("hello", "/2015-03-31/functions/", DOMAIN)),
        ("hello.lambda-url.us-east-1.localhost", "/", Place(None, "/", "hello.lambda-url.us-east-1.localhost")),
        ("localhost:9001", "/function-urls/hello", Place("hello", "/")),
        ("localhost:9001", "/function-urls/hello/", Place("hello", "/")),
        ("[::1]:9001", "/function-urls/Hello_1//a%2Fb", Place("Hello_1", "//a%2Fb")),
        ("", "/function-urls/hel%6Co/x", Place("hello", "/x")),
        ("localhost", "/function-urls/a%2Fb/x", Place("a/b", "/x")),
        ("localhost", "/function-urls//x", Place("", "/x")),
        ("localhost", "/function-urls/hello/a/../b", Place("hello", "/a/../b")),
        ("localhost", "/function-urls/hello/..a/b..", Place("hello", "/..a/b..")),
        ("localhost", "/function-urls/hello/../other/a", Place(None, "/../other/a")),
        ("localhost", "/function-urls/hello/a//./../../other/a", Place(None, "/a//./../../other/a")),
        (DOMAIN, "/../a", Place("hello", "/../a", DOMAIN)),
        ("localhost:9001", "/function-urls", None),
        ("localhost:9001", "/", None),
        ("lambda-url.eu-west-1.localhost", "/", None),
        ("x.hello.lambda-url.eu-west-1.localhost", "/", None),
        ("hello.lambda-url.eu-west-1", "/", None),
    ],
)
def test_a_url_is_named_by_host_or_by_path(host: str, path: str, place: Place | None) -> None:
    """Under a URL's own host name every path is the function's; by path the prefix is not the function's."""
    assert place_of([host], path, REGION) == place


def test_the_first_host_that_is_a_urls_counts() -> None:
    """A proxy may keep the name that it was asked by, or give its own for ours."""
    assert place_of(["backend:9001", DOMAIN], "/a", REGION) == Place("hello", "/a", DOMAIN)
    assert place_of([DOMAIN, "other.lambda-url.eu-west-1.localhost"], "/a", REGION) == Place("hello", "/a", DOMAIN)
    assert place_of(["backend:9001", "shop.example"], "/function-urls/hello/a", REGION) == Place("hello", "/a")


def test_a_functions_domain_is_in_lower_case() -> None:
    """As host names are compared."""
    assert domain_of("Hello", REGION) == DOMAIN


@pytest.mark.parametrize(
    ("asked", "names", "found"),
    [
        ("hello", ["hello"], "hello"),
        ("hello", ["Hello"], "Hello"),
        ("HELLO", ["hello"], "hello"),
        ("hello", ["Hello", "hello"], "hello"),
        ("hello", ["Hello", "HELLO"], None),
        ("other", ["hello"], None),
        ("", ["hello"], None),
    ],
)
def test_names_are_found_in_any_case(asked: str, names: list[str], found: str | None) -> None:
    """Browsers send host names in lower case; where two functions could be meant, neither is."""
    assert known(asked, names) == found


@pytest.mark.parametrize(
    ("name", "base", "address"),
    [
        ("hello-1", "http://127.0.0.1:9001", "http://hello-1.lambda-url.eu-west-1.localhost:9001/"),
        ("hello", "http://0.0.0.0:80", "http://hello.lambda-url.eu-west-1.localhost:80/"),
        ("Hello", "http://127.0.0.1:9001", "http://127.0.0.1:9001/function-urls/Hello/"),
        ("hello_1", "http://0.0.0.0:9001", "http://localhost:9001/function-urls/hello_1/"),
        ("-hello", "http://[::1]:9001", "http://[::1]:9001/function-urls/-hello/"),
        ("h" * 64, "http://[::]:9001", f"http://localhost:9001/function-urls/{'h' * 64}/"),
    ],
)
def test_a_url_is_told_by_host_name_where_its_name_can_be_one(name: str, base: str, address: str) -> None:
    """Else by path, which every client can reach; either leads to the function."""
    assert address_of(name, REGION, base) == address
    host, _, path = address.removeprefix("http://").partition("/")
    place = place_of([host], f"/{path}", REGION)
    assert place is not None
    assert (place.name, place.path) == (name, "/")

"""CORS: preflights, and headers on other replies."""

from __future__ import annotations

import pytest

from config.models import Cors
from pollers.function_urls.cors import added, preflight
from pollers.function_urls.replies import Reply

SHOP = "https://shop.example"
ASKED = {"origin": SHOP, "access-control-request-method": "PUT"}
VARY = ("Vary", "Origin")


def test_a_preflight_has_what_is_configured() -> None:
    """And nothing that was asked for."""
    cors = Cors(
        allow_origins=[SHOP],
        allow_methods=["GET", "PUT"],
        allow_headers=["content-type", "x-one"],
        expose_headers=["x-two"],
        max_age=300,
        allow_credentials=True,
    )
    assert preflight(cors, "OPTIONS", {**ASKED, "access-control-request-headers": "x-other"}) == Reply(
        200,
        (
            ("Access-Control-Allow-Origin", SHOP),
            ("Access-Control-Allow-Methods", "GET,PUT"),
            ("Access-Control-Allow-Headers", "content-type,x-one"),
            ("Access-Control-Max-Age", "300"),
            ("Access-Control-Allow-Credentials", "true"),
            VARY,
        ),
    )


def test_what_is_not_configured_is_not_sent() -> None:
    """No empty headers."""
    assert preflight(Cors(allow_origins=["*"]), "OPTIONS", ASKED) == Reply(200, (("Access-Control-Allow-Origin", "*"),))


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", ASKED),
        ("OPTIONS", {}),
        ("OPTIONS", {"origin": SHOP}),
        ("OPTIONS", {"access-control-request-method": "PUT"}),
    ],
)
def test_anything_else_is_for_the_function(method: str, fields: dict[str, str]) -> None:
    """A preflight has an origin and a method that it asks for."""
    assert preflight(Cors(allow_origins=["*"]), method, fields) is None


def test_without_a_cors_block_the_function_sees_preflights() -> None:
    """And no reply gets anything."""
    assert preflight(None, "OPTIONS", ASKED) is None
    assert added(None, SHOP) == ()


@pytest.mark.parametrize(
    ("origins", "credentials", "origin", "allowed", "varies"),
    [
        (["*"], False, SHOP, "*", False),
        (["*"], True, SHOP, SHOP, True),
        (["*"], True, "null", "null", True),
        ([SHOP], False, SHOP, SHOP, True),
        ([SHOP], True, SHOP, SHOP, True),
        (["HTTPS://Shop.example"], False, SHOP, SHOP, True),
        (["https://a.example", SHOP], False, SHOP, SHOP, True),
        (["https://a.example", "*"], False, SHOP, "*", False),
        ([SHOP], False, "https://shop.example.evil", None, True),
        ([SHOP], False, "https://evil.example", None, True),
        ([SHOP], False, "http://shop.example", None, True),
        ([SHOP], False, "null", None, True),
        ([SHOP], False, f"{SHOP},https://evil.example", None, True),
        ([], False, SHOP, None, True),
        (["*"], True, "https://x\u00e9", None, True),
        (["*"], True, "", None, True),
        (["*"], True, "a b", None, True),
    ],
)
def test_an_origin_is_allowed_or_not(
    origins: list[str],
    credentials: bool,
    origin: str,
    allowed: str | None,
    varies: bool,
) -> None:
    """The same for a preflight and for the reply; a cache is told whenever the answer depends on the origin."""
    cors = Cors(allow_origins=origins, allow_credentials=credentials)
    answer = preflight(cors, "OPTIONS", {**ASKED, "origin": origin})
    assert answer is not None
    for headers in (answer.headers, added(cors, origin)):
        assert dict(headers).get("Access-Control-Allow-Origin") == allowed
        assert (VARY in headers) is varies
        assert (("Access-Control-Allow-Credentials", "true") in headers) is (credentials and allowed is not None)


def test_a_reply_says_what_a_page_may_read() -> None:
    """Methods and headers of requests are the preflight's."""
    cors = Cors(allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=["x-a", "x-b"], max_age=5)
    assert added(cors, SHOP) == (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "x-a,x-b"))


def test_a_config_cannot_write_into_the_head_of_a_reply() -> None:
    """It may have come through the API, which takes any text."""
    cors = Cors(allow_origins=["*"], allow_headers=["x-a", "x\r\nSet-Cookie: a=1"], expose_headers=["\n", "x\u2713"])
    answer = preflight(cors, "OPTIONS", ASKED)
    assert answer is not None
    assert dict(answer.headers)["Access-Control-Allow-Headers"] == "x-a"
    assert added(cors, SHOP) == (("Access-Control-Allow-Origin", "*"),)


def test_a_request_of_no_page_gets_no_cors_headers() -> None:
    """But a cache has to know that one of a page would."""
    assert added(Cors(allow_origins=[SHOP]), None) == (VARY,)
    assert added(Cors(allow_origins=["*"]), None) == ()

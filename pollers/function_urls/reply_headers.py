"""Headers and cookies that a function gives: nothing of them may end a header, or the reply, before its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pollers.jsontext import number_text

if TYPE_CHECKING:
    from pollers.function_urls.replies import Headers


class InvalidReply(ValueError):  # noqa: N818 - named for what the function returned
    """What a function returned is no reply. The message says what was found and what would be right."""


REQUEST_ID = "x-amzn-RequestId"
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        REQUEST_ID.lower(),
    }
)
"""What we say ourselves. A length or a coding that is not the body's would make clients take one reply for two."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_THREE_DIGITS = re.compile(r"[0-9]{3}")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


def headers_of(given: object) -> Headers:
    """The headers of a reply, without those that are ours. Raises :class:`InvalidReply`.

    Numbers, true and false are written as in JSON (docs/lambda 13.5); a header whose value is null is left out.
    """
    if given is None:
        return ()
    if not isinstance(given, dict):
        raise InvalidReply(f"headers: found {_shown(given)}, expected an object")
    return tuple(
        (_name(name), _value(f"headers.{name}", value))
        for name, value in given.items()
        if value is not None and name.lower() not in _OURS
    )


def cookies_of(given: object) -> Headers:
    """A ``Set-Cookie`` for each cookie: joined into one, browsers would read them wrong. Raises :class:`InvalidReply`."""
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(cookie, str) for cookie in given):
        raise InvalidReply(f"cookies: found {_shown(given)}, expected a list of strings")
    return tuple(("Set-Cookie", _value(f"cookies[{number}]", cookie)) for number, cookie in enumerate(given))


def status_of(given: object) -> int:
    """``statusCode``: a number or its text (docs/lambda 13.5). Raises :class:`InvalidReply`.

    100 to 199 are refused: a client would go on waiting for the reply itself.
    """
    status = float(given) if isinstance(given, str) and _THREE_DIGITS.fullmatch(given) else given
    if (
        isinstance(status, int | float)
        and not isinstance(status, bool)
        and 200 <= status <= 599
        and status == int(status)
    ):
        return int(status)
    raise InvalidReply(f"statusCode: found {_shown(given)}, expected a number from 200 to 599")


def typed(content_type: str) -> tuple[str, str]:
    """The header of a type that a runtime gives. Raises :class:`InvalidReply`."""
    return "Content-Type", _value("the stream's Content-Type", content_type)


def has(headers: Headers, name: str) -> bool:
    """Whether there is a header of this name."""
    folded = name.lower()
    return any(one.lower() == folded for one, _ in headers)


def _name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise InvalidReply(f"headers: found the name {_shown(name)}, expected letters, digits and !#$%&'*+-.^_`|~")
    return name


def _value(where: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if not isinstance(value, str):
        raise InvalidReply(f"{where[:80]!r}: found {_shown(value)}, expected a string")
    if not _VALUE.fullmatch(value):
        raise InvalidReply(
            f"{where[:80]!r}: found {_shown(value)}, expected no control characters, and none beyond Latin-1"
        )
    return value.strip(" \t")


def _shown(value: object) -> str:
    """A value in a message, bounded and in ASCII."""
    return ascii(value)[:80]

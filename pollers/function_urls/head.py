"""The head of a request as it was sent, and what can be read off it without knowing any function."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

_UNSAFE = re.compile(rb"[^\x21-\x7e]")
_ORIGIN_OF_ABSOLUTE = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*")


class BadTarget(ValueError):  # noqa: N818 - named for what is wrong with the request
    """A request's target names no path."""


@dataclass(frozen=True)
class Head:
    """What came before the body. ``target`` and ``headers`` are bytes as sent; ``peer`` is the address that the connection is from,
    ``port`` the port that it was made to, ``protocol`` such as ``HTTP/1.1``."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    peer: str
    port: int
    protocol: str = "HTTP/1.1"
    secure: bool = field(default=False)
    """Whether the connection itself is TLS."""

    @cached_property
    def fields(self) -> dict[str, str]:
        """Every header: name in lower case, values of a repeated one joined by commas (docs/lambda 13.3)."""
        found: dict[str, str] = {}
        for name, value in self.headers:
            key, text = readable(name).lower(), readable(value)
            # Pairs of a cookie are separated by semicolons, whether or not they came in one header.
            found[key] = f"{found[key]}{';' if key == 'cookie' else ','}{text}" if key in found else text
        return found

    @cached_property
    def path_and_query(self) -> tuple[str, str]:
        """Path and query as sent, percent-encoded.

        Bytes that a URL may not have are percent-encoded, which changes nothing of what they mean. Raises :class:`BadTarget`.
        """
        target = self.target
        if not target.startswith(b"/"):
            # A client that takes us for its proxy names the whole URL.
            target = _ORIGIN_OF_ABSOLUTE.sub(b"", target, count=1)
            if target == self.target:
                raise BadTarget(f"found {readable(target)[:80]!r} as the request's target, expected a path such as /")
            if not target.startswith(b"/"):
                target = b"/" + target
        path, _, query = _UNSAFE.sub(_encoded, target).partition(b"?")
        return path.decode("ascii"), query.decode("ascii")


def readable(value: bytes) -> str:
    """Bytes of a head as text: UTF-8 where they are, else Latin-1, as HTTP once had it. No byte is lost."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _encoded(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]

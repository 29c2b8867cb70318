"""Percent-encoding: from a part of a URL to text."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_UNDECODABLE = re.compile(r"[\udc80-\udcff]")


def decoded(text: str) -> str:
    """``text`` decoded once. What is no percent-encoding stays as it is; so do the encodings of bytes that are not UTF-8."""
    if "%" not in text:
        return text
    found = unquote_to_bytes(text).decode("utf-8", "surrogateescape")
    return _UNDECODABLE.sub(_encoded_again, found)


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query, decoded, in the order of their first appearance; the values of a name are joined by commas.

    ``multiQuery=foo&multiQuery=%2Fbar`` is ``{"multiQuery": "foo,/bar"}`` (docs/lambda 13.3).
    """
    found: dict[str, str] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            key, text = decoded(name), decoded(value)
            found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _encoded_again(found: re.Match[str]) -> str:
    return f"%{ord(found[0]) - 0xDC00:02X}"

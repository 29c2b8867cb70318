"""From what a function returned to the reply (docs/lambda 13.5)."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any

import msgspec

from pollers.function_urls.replies import BODYLESS, JSON, Headers, Reply
from pollers.function_urls.reply_headers import InvalidReply, cookies_of, has, headers_of, status_of
from pollers.jsontext import NOT_JSON, decode, member_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST = re.compile(rb"[ \t\r\n]*(.)")


def reply_of(returned: bytes) -> Reply:
    """The reply that the bytes stand for. Raises :class:`InvalidReply` for an object with ``statusCode`` that is none.

    What has no ``statusCode`` is the body itself, as compact JSON, and a string without its quotes; so is what is no JSON.
    """
    first = _FIRST.match(returned)
    if first is None:
        return Reply(200, (JSON,))
    if first[1] == b"{":
        members = _members(returned)
        if members is not None and "statusCode" in members:
            return _stated(members)
    if first[1] == b'"':
        text = decode(returned, keep_number_texts=False)
        return Reply(200, (JSON,), _utf8(text) if isinstance(text, str) else returned)
    return Reply(200, (JSON,), compact(returned))


def head_of(members: Mapping[str, str]) -> tuple[int, Headers]:
    """Status, headers and cookies of a reply whose members are given as JSON texts. Raises :class:`InvalidReply`."""
    status = status_of(_decoded(members, "statusCode")) if "statusCode" in members else 200
    headers = headers_of(_decoded(members, "headers")) + cookies_of(_decoded(members, "cookies"))
    return status, headers


def compact(document: bytes) -> bytes:
    """JSON without white space between its parts, everything else as it was written; what is no JSON as it is."""
    try:
        return msgspec.json.format(document, indent=-1)
    except (msgspec.MsgspecError, RecursionError):
        return document


def _stated(members: Mapping[str, str]) -> Reply:
    status, headers = head_of(members)
    body = _body(members)
    if status in BODYLESS:
        return Reply(status, headers)
    if not has(headers, "Content-Type"):
        headers = (JSON, *headers)
    return Reply(status, headers, body)


def _body(members: Mapping[str, str]) -> bytes:
    is_base64 = _decoded(members, "isBase64Encoded")
    if is_base64 is not None and not isinstance(is_base64, bool):
        raise InvalidReply(f"isBase64Encoded: found {ascii(is_base64)[:80]}, expected true or false")
    text = members.get("body", "null")
    if text == "null":
        return b""
    if not text.startswith('"'):
        if is_base64:
            raise InvalidReply(f"body: found {ascii(text)[:80]}, expected a string, since isBase64Encoded is true")
        return compact(text.encode())
    body = _utf8(_decoded(members, "body"))
    return _from_base64(body) if is_base64 else body


def _from_base64(text: bytes) -> bytes:
    try:
        # Without its padding it means the same.
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error as wrong:
        raise InvalidReply(f"body: found no base64 ({wrong}), although isBase64Encoded is true") from None


def _members(document: bytes) -> dict[str, str] | None:
    try:
        return member_texts(document)
    except ValueError:
        return None


def _decoded(members: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 - the function's own JSON
    if name not in members:
        return None
    value = decode(members[name], keep_number_texts=name != "body")
    if value is NOT_JSON:
        raise InvalidReply(f"{name}: found what cannot be read as JSON")
    return value


def _utf8(text: str) -> bytes:
    """As UTF-8; half a surrogate pair, which JSON may have and UTF-8 may not, becomes a question mark."""
    return text.encode("utf-8", "replace")

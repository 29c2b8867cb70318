"""What a payload must be: JSON, checked without making objects of it. A decider."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from pollers.lambda_api.errors import ApiError, not_json

CLIENT_CONTEXT_LIMIT = 3_583
"""Bytes of the header, which is base64 (docs/lambda 11.2)."""

# It only looks for the end of the value, and so reads everything but makes nothing: 1 KB takes half a microsecond, and the worst
# 6 MB, two million empty lists, 20 ms; a parser that makes objects needs 700 ms for those.
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def check_json(payload: bytes) -> None:
    """Raises ApiError when ``payload`` is not one JSON value in UTF-8.

    As strict as AWS's parser, Java's Jackson, as far as that is known: a key may come twice, numbers may be of any size and escaped
    surrogates may stand alone, but there is no NaN, no control character inside strings and nothing after the value. Values may be
    nested about 900 deep; Jackson's limit is 1,000. A byte order mark, which Jackson skips, is refused: runtimes cannot read it.
    """
    try:
        # The decoder does not look at the bytes inside strings.
        payload.decode()
    except UnicodeDecodeError as error:
        raise not_json(f"invalid UTF-8 at byte {error.start}: 0x{payload[error.start]:02x}") from None
    try:
        _WHOLE.decode(payload)
    except msgspec.DecodeError as error:
        # The decoder wants surrogates in pairs. In their place any other escape of the same length is as good.
        if b"\\u" in payload and (paired := _SURROGATE.sub(rb"\\u0041", payload)) != payload:
            check_json(paired)
            return
        raise not_json(str(error)) from None
    except RecursionError:
        raise not_json("the value is nested too deeply, expected at most about 900 levels") from None


def client_context(header: str | None) -> str | None:
    """The client's context as JSON text; None without one.

    Raises ApiError for what is too long, no base64 or no JSON. AWS's words for that are not known; these are ours.
    """
    if not header:
        return None
    if len(header) > CLIENT_CONTEXT_LIMIT:
        raise ApiError(
            400,
            "InvalidRequestContentException",
            f"Client context of {len(header)} bytes is too large, expected at most {CLIENT_CONTEXT_LIMIT} bytes of base64",
        )
    try:
        text = base64.b64decode(header, validate=True)
        check_json(text)
    except (binascii.Error, ValueError):
        raise ApiError(
            400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON document."
        ) from None
    except ApiError:
        raise ApiError(
            400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON document."
        ) from None
    return text.decode()

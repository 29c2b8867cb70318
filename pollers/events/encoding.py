"""What the encoders of event records share: their type, and JSON text for what the fast encoder refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

if TYPE_CHECKING:
    from pollers.aws.api import Wire

RecordEncoder: TypeAlias = "Callable[[Wire], bytes]"
"""Takes a record as the service sent it and gives the bytes of its Lambda event record. Never alters the record."""

PageEncoder: TypeAlias = "Callable[[Sequence[Wire]], list[bytes]]"
"""Does the same for several records of one page."""

ShardEncoder: TypeAlias = Callable[[str], RecordEncoder]
"""Takes a shard's id and gives the encoder of its records, with all that they share already encoded."""


def json_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """``value`` as compact JSON in UTF-8.

    Lone surrogates (JSON can spell them, UTF-8 cannot) and integers over 64 bits are refused by the fast encoder: the
    text is then escaped to ASCII, which every JSON reader takes back to the same value.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")

"""What the encoders of event records share: their types, and JSON text for values that the fast encoder refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

if TYPE_CHECKING:
    from pollers.aws.api import Wire

RecordEncoder: TypeAlias = "Callable[[Wire], bytes]"
"""Takes a record as the service sent it and gives the bytes of its Lambda event record. Never alters the record."""

PageEncoder: TypeAlias = "Callable[[Sequence[Wire]], list[bytes]]"
"""Does the same for several records of one page."""

ShardEncoder: TypeAlias = Callable[[str], RecordEncoder]
"""Takes a shard's id and gives the encoder of its records, with the members that all of them share encoded already."""


def json_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """``value`` as compact JSON in UTF-8, however deep it is nested.

    The fast encoder refuses lone surrogates (JSON can write them, UTF-8 cannot), integers over 64 bits and more than 254 levels of
    nesting. The text is then escaped to ASCII, which every JSON parser reads as the same value.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return _ascii(value)
    except RecursionError:  # about 990 levels, less the depth of the call
        return b"".join(_unnested(value))


def _ascii(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _unnested(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - any JSON value
    """The same text in parts, without recursion. ``bytes`` in the list of what is left to do are finished text."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            yield item
        elif isinstance(item, dict) and item:
            todo.append(b"}")
            for name, member in reversed(item.items()):
                todo += member, b",%b:" % _ascii(name)
            todo[-1] = b"{" + todo[-1][1:]
        elif isinstance(item, list) and item:
            todo.append(b"]")
            for element in reversed(item):
                todo += element, b","
            todo[-1] = b"["
        else:
            yield _ascii(item)

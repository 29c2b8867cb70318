"""What a function's response says of its batch (ReportBatchItemFailures): the table of docs/lambda 3.1. A decider."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from pollers.jsontext.members import member_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMPTY: frozenset[str] = frozenset()
_CHARACTERS_SHOWN = 80
_KEYS_SHOWN = 3
_LARGE_BYTES = 64 * 1024
_FAILURES = "batchItemFailures"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which events of a batch failed. ``problem`` says why the response itself fails the whole batch, if it does."""

    failed: frozenset[str]
    problem: str | None = None

    @property
    def success(self) -> bool:
        """Whether every event is done."""
        return not self.failed and self.problem is None


SUCCESS = Verdict(_EMPTY)
"""Every event of the batch is done."""


def failed_ids(response_body: bytes, ids: Sequence[str]) -> Verdict:
    """Judge a response to the batch of ``ids`` (message ids or sequence numbers).

    Nothing reported is success: no body, ``null``, ``""``, ``{}``, ``[]``, no failures in the list. A response that cannot be
    read, or that names anything but events of this batch, fails all of them: what it meant is unknown, and at least once counts.
    """
    try:
        return _judged(_parse(response_body), ids)
    except ValueError:
        return _whole(ids, "the response is not JSON")
    except RecursionError:
        return _whole(ids, "the response is not JSON that can be read: it is nested too deep")


def _judged(response: Any, ids: Sequence[str]) -> Verdict:  # noqa: ANN401 - any JSON
    if response is None or response == "" or response == {} or response == []:
        return SUCCESS
    if not isinstance(response, dict):
        return _whole(ids, f"the response is a JSON {_kind(response)}, not an object with batchItemFailures")
    if _FAILURES not in response:
        return _whole(ids, f"the response has no batchItemFailures (it has {', '.join(_named(response))})")
    items = response[_FAILURES]
    if items is None or items == []:
        return SUCCESS
    if not isinstance(items, list):
        return _whole(ids, f"batchItemFailures is a JSON {_kind(items)}, not a list")
    return _listed(items, ids)


def _listed(items: list[Any], ids: Sequence[str]) -> Verdict:
    known = frozenset(ids)
    failed = set()
    for position, item in enumerate(items):
        if not isinstance(item, dict) or "itemIdentifier" not in item:
            return _whole(ids, f"batchItemFailures[{position}] has no itemIdentifier")
        identifier = item["itemIdentifier"]
        if not isinstance(identifier, str) or identifier not in known:
            return _whole(ids, f"batchItemFailures[{position}].itemIdentifier {_short(identifier)} is not in the batch")
        failed.add(identifier)
    return Verdict(frozenset(failed))


def _parse(body: bytes) -> Any:  # noqa: ANN401 - a function's response may be any JSON
    if not body.strip():
        return None
    if len(body) > _LARGE_BYTES:
        narrowed = _narrowed(body)
        if narrowed is not None:
            return narrowed
    return _value(body)


def _narrowed(body: bytes) -> dict[str, Any] | None:
    """Of a large object its failures alone: making objects of all the rest (a window's state) would hold the event loop."""
    try:
        members = member_texts(body)
    except ValueError:
        return None
    return {name: _value(text.encode()) if name == _FAILURES else None for name, text in members.items()}


def _value(body: bytes) -> Any:  # noqa: ANN401 - a function's response may be any JSON
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates, which are JSON all the same.
        return json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(ids: Sequence[str], problem: str) -> Verdict:
    return Verdict(frozenset(ids), problem)


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
        case _:
            return "object"


def _named(response: dict[str, Any]) -> list[str]:
    return [repr(shortened(key)) for key in list(response)[:_KEYS_SHOWN]]


def _short(value: object) -> str:
    """A value of any JSON on one short line. What holds others is only named: writing it out would fail when it is deep."""
    if isinstance(value, list | dict):
        return f"(a JSON {_kind(value)})"
    return shortened(json.dumps(value[: _CHARACTERS_SHOWN + 1] if isinstance(value, str) else value))


def shortened(text: str) -> str:
    """The start of a text that a function chose, for a message."""
    return text if len(text) <= _CHARACTERS_SHOWN else text[:_CHARACTERS_SHOWN] + "..."

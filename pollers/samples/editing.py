"""Members of a document that a user has given other values for: ``Records.0.s3.object.key=cat.jpg``."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.samples.sample import Document


class ChangeRefused(ValueError):  # noqa: N818 - named for what has happened, like all errors here
    """The document has no such member, or the member cannot have that value. The message says what would be right."""


def edited(document: Document, changes: Iterable[str]) -> Document:
    """A copy of ``document`` with each ``PATH=VALUE`` carried out.

    PATH names a member that is there, level by level with dots between; places in lists are numbers from 0. Where a text stands,
    VALUE is a text as it is; elsewhere it is JSON. What says something of a body (its MD5, its length) follows it. Raises
    :class:`ChangeRefused`.
    """
    changed = copy.deepcopy(document)
    for change in changes:
        path, separator, value = change.partition("=")
        if not separator:
            raise ChangeRefused(f"found {change!r}; expected PATH=VALUE, such as {_example(document)}")
        parts = path.split(".")
        holder: object = changed
        for depth, part in enumerate(parts[:-1]):
            holder = _member(holder, part, parts[:depth])
        _replace(holder, parts, value)
    return changed


def _member(holder: object, part: str, before: list[str]) -> object:
    """What ``holder`` has under this part of a path."""
    if isinstance(holder, dict) and part in holder:
        found: object = holder[part]
        return found
    if isinstance(holder, list) and part.isdecimal() and int(part) < len(holder):
        return holder[int(part)]
    where, path = ".".join(before), ".".join([*before, part])
    raise ChangeRefused(f"the event has no {path!r}: {where or 'it'} {_holds(holder)}")


def _replace(holder: object, parts: list[str], text: str) -> None:
    """Put the value in its place, where there is one already."""
    *before, last = parts
    value: object = text
    if not isinstance(_member(holder, last, before), str):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ChangeRefused(f"{'.'.join(parts)}: found {text!r}; expected JSON, as no text stands there") from error
    if isinstance(holder, dict):
        holder[last] = value
        if last == "body" and isinstance(value, str):
            _follow_body(holder, value.encode("utf-8", "surrogatepass"))
    elif isinstance(holder, list):
        holder[int(last)] = value


def _follow_body(holder: Document, body: bytes) -> None:
    """Adapters of web frameworks read as many bytes as the header says."""
    if "md5OfBody" in holder:
        holder["md5OfBody"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    for headers in (holder.get("headers"), holder.get("multiValueHeaders")):
        if isinstance(headers, dict):
            for name in [name for name in headers if name.lower() == "content-length"]:
                headers[name] = [str(len(body))] if isinstance(headers[name], list) else str(len(body))


def _holds(holder: object) -> str:
    """In words, what can be named in it."""
    match holder:
        case dict() if holder:
            return f"has {', '.join(holder)}"
        case list() if holder:
            return f"is a list with the places 0 to {len(holder) - 1}"
        case dict() | list():
            return "is empty"
        case _:
            return f"is {json.dumps(holder)}"


def _example(document: Document) -> str:
    """A change of this very document."""
    path: list[str] = []
    at: object = document
    while True:
        if isinstance(at, dict) and at:
            name, at = next(iter(at.items()))
        elif isinstance(at, list) and at:
            name, at = "0", at[0]
        else:
            return f"{'.'.join(path)}=VALUE"
        path.append(name)

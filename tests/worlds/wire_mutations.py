"""What becomes of a reply on its way: every kind of garbage, for each place of it. Exhaustive for tables, or drawn from a seed."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Path: TypeAlias = tuple[str | int, ...]

DEEP = 400
VERY_DEEP = 100_000
_TWICE = "\x00twice"
"""Marks a member that is spelled twice."""

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
WHOLE: dict[str, bytes] = {
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "number": b"7",
    "text": b'"x"',
    "html": HTML,
    "xml": b"<?xml version='1.0'?><Response/>",
    "open": b"{",
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "very deep list": b"[" * VERY_DEEP,
    "very deep object": b'{"Records":' * VERY_DEEP,
    "NaN": b'{"Records":NaN}',
}
"""In place of the whole body."""
TYPES: dict[str, Any] = {
    "null": None,
    "number": 7,
    "fraction": 7.5,
    "no number": "x7",
    "true": True,
    "list": [],
    "object": {},
    "list of null": [None],
    "list of numbers": [7],
    "list of objects": [{}],
    "deep": json.loads("[" * DEEP + "]" * DEEP),
}
"""In place of one member's value."""


class Mutation(NamedTuple):
    """A body that is not what it was. ``path``: the member that was touched, if it was one."""

    name: str
    body: bytes
    path: Path | None = None

    @property
    def drops(self) -> bool:
        """Whether a member is gone or null, which some may be."""
        return self.name in ("dropped", "null")


def mutations(body: bytes) -> Iterator[Mutation]:
    """All of them but cuts at every byte, which :func:`cuts` has."""
    yield from (Mutation(name, other) for name, other in WHOLE.items())
    yield Mutation("compressed", gzip.compress(body, mtime=0))
    yield Mutation("not UTF-8", body.replace(b'"', b'"\xff', 1))
    yield Mutation("UTF-16", body.decode().encode("utf-16"))
    yield Mutation("twice", body + body)
    yield Mutation("with a tail", body + b"\x00")
    value = json.loads(body)
    for path in paths(value):
        yield from _of_member(value, path)


def cuts(body: bytes) -> Iterator[Mutation]:
    """The body cut at every byte."""
    return (Mutation("cut", body[:end]) for end in range(len(body)))


def mutated(body: bytes, random: Random) -> Mutation:
    """One of all of them."""
    kind = random.random()
    if kind < 0.15:
        return Mutation("cut", body[: random.randrange(len(body))])
    if kind < 0.4:
        others = [Mutation(name, other) for name, other in WHOLE.items() if len(other) < 10_000]
        others.append(Mutation("compressed", gzip.compress(body, mtime=0)))
        others.append(Mutation("not UTF-8", body.replace(b'"', b'"\xff', 1)))
        return random.choice(others)
    value = json.loads(body)
    if not (found := list(paths(value))):
        return Mutation("cut", body[:-1])
    return random.choice(list(_of_member(value, random.choice(found))))


def paths(value: object, base: Path = ()) -> Iterator[Path]:
    """Every member and item, however deep."""
    if isinstance(value, dict):
        steps: list[str | int] = list(value)
    else:
        steps = list(range(len(value))) if isinstance(value, list) else []
    for step in steps:
        path = (*base, step)
        yield path
        yield from paths(value[step], path)  # type: ignore[index]


def _of_member(value: Any, path: Path) -> Iterator[Mutation]:  # noqa: ANN401 - any JSON
    if isinstance(path[-1], str):
        yield Mutation("dropped", _changed(value, path, drop=True), path)
        yield Mutation("repeated", _repeated(value, path), path)
    old = _at(value, path)
    for name, new in TYPES.items():
        if type(new) is not type(old) or name == "deep":
            yield Mutation(name, _changed(value, path, new), path)


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    for step in path:
        value = value[step]
    return value


def _changed(value: Any, path: Path, new: Any = None, *, drop: bool = False) -> bytes:  # noqa: ANN401 - any JSON
    copy = deepcopy(value)
    parent = _at(copy, path[:-1])
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return json.dumps(copy, separators=(",", ":")).encode()


def _repeated(value: Any, path: Path) -> bytes:  # noqa: ANN401 - any JSON
    """The member twice: the second time empty, as far as its type allows."""
    copy = deepcopy(value)
    parent, name = _at(copy, path[:-1]), str(path[-1])
    parent[name + _TWICE] = type(parent[name])() if isinstance(parent[name], list | dict) else parent[name]
    return json.dumps(copy, separators=(",", ":")).replace(json.dumps(_TWICE)[1:-1], "").encode()

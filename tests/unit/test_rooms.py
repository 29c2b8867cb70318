"""The tables of rooms in docs/architecture.md are the code's: every room is there, and imports only rooms above it."""

from __future__ import annotations

import re
from functools import cache

from tests.unit.test_architecture import PACKAGES, ROOT, all_imports, modules


@cache
def rooms() -> dict[str, int]:
    """The rooms by their place in the tables."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("\n## Rooms\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([a-z0-9_/]+)/` \|", section, re.MULTILINE)
    assert len(set(named)) == len(named) > len(PACKAGES)
    return {room.replace("/", "."): place for place, room in enumerate(named)}


def room_of(module: str) -> str | None:
    """The innermost room of the tables that a module is in; None for what stands right in a package and is no room."""
    parts = module.split(".")
    return next((room for end in range(len(parts), 0, -1) if (room := ".".join(parts[:end])) in rooms()), None)


def test_every_room_is_in_the_tables() -> None:
    """A new folder of a package is a room, and says what it is about."""
    folders = {
        ".".join(path.relative_to(ROOT).parts[:2])
        for path in modules(ROOT).values()
        if len(path.relative_to(ROOT).parts) > 2
    }
    assert folders - rooms().keys() == set()


def test_a_room_imports_only_rooms_above_it() -> None:
    """In the tables; type hints count."""
    wrong = [
        (one.importer, one.imported)
        for one in all_imports()
        if (importer := room_of(one.importer))
        and (imported := room_of(one.imported))
        and rooms()[importer] < rooms()[imported]
    ]
    assert wrong == []


def test_a_room_below_is_seen() -> None:
    """The order of the tables is what is tested: what the engine is to sources, sources are not to the engine."""
    engine, sources = room_of("pollers.engine.stop"), room_of("pollers.sources.sqs.poller")
    assert engine is not None
    assert sources is not None
    assert rooms()[engine] < rooms()[sources]

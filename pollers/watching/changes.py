"""What two looks differ in. A decider."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pollers.watching.tree import Mark, Tree


@dataclass(frozen=True, slots=True)
class Changes:
    """The changed files of each function that has any, and those of the configuration."""

    code: dict[str, list[str]] = field(default_factory=dict)
    config: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.code or self.config)


def changes(before: Tree, now: Tree) -> Changes:
    """What is different ``now``. A function whose code is looked for elsewhere since ``before`` has not changed: the
    configuration has."""
    code = {}
    for name, files in now.code.items():
        if before.roots.get(name) == now.roots[name] and (found := _differing(before.code[name], files)):
            code[name] = found
    return Changes(code, _differing(before.config, now.config))


def with_new_roots(seen: Tree, now: Tree, names: Collection[str], since_ns: int) -> Tree:
    """What was ``seen``, and ``now``'s code of the functions ``names``, which a configuration read at ``since_ns`` brought.

    Files written since then are not seen yet: the function may have been loaded before, so that they are changes.
    """
    code = {
        name: {path: mark for path, mark in now.code[name].items() if mark[0] < since_ns}
        for name in names
        if name in now.code
    }
    return replace(seen, code=seen.code | code, roots=seen.roots | {name: now.roots[name] for name in code})


def _differing(before: Mapping[str, Mark], now: Mapping[str, Mark]) -> list[str]:
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

"""The names that a file may use for an option, and what an unknown name was probably meant to be."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.text.nodes import Entry, Table


@dataclass(frozen=True, slots=True)
class Named:
    """A key of a file that has an option: the option's name and the key as it stands there."""

    name: str
    key: str
    entry: Entry


def recognise(table: Table, names: Mapping[str, str]) -> tuple[list[Named], list[Named]]:
    """The keys of ``table`` that are options, and those that repeat an option; ``names`` are the options by spelling."""
    first: dict[str, Named] = {}
    again: list[Named] = []
    for key, entry in table.entries.items():
        if key not in names:
            continue
        found = Named(names[key], key, entry)
        if first.setdefault(found.name, found) is not found:
            again.append(found)
    return list(first.values()), again


def suggestion(key: str, names: Iterable[str]) -> str:
    """``(did you mean 'batch_size'?)`` with a space before it, or nothing when no name is close.

    Names are compared without case and underscores, so that ``batchsize`` is close to both spellings; the one in the
    key's own style is suggested.
    """
    by_plain: dict[str, list[str]] = {}
    for name in names:
        by_plain.setdefault(_plain(name), []).append(name)
    close = get_close_matches(_plain(key), list(by_plain), n=1, cutoff=0.7)
    if not close:
        return ""
    candidates = by_plain[close[0]]
    style = key[:1].isupper()
    chosen = next((name for name in candidates if name[:1].isupper() == style), candidates[0])
    return f" (did you mean '{chosen}'?)"


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()

"""What loading collects: faults, notes, and where in the files each option stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from config.faults.remarks import Fault, Note, Remark
from config.text.nodes import Node, Scalar, Sequence, Table
from config.text.places import Path, Place, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

_R = TypeVar("_R", bound=Remark)


@dataclass(slots=True)
class Spot:
    """Where an option stands: its line, its value's node, and its path as the file spells it."""

    place: Place
    node: Node
    shown: Path


@dataclass(slots=True)
class Report:
    """Faults and notes by the models' own paths, which are turned into places of the files."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    spots: dict[Path, Spot] = field(default_factory=dict)

    def enter(self, path: Path, node: Node, shown: Path, place: Place | None = None) -> None:
        """Remember where the option at ``path`` stands; ``place`` is its key's, for options that span lines."""
        line = node.place if place is None or isinstance(node, Scalar) else place
        self.spots[path] = Spot(line, node, shown)

    def fault(self, path: Path, message: str, place: Place | None = None) -> None:
        """Add a fault at ``path``, or at another ``place`` for it."""
        self.faults.append(self._remark(Fault, path, message, place))

    def note(self, path: Path, message: str, place: Place | None = None) -> None:
        """Add a note at ``path``, or at another ``place`` for it."""
        self.notes.append(self._remark(Note, path, message, place))

    def locate(self, path: Path) -> tuple[Place, Path]:
        """The place of ``path``, or of the nearest thing around it that the files have, and ``path`` as the files spell it."""
        known = path
        while known and known not in self.spots:
            known = known[:-1]
        if not known and known not in self.spots:
            return Place("", 1), path
        spot = self.spots[known]
        rest = path[len(known) :]
        return _inside(spot.node, spot.place, rest), spot.shown + rest

    def _remark(self, kind: type[_R], path: Path, message: str, place: Place | None) -> _R:
        found, shown = self.locate(path)
        return kind(*(place or found), dotted(shown), message)


def _inside(node: Node, place: Place, rest: Iterable[str | int]) -> Place:
    """The place inside a value that no model describes, such as an event pattern, as near as it can be found."""
    for step in rest:
        if isinstance(node, Table) and step in node.entries:
            entry = node.entries[str(step)]
            place, node = entry.place, entry.node
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            break
    return place

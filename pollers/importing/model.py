"""What every source is read into: functions, mappings and schedules, each with where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.faults import Note
from config.text.places import Place

if TYPE_CHECKING:
    from pollers.importing.values import Value


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something stands in the source, and what it is called there, such as ``Orders (AWS::Lambda::Function)``."""

    place: Place | None
    called: str

    def __str__(self) -> str:
        return f"{self.called}, {self.place}" if self.place is not None else self.called


@dataclass(slots=True)
class Member:
    """A function, a mapping or a schedule: its options by Headrace's own names.

    ``remarks`` are comments above it, beside its origin. ``origins`` are those of options that have another origin than the rest,
    such as a function's URL.
    """

    name: str
    options: dict[str, Value]
    origin: Origin
    remarks: list[str] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)


@dataclass(slots=True)
class Imported:
    """What was found in a source. Whoever reads it adds; :func:`pollers.importing.writing.write` makes the text.

    ``title`` says what was read, such as "the SAM template template.yaml". ``sections`` are others of the configuration: ``aws``,
    ``lambda_api``. ``advice`` is what to do before it is used, a comment's lines.
    """

    title: str
    functions: list[Member] = field(default_factory=list)
    mappings: list[Member] = field(default_factory=list)
    schedules: list[Member] = field(default_factory=list)
    sections: dict[str, dict[str, Value]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    _told: set[Note] = field(default_factory=set, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to run: what would be written is no configuration."""
        return not (self.functions or self.mappings or self.schedules)

    def note(self, place: Place | None, about: str, message: str) -> None:
        """Tell the user something: what has no effect, what was left out, what must be done. The same is told once."""
        found = Note(*(place or Place("", 0)), about, message)
        if found not in self._told:
            self._told.add(found)
            self.notes.append(found)

"""What reading a mapping of options gives: values, and what was wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Faulty:
    """A value that is not allowed. ``best`` is what could be made of it, for checks that go on with what there is."""

    best: Any = None


@dataclass(slots=True)
class Reading:
    """What was read from a mapping of options.

    ``values`` are those that are right by themselves, ``faulty`` those that are wrong or missing, and ``given`` the names of
    options that have any value in the file.
    """

    values: dict[str, Any] = field(default_factory=dict)
    faulty: dict[str, Faulty] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)

    def best(self, name: str) -> Any:  # noqa: ANN401 - as the option's shape tells
        """The option's value, or what could be made of a faulty one; None when there is nothing."""
        return self.faulty[name].best if name in self.faulty else self.values.get(name)

    def sure(self, *names: str) -> bool:
        """Whether none of these options is at fault by itself."""
        return not any(name in self.faulty for name in names)

    def refuse(self, name: str) -> None:
        """The option's value is wrong after all, by a rule. It stays, for rules that ask about another part of it."""
        self.faulty.setdefault(name, Faulty(self.values.get(name)))


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What became of a part of the configuration: its model, None after a fault; and what could be read of it all the same."""

    model: T | None
    reading: Reading

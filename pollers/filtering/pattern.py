"""One event pattern."""

from __future__ import annotations

from typing import Any


class PatternError(ValueError):
    """An event pattern is invalid: ``path`` leads to the fault inside it, ``reason`` says what would be right."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


class Pattern:
    """A compiled event pattern."""

    @classmethod
    def compile(cls, text: str) -> Pattern:
        """Compile the pattern's JSON text. Raises :class:`PatternError`."""
        raise NotImplementedError

    def matches(self, event: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Whether the decoded JSON value matches."""
        raise NotImplementedError

    def explain(self, event: Any) -> str | None:  # noqa: ANN401 - any JSON value
        """The first condition that ``event`` fails, as text; None when it matches."""
        raise NotImplementedError

"""Positions that have no order: what a service gives out as a token and takes back, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tokens:
    """Implements ``Positions``: two tokens are equal or they are not."""

    ordered = False
    before_first = ""

    def valid(self, text: str) -> bool:
        """Every text may be a token."""
        return bool(text)

    def identifiers(self, positions: Sequence[str]) -> Sequence[str]:
        """Tokens."""
        return positions

    def order(self, position: str) -> None:
        """Nobody can tell."""


TOKENS = Tokens()

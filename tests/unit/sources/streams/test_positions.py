"""How positions compare: by the source's own order, or by being equal and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.sources.streams.positions import SEQUENCE_NUMBERS, is_after
from tests.unit.sources.streams.tokens import TOKENS

if TYPE_CHECKING:
    from pollers.sources.streams.positions import Positions


def test_sequence_numbers_are_compared_as_numbers() -> None:
    """Some have leading zeros, and they grow longer."""
    assert is_after(SEQUENCE_NUMBERS, "10", "9")
    assert is_after(SEQUENCE_NUMBERS, "009", "9") is False
    assert is_after(SEQUENCE_NUMBERS, "9", "10") is False


def test_what_is_no_sequence_number_is_no_position() -> None:
    """Reading cannot be taken up there, and nobody can tell where it lies."""
    assert SEQUENCE_NUMBERS.valid("0049")
    assert not SEQUENCE_NUMBERS.valid("x")
    assert not SEQUENCE_NUMBERS.valid("")
    assert is_after(SEQUENCE_NUMBERS, "x", "9") is None
    assert is_after(SEQUENCE_NUMBERS, "x", "x") is False


def test_tokens_are_equal_or_nobody_can_tell() -> None:
    """A source without an order says so, and the engine asks nothing more of it."""
    positions: Positions = TOKENS
    assert is_after(positions, "a", "a") is False
    assert is_after(positions, "b", "a") is None

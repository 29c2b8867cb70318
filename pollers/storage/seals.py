"""Checksums of rows, so that a change by a failing disk is noticed before the row is used."""

from __future__ import annotations

from hashlib import blake2b

SEAL_BYTES = 6
"""48 bits: sums and differences of them stay within SQLite's integers."""
SEAL_MASK = (1 << 8 * SEAL_BYTES) - 1


def seal(table: str, *values: str | bytes | float | None) -> int:
    """The checksum of a row of ``table``, from its values as SQLite gives them back: a type that changed is noticed too."""
    return int.from_bytes(
        blake2b(repr((table, *values)).encode("utf-8", "surrogatepass"), digest_size=SEAL_BYTES).digest()
    )

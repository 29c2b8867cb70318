"""Whether a worker's environment is small enough for the system to start it (a decider)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STRING_LIMIT_BYTES = 128 * 1024
"""Linux: MAX_ARG_STRLEN, one argument or ``NAME=value`` with its end."""
_POINTER_BYTES = 8


def environment_problems(
    environment: Mapping[str, str], command: Sequence[str], limit_bytes: int
) -> Iterator[tuple[str, str]]:
    """The variables (or "" for all together) that a process cannot be started with, and what is wrong with each.

    ``limit_bytes`` is the system's for arguments and environment together (ARG_MAX).
    """
    total = sum(_size(word) for word in command)
    sizes: dict[str, int] = {}
    for name, value in environment.items():
        if "\0" in value:
            yield name, "found a null character, expected text without: no process can be started with it"
            continue
        try:
            sizes[name] = _size(f"{name}={value}")
        except UnicodeEncodeError:
            yield name, "found text that is no Unicode, expected characters that can be encoded in UTF-8"
            continue
        if sizes[name] > STRING_LIMIT_BYTES and sys.platform == "linux":
            yield (
                name,
                f"found {sizes[name]} bytes, expected at most {STRING_LIMIT_BYTES}: the system starts no process with a longer "
                "variable; put it into a file and its path here",
            )
    total += sum(sizes.values())
    if total > limit_bytes:
        largest = ", ".join(sorted(sizes, key=sizes.__getitem__, reverse=True)[:3])
        yield (
            "",
            f"found an environment of {total} bytes, expected at most {limit_bytes}, the system's limit for a new process; "
            f"the largest are {largest}",
        )


def _size(text: str) -> int:
    return len(os.fsencode(text)) + 1 + _POINTER_BYTES

"""Functions' metrics in the embedded metric format: written unchanged to standard output, where an agent reads them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pollers.telemetry import output
from pollers.telemetry.output import Outlet, writer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_LINES_SECONDS = 0.5
"""How long the process waits for its last lines to be written when it stops."""


@contextmanager
def on_stdout() -> Iterator[Callable[[str], None]]:
    """A function that writes lines to standard output while this is entered, and never blocks."""
    outlet = output.current.stdout if output.current is not None else Outlet(writer_to(1))

    def put(text: str) -> None:
        if outlet is not None:
            outlet.put(text.replace("\n", " ").encode("utf-8", "backslashreplace") + b"\n", ours=False)

    try:
        yield put
    finally:
        if outlet is not None:
            outlet.flush(LAST_LINES_SECONDS)

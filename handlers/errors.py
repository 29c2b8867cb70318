"""What callers of ``handlers`` may have to deal with."""

from __future__ import annotations


class HandlerError(Exception):
    """Root of the errors that this package raises."""


class FunctionUnusable(HandlerError):  # noqa: N818 - named for what the reader must do next: repair the function
    """The function can never run as configured. The message says what was found, where, and what would be right."""


class ReaderGone(HandlerError):  # noqa: N818 - named for what happened: whoever writes to it goes on without
    """Nobody reads the response any more. The function is not stopped by it."""

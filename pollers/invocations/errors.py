"""The errors of the asynchronous queue."""

from __future__ import annotations

from pollers.errors import PollerError


class QueueFull(PollerError):  # noqa: N818 - named for what the reader must do next: send less, or later
    """The queue has no room on the disk for another event: it was not accepted. Lambda's API answers 429."""

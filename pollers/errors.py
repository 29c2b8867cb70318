"""The errors of pollers that the runtime handles."""

from __future__ import annotations


class PollerError(Exception):
    """Root of the errors that this package raises."""


class SourceUnusable(PollerError):  # noqa: N818 - named for what the reader must do next: repair the source
    """The event source cannot be read as configured and waiting does not help by itself (missing, denied, disabled).

    The mapping reports it once, clearly, and retries slowly while other mappings run.
    """


class WatchingUnusable(PollerError):  # noqa: N818 - named for what the reader must do next: repair the watching
    """The system does not tell of changes in the folders of code; the message says why and what to do."""


class AddressTaken(OSError):  # noqa: N818 - named for what the reader must do next: choose another
    """An address that the configuration gives is not available."""

"""Why an emulator is not available."""

from __future__ import annotations

from pollers.errors import PollerError


class EmulatorUnavailable(PollerError):  # noqa: N818 - named for the situation that the caller is in
    """An emulator cannot be installed or started here. The message says which step failed and where its log is."""


class InstallFailed(EmulatorUnavailable):
    """A step of the installation failed (no network, no npm, an incompatible Python)."""


class StartFailed(EmulatorUnavailable):
    """The emulator ended or never answered its health check."""

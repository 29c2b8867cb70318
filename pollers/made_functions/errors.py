"""Why a function was not made or changed, each error named for what its reader must do next. Nothing was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.errors import PollerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.faults import Fault


class MadeFunctionError(PollerError):
    """Root of these errors."""


class NotThere(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: name another one
    """There is no function of this name."""


class AlreadyThere(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: change that one
    """There is a function of this name."""


class Changing(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: wait
    """An earlier change has not come to its end. ``pending``: it is the making of the function."""

    def __init__(self, name: str, *, pending: bool) -> None:
        super().__init__(name)
        self.pending = pending


class Misfit(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: mend the settings
    """The settings are wrong, by the rules that hold for a file's functions. ``faults``: each of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


class ArchiveRefused(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: build another one
    """The package is no zip, or not one that may be unpacked. The text says why."""


class ArchiveTooLarge(ArchiveRefused):
    """The package has more bytes than Lambda takes."""


class NotKept(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: make room on the disk
    """The disk refuses the code. The text is the system's."""


class GivenByFile(MadeFunctionError):  # noqa: N818 - named for what the reader must do next: change the file
    """The configuration gives the function, so the API cannot change it. ``where``: file and line."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            f"The configuration gives functions.{name} ({where}), so it cannot be changed through the API. Change it there and "
            "reload, or take it out there to manage it through the API."
        )

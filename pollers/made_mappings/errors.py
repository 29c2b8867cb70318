"""Why a mapping was not made or changed, each error named for what its reader must do next. Nothing was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.errors import PollerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.faults import Fault


class MadeMappingError(PollerError):
    """Root of these errors."""


class NotThere(MadeMappingError):  # noqa: N818 - named for what the reader must do next: name another one
    """There is no mapping with this UUID."""


class NoFunction(MadeMappingError):  # noqa: N818 - named for what the reader must do next: configure it
    """Its function is not configured."""


class NoSource(MadeMappingError):  # noqa: N818 - named for what the reader must do next: make it
    """Its source does not exist."""


class InUse(MadeMappingError):  # noqa: N818 - named for what the reader must do next: wait
    """An earlier change has not come to its end."""


class Misfit(MadeMappingError):  # noqa: N818 - named for what the reader must do next: mend the settings
    """The settings are wrong, by the rules that hold for a file's mappings. ``faults``: each of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


class AlreadyMapped(MadeMappingError):  # noqa: N818 - named for what the reader must do next: change that one
    """Another mapping has the same source and function. ``words`` are AWS's for it, without the mapping's ``uuid``."""

    def __init__(self, words: str, uuid: str) -> None:
        super().__init__(words)
        self.words = words
        self.uuid = uuid


class GivenByFile(MadeMappingError):  # noqa: N818 - named for what the reader must do next: change the file
    """The configuration gives the mapping, so the API cannot change it. ``where``: file and line."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            f"The configuration gives event_source_mappings.{name} ({where}), so it cannot be changed through the API. Change it "
            "there and reload, or take it out there to manage it through the API."
        )

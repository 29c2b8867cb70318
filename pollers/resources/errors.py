"""Why a resource was not changed, each error named for what its reader must do next."""

from __future__ import annotations

from pollers.errors import PollerError


class ResourceError(PollerError):
    """Root of the errors of resources. Nothing was changed."""


class GivenByConfiguration(ResourceError):  # noqa: N818 - named for what the reader must do next: change the configuration
    """The configuration gives it, so the API cannot change it. ``option`` is its path in the configuration."""

    def __init__(self, option: str) -> None:
        super().__init__(
            f"The configuration gives {option}, so it cannot be changed through the API. Change it there and reload, or take it "
            "out there to manage it through the API."
        )
        self.option = option


class AlreadyMade(ResourceError):  # noqa: N818 - named for what the reader must do next: change it instead
    """There is one already."""


class NotMade(ResourceError):  # noqa: N818 - named for what the reader must do next: make it first
    """There is none."""

"""What the API made of one function: values, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - dataclasses look at the annotations
from dataclasses import dataclass, field
from typing import Any

from config.models import EventInvokeConfig, FunctionUrl  # noqa: TC001 - dataclasses look at the annotations


@dataclass(frozen=True, slots=True)
class Invoking:
    """An event invoke config. ``modified_at``: seconds since the epoch.

    ``config`` knows which of its members were given (``model_fields_set``): replies hold only those (docs/lambda 12.4).
    """

    config: EventInvokeConfig
    modified_at: float


@dataclass(frozen=True, slots=True)
class Url:
    """A function URL's config. ``config`` knows which of its members were given. Times are seconds since the epoch."""

    config: FunctionUrl
    created_at: float
    modified_at: float


@dataclass(frozen=True, slots=True)
class Seen:
    """When something of the configuration was seen first, and when it was seen changed last; seconds since the epoch.

    ``digest`` tells whether it has changed. So times in replies are those of before after a restart.
    """

    digest: str
    created_at: float
    modified_at: float


@dataclass(frozen=True, slots=True)
class Made:
    """All of one function: what the API made, and what is remembered of what the configuration gives.

    ``reserved``: reserved concurrency. ``statements``: the resource policy's, by id, in the order in which they were added; they
    are kept and shown, never demanded (docs/lambda 13.7). ``policy_changes`` counts its changes. ``recursion``: ``Allow`` or
    ``Terminate``, None if never said. ``seen``: by the option's name, and ``function`` for the function as a whole.
    """

    invoking: Invoking | None = None
    url: Url | None = None
    reserved: int | None = None
    statements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policy_changes: int = 0
    recursion: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)

    @property
    def by_api(self) -> bool:
        """Whether there is anything that the API made."""
        return bool(
            self.invoking
            or self.url
            or self.reserved is not None
            or self.statements
            or self.tags
            or self.recursion == "Allow"
        )


NOTHING = Made()

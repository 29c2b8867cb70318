"""Whether the source of a new mapping exists: asked once, and believed only when the service says that it does not."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError, NotFound
from pollers.sources.registry import kind_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Any

    from config.models import Mapping
    from pollers.aws.api import Aws

ANSWER_SECONDS = 3.0
"""A service that does not answer is no reason to refuse a mapping: it is tried again for as long as the mapping is there."""


async def is_missing(mapping: Mapping, aws: Aws) -> bool:
    """Whether its service says that the source does not exist. Whatever else goes wrong, its poller finds and tells."""
    looking: AsyncGenerator[Any] = kind_of(mapping).examine(mapping, 0.0, aws)  # type: ignore[assignment]
    try:
        with anyio.move_on_after(ANSWER_SECONDS):
            async with aclosing(looking):
                await anext(looking, None)
    except NotFound:
        return True
    except (AwsError, ValueError):
        pass
    return False

"""What is said of a change stream whose next events have left the log before they were read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pollers.aws.errors import AwsError
from pollers.sources.documentdb.tokens import time_of

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import ChangeStreamApi, OperationTime


async def lost(mapping: str, stream: str, position: str | None, error: AwsError, api: ChangeStreamApi) -> str:
    """Which events are lost, and what to do. ``position``: behind the last one that was read; None: nothing was."""
    oldest = await _oldest(api)
    reset = f"Choose where to go on: headrace checkpoints reset CONFIG {mapping} --to TRIM_HORIZON|LATEST|TIMESTAMP"
    if position is None:
        return (
            f"the change stream of {stream} cannot begin at the mapping's starting position: the cluster's log "
            f"{_began(oldest)} ({error}). {reset}"
        )
    return (
        f"the change stream of {stream} has lost events: those {_span(position, oldest)} have left the cluster's log "
        f"before they were read ({error}). {reset}"
    )


async def _oldest(api: ChangeStreamApi) -> OperationTime | None:
    try:
        return await api.oldest()
    except AwsError:
        return None  # the loss is worth telling without it


def _began(oldest: OperationTime | None) -> str:
    return "begins later" if oldest is None else f"begins at {_spelled(oldest[0])}"


def _span(position: str, oldest: OperationTime | None) -> str:
    since = time_of(position)
    first = f"after position {position}" if since is None else f"from {_spelled(since)}"
    return f"{first} on" if oldest is None else f"{first} to {_spelled(oldest[0])}"


def _spelled(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

"""Opens a change stream where its reading begins, and where it is taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from pollers.aws.errors import Refused
from pollers.sources.documentdb.api import NOW, Opening
from pollers.sources.documentdb.horizon import open_at_horizon
from pollers.sources.documentdb.tokens import parse

if TYPE_CHECKING:
    from pollers.aws.api import StartAt
    from pollers.sources.documentdb.api import ChangeStreamApi, Opened, OperationTime
    from pollers.sources.documentdb.tokens import Position

log = structlog.stdlib.get_logger(__name__)

OF_INVALIDATE: Final = "260"
"""MongoDB's code for ``resumeAfter`` with the token of an invalidate event (docs/lambda 4.12)."""
_MOST: Final = 2**32 - 1
"""The greatest number in an operation time."""


async def open_at(api: ChangeStreamApi, start: StartAt, mapping: str, lost: int = 0) -> Opened:
    """The stream from there on. Raises AwsError.

    ``mapping`` is whose checkpoint is to be forgotten if the server refuses it; ``lost`` as :func:`open_at_horizon` has it.
    """
    match start.kind:
        case "LATEST":
            return await api.open(NOW)
        case "TRIM_HORIZON":
            return await open_at_horizon(api, lost)
        case "AT_TIMESTAMP" if start.timestamp is not None:
            # There is no log of other times: before them the server says that the place is lost, behind them it waits or refuses.
            return await api.open(Opening(at_operation_time=(min(max(int(start.timestamp), 0), _MOST), 1)))
        case "AFTER_SEQUENCE_NUMBER" if start.sequence_number is not None:
            return await _open_behind(api, start.sequence_number, mapping)
    raise ValueError(f"a change stream cannot be opened at {start}")


async def _open_behind(api: ChangeStreamApi, position: str, mapping: str) -> Opened:
    advice = (
        f"if the checkpoint is of another stream or cluster, forget it: headrace checkpoints reset CONFIG {mapping}"
    )
    try:
        place = parse(position)
    except ValueError as error:
        raise Refused("InvalidPosition", f"{error}; {advice}") from error
    try:
        return await _open_place(api, place)
    except Refused as error:
        # Only a server's own word, which is a number, is one about the token, such as one of another cluster. Others refuse before
        # it is asked, as for a secret that cannot be used: to forget the checkpoint then would lose events.
        if place.token is None or not error.code.isdecimal():
            raise
        raise Refused(
            error.code,
            f"the server does not take the checkpoint's resume token: {error.message}; {advice}",
            status=error.status,
            operation=error.operation,
        ) from error


async def _open_place(api: ChangeStreamApi, place: Position) -> Opened:
    if place.token is not None and place.time is None:
        try:
            return await api.open(Opening(resume_after=place.token))
        except Refused as error:
            if error.code != OF_INVALIDATE:
                raise
        # A server may give an invalidate event's token as an idle stream's place, too.
        return await api.open(Opening(start_after=place.token))
    if place.token is not None:
        # An invalidate event: resumeAfter is refused, and not every server has startAfter (docs/lambda 4.12).
        try:
            return await api.open(Opening(start_after=place.token))
        except Refused as error:
            log.debug("a change stream is opened behind an invalidate event by its time", error=str(error))
    if place.time is None:
        raise ValueError("a position says something")
    return await api.open(Opening(at_operation_time=_above(place.time)))


def _above(time: OperationTime) -> OperationTime:
    """The next operation time. At the time itself the server would give the same again, an invalidate event for ever."""
    seconds, increment = time
    return (seconds, increment + 1) if increment < _MOST else (min(seconds + 1, _MOST), 0)

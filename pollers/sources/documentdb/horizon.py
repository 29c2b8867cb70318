"""Opens a change stream at the beginning of the log, which not every server tells and which moves on (docs/lambda 4.12).

Where the server does not tell, the beginning is searched for: a stream that is opened before it says that the place is lost, one
that is opened behind it does not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from pollers.aws.errors import Trimmed, Unavailable
from pollers.clocks.clock import loop_time
from pollers.sources.documentdb.api import NOW, Opening

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import ChangeStreamApi, Opened

log = structlog.stdlib.get_logger(__name__)

TRIES: Final = 5
BELIEVED_TRIES: Final = 3
"""Tries at which the beginning that the log has then is taken at its word, since what it still holds is to be read."""
MOST_STEPS: Final = 10
"""Beyond which no place is tried that is still later: a quarter of an hour behind the beginning."""
SEARCHED_SECONDS: Final = 30 * 86_400
"""How old the log can be: Amazon DocumentDB keeps seven days at most, and more while there is space (docs/lambda 4.12)."""


async def open_at_horizon(api: ChangeStreamApi, lost: int = 0) -> Opened:
    """The stream from the oldest operation on. Raises AwsError.

    ``lost``: how often a stream that was opened there had lost its place when it was read.
    """
    for tries in range(lost, lost + TRIES):
        oldest = await api.oldest()
        seconds, increment = (await _found(api), 1) if oldest is None else oldest
        try:
            begin = _until_now(api, seconds, _later(tries))
            return await api.open(Opening(at_operation_time=(begin, increment if begin == seconds else 1)))
        except Trimmed as error:
            log.debug("the log has lost the place at which it began", error=str(error))
    raise Unavailable("HorizonMoved", "the log loses its oldest operations faster than a stream is opened there")


def _later(tries: int) -> int:
    """How many seconds behind its beginning a log is read whose beginning has been lost so often, without a single read between.

    Each time the beginning is asked for anew. Where it is lost again and again, it is told wrongly, or goes faster than it is read.
    """
    return int(2 ** min(max(tries - BELIEVED_TRIES, 0), MOST_STEPS)) - 1


def _until_now(api: ChangeStreamApi, seconds: int, later: int) -> int:
    """So much later, but not later than now, as far as that is known: what is written from now on is to be read."""
    known = api.service_clock.at_least(loop_time())
    return seconds + later if known is None else max(seconds, min(seconds + later, int(known)))


async def _found(api: ChangeStreamApi) -> int:
    """The first second since the epoch at which a stream can be opened."""
    kept = await _now(api)
    lost = kept - SEARCHED_SECONDS
    if await _has(api, lost):
        return lost
    while kept - lost > 1:
        middle = (lost + kept) // 2
        if await _has(api, middle):
            kept = middle
        else:
            lost = middle
    return kept


async def _now(api: ChangeStreamApi) -> int:
    opened = await api.open(NOW)
    await api.close_cursor(opened.cursor)
    if opened.operation_time is not None:
        return opened.operation_time[0]
    known = api.service_clock.at_least(loop_time())
    return int(time.time() if known is None else known)


async def _has(api: ChangeStreamApi, seconds: int) -> bool:
    """Whether the log goes back to this second."""
    try:
        opened = await api.open(Opening(at_operation_time=(seconds, 1)))
        try:
            # The first batch is empty, so that some servers do not look at the log before the second.
            await api.next(opened.cursor, 1, 0.0)
        finally:
            await api.close_cursor(opened.cursor)
    except Trimmed:
        return False
    return True

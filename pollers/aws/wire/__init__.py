"""How a call of an AWS service becomes bytes, and bytes a reply that can be believed.

::

    calls  passthrough     through a client of the SDK (sdk_private holds what of it is not public)
    direct                 without: the SDK's endpoints (sdk_private), our signature (signing) and our connections
      http1                  connections to one origin, kept and taken in turns (connection_line)
        http1_connection       one request, then its reply (http1_reply), then the next
    credentials  sendable  what both sign with, and whether it can be sent
    classify               any failure as the error class that says what to do next
    replies  slicing  plain_records  event_stream   what a reply must have, and how far it is decoded

May import the protocols and errors of :mod:`pollers.aws`, :mod:`pollers.clocks`, :mod:`handlers` and :mod:`config`. Each file is
imported when one of its names is first used: most of them need the SDK, whose import takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.aws.wire.calls import READ_SECONDS, SdkCalls
    from pollers.aws.wire.classify import bare_code, from_sdk
    from pollers.aws.wire.collector import tune_gc
    from pollers.aws.wire.direct import DirectCalls
    from pollers.aws.wire.event_stream import events
    from pollers.aws.wire.passthrough import STREAM, BoundedSession, Session
    from pollers.aws.wire.plain_records import PlainRecord, are_plain, plain_page
    from pollers.aws.wire.replies import believed, checked, invalid, once
    from pollers.aws.wire.sendable import environment_faults
    from pollers.aws.wire.slicing import sliced_page

__all__ = [
    "READ_SECONDS",
    "STREAM",
    "BoundedSession",
    "DirectCalls",
    "PlainRecord",
    "SdkCalls",
    "Session",
    "are_plain",
    "bare_code",
    "believed",
    "checked",
    "environment_faults",
    "events",
    "from_sdk",
    "invalid",
    "once",
    "plain_page",
    "sliced_page",
    "tune_gc",
]
__getattr__ = lazily(
    __name__,
    {
        "calls": "READ_SECONDS SdkCalls",
        "classify": "bare_code from_sdk",
        "collector": "tune_gc",
        "direct": "DirectCalls",
        "event_stream": "events",
        "passthrough": "BoundedSession STREAM Session",
        "plain_records": "PlainRecord are_plain plain_page",
        "replies": "believed checked invalid once",
        "sendable": "environment_faults",
        "slicing": "sliced_page",
    },
)

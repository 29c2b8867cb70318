"""The SQS poller, standard and FIFO. How a message goes through it:

1. :mod:`receiving` asks :mod:`planning` what to receive now, and has :mod:`receive_calls` do it on permits that :mod:`entitlement`
   counts.
2. :mod:`intake` takes over what came: encoded, recognised, filtered. It waits in :mod:`waiting`, or by group in :mod:`groups`.
3. :mod:`starting` starts each batch that is ready; :mod:`invoking` brings it to the function.
4. :mod:`settling` (for FIFO queues :mod:`group_settling`) decides what is deleted and what goes back; :mod:`deleting` and
   :mod:`returns` do it.

From 2 to 4 :mod:`heartbeat` keeps the message hidden, by the rules of :mod:`visibility`. :mod:`parts` ties these together on a
shared :mod:`context`; :mod:`poller` owns every task and the stop.

Deciders, without I/O or clock of their own: planning, scaling, waiting, groups, visibility, attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.sqs.kind import SQS

__all__ = [
    "SQS",
]
__getattr__ = lazily(
    __name__,
    {
        "kind": "SQS",
    },
)

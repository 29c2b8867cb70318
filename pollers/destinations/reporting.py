"""Whom the end of an asynchronous invocation is told to, and in which form (docs/lambda 12.5 to 12.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread

from pollers.destinations.dead_letters import DEAD_LETTER, function_dead_letter
from pollers.destinations.destination import Purpose, Use
from pollers.destinations.ended import Role
from pollers.destinations.event_bus import BUS
from pollers.destinations.function import FUNCTION
from pollers.destinations.invocation_record import InvocationRecord
from pollers.destinations.s3 import BUCKET
from pollers.destinations.sns import TOPIC
from pollers.destinations.sqs import QUEUE

if TYPE_CHECKING:
    from pollers.destinations.ended import EndedInvocation
    from pollers.destinations.post import Post

LARGE_BYTES = 256 * 1024
"""Of payloads: making a larger record could hold up the event loop for milliseconds."""
_SETTING = "event_invoke_config.destination_config"
ON_SUCCESS: Purpose[InvocationRecord] = Purpose(
    Use("on-success", _SETTING), "on-success destinations", (QUEUE, TOPIC, FUNCTION, BUS)
)
ON_FAILURE: Purpose[InvocationRecord] = Purpose(
    Use("on-failure", _SETTING), "on-failure destinations", (QUEUE, TOPIC, FUNCTION, BUS, BUCKET)
)


class PostedDeliveries:
    """Implements :class:`pollers.destinations.ended.Deliveries`."""

    def __init__(self, post: Post) -> None:
        self._post = post

    async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
        """See :class:`pollers.destinations.ended.Deliveries`. Raises as :meth:`pollers.destinations.post.Post.send` does."""
        match role:
            case Role.ON_SUCCESS:
                await self._post.send(target_arn, ON_SUCCESS, await _recorded(ended))
            case Role.ON_FAILURE:
                await self._post.send(target_arn, ON_FAILURE, await _recorded(ended))
            case Role.DEAD_LETTER:
                await self._post.send(target_arn, DEAD_LETTER, function_dead_letter(ended))


async def _recorded(ended: EndedInvocation) -> InvocationRecord:
    """The record; a large one is made aside from the event loop."""
    record = InvocationRecord(ended)
    if record.payload_bytes > LARGE_BYTES:
        await to_thread.run_sync(record.encode)
    return record

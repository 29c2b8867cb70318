"""SNS as an on-failure destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.wire import replies
from pollers.aws.wire.replies import checked

if TYPE_CHECKING:
    from pollers.aws.api import RepliedCalls


class SnsClient:
    """Implements :class:`pollers.aws.api.SnsApi`."""

    def __init__(self, calls: RepliedCalls) -> None:
        self._calls = calls

    async def publish(self, topic_arn: str, message: str) -> None:
        """See :class:`pollers.aws.api.SnsApi`."""
        reply = await self._calls.reply("Publish", {"TopicArn": topic_arn, "Message": message})
        checked(reply, replies.SNS, "Publish")

    async def check_topic(self, topic_arn: str) -> None:
        """See :class:`pollers.aws.api.SnsApi`."""
        reply = await self._calls.reply("GetTopicAttributes", {"TopicArn": topic_arn})
        checked(reply, replies.SNS, "GetTopicAttributes")

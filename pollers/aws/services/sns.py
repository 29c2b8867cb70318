"""SNS as a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.aws.api import NO_ATTRIBUTES
from pollers.aws.services.attributes import spelled_attributes
from pollers.aws.wire import replies
from pollers.aws.wire.replies import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import MessageAttribute, RepliedCalls


class SnsClient:
    """Implements :class:`pollers.aws.api.SnsApi`."""

    def __init__(self, calls: RepliedCalls) -> None:
        self._calls = calls

    async def publish(
        self, topic_arn: str, message: str, *, attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES
    ) -> None:
        """See :class:`pollers.aws.api.SnsApi`."""
        parameters: dict[str, Any] = {"TopicArn": topic_arn, "Message": message}
        if attributes:
            parameters["MessageAttributes"] = spelled_attributes(attributes)
        reply = await self._calls.reply("Publish", parameters)
        checked(reply, replies.SNS, "Publish")

    async def check_topic(self, topic_arn: str) -> None:
        """See :class:`pollers.aws.api.SnsApi`."""
        reply = await self._calls.reply("GetTopicAttributes", {"TopicArn": topic_arn})
        checked(reply, replies.SNS, "GetTopicAttributes")

"""S3 as a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.wire.replies import invalid

if TYPE_CHECKING:
    from pollers.aws.api import RepliedCalls


class S3Client:
    """Implements :class:`pollers.aws.api.S3Api`."""

    def __init__(self, calls: RepliedCalls) -> None:
        self._calls = calls

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """See :class:`pollers.aws.api.S3Api`."""
        reply = await self._calls.reply("PutObject", {"Bucket": bucket, "Key": key, "Body": body})
        if not reply.get("ETag"):
            # The reply has no body, so the ETag is the only sign that the service itself answered.
            raise invalid("the reply has no ETag", "PutObject")

    async def check_bucket(self, bucket: str) -> None:
        """See :class:`pollers.aws.api.S3Api`."""
        await self._calls.reply("HeadBucket", {"Bucket": bucket})

"""Lambda, as far as another function is a destination: it is invoked asynchronously."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.wire.replies import invalid

if TYPE_CHECKING:
    from pollers.aws.api import RepliedCalls

_ACCEPTED = 202
_BODY_AT_MOST = 1024
"""Bytes that are read of a body that should be empty."""


class FunctionsClient:
    """Implements :class:`pollers.aws.api.FunctionsApi`."""

    def __init__(self, calls: RepliedCalls) -> None:
        self._calls = calls

    async def invoke_event(self, function_arn: str, event: bytes) -> None:
        """See :class:`pollers.aws.api.FunctionsApi`."""
        parameters = {"FunctionName": function_arn, "InvocationType": "Event", "Payload": event}
        reply = await self._calls.reply("Invoke", parameters)
        payload = reply.get("Payload")
        if payload is not None:
            payload.close()
        if reply.get("StatusCode") != _ACCEPTED:
            # The reply has no body, so its status is the only sign that the event was taken over and not run, or lost.
            raise invalid(f"the reply has status {reply.get('StatusCode')}, and not {_ACCEPTED}", "Invoke")

    async def check_function(self, function_arn: str) -> None:
        """See :class:`pollers.aws.api.FunctionsApi`."""
        reply = await self._calls.reply("GetFunctionConfiguration", {"FunctionName": function_arn})
        if not reply.get("FunctionArn"):
            raise invalid("the reply names no function", "GetFunctionConfiguration")

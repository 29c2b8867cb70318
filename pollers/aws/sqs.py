"""SQS as pollers call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.aws.api import EntryFailed, Wire
from pollers.aws.calls import decoded
from pollers.aws.classify import bare_code
from pollers.aws.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.calls import Calls

ENTRIES_AT_MOST = 10
"""In one batch call."""
_IDS = tuple(str(index) for index in range(ENTRIES_AT_MOST))
_ALL = ["All"]


class SqsClient:
    """Implements :class:`pollers.aws.api.SqsApi`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def queue_url(self, name: str, owner: str) -> str:
        """See :class:`pollers.aws.api.SqsApi`."""
        reply = await self._reply("GetQueueUrl", {"QueueName": name, "QueueOwnerAWSAccountId": owner})
        return str(reply["QueueUrl"])

    async def attributes(self, url: str) -> dict[str, str]:
        """See :class:`pollers.aws.api.SqsApi`."""
        reply = await self._reply("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": _ALL})
        return dict(reply.get("Attributes") or {})

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        """See :class:`pollers.aws.api.SqsApi`."""
        parameters: dict[str, Any] = {
            "QueueUrl": url,
            "MaxNumberOfMessages": maximum,
            "WaitTimeSeconds": wait_seconds,
            "MessageSystemAttributeNames": _ALL,
            "MessageAttributeNames": _ALL,
        }
        if visibility_seconds is not None:
            parameters["VisibilityTimeout"] = visibility_seconds
        body = await self._calls.call("ReceiveMessage", parameters, wait_seconds=wait_seconds)
        return decoded(body, "ReceiveMessage").get("Messages") or []

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        """See :class:`pollers.aws.api.SqsApi`."""
        ids = _ids(len(handles), "DeleteMessageBatch")
        entries = [{"Id": id_, "ReceiptHandle": handle} for id_, handle in zip(ids, handles, strict=True)]
        return await self._batch("DeleteMessageBatch", url, entries)

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        """See :class:`pollers.aws.api.SqsApi`."""
        ids = _ids(len(entries), "ChangeMessageVisibilityBatch")
        batch = [
            {"Id": id_, "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for id_, (handle, seconds) in zip(ids, entries, strict=True)
        ]
        return await self._batch("ChangeMessageVisibilityBatch", url, batch)

    async def send(self, url: str, body: str) -> None:
        """See :class:`pollers.aws.api.SqsApi`."""
        await self._reply("SendMessage", {"QueueUrl": url, "MessageBody": body})

    async def _reply(self, operation: str, parameters: dict[str, Any]) -> Wire:
        return decoded(await self._calls.call(operation, parameters), operation)

    async def _batch(self, operation: str, url: str, entries: list[dict[str, Any]]) -> list[EntryFailed]:
        reply = await self._reply(operation, {"QueueUrl": url, "Entries": entries})
        failed = reply.get("Failed")
        if not failed and len(reply.get("Successful") or ()) == len(entries):
            return []
        return _failures(reply, len(entries))


def _ids(count: int, operation: str) -> tuple[str, ...]:
    """An id for each entry: its position, so that no two are the same whatever the messages are."""
    if not 1 <= count <= ENTRIES_AT_MOST:
        code = "TooManyEntriesInBatchRequest" if count else "EmptyBatchRequest"
        raise Refused(code, f"{count} entries, must be 1 to {ENTRIES_AT_MOST}", operation=operation)
    return _IDS[:count]


def _failures(reply: Wire, count: int) -> list[EntryFailed]:
    """What the reply refuses, and what it does not mention: only a confirmed entry counts as done."""
    confirmed = {entry.get("Id") for entry in reply.get("Successful") or ()}
    refused = {entry.get("Id"): entry for entry in reply.get("Failed") or ()}
    failures = []
    for index in range(count):
        if (entry := refused.get(_IDS[index])) is not None:
            code, message = bare_code(str(entry.get("Code") or "")), str(entry.get("Message") or "")
            failures.append(EntryFailed(index, code, message, bool(entry.get("SenderFault"))))
        elif _IDS[index] not in confirmed:
            failures.append(EntryFailed(index, "Unconfirmed", "the reply does not mention this entry", False))
    return failures

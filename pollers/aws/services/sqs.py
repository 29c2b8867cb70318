"""SQS as pollers call it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pollers.aws.api import NO_ATTRIBUTES, EntryFailed, MessageAttribute, Wire
from pollers.aws.errors import Refused
from pollers.aws.services.attributes import spelled_attributes
from pollers.aws.wire import replies
from pollers.aws.wire.classify import bare_code
from pollers.aws.wire.replies import believed, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pollers.aws.api import Calls

ENTRIES_AT_MOST = 10
"""In one batch call."""
_PLACES = tuple(str(index) for index in range(ENTRIES_AT_MOST))
_ALL = ["All"]
_FIFO = ".fifo"
_COUNTS = {
    "VisibilityTimeout": None,
    "ApproximateNumberOfMessages": None,
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}
"""Attributes that are numbers, with the value where an emulator leaves them out. The first two have no default: a wrong one would
make a full queue look empty, or extend visibility too late."""
_DIGITS_AT_MOST = 40


class SqsClient:
    """Implements :class:`pollers.aws.api.SqsApi`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._batches = itertools.count()

    async def queue_url(self, name: str, owner: str) -> str:
        """See :class:`pollers.aws.api.SqsApi`."""
        reply = await self._reply("GetQueueUrl", {"QueueName": name, "QueueOwnerAWSAccountId": owner})
        return str(reply["QueueUrl"])

    async def attributes(self, url: str) -> dict[str, str]:
        """See :class:`pollers.aws.api.SqsApi`."""
        reply = await self._reply("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": _ALL})
        attributes = {name: str(value) for name, value in reply["Attributes"].items()}
        for name, absent in _COUNTS.items():
            if not _is_count(attributes.get(name, absent)):
                raise invalid(f"the reply has no {name} that is a number", "GetQueueAttributes")
        return attributes

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
        messages = believed(body, replies.SQS, "ReceiveMessage").get("Messages") or []
        fifo = url.endswith(_FIFO)
        for message in messages:
            _check_attributes(message.get("Attributes") or {}, fifo=fifo)
        return messages

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        """See :class:`pollers.aws.api.SqsApi`."""
        ids = self._ids(len(handles), "DeleteMessageBatch")
        entries = [{"Id": id_, "ReceiptHandle": handle} for id_, handle in zip(ids, handles, strict=True)]
        return await self._batch("DeleteMessageBatch", url, entries, ids)

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        """See :class:`pollers.aws.api.SqsApi`."""
        ids = self._ids(len(entries), "ChangeMessageVisibilityBatch")
        batch = [
            {"Id": id_, "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for id_, (handle, seconds) in zip(ids, entries, strict=True)
        ]
        return await self._batch("ChangeMessageVisibilityBatch", url, batch, ids)

    async def send(
        self,
        url: str,
        body: str,
        *,
        attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES,
        trace_header: str | None = None,
    ) -> None:
        """See :class:`pollers.aws.api.SqsApi`."""
        parameters: dict[str, Any] = {"QueueUrl": url, "MessageBody": body}
        if attributes:
            parameters["MessageAttributes"] = spelled_attributes(attributes)
        if trace_header is not None:
            header = MessageAttribute("String", trace_header)
            parameters["MessageSystemAttributes"] = spelled_attributes({"AWSTraceHeader": header})
        await self._reply("SendMessage", parameters)

    async def _reply(self, operation: str, parameters: dict[str, Any]) -> Wire:
        return believed(await self._calls.call(operation, parameters), replies.SQS, operation)

    async def _batch(
        self, operation: str, url: str, entries: list[dict[str, Any]], ids: Sequence[str]
    ) -> list[EntryFailed]:
        reply = await self._reply(operation, {"QueueUrl": url, "Entries": entries})
        done, failed = reply.get("Successful"), reply.get("Failed")
        if done is None and failed is None:
            raise invalid("the reply says nothing of any entry", operation)
        return _failures(done or (), failed or (), ids)

    def _ids(self, count: int, operation: str) -> list[str]:
        """An id for each entry: the number of the call and the entry's position.

        The position makes the ids of a call different from each other, the number those of two calls: so a reply that belongs to
        another call, for instance one that came twice, confirms nothing.
        """
        if not 1 <= count <= ENTRIES_AT_MOST:
            code = "TooManyEntriesInBatchRequest" if count else "EmptyBatchRequest"
            raise Refused(code, f"{count} entries, must be 1 to {ENTRIES_AT_MOST}", operation=operation)
        call = f"{next(self._batches)}-"
        return [call + place for place in _PLACES[:count]]


def _failures(done: Sequence[Wire], failed: Sequence[Wire], ids: Sequence[str]) -> list[EntryFailed]:
    """The entries that the reply refuses or does not mention: only a confirmed entry counts as done."""
    confirmed = {entry["Id"] for entry in done}
    if not failed and confirmed.issuperset(ids):
        return []
    refused = {entry["Id"]: entry for entry in failed}
    failures = []
    for index, id_ in enumerate(ids):
        if (entry := refused.get(id_)) is not None:
            code, message = bare_code(entry["Code"]), entry.get("Message") or ""
            failures.append(EntryFailed(index, code, message, bool(entry.get("SenderFault"))))
        elif id_ not in confirmed:
            failures.append(EntryFailed(index, "Unconfirmed", "the reply does not mention this entry", False))
    return failures


def _check_attributes(attributes: Wire, *, fifo: bool) -> None:
    """Check a message's attributes. In a FIFO queue it must have its group and number: without them it could overtake others."""
    if not _is_count(attributes.get("ApproximateReceiveCount", 1)):
        raise invalid("a message's ApproximateReceiveCount is no number", "ReceiveMessage")
    if not fifo:
        return
    if not attributes.get("MessageGroupId") or not isinstance(attributes["MessageGroupId"], str):
        raise invalid("a message has no MessageGroupId", "ReceiveMessage")
    if not _is_count(attributes.get("SequenceNumber")):
        raise invalid("a message has no SequenceNumber that is a number", "ReceiveMessage")


def _is_count(value: object) -> bool:
    """Some emulators send numbers as such."""
    if isinstance(value, str):
        return value.isdecimal() and len(value) <= _DIGITS_AT_MOST
    return isinstance(value, int)

"""What pollers rely on in SQS: the same on emulators, through the seam, and on the in-memory service of the simulations."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import NotFound, Refused
from tests.contract.conftest import STALE_DELETE_FAILS
from tests.emulators import unique
from tests.worlds.memory_sqs import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.aws.api import Wire
    from tests.contract.sqs_services import SqsService

AWKWARD_BODIES = [
    "x",
    '{"a": 1.0,  "b":"\\u00e9"}',
    'line\nbreak\ttab "quote" \\backslash\\',
    "Grüße, 世界, 🚀",
    " leading and trailing ",
    "x" * 200_000,
]


async def receive(
    sqs: SqsService, url: str, *, until: Callable[[list[Wire]], bool] = bool, visibility_seconds: int | None = None
) -> list[Wire]:
    """Receive until ``until`` is satisfied with everything that has come."""
    received: list[Wire] = []
    with anyio.fail_after(60):
        while not until(received):
            received += await sqs.api.receive(url, maximum=10, wait_seconds=1, visibility_seconds=visibility_seconds)
    return received


async def test_a_body_arrives_as_it_was_sent(sqs: SqsService) -> None:
    """Every character of a body reaches us, and the message's id with it."""
    url = await sqs.create(unique("body"))
    sent = {await sqs.send(url, body): body for body in AWKWARD_BODIES}
    received: dict[str, Wire] = {}
    with anyio.fail_after(60):
        while len(received) < len(sent):
            received |= {message["MessageId"]: message for message in await receive(sqs, url)}
    assert {id_: message["Body"] for id_, message in received.items()} == sent
    for message in received.values():
        assert message["MD5OfBody"] == hashlib.md5(message["Body"].encode(), usedforsecurity=False).hexdigest()


async def test_system_attributes_are_strings(sqs: SqsService) -> None:
    """The four attributes of every Lambda event record are there, as decimal strings."""
    url = await sqs.create(unique("attributes"))
    await sqs.send(url, "x")
    [message] = await receive(sqs, url)
    attributes = message["Attributes"]
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SentTimestamp"].isdigit()
    assert attributes["ApproximateFirstReceiveTimestamp"].isdigit()
    assert attributes["SenderId"]


async def test_message_attributes_stay_in_wire_form(sqs: SqsService) -> None:
    """Binary values stay base64, also those that are no UTF-8, with their types beside them."""
    url = await sqs.create(unique("attributes"))
    number: Wire = {"DataType": "Number", "StringValue": "4.20"}
    binary: Wire = {"DataType": "Binary", "BinaryValue": "/wA="}
    await sqs.send(url, "x", attributes={"n": number, "b": binary})
    [message] = await receive(sqs, url)
    assert message["MessageAttributes"] == {"n": number, "b": binary}
    assert len(message["MD5OfMessageAttributes"]) == 32


async def test_an_empty_queue_gives_an_empty_list(sqs: SqsService) -> None:
    """A short poll of nothing is nothing."""
    url = await sqs.create(unique("empty"))
    assert await sqs.api.receive(url, maximum=10, wait_seconds=0) == []


async def test_a_long_poll_returns_when_a_message_comes(sqs: SqsService) -> None:
    """It neither waits for its end nor needs another call."""
    url = await sqs.create(unique("poll"))
    received: list[Wire] = []

    async def poll() -> None:
        received.extend(await sqs.api.receive(url, maximum=10, wait_seconds=20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poll)
        await anyio.sleep(0.3)
        await sqs.send(url, "x")
        sent = time.monotonic()
    assert len(received) == 1
    assert time.monotonic() - sent < 15  # it would have waited for almost twenty


async def test_a_received_message_is_hidden_until_it_is_made_visible(sqs: SqsService) -> None:
    """Visibility 0 brings it back at once, with a new handle and a receive count of 2."""
    url = await sqs.create(unique("visibility"))
    await sqs.send(url, "x")
    [first] = await receive(sqs, url)
    assert await sqs.api.receive(url, maximum=10, wait_seconds=0) == []
    assert await sqs.api.change_visibility(url, [(first["ReceiptHandle"], 0)]) == []
    [second] = await receive(sqs, url)
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


async def test_a_message_comes_back_when_its_visibility_timeout_ends(sqs: SqsService) -> None:
    """A receive's own visibility timeout goes before the queue's."""
    url = await sqs.create(unique("visibility"), visibility_seconds=600)
    sent = await sqs.send(url, "x")
    await receive(sqs, url, visibility_seconds=1)
    [again] = await receive(sqs, url)
    assert again["MessageId"] == sent


async def test_an_extension_keeps_a_message_hidden(sqs: SqsService) -> None:
    """Beyond the time at which it would have come back."""
    url = await sqs.create(unique("visibility"), visibility_seconds=3)
    await sqs.send(url, "x")
    [message] = await receive(sqs, url)
    assert await sqs.api.change_visibility(url, [(message["ReceiptHandle"], 600)]) == []
    assert await sqs.api.receive(url, maximum=10, wait_seconds=4) == []


async def test_deleted_messages_do_not_come_back(sqs: SqsService) -> None:
    """Ten in one call, each confirmed."""
    url = await sqs.create(unique("delete"), visibility_seconds=1)
    for number in range(10):
        await sqs.send(url, str(number))
    messages = await receive(sqs, url, until=lambda received: len({m["MessageId"] for m in received}) == 10)
    newest = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
    assert await sqs.api.delete(url, list(newest.values())) == []
    assert await sqs.api.receive(url, maximum=10, wait_seconds=2) == []


async def test_a_malformed_handle_fails_alone(sqs: SqsService) -> None:
    """The entry is named by its position, with a bare code; the others of its call are deleted."""
    url = await sqs.create(unique("delete"))
    await sqs.send(url, "x")
    [message] = await receive(sqs, url)
    [failed] = await sqs.api.delete(url, ["not a handle", message["ReceiptHandle"]])
    assert (failed.index, failed.code) == (0, "ReceiptHandleIsInvalid")
    [failed] = await sqs.api.change_visibility(url, [("not a handle", 5)])
    assert (failed.index, failed.code) == (0, "ReceiptHandleIsInvalid")


async def test_a_deleted_messages_handle_can_be_deleted_again(sqs: SqsService) -> None:
    """A retried delete is no failure."""
    url = await sqs.create(unique("delete"))
    await sqs.send(url, "x")
    [message] = await receive(sqs, url)
    await sqs.api.delete(url, [message["ReceiptHandle"]])
    failed = await sqs.api.delete(url, [message["ReceiptHandle"]])
    if STALE_DELETE_FAILS in sqs.departures:
        assert [entry.code for entry in failed] == ["ReceiptHandleIsInvalid"]
    else:
        assert failed == []


async def test_a_fifo_group_is_locked_while_one_of_its_messages_is_in_flight(sqs: SqsService) -> None:
    """Other groups go on; the next message of the group follows the delete of the one before."""
    url = await sqs.create(unique("fifo", ".fifo"))
    for body in ("a1", "a2"):
        await sqs.send(url, body, group="a")
    [first] = await sqs.api.receive(url, maximum=1, wait_seconds=1)
    assert first["Body"] == "a1"
    assert await sqs.api.receive(url, maximum=10, wait_seconds=0) == []
    await sqs.send(url, "b1", group="b")
    assert [message["Body"] for message in await receive(sqs, url)] == ["b1"]
    assert await sqs.api.delete(url, [first["ReceiptHandle"]]) == []
    assert [message["Body"] for message in await receive(sqs, url)] == ["a2"]


async def test_fifo_messages_come_in_order_with_their_attributes(sqs: SqsService) -> None:
    """Within a group in the order of sending; sequence numbers grow as integers."""
    url = await sqs.create(unique("fifo", ".fifo"))
    for number in range(5):
        await sqs.send(url, str(number), group="g")
    messages = await receive(sqs, url)
    bodies = [message["Body"] for message in messages]
    assert bodies == [str(number) for number in range(len(bodies))]
    numbers = [int(message["Attributes"]["SequenceNumber"]) for message in messages]
    assert numbers == sorted(set(numbers))
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"g"}
    assert all(message["Attributes"]["MessageDeduplicationId"] for message in messages)


async def test_the_third_receive_of_two_goes_to_the_dead_letter_queue(sqs: SqsService) -> None:
    """After maxReceiveCount receives a message is in the dead-letter queue and nowhere else."""
    dead = unique("dead")
    dead_url = await sqs.create(dead)
    url = await sqs.create(unique("alive"), redrive=(dead, 2))
    sent = await sqs.send(url, "poison")
    for _ in range(2):
        [message] = await receive(sqs, url)
        await sqs.api.change_visibility(url, [(message["ReceiptHandle"], 0)])
    assert await sqs.api.receive(url, maximum=10, wait_seconds=1) == []
    [message] = await receive(sqs, dead_url)
    assert (message["MessageId"], message["Body"]) == (sent, "poison")


async def test_a_queue_is_found_by_name_and_owner(sqs: SqsService) -> None:
    """The URL that GetQueueUrl tells works for every call."""
    name = unique("found")
    await sqs.create(name, visibility_seconds=77)
    url = await sqs.api.queue_url(name, ACCOUNT)
    await sqs.api.send(url, "sent through the api")
    assert [message["Body"] for message in await receive(sqs, url)] == ["sent through the api"]
    attributes = await sqs.api.attributes(url)
    assert attributes["VisibilityTimeout"] == "77"
    assert attributes["QueueArn"].endswith(f":{ACCOUNT}:{name}")
    assert attributes["ApproximateNumberOfMessages"].isdigit()


async def test_a_missing_queue_is_not_found(sqs: SqsService) -> None:
    """By name and by URL."""
    name = unique("missing")
    with pytest.raises(NotFound):
        await sqs.api.queue_url(name, ACCOUNT)
    url = (await sqs.create(unique("there"))).rpartition("/")[0] + "/" + name
    with pytest.raises(NotFound):
        await sqs.api.receive(url, maximum=1, wait_seconds=0)
    with pytest.raises(NotFound):
        await sqs.api.attributes(url)


@pytest.mark.parametrize("count", [0, 11])
async def test_a_batch_has_one_to_ten_entries(sqs: SqsService, count: int) -> None:
    """An empty or an eleventh entry is refused, not dropped."""
    url = await sqs.create(unique("batch"))
    with pytest.raises(Refused):
        await sqs.api.delete(url, ["handle"] * count)
    with pytest.raises(Refused):
        await sqs.api.change_visibility(url, [("handle", 1)] * count)

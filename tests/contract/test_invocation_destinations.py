"""What is told of asynchronous invocations, delivered through the AWS seam and read back as its consumer would."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from config.models import Aws as AwsModel
from pollers.aws import services
from pollers.aws.api import MessageAttribute
from pollers.aws.errors import AwsError, NotFound, Refused
from pollers.aws.services.clients import AwsClients
from pollers.destinations import (
    AcceptedEvent,
    Condition,
    EndedInvocation,
    Post,
    PostedDeliveries,
    Role,
    TargetRefuses,
    Ways,
    limits,
)
from pollers.destinations.invocation_record import InvocationRecord, trace_header
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pollers.emulators import Emulator

ACCOUNT = "us-east-1:000000000000"
FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function:orders"
EVENT = AcceptedEvent(
    "c9b8fa9f-5a7f-4a3b-af9c-0c604cde93a5", "orders", FUNCTION, '{"ключ": "\\u0000"}'.encode(), 1.764e9
)
ERROR = json.dumps({"errorMessage": "no \x1b[31mstock", "errorType": "Exception"}).encode()
FAILED = EndedInvocation(EVENT, Condition.RETRIES_EXHAUSTED, 3, 1764026050.5, ERROR, function_error=True)
DONE = EndedInvocation(EVENT, Condition.SUCCESS, 1, 1764026050.5, b"[1]")


@pytest.fixture(params=["ministack", "localstack"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """Two emulators: one that checks little, and the most faithful."""
    found: Emulator = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def deliveries(emulator: Emulator) -> AsyncIterator[PostedDeliveries]:
    """Deliveries through clients of our own."""
    async with AwsClients(AwsModel(endpoint_url=emulator.endpoint_url)) as aws:
        yield PostedDeliveries(Post(Ways(aws, "us-east-1")))


async def received(sqs: Any, url: str) -> dict[str, Any]:  # noqa: ANN401 - the SDK's clients have no types
    """The one message in a queue."""
    reply = await sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )
    (message,) = reply["Messages"]
    found: dict[str, Any] = message
    return found


async def test_a_queue_receives_the_record_and_a_trace_header(emulator: Emulator) -> None:
    """The body is the record and nothing else."""
    async with plain_client(emulator, "sqs") as sqs, deliveries(emulator) as sender:
        name = unique("failed")
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        await sender.deliver(Role.ON_FAILURE, f"arn:aws:sqs:{ACCOUNT}:{name}", FAILED)
        message = await received(sqs, url)
        assert message["Body"] == InvocationRecord(FAILED).encode().decode()
        assert message["Attributes"]["AWSTraceHeader"] == trace_header(EVENT)
        assert "MessageAttributes" not in message


async def test_a_dead_letter_queue_receives_the_event_with_its_attributes(emulator: Emulator) -> None:
    """The body to the byte; ErrorCode a Number; a character that queues refuse in the error's text is no hindrance."""
    async with plain_client(emulator, "sqs") as sqs, deliveries(emulator) as sender:
        name = unique("dead")
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        await sender.deliver(Role.DEAD_LETTER, f"arn:aws:sqs:{ACCOUNT}:{name}", FAILED)
        message = await received(sqs, url)
        assert message["Body"].encode() == EVENT.payload
        given = {
            name: (found["DataType"], found["StringValue"]) for name, found in message["MessageAttributes"].items()
        }
        assert given == {
            "RequestID": ("String", EVENT.request_id),
            "ErrorCode": ("Number", "200"),
            "ErrorMessage": ("String", "no \ufffd[31mstock"),
        }


async def test_a_topics_subscriber_receives_the_dead_letter_with_its_attributes(emulator: Emulator) -> None:
    """As an SNS notification's own."""
    async with plain_client(emulator, "sns") as sns, plain_client(emulator, "sqs") as sqs:
        name = unique("dead")
        topic = (await sns.create_topic(Name=name))["TopicArn"]
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{ACCOUNT}:{name}")
        async with deliveries(emulator) as sender:
            await sender.deliver(Role.DEAD_LETTER, topic, FAILED)
        notification = json.loads((await received(sqs, url))["Body"])
        assert notification["Message"].encode() == EVENT.payload
        assert notification["MessageAttributes"]["ErrorCode"] == {"Type": "Number", "Value": "200"}


async def test_a_bucket_holds_the_record(emulator: Emulator) -> None:
    """One object, under the key of the function, also when it was delivered twice."""
    async with plain_client(emulator, "s3") as s3, deliveries(emulator) as sender:
        bucket = unique("failed")
        await s3.create_bucket(Bucket=bucket)
        for _ in range(2):
            await sender.deliver(Role.ON_FAILURE, f"arn:aws:s3:::{bucket}", FAILED)
        (found,) = (await s3.list_objects_v2(Bucket=bucket))["Contents"]
        assert found["Key"] == InvocationRecord(FAILED).object_key()
        async with (await s3.get_object(Bucket=bucket, Key=found["Key"]))["Body"] as body:
            assert await body.read() == InvocationRecord(FAILED).encode()


async def test_a_rule_of_the_bus_sees_the_record_as_lambdas_event(emulator: Emulator) -> None:
    """A rule that matches Lambda's source and detail type, as users write it for AWS."""
    async with plain_client(emulator, "events") as events, plain_client(emulator, "sqs") as sqs:
        name = unique("done")
        bus = (await events.create_event_bus(Name=name))["EventBusArn"]
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        pattern = {"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Success"]}
        await events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps(pattern))
        queue = f"arn:aws:sqs:{ACCOUNT}:{name}"
        await events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": queue}])
        async with deliveries(emulator) as sender:
            await sender.deliver(Role.ON_SUCCESS, bus, DONE)
        event = json.loads((await received(sqs, url))["Body"])
        assert event["detail"] == json.loads(InvocationRecord(DONE).encode())
        assert event["resources"] == [bus, f"{FUNCTION}:$LATEST"]


@pytest.mark.parametrize(
    "form",
    [
        f"arn:aws:sqs:{ACCOUNT}:{{}}",
        f"arn:aws:sns:{ACCOUNT}:{{}}",
        "arn:aws:s3:::{}",
        f"arn:aws:events:{ACCOUNT}:event-bus/{{}}",
        f"arn:aws:lambda:{ACCOUNT}:function:{{}}",
    ],
)
async def test_a_missing_destination_is_an_error_that_may_pass(emulator: Emulator, form: str) -> None:
    """Whatever the service says, even where it says success: nothing is taken for delivered."""
    async with deliveries(emulator) as sender:
        with pytest.raises(AwsError) as raised:
            await sender.deliver(Role.ON_FAILURE, form.format(unique("missing")), FAILED)
        assert isinstance(raised.value, NotFound)


@pytest.mark.parametrize("arn", [f"arn:aws:sqs:{ACCOUNT}:orders.fifo", f"arn:aws:sns:{ACCOUNT}:orders.fifo"])
async def test_a_fifo_target_takes_nothing(ministack: Emulator, arn: str) -> None:
    """As on AWS; not even when it exists."""
    async with deliveries(ministack) as sender:
        with pytest.raises(TargetRefuses, match="FIFO"):
            await sender.deliver(Role.ON_FAILURE, arn, FAILED)


async def test_what_is_refused_before_it_is_sent_would_be_refused(localstack: Emulator) -> None:
    """Sizes, characters and empty attributes: the limits are the services'."""
    async with (
        AwsClients(AwsModel(endpoint_url=localstack.endpoint_url)) as aws,
        plain_client(localstack, "sqs") as sdk,
        plain_client(localstack, "sns") as topics,
    ):
        url = (await sdk.create_queue(QueueName=unique("limits")))["QueueUrl"]
        topic = (await topics.create_topic(Name=unique("limits")))["TopicArn"]
        sqs, sns = await aws.client(services.SQS, "us-east-1"), await aws.client(services.SNS, "us-east-1")
        await sqs.send(url, "x" * limits.QUEUE_BYTES)
        await sns.publish(topic, "x" * limits.TOPIC_BYTES)
        escape, empty = MessageAttribute("String", "\x1b"), MessageAttribute("String", "")
        refused: list[Callable[[], Awaitable[None]]] = [
            lambda: sqs.send(url, "x" * (limits.QUEUE_BYTES + 1)),
            lambda: sns.publish(topic, "x" * (limits.TOPIC_BYTES + 1)),
            lambda: sqs.send(url, "\ufffe"),
            lambda: sqs.send(url, "x", attributes={"ErrorMessage": escape}),
            lambda: sqs.send(url, "x", attributes={"ErrorMessage": empty}),
        ]
        for call in refused:
            with pytest.raises(Refused):
                await call()

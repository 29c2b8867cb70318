"""What is told of the end of an asynchronous invocation, sent to destinations of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast

import pytest

from config.functions import asynchronous
from pollers.aws.api import Aws, BusEvent
from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused, Throttled, Unavailable
from pollers.destinations import (
    Condition,
    Post,
    PostedDeliveries,
    Role,
    TargetRefuses,
    Ways,
)
from pollers.destinations.dead_letters import DEAD_LETTER, function_dead_letter
from pollers.destinations.invocation_record import InvocationRecord
from pollers.destinations.reporting import ON_FAILURE, ON_SUCCESS
from tests.unit.destinations.cloud import Cloud
from tests.unit.destinations.ends import FUNCTION, ended

QUEUE = "arn:aws:sqs:us-west-2:123456789012:done"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:done"
BUCKET = "arn:aws:s3:::failed"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/done"
OTHER = "arn:aws:lambda:us-east-1:000000000000:function:audit"
SUCCESS = ended(Condition.SUCCESS, count=1, response=b"null")


@dataclass
class Own:
    """Functions that run here, whose queue notes what it accepts, or refuses with ``error``."""

    arns: set[str] = field(default_factory=set)
    error: AwsError | None = None
    accepted: list[tuple[str, bytes]] = field(default_factory=list)

    def has(self, function_arn: str) -> bool:
        return function_arn in self.arns

    async def accept(self, function_arn: str, event: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.accepted.append((function_arn, event))


def deliveries(cloud: Cloud, own: Own | None = None) -> PostedDeliveries:
    """Deliveries to these services."""
    return PostedDeliveries(Post(Ways(cast("Aws", cloud), "us-east-2", own)))


async def test_a_queue_gets_the_record_with_a_trace_header() -> None:
    """In the queue's own region; its URL is asked for once."""
    cloud = Cloud()
    sender = deliveries(cloud)
    await sender.deliver(Role.ON_FAILURE, QUEUE, ended())
    await sender.deliver(Role.ON_FAILURE, QUEUE, ended())
    text = InvocationRecord(ended()).encode().decode()
    assert cloud.messages == [("http://queues/123456789012/done", text)] * 2
    assert cloud.attributes == [{}, {}]
    assert cloud.trace_headers[0] is not None
    assert (cloud.regions, cloud.asked) == (["us-west-2"], 1)


async def test_a_topic_gets_the_record_as_its_message() -> None:
    """docs/lambda 12.5."""
    cloud = Cloud()
    await deliveries(cloud).deliver(Role.ON_SUCCESS, TOPIC, SUCCESS)
    assert cloud.messages == [(TOPIC, InvocationRecord(SUCCESS).encode().decode())]


async def test_a_bucket_gets_an_object_for_each_record() -> None:
    """A delivery that is repeated writes the same object; a bucket names no region, so it is the functions'."""
    cloud = Cloud()
    sender = deliveries(cloud)
    await sender.deliver(Role.ON_FAILURE, BUCKET, ended())
    await sender.deliver(Role.ON_FAILURE, BUCKET, ended())
    record = InvocationRecord(ended())
    assert cloud.objects == [("failed", record.object_key(), record.encode())] * 2
    assert cloud.regions == ["us-east-2"]


@pytest.mark.parametrize(("end", "word"), [(SUCCESS, "Success"), (ended(), "Failure")])
async def test_a_bus_gets_an_event_with_the_record_as_its_detail(end: object, word: str) -> None:
    """With Lambda's source, detail type and resources (docs/lambda 12.5)."""
    cloud = Cloud()
    role = Role.ON_SUCCESS if end is SUCCESS else Role.ON_FAILURE
    await deliveries(cloud).deliver(role, BUS, end)  # type: ignore[arg-type]
    text = InvocationRecord(end).encode().decode()  # type: ignore[arg-type]
    kind = f"Lambda Function Invocation Result - {word}"
    assert cloud.events == [BusEvent(BUS, "lambda", kind, (BUS, f"{FUNCTION}:$LATEST"), text)]


async def test_a_bus_is_looked_at_before_it_is_trusted() -> None:
    """PutEvents says success for a bus that does not exist; where looking is not permitted, it has to be believed."""
    cloud = Cloud(look=NotFound("ResourceNotFoundException", "no such bus"))
    with pytest.raises(NotFound):
        await deliveries(cloud).deliver(Role.ON_SUCCESS, BUS, SUCCESS)
    cloud.look = AccessDenied("AccessDeniedException", "not authorized")
    sender = deliveries(cloud)
    await sender.deliver(Role.ON_SUCCESS, BUS, SUCCESS)
    await sender.deliver(Role.ON_SUCCESS, BUS, SUCCESS)
    assert (len(cloud.events), cloud.looks) == (2, 2)


async def test_a_function_elsewhere_is_invoked_by_lambdas_api() -> None:
    """In its own region, with the record as its event."""
    cloud = Cloud()
    await deliveries(cloud, Own()).deliver(Role.ON_SUCCESS, OTHER, SUCCESS)
    assert cloud.invoked == [(OTHER, InvocationRecord(SUCCESS).encode())]
    assert cloud.regions == ["us-east-1"]


async def test_a_function_that_runs_here_gets_the_record_through_its_queue() -> None:
    """Without a call to AWS; also when it came to run here after the first delivery."""
    cloud, own = Cloud(), Own()
    sender = deliveries(cloud, own)
    await sender.deliver(Role.ON_SUCCESS, OTHER, SUCCESS)
    own.arns.add(OTHER)
    await sender.deliver(Role.ON_SUCCESS, OTHER, SUCCESS)
    assert len(cloud.invoked) == 1
    assert own.accepted == [(OTHER, InvocationRecord(SUCCESS).encode())]


async def test_a_full_queue_of_ours_is_tried_again() -> None:
    """It has room again later."""
    own = Own({OTHER}, Throttled("TooManyRequestsException", "the queue is full"))
    with pytest.raises(Throttled):
        await deliveries(Cloud(), own).deliver(Role.ON_SUCCESS, OTHER, SUCCESS)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC])
async def test_a_dead_letter_is_the_event_with_its_attributes(arn: str) -> None:
    """Queues and topics alike."""
    cloud = Cloud()
    await deliveries(cloud).deliver(Role.DEAD_LETTER, arn, ended(payload=b"[1,  2]"))
    assert cloud.messages[0][1] == "[1,  2]"
    assert cloud.attributes == [dict(function_dead_letter(ended()).attributes)]


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET, BUS, OTHER])
@pytest.mark.parametrize(
    "error",
    [
        Unavailable("ConnectionClosed"),
        Throttled("SlowDown"),
        NotFound("NonExistent", "none"),
        AccessDenied("AccessDenied", "no"),
    ],
)
async def test_what_may_pass_is_left_to_whoever_tries_again(arn: str, error: AwsError) -> None:
    """A missing queue may be created, and a role permitted: later the same delivery arrives."""
    cloud = Cloud(error=error)
    sender = deliveries(cloud)
    with pytest.raises(type(error)):
        await sender.deliver(Role.ON_FAILURE, arn, ended())
    assert cloud.deliveries == 0
    cloud.error = None
    await sender.deliver(Role.ON_FAILURE, arn, ended())
    assert cloud.deliveries == 1


async def test_a_queue_that_was_created_again_is_found_again() -> None:
    """Its URL is asked for anew after it was missing."""
    cloud = Cloud()
    sender = deliveries(cloud)
    await sender.deliver(Role.ON_FAILURE, QUEUE, ended())
    cloud.error = NotFound("QueueDoesNotExist", "gone")
    with pytest.raises(NotFound):
        await sender.deliver(Role.ON_FAILURE, QUEUE, ended())
    cloud.error = None
    await sender.deliver(Role.ON_FAILURE, QUEUE, ended())
    assert cloud.asked == 2


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET, BUS, OTHER])
async def test_what_a_service_refuses_for_ever_is_not_tried_again(arn: str) -> None:
    """The same request would be refused the same way."""
    with pytest.raises(TargetRefuses, match=r"InvalidParameterValue.*too long"):
        await deliveries(Cloud(error=Refused("InvalidParameterValue", "too long"))).deliver(
            Role.ON_FAILURE, arn, ended()
        )


async def test_a_role_that_may_only_send_is_enough() -> None:
    """Lambda needs sqs:SendMessage alone: the queue's URL is then the usual one."""
    cloud = Cloud(look=AccessDenied("AccessDenied", "not authorized"))
    await deliveries(cloud).deliver(Role.ON_FAILURE, QUEUE, ended())
    assert cloud.messages[0][0] == "https://sqs.us-west-2.amazonaws.com/123456789012/done"


@pytest.mark.parametrize(
    ("role", "arn", "says"),
    [
        (Role.ON_FAILURE, f"{QUEUE}.fifo", "found a FIFO queue"),
        (Role.DEAD_LETTER, f"{TOPIC}.fifo", "found a FIFO topic"),
        (Role.ON_SUCCESS, BUCKET, "expected the ARN of a standard SQS queue"),
        (Role.DEAD_LETTER, OTHER, "a standard SQS queue or a standard SNS topic"),
        (Role.ON_FAILURE, "arn:aws:dynamodb:us-east-1:123456789012:table/t", "expected the ARN of"),
        (Role.ON_FAILURE, "nothing", "found 'nothing'"),
    ],
)
async def test_what_can_be_no_target_is_refused(role: Role, arn: str, says: str) -> None:
    """As AWS fails such deliveries; whoever set it through the API was not held up then."""
    cloud = Cloud()
    with pytest.raises(TargetRefuses, match=says):
        await deliveries(cloud).deliver(role, arn, ended())
    assert cloud.deliveries == 0


KIB = 1024


@pytest.mark.parametrize(
    ("arn", "limit_bytes"), [(QUEUE, 1024 * KIB), (TOPIC, 256 * KIB), (OTHER, 1024 * KIB), (BUS, 1024 * KIB)]
)
async def test_a_record_that_is_too_large_is_refused_and_says_so(arn: str, limit_bytes: int) -> None:
    """An event may have 1 MB, and the record has the answer too; a bucket takes it all the same."""
    cloud = Cloud()
    large = ended(payload=json.dumps("x" * limit_bytes).encode())
    with pytest.raises(TargetRefuses, match=rf"bytes are too many for .* takes {limit_bytes:,}"):
        await deliveries(cloud).deliver(Role.ON_FAILURE, arn, large)
    await deliveries(cloud).deliver(Role.ON_FAILURE, BUCKET, large)
    assert cloud.deliveries == 1


@pytest.mark.parametrize(("arn", "limit_bytes"), [(QUEUE, 1024 * KIB), (TOPIC, 256 * KIB)])
async def test_a_dead_letter_is_measured_with_its_attributes(arn: str, limit_bytes: int) -> None:
    """As the services do: names, types and values."""
    cloud = Cloud()
    attributes = function_dead_letter(ended()).attributes
    extra = sum(len(f"{name}{given.data_type}{given.value}") for name, given in attributes.items())
    fits = json.dumps("x" * (limit_bytes - extra - 2)).encode()
    await deliveries(cloud).deliver(Role.DEAD_LETTER, arn, ended(payload=fits))
    assert cloud.deliveries == 1
    with pytest.raises(TargetRefuses, match="too many"):
        await deliveries(cloud).deliver(Role.DEAD_LETTER, arn, ended(payload=fits + b" "))


async def test_an_event_with_characters_that_sqs_refuses_is_no_dead_letter() -> None:
    """The body would have to be the event exactly: the message names the character."""
    with pytest.raises(TargetRefuses, match=r"SQS refuses the character U\+FFFE, at 1"):
        await deliveries(Cloud()).deliver(Role.DEAD_LETTER, QUEUE, ended(payload='"\ufffe"'.encode()))
    cloud = Cloud()
    await deliveries(cloud).deliver(Role.ON_FAILURE, QUEUE, ended(payload='"\ufffe"'.encode()))
    assert cloud.deliveries == 1


def test_what_the_configuration_allows_is_what_can_be_delivered_to() -> None:
    """The kinds of both."""
    assert {kind.target for kind in ON_SUCCESS.kinds} == set(asynchronous.ON_SUCCESS)
    assert {kind.target for kind in ON_FAILURE.kinds} == set(asynchronous.ON_FAILURE)
    assert {kind.target for kind in DEAD_LETTER.kinds} == set(asynchronous.DEAD_LETTERS)


async def test_the_destinations_that_are_kept_are_bounded() -> None:
    """An API may name new ones for ever."""
    cloud = Cloud()
    sender = deliveries(cloud)
    for number in range(300):
        await sender.deliver(Role.ON_SUCCESS, f"{QUEUE}{number}", SUCCESS)
    await sender.deliver(Role.ON_SUCCESS, f"{QUEUE}0", SUCCESS)
    assert cloud.asked == 301

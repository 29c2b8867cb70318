"""Calls that destinations alone make: what of their replies counts as a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from pollers.aws.api import BusEvent, MessageAttribute
from pollers.aws.errors import AwsError, NotFound, Refused, Throttled, Unavailable
from pollers.aws.services.events import EventsClient
from pollers.aws.services.functions import FunctionsClient
from pollers.aws.services.sns import SnsClient
from pollers.aws.services.sqs import SqsClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import RepliedCalls

BUS = "arn:aws:events:us-east-1:000000000000:event-bus/done"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:audit"
EVENT = BusEvent(BUS, "lambda", "Lambda Function Invocation Result - Success", (BUS, FUNCTION), '{"a":1}')
ATTRIBUTES = {"ErrorCode": MessageAttribute("Number", "200"), "RequestID": MessageAttribute("String", "r")}
SPELLED = {
    "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    "RequestID": {"DataType": "String", "StringValue": "r"},
}


@dataclass
class Answers:
    """Calls with these answers, one after another."""

    answers: list[Any]
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        return orjson.dumps(await self.reply(operation, parameters))

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.made.append((operation, dict(parameters)))
        answer = self.answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        return cast("dict[str, Any]", answer)


async def test_an_event_goes_to_its_bus_as_one_entry() -> None:
    """The bus by its ARN, which also names one of another account."""
    calls = Answers([{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}])
    await EventsClient(calls).put(EVENT)
    entry = {
        "EventBusName": BUS,
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Success",
        "Resources": [BUS, FUNCTION],
        "Detail": '{"a":1}',
    }
    assert calls.made == [("PutEvents", {"Entries": [entry]})]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", Throttled),
        ("InternalFailure", Unavailable),
        ("ResourceNotFoundException", NotFound),
        ("MalformedDetail", Refused),
        ("NotAuthorizedForSourceException", Refused),
    ],
)
async def test_an_entry_that_failed_in_a_successful_reply_is_an_error(code: str, kind: type[AwsError]) -> None:
    """By its own code; one that nobody knows is a refusal of the entry."""
    calls = Answers([{"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]}])
    with pytest.raises(kind, match=r"PutEvents: .*no"):
        await EventsClient(calls).put(EVENT)


@pytest.mark.parametrize(
    "reply",
    [
        {"FailedEntryCount": 0, "Entries": []},
        {"FailedEntryCount": 0, "Entries": [{}]},
        {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}]},
        {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}, {"EventId": "2"}]},
        {"FailedEntryCount": 0},
        {"Entries": [{"EventId": "1"}]},
    ],
)
async def test_an_entry_that_is_not_confirmed_is_not_delivered(reply: dict[str, Any]) -> None:
    """It is tried again (docs/design, decision 12)."""
    with pytest.raises(Unavailable, match="InvalidReply"):
        await EventsClient(Answers([reply])).put(EVENT)


async def test_a_bus_that_is_found_by_its_name_alone_is_there_if_it_is_the_same() -> None:
    """Some emulators know no ARNs there; another account's bus of the same name is another."""
    missing = NotFound("ResourceNotFoundException", "none")
    calls = Answers([missing, {"Arn": BUS}])
    await EventsClient(calls).check_bus(BUS)
    assert [parameters["Name"] for _, parameters in calls.made] == [BUS, "done"]
    with pytest.raises(NotFound):
        await EventsClient(Answers([missing, {"Arn": BUS.replace("0000", "1111", 1)}])).check_bus(BUS)


async def test_an_asynchronous_invocation_is_done_when_it_was_accepted() -> None:
    """Status 202 is all that says so."""
    calls = Answers([{"StatusCode": 202}])
    await FunctionsClient(cast("RepliedCalls", calls)).invoke_event(FUNCTION, b"{}")
    assert calls.made == [("Invoke", {"FunctionName": FUNCTION, "InvocationType": "Event", "Payload": b"{}"})]


@pytest.mark.parametrize("reply", [{}, {"StatusCode": 200}, {"StatusCode": 204}, {"StatusCode": None}])
async def test_any_other_success_is_no_acceptance(reply: dict[str, Any]) -> None:
    """A proxy, or something that ran the function at once, or checked the request alone."""
    with pytest.raises(Unavailable, match="InvalidReply"):
        await FunctionsClient(cast("RepliedCalls", Answers([reply]))).invoke_event(FUNCTION, b"{}")


async def test_a_function_that_the_reply_does_not_name_is_not_there() -> None:
    """It may be asked for again."""
    await FunctionsClient(cast("RepliedCalls", Answers([{"FunctionArn": FUNCTION}]))).check_function(FUNCTION)
    with pytest.raises(Unavailable):
        await FunctionsClient(cast("RepliedCalls", Answers([{}]))).check_function(FUNCTION)


async def test_attributes_are_spelled_as_sqs_and_sns_want_them() -> None:
    """And left out where there are none, as is the trace header."""
    calls = Answers([{"MessageId": "1"}] * 4)
    sqs, sns = SqsClient(calls), SnsClient(cast("RepliedCalls", calls))
    await sqs.send("http://q", "b")
    await sqs.send("http://q", "b", attributes=ATTRIBUTES, trace_header="Root=1-2")
    await sns.publish("arn", "m")
    await sns.publish("arn", "m", attributes=ATTRIBUTES)
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2"}}
    plain, full = {"QueueUrl": "http://q", "MessageBody": "b"}, {"MessageAttributes": SPELLED}
    assert [parameters for _, parameters in calls.made] == [
        plain,
        {**plain, **full, "MessageSystemAttributes": header},
        {"TopicArn": "arn", "Message": "m"},
        {"TopicArn": "arn", "Message": "m", **full},
    ]

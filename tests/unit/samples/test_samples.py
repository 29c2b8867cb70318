"""Sample events: fresh ids and times, the configured place, the forms that AWS documents, and names that are easily mistaken."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import unquote_plus

import bson
import pytest
from bson import json_util

from config import parse_arn
from config.models import Schedule
from pollers.samples import SAMPLES, Circumstances, suggestions
from pollers.schedules.events import Home, event_of
from pollers.sources.documentdb.events import ChangeReader
from pollers.sources.dynamodb import events as dynamodb
from pollers.sources.kinesis import events as kinesis
from pollers.sources.registry import kinds
from pollers.sources.sqs.events import SqsEncoder
from tests.unit.samples.circumstances import NOW, circumstances, document

names = pytest.mark.parametrize("name", SAMPLES)


def shape(value: object) -> object:
    """The members of a document, level by level, without their values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


@names
def test_a_sample_is_json(name: str) -> None:
    """An object that comes back from its text as it was."""
    made = document(name)
    assert json.loads(json.dumps(made)) == made


@names
def test_the_same_circumstances_make_the_same_document(name: str) -> None:
    """Nothing else is asked: neither a clock nor other random numbers."""
    assert document(name) == document(name)


@names
def test_two_events_have_ids_of_their_own(name: str) -> None:
    """A handler that remembers ids would take the second for a repetition."""
    later = replace(circumstances(2), now=NOW + timedelta(seconds=1))
    assert SAMPLES[name].make(later) != document(name)
    assert shape(SAMPLES[name].make(later)) == shape(document(name))


@names
def test_a_sample_is_of_the_configured_place(name: str) -> None:
    """No other region or account is in it."""
    text = json.dumps(document(name)).replace("shardId-000000000000", "")
    assert Circumstances(NOW, random.Random(1)).region not in text
    assert Circumstances(NOW, random.Random(1)).account not in text


@names
def test_a_subject_says_in_a_few_words_what_has_happened(name: str) -> None:
    """It is a line of the list."""
    assert 10 < len(SAMPLES[name].subject) < 70


def record(name: str) -> dict[str, Any]:
    """The only record of a batch."""
    records = document(name)["Records"]
    assert isinstance(records, list)
    (one,) = records
    assert isinstance(one, dict)
    return one


def test_every_kind_of_source_has_a_sample() -> None:
    """By the kind's name: handlers of mappings are tried like others."""
    assert {kind.name for kind in kinds()} <= SAMPLES.keys()


def test_what_mappings_make_has_the_members_that_ours_make() -> None:
    """The encoder of each source, given a record of the service's form."""
    message = record("sqs")
    wire = {
        "MessageId": message["messageId"],
        "ReceiptHandle": message["receiptHandle"],
        "MD5OfBody": message["md5OfBody"],
        "MD5OfMessageAttributes": message["md5OfMessageAttributes"],
        "Body": message["body"],
        "Attributes": message["attributes"],
        "MessageAttributes": {"kind": {"StringValue": "placed", "DataType": "String"}},
    }
    made = json.loads(SqsEncoder(parse_arn(message["eventSourceARN"]), window_seconds=0).encode(wire))
    assert made == message

    change = record("dynamodb")
    wire = {name: change[name] for name in ("eventID", "eventName", "eventVersion", "dynamodb")}
    assert json.loads(dynamodb.encoder(change["eventSourceARN"])("shard")(wire)) == change

    click = record("kinesis")
    inner = click["kinesis"]
    wire = {
        "PartitionKey": inner["partitionKey"],
        "SequenceNumber": inner["sequenceNumber"],
        "Data": inner["data"],
        "ApproximateArrivalTimestamp": inner["approximateArrivalTimestamp"],
    }
    made = json.loads(kinesis.encoder(click["eventSourceARN"])("shardId-000000000000")(wire))
    assert {**made, "invokeIdentityArn": ""} == {**click, "invokeIdentityArn": ""}


def test_a_change_event_is_what_our_mapping_makes_of_it() -> None:
    """Letter by letter, given the same event of a server, whose members come in another order."""
    event: Any = document("documentdb")
    (element,) = event["events"]
    sent = dict(reversed(json_util.loads(json.dumps(element["event"])).items()))
    made = ChangeReader().read(bson.encode(sent))
    assert made.event == json.dumps(element, separators=(",", ":")).encode()


def test_keys_of_notifications_are_encoded_as_in_forms() -> None:
    """A handler that does not decode them is found; through EventBridge they come as they are."""
    key = record("s3")["s3"]["object"]["key"]
    detail: Any = document("s3-eventbridge")["detail"]
    assert "+" in key
    assert unquote_plus(key) == detail["object"]["key"] == "incoming/order 1001 (café).json"


@pytest.mark.parametrize(("name", "event"), [("scheduled", "rule"), ("scheduler", "scheduler")])
def test_scheduled_events_are_those_of_our_schedules(name: str, event: Literal["rule", "scheduler"]) -> None:
    """Member by member, but for the id."""
    schedule = Schedule(name="nightly", schedule_expression="cron(0 3 * * ? *)", function_name="orders", event=event)
    made = json.loads(event_of(schedule, int(NOW.timestamp()), 1, Home("eu-west-1", "210987654321")))
    assert {**made, "id": ""} == {**document(name), "id": ""}


def test_times_are_now() -> None:
    """In each of the forms that services write them in."""
    context: Any = document("function-url")["requestContext"]
    assert context["time"] == "31/Jan/2026:12:00:00 +0000"
    assert context["timeEpoch"] == int(NOW.timestamp() * 1000)
    assert record("s3")["eventTime"] == "2026-01-31T12:00:00.123Z"


def test_a_function_url_has_an_anonymous_caller_and_an_address_of_its_region() -> None:
    """As without a signature."""
    event: Any = document("function-url")
    assert event["requestContext"]["accountId"] == "anonymous"
    assert re.fullmatch(r"[a-z0-9]{32}\.lambda-url\.eu-west-1\.on\.aws", event["headers"]["host"])


def test_a_body_is_as_long_as_its_header_says() -> None:
    """In bytes: there is a letter of two in it."""
    for name in ("alb", "api-gateway", "function-url"):
        event: Any = document(name)
        assert event["headers"]["content-length"] == str(len(event["body"].encode())) != str(len(event["body"]))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("apigateway", ["api-gateway"]),
        ("S3", ["s3", "s3-batch", "s3-delete", "s3-eventbridge"]),
        ("cron", ["scheduled"]),
        ("websocket", ["api-gateway-websocket"]),
        ("function_url", ["function-url"]),
        ("dynmodb", ["dynamodb"]),
        ("elephant", []),
        ("", []),
    ],
)
def test_a_name_that_is_none_suggests_what_was_meant(name: str, meant: list[str]) -> None:
    """Other words for a service, other spellings, slips; nothing for what is like no name."""
    assert suggestions(name) == meant


def test_everything_that_is_suggested_exists() -> None:
    """A hint that leads nowhere is worse than none."""
    from pollers.samples.catalogue import OTHER_WORDS

    assert set(OTHER_WORDS.values()) <= SAMPLES.keys()
    assert OTHER_WORDS.keys().isdisjoint(SAMPLES)

"""DynamoDB stream event records, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.wire.slicing import sliced_page
from pollers.sources.dynamodb import events as dynamodb

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2016-12-01T00:00:00.000"
ITEM = {
    "id": {"S": "x"},
    "bin": {"B": "Zm9vYmFy"},
    "bs": {"BS": ["AAEqQQ=="]},
    "n": {"N": "101"},
    "l": {"L": [{"S": "a"}]},
    "m": {"M": {"k": {"BOOL": True}}},
    "z": {"NULL": True},
}
ITEM_JSON = (
    b'{"id":{"S":"x"},"bin":{"B":"Zm9vYmFy"},"bs":{"BS":["AAEqQQ=="]},"n":{"N":"101"},'
    b'"l":{"L":[{"S":"a"}]},"m":{"M":{"k":{"BOOL":true}}},"z":{"NULL":true}}'
)
HEAD = (
    b'{"eventID":"f07f8ca4b0b26cb9c4e5e77e69f274ee","eventName":"%b","eventVersion":"1.1",'
    b'"eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1480642020.0,'
    b'"Keys":{"id":{"S":"x"}},'
)
TAIL = b'"SequenceNumber":"1405400000000002063282832","SizeBytes":54,"StreamViewType":"%b"}'
SOURCE = b',"eventSourceARN":"arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2016-12-01T00:00:00.000"}'


def record(name: str = "INSERT", view: str = "NEW_AND_OLD_IMAGES", **images: object) -> dict[str, Any]:
    """A record as GetRecords sends it, with its members in the service's order."""
    return {
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1480642020,
            "Keys": {"id": {"S": "x"}},
            **images,
            "SequenceNumber": "1405400000000002063282832",
            "SizeBytes": 54,
            "StreamViewType": view,
        },
        "eventID": "f07f8ca4b0b26cb9c4e5e77e69f274ee",
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
    }


def encoded(wire: dict[str, Any]) -> bytes:
    """The record's event record."""
    return dynamodb.encoder(STREAM)("shardId-00000001480642020000-a1b2c3d4")(wire)


def test_an_insert_is_lambdas_to_the_byte() -> None:
    """Members, order, types and spacing of docs/lambda 5.3; the creation time is a float."""
    assert encoded(record(NewImage=ITEM)) == (
        HEAD % b"INSERT" + b'"NewImage":' + ITEM_JSON + b"," + TAIL % b"NEW_AND_OLD_IMAGES" + SOURCE
    )


def test_a_modification_has_both_images() -> None:
    """The new one first."""
    assert encoded(record("MODIFY", NewImage=ITEM, OldImage={"id": {"S": "x"}})) == (
        HEAD % b"MODIFY"
        + b'"NewImage":'
        + ITEM_JSON
        + b',"OldImage":{"id":{"S":"x"}},'
        + TAIL % b"NEW_AND_OLD_IMAGES"
        + SOURCE
    )


def test_a_removal_with_keys_only_has_no_images_at_all() -> None:
    """What the view does not include is absent, not null."""
    assert encoded(record("REMOVE", "KEYS_ONLY")) == HEAD % b"REMOVE" + TAIL % b"KEYS_ONLY" + SOURCE


def test_null_images_are_absent() -> None:
    """An emulator that spells an absent image as null does not reach handlers with it."""
    plain = encoded(record("REMOVE", OldImage=ITEM))
    assert encoded(record("REMOVE", NewImage=None, OldImage=ITEM)) == plain
    assert encoded(record("REMOVE", OldImage=ITEM, NewImage=None)) == plain


def test_members_in_another_order_come_out_in_lambdas() -> None:
    """The order is ours to keep, whatever order the service chose."""
    wire = record("MODIFY", NewImage=ITEM, OldImage=ITEM)
    wire["dynamodb"] = dict(reversed(wire["dynamodb"].items()))
    assert encoded(wire) == encoded(record("MODIFY", NewImage=ITEM, OldImage=ITEM))


def test_a_member_that_lambda_does_not_have_is_left_out() -> None:
    """Also when it makes the members as many as those of a record with both images."""
    wire = record(NewImage=ITEM)
    wire["dynamodb"]["Novelty"] = 1
    assert encoded(wire) == encoded(record(NewImage=ITEM))


def test_a_deletion_by_time_to_live_names_its_principal_in_lower_case() -> None:
    """The API says Type and PrincipalId, the event type and principalId (docs/lambda 5.3)."""
    wire = record("REMOVE", OldImage=ITEM)
    wire["userIdentity"] = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert b'},"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"eventSourceARN":' in encoded(
        wire
    )


def test_a_change_by_a_user_has_no_identity() -> None:
    """userIdentity exists for deletions by time to live only."""
    assert b"userIdentity" not in encoded(record(NewImage=ITEM))


def test_the_event_version_is_the_streams() -> None:
    """Passed through, also when it changes from one record to the next."""
    encode = dynamodb.encoder(STREAM)("shard")
    newer = record(NewImage=ITEM) | {"eventVersion": "1.2"}
    assert [json.loads(encode(wire))["eventVersion"] for wire in (record(NewImage=ITEM), newer)] == ["1.1", "1.2"]


@pytest.mark.parametrize("created", [1480642020, 1480642020.0])
def test_the_creation_time_is_a_float_however_the_service_spelt_it(created: float) -> None:
    """Handlers of the recordings assert a float."""
    wire = record(NewImage=ITEM)
    wire["dynamodb"]["ApproximateCreationDateTime"] = created
    assert b'"ApproximateCreationDateTime":1480642020.0,' in encoded(wire)


def test_the_record_itself_is_not_altered() -> None:
    """A retry reads it again."""
    wire = record("MODIFY", NewImage=ITEM, OldImage=ITEM)
    before = json.dumps(wire)
    encoded(wire)
    assert json.dumps(wire) == before


def sliced(wire: dict[str, Any]) -> Any:  # noqa: ANN401 - the record with its items as text
    """The record as the AWS seam cuts it out of a reply."""
    page = sliced_page(json.dumps({"Records": [wire], "NextShardIterator": "next"}, separators=(",", ":")).encode())
    assert page is not None
    assert page[0]["NextShardIterator"] == "next"
    return page[0]["Records"][0]


@pytest.mark.parametrize(
    "wire",
    [
        record(NewImage=ITEM),
        record("MODIFY", NewImage=ITEM, OldImage=ITEM),
        record("REMOVE", "KEYS_ONLY"),
        record("REMOVE", NewImage=None, OldImage=ITEM),
        record("REMOVE", OldImage=ITEM)
        | {"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}},
    ],
)
def test_a_record_whose_items_are_still_text_gives_the_same_event(wire: dict[str, Any]) -> None:
    """Cut out of the reply or taken apart and put together: byte for byte the same."""
    assert encoded(sliced(wire)) == encoded(wire)


def test_items_that_are_still_text_reach_the_event_as_they_were_written() -> None:
    """Escapes, spaces and the spelling of numbers are the service's."""
    text = b'{"id":{"S":"\\u00e9 \\/ \\ud83d\\ude00"},  "n":{"N":"1.0E+2"}}'
    body = json.dumps({"Records": [record(NewImage="@")]}).encode().replace(b'"@"', text)
    page = sliced_page(body)
    assert page is not None
    assert b'"NewImage":' + text + b"," in encoded(page[0]["Records"][0])  # type: ignore[arg-type] # a TypedDict


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"Records":[{"dynamodb":1}]}',
        b'{"Records":[',
        b'{"Records":{}}',
        b"\xff",
        b'{"Records":[{"eventID":7}]}',
    ],
)
def test_a_reply_that_is_not_as_expected_is_left_to_the_whole_decoder(body: bytes) -> None:
    """Which says what is wrong with it."""
    assert sliced_page(body) is None


TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, TEXT),
        st.builds(lambda number: {"N": str(number)}, st.decimals(allow_nan=False, allow_infinity=False)),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"L": items}, st.lists(inner, max_size=3)),
        st.builds(lambda items: {"M": items}, st.dictionaries(TEXT, inner, max_size=3)),
    ),
    max_leaves=10,
)
ITEMS = st.dictionaries(TEXT, VALUES, max_size=4)


@given(new=ITEMS, old=ITEMS, size=st.integers(0, 2**70))
def test_any_item_is_valid_json_that_reads_back(new: dict[str, Any], old: dict[str, Any], size: int) -> None:
    """Attribute values stay typed, whatever text is in names and values, even such as is not Unicode."""
    wire = record("MODIFY", NewImage=new, OldImage=old)
    wire["dynamodb"]["SizeBytes"] = size
    change = json.loads(encoded(wire))["dynamodb"]
    assert (change["NewImage"], change["OldImage"], change["SizeBytes"]) == (new, old, size)


UNICODE = st.text()


@given(st.dictionaries(UNICODE, st.builds(lambda text: {"S": text}, UNICODE), max_size=4))
def test_any_item_that_is_still_text_gives_the_same_event(item: dict[str, Any]) -> None:
    """Text that is not Unicode aside, which the slicer leaves to the whole decoder."""
    wire = record("MODIFY", NewImage=item, OldImage=item)
    assert json.loads(encoded(sliced(wire))) == json.loads(encoded(wire))


def test_the_deepest_nesting_that_dynamodb_stores_passes() -> None:
    """32 levels of lists and maps."""
    value: dict[str, Any] = {"S": "bottom"}
    for _ in range(32):
        value = {"M": {"k": {"L": [value]}}}
    assert json.loads(encoded(record(NewImage={"deep": value})))["dynamodb"]["NewImage"] == {"deep": value}

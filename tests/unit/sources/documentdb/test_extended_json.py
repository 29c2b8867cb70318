"""Relaxed extended JSON: by MongoDB's specification, with the driver's own spelling as the second opinion."""

from __future__ import annotations

import json
import struct
from typing import Any

import bson
import pytest
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128
from bson.json_util import RELAXED_JSON_OPTIONS
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.documentdb.documents import document_json
from pollers.sources.documentdb.extended_json import NotBson, document_text
from tests.unit.sources.documentdb.documents import PLAIN, documents, raw, string

WHOLE: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO, tz_aware=True)


def pairs(text: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """JSON with the order and the repetition of members; floats and integers are told apart by their text."""
    return json.loads(
        text, object_pairs_hook=lambda members: ("object", members), parse_int=lambda digits: ("int", digits)
    )


@given(documents())
def test_the_driver_spells_a_document_alike(document: dict[str, Any]) -> None:
    """Members, their order, and every value."""
    data = bson.encode(document)
    theirs = json_util.dumps(bson.decode(data, WHOLE), json_options=RELAXED_JSON_OPTIONS)
    assert pairs(document_text(data)) == pairs(theirs)


@given(documents() | documents(PLAIN))
def test_the_fast_way_spells_a_document_as_the_exact_one_does(document: dict[str, Any]) -> None:
    """Byte for byte, or it would not be taken."""
    data = bson.encode(document)
    assert document_json(data) == document_text(data)


OID = bytes(range(12))
OID_TEXT = '{"$oid":"000102030405060708090a0b"}'


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (1, struct.pack("<d", 0.1), "0.1"),
        (1, struct.pack("<d", -0.0), "-0.0"),
        (1, struct.pack("<d", 1.0), "1.0"),
        (1, struct.pack("<d", float("nan")), '{"$numberDouble":"NaN"}'),
        (1, struct.pack("<Q", 0xFFF8000000000001), '{"$numberDouble":"NaN"}'),
        (1, struct.pack("<d", float("inf")), '{"$numberDouble":"Infinity"}'),
        (1, struct.pack("<d", float("-inf")), '{"$numberDouble":"-Infinity"}'),
        (2, string("é\0\u2028".encode()), '"é\\u0000\u2028"'),
        (3, raw(), "{}"),
        (4, raw(), "[]"),
        (4, raw((10, b"0", b""), (8, b"0", b"\1")), "[null,true]"),
        (5, struct.pack("<iB", 2, 0) + b"hi", '{"$binary":{"base64":"aGk=","subType":"00"}}'),
        (5, struct.pack("<iBi", 6, 2, 2) + b"hi", '{"$binary":{"base64":"aGk=","subType":"02"}}'),
        (5, struct.pack("<iB", 16, 4) + bytes(16), '{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAAAA==","subType":"04"}}'),
        (5, struct.pack("<iB", 0, 0x80), '{"$binary":{"base64":"","subType":"80"}}'),
        (6, b"", '{"$undefined":true}'),
        (7, OID, OID_TEXT),
        (8, b"\0", "false"),
        (9, struct.pack("<q", 0), '{"$date":"1970-01-01T00:00:00Z"}'),
        (9, struct.pack("<q", 1_767_323_045_678), '{"$date":"2026-01-02T03:04:05.678Z"}'),
        (9, struct.pack("<q", 1_767_323_045_070), '{"$date":"2026-01-02T03:04:05.070Z"}'),
        (9, struct.pack("<q", -1), '{"$date":{"$numberLong":"-1"}}'),
        (9, struct.pack("<q", 253_402_300_799_999), '{"$date":"9999-12-31T23:59:59.999Z"}'),
        (9, struct.pack("<q", 253_402_300_800_000), '{"$date":{"$numberLong":"253402300800000"}}'),
        (9, struct.pack("<q", -(2**63)), '{"$date":{"$numberLong":"-9223372036854775808"}}'),
        (10, b"", "null"),
        (11, b"^a/\0im\0", '{"$regularExpression":{"pattern":"^a/","options":"im"}}'),
        (12, string(b"db.c") + OID, '{"$dbPointer":{"$ref":"db.c","$id":' + OID_TEXT + "}}"),
        (13, string(b"f()"), '{"$code":"f()"}'),
        (14, string(b"sym"), '{"$symbol":"sym"}'),
        (15, struct.pack("<i", 4 + 8 + len(raw())) + string(b"f()") + raw(), '{"$code":"f()","$scope":{}}'),
        (16, struct.pack("<i", -(2**31)), "-2147483648"),
        (17, struct.pack("<II", 9, 1676588775), '{"$timestamp":{"t":1676588775,"i":9}}'),
        (17, struct.pack("<II", 2**32 - 1, 2**32 - 1), '{"$timestamp":{"t":4294967295,"i":4294967295}}'),
        (18, struct.pack("<q", 2**63 - 1), "9223372036854775807"),
        (19, Decimal128("1.10").bid, '{"$numberDecimal":"1.10"}'),
        (19, Decimal128("-Infinity").bid, '{"$numberDecimal":"-Infinity"}'),
        (127, b"", '{"$maxKey":1}'),
        (255, b"", '{"$minKey":1}'),
    ],
)
def test_every_type_is_spelled_as_specified(kind: int, value: bytes, text: str) -> None:
    """Alone, in an array and beside others, by either way."""
    for name in (b"v", b"", b"a name"):
        data = raw((10, b"n", b""), (kind, name, value), (16, b"z", struct.pack("<i", 6)))
        assert document_text(data).decode() == f'{{"n":null,"{name.decode()}":{text},"z":6}}'
        assert document_json(data) == document_text(data)
    nested = raw((4, b"list", raw((kind, b"0", value))), (3, b"document", raw((kind, b"v", value))))
    assert document_text(nested).decode() == f'{{"list":[{text}],"document":{{"v":{text}}}}}'
    assert document_json(nested) == document_text(nested)


def test_a_reference_keeps_its_members_and_their_order() -> None:
    """The driver would make an object of it, and put it in order."""
    for reference in (
        {"x": 1, "$ref": "c", "$id": 5, "$db": "d", "y": 2},
        {"$id": 5, "$ref": "c"},
        {"$ref": 5},
        {"$ref": "c"},
    ):
        data = bson.encode({"r": bson.SON(reference)})
        assert json.loads(document_json(data), object_pairs_hook=list) == [("r", list(reference.items()))]


def test_undefined_of_no_name_is_not_null() -> None:
    """Wherever a document ends with it."""
    last = (6, b"", b"")
    for members in ((last,), ((10, b"a", b""), last), ((3, b"d", raw((3, b"e", raw(last)))),)):
        assert document_json(raw(*members)) == document_text(raw(*members))


def test_of_members_of_one_name_the_last_counts() -> None:
    """In the place of the first, whichever way is taken."""
    for other in ((16, b"o", struct.pack("<i", 1)), (1, b"o", struct.pack("<d", float("nan")))):
        data = raw((16, b"a", struct.pack("<i", 1)), other, (16, b"a", struct.pack("<i", 2)))
        assert document_json(data).startswith(b'{"a":2,"o":')
        assert document_json(data).count(b'"a"') == 1


def test_text_that_is_no_utf_8_becomes_what_json_can_say() -> None:
    """Names and values: such bytes are replaced, for not every reader of JSON takes half of a surrogate pair. Two names that then
    look alike are both kept."""
    data = raw((2, b"s", string(b"\xed\xa0\x80")), (2, b"\xff", string(b"a\xffb")), (10, b"\xfe", b""))
    assert document_json(data) == '{"s":"���","�":"a�b","�":null}'.encode()


def test_a_text_with_zeros_and_quotes_is_escaped() -> None:
    """As JSON wants it."""
    value = '"\\\0\n\t\x7f</script>'
    assert json.loads(document_json(bson.encode({value.replace("\0", ""): value}))) == {value.replace("\0", ""): value}


@pytest.mark.parametrize("depth", [1, 100, 180, 250, 300])
def test_a_document_may_be_nested_deeply(depth: int) -> None:
    """A hundred levels are MongoDB's limit for documents; orjson's is 254."""
    data = raw((8, b"v", b"\1"))
    for _ in range(depth):
        data = raw((3, b"d", data))
    assert document_json(data) == b'{"d":' * depth + b'{"v":true}' + b"}" * depth


@given(st.binary(max_size=60))
def test_bytes_that_are_no_bson_are_refused(data: bytes) -> None:
    """With NotBson, whatever they are."""
    for spell in (document_text, document_json):
        try:
            spell(data)
        except NotBson:
            continue
        assert len(data) == struct.unpack("<i", data[:4])[0]


@given(documents(), st.data())
def test_a_document_that_was_damaged_is_spelled_or_refused(document: dict[str, Any], chosen: st.DataObject) -> None:
    """With JSON, or NotBson."""
    data = bytearray(bson.encode(document))
    data[chosen.draw(st.integers(0, len(data) - 1))] = chosen.draw(st.integers(0, 255))
    try:
        json.loads(document_json(bytes(data)))
    except NotBson:
        return


def test_a_document_nested_without_end_is_refused() -> None:
    """Not even such a one ends the process."""
    data = b""
    for _ in range(5_000):
        data = b"\x03d\0" + struct.pack("<i", len(data) + 5) + data + b"\0"
    with pytest.raises(NotBson):
        document_json(struct.pack("<i", len(data) + 5) + data + b"\0")

"""BSON documents for tests: every type that the driver can write, and some that it cannot."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import strategies as st

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | UNICODE
    | st.binary(min_size=12, max_size=12).map(ObjectId)
    | st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
    )
    | st.binary(max_size=30)
    | st.integers(0, 10**34 - 1).map(lambda digits: Decimal128(str(digits)))
    | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)).map(lambda parts: Timestamp(*parts))
)
"""Values that the fast way spells."""
RARE = (
    st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, MinKey(), MaxKey(), Decimal128("NaN")])
    | st.tuples(st.binary(max_size=30), st.sampled_from([1, 2, 4, 5, 128])).map(lambda parts: Binary(*parts))
    | st.integers(-(2**63), 2**63 - 1).map(DatetimeMS)
    | st.tuples(
        st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=9), st.sampled_from(["", "i", "imx"])
    ).map(lambda parts: Regex(parts[0], parts[1]))
    | UNICODE.map(Code)
    | UNICODE.map(lambda code: Code(code, {"x": 1, "nan": float("nan")}))
)
"""Values that it leaves to the exact way."""


def documents(values: st.SearchStrategy[Any] = PLAIN | RARE) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of such values, nested."""
    nested = st.recursive(
        values, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=6
    )
    return st.dictionaries(NAMES, nested, max_size=4)


def raw(*elements: tuple[int, bytes, bytes]) -> bytes:
    """A BSON document of types, names and values as bytes."""
    body = b"".join(bytes([kind]) + name + b"\0" + value for kind, name, value in elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def string(value: bytes) -> bytes:
    """The value of a string."""
    return struct.pack("<i", len(value) + 1) + value + b"\0"

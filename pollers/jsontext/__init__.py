"""JSON as text, for what must be compared or passed on exactly as it was written.

May import nothing but the standard library and the JSON parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.jsontext.members import member_texts
    from pollers.jsontext.numbers import (
        EXACT_DOUBLES,
        NOT_JSON,
        Json,
        NotJson,
        NumberText,
        decode,
        digits,
        literal_value,
        number_text,
        plain_integer,
        refuse_constant,
    )

__all__ = [
    "EXACT_DOUBLES",
    "NOT_JSON",
    "Json",
    "NotJson",
    "NumberText",
    "decode",
    "digits",
    "literal_value",
    "member_texts",
    "number_text",
    "plain_integer",
    "refuse_constant",
]
__getattr__ = lazily(
    __name__,
    {
        "members": "member_texts",
        "numbers": (
            "EXACT_DOUBLES Json NOT_JSON NotJson NumberText decode digits literal_value number_text plain_integer "
            "refuse_constant"
        ),
    },
)

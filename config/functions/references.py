"""Names of functions as other sections write them: a key under ``functions``, or an ARN of Lambda's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from config.options.spelling import suggestion
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

_FUNCTION = re.compile(
    r"(?:arn:[a-zA-Z0-9-]+:lambda:[a-z0-9-]*:)?(?:[0-9]{12}:)?(?:function:)?(?P<name>[a-zA-Z0-9-_]{1,140})(?::(?P<qualifier>[a-zA-Z0-9$_-]+))?"
)
SHOWN_FUNCTIONS = 10


def refer(text: str) -> tuple[str, str | None] | None:
    """The key under ``functions`` that a name or an ARN means, and its qualifier; None when it is neither."""
    found = _FUNCTION.fullmatch(text)
    return None if found is None else (found["name"], found["qualifier"])


def undefined(key: str, functions: Iterable[str]) -> str:
    """What to say of a function that is not defined."""
    defined = list(functions)
    shown = ", ".join(defined[:SHOWN_FUNCTIONS]) + (", ..." if len(defined) > SHOWN_FUNCTIONS else "")
    wanted = f"a function that is defined under functions ({shown or 'none is'})"
    return f"found {quoted(key)}{suggestion(key, defined)}, expected {wanted}"


def unqualified(key: str, qualifier: str | None) -> str | None:
    """What to note of a qualifier that does nothing; None where there is nothing to note."""
    if qualifier is None or qualifier == "$LATEST":
        return None
    return f"the qualifier {quoted(qualifier)} has no effect: functions.{key} runs as it is defined"

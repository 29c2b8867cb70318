"""How often a function was already called in a chain of invocations (decider; docs/lambda 12.9).

A record holds the event that it is about, which may be the record of an invocation before: so the chain is in the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS_AT_MOST = 16
"""Of one function in a chain. Lambda's number is "about 16"."""
_IN_EVERY_RECORD = b'"approximateInvokeCount":'


def endless(record: bytes, function_arn: str) -> bool:
    """Whether the chain that leads to this record has called the function so often that it is taken for endless."""
    if record.count(_IN_EVERY_RECORD) < CALLS_AT_MOST:
        return False
    return sum(arn == function_arn for arn in _chain(record)) >= CALLS_AT_MOST


def _chain(record: bytes) -> Iterator[str]:
    """The unqualified ARNs of the functions in the chain, the last one first."""
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError:  # nested too deep to be read, with all that functions answered
        return
    while isinstance(document, dict):
        context = document.get("requestContext")
        arn = context.get("functionArn") if isinstance(context, dict) else None
        if not isinstance(arn, str):
            return
        yield arn.rpartition(":")[0]
        document = document.get("requestPayload")

"""How an invocation is asked for, by its headers (docs/lambda 11.2). A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.lambda_api.errors import invalid, not_in_set

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYNCHRONOUS = "RequestResponse"
ASYNCHRONOUS = "Event"
DRY_RUN = "DryRun"
ALL_TYPES = (ASYNCHRONOUS, SYNCHRONOUS, DRY_RUN)
STREAMED_TYPES = (SYNCHRONOUS, DRY_RUN)


def invocation_type(headers: Mapping[str, str], allowed: Sequence[str] = ALL_TYPES) -> str:
    """``RequestResponse`` if none is given. Raises ApiError for another value than those allowed."""
    given = headers.get("X-Amz-Invocation-Type")
    if given is None:
        return SYNCHRONOUS
    if given not in allowed:
        raise invalid(not_in_set(given, "invocationType", allowed))
    return given


def wants_log(headers: Mapping[str, str]) -> bool:
    """Whether the end of the log is asked for. Raises ApiError for what is neither ``Tail`` nor ``None``."""
    given = headers.get("X-Amz-Log-Type")
    if given not in (None, "None", "Tail"):
        raise invalid(not_in_set(str(given), "logType", ("None", "Tail")))
    return given == "Tail"

"""Chains of invocations that do not end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pollers.destinations import Condition, QueuedFunctions, TargetRefuses
from pollers.destinations.invocation_record import InvocationRecord
from pollers.destinations.recursion import CALLS_AT_MOST, endless
from tests.unit.destinations.ends import FUNCTION, ended

OTHER = FUNCTION.replace("orders", "audit")


def chain(calls: int, *functions: str, payload: bytes = b'{"order":1}', response: bytes | None = b"null") -> bytes:
    """The record at the end of a chain of so many calls, of these functions in turns."""
    for call in range(calls):
        end = ended(Condition.SUCCESS, payload=payload, response=response)
        end = replace(end, event=replace(end.event, function_arn=functions[call % len(functions)]))
        payload = InvocationRecord(end).encode()
    return payload


def test_a_chain_that_came_back_sixteen_times_is_endless() -> None:
    """Of the function that would be called; one call less is not."""
    assert endless(chain(CALLS_AT_MOST, FUNCTION), FUNCTION)
    assert not endless(chain(CALLS_AT_MOST - 1, FUNCTION), FUNCTION)
    assert endless(chain(2 * CALLS_AT_MOST, FUNCTION, OTHER), OTHER)
    assert not endless(chain(2 * CALLS_AT_MOST - 1, FUNCTION, OTHER), OTHER)


def test_a_long_chain_of_different_functions_is_not_endless() -> None:
    """It ends by itself."""
    functions = [f"{FUNCTION}{number}" for number in range(40)]
    assert not any(endless(chain(40, *functions), function) for function in functions)


@pytest.mark.parametrize(
    "event",
    [
        b'{"text":"' + b'\\"approximateInvokeCount\\":' * 20 + b'"}',
        b"[" + b'{"approximateInvokeCount":1},' * 20 + b"1]",
        b'{"requestContext":[],"requestPayload":[' + b'{"approximateInvokeCount":1},' * 20 + b"1]}",
        b"[" * 2000 + b'"approximateInvokeCount":' * 20 + b"]" * 2000,
    ],
)
def test_what_only_looks_like_a_chain_is_none(event: bytes) -> None:
    """Whatever users send."""
    assert not endless(chain(1, FUNCTION, payload=event), FUNCTION)


def test_what_functions_answered_is_no_part_of_the_chain() -> None:
    """A function that returns its event has records in its answers, too."""
    record = chain(3, FUNCTION, response=chain(10, FUNCTION))
    assert record.count(b'"approximateInvokeCount":') > CALLS_AT_MOST
    assert not endless(record, FUNCTION)


async def test_recursion_may_be_allowed() -> None:
    """By the function's setting."""
    taken: list[str] = []

    class Queue:
        async def accept(self, function: str, event: bytes, *, request_id: str, beyond_limit: bool) -> bool:
            taken.append(function)
            return True

    def functions(*, allowed: bool) -> QueuedFunctions:
        return QueuedFunctions({"orders"}, lambda name: FUNCTION, Queue, lambda name: allowed)

    record = chain(CALLS_AT_MOST, FUNCTION)
    with pytest.raises(TargetRefuses, match="function orders was called 16 times in one chain of invocations"):
        await functions(allowed=False).accept(FUNCTION, record)
    await functions(allowed=True).accept(f"{FUNCTION}:$LATEST", record)
    assert taken == ["orders"]

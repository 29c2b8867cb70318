"""Ends of asynchronous invocations, for the tests of what is told of them."""

from __future__ import annotations

from pollers.destinations import AcceptedEvent, Condition, EndedInvocation

FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:orders"
REQUEST_ID = "11111111-2222-4333-8444-555555555555"
ERROR = b'{"errorMessage": "no stock", "errorType": "Exception", "requestId": "R", "stackTrace": ["  File a"]}'


def ended(
    condition: Condition = Condition.RETRIES_EXHAUSTED,
    *,
    payload: bytes = b'{"raise_error":1}',
    count: int = 3,
    response: bytes | None = ERROR,
    request_id: str = REQUEST_ID,
) -> EndedInvocation:
    """The end of an event, an error's document being what the function answered last if it did not succeed."""
    event = AcceptedEvent(request_id, "orders", FUNCTION, payload, accepted_at=1764025000.25)
    failed = response is not None and condition is not Condition.SUCCESS
    return EndedInvocation(event, condition, count, 1764026050.5689, response, function_error=failed)

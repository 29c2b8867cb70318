"""Replies that are ours."""

from __future__ import annotations

import json

from handlers.function import InfrastructureError, Throttle
from pollers.function_urls.replies import FAILED, FORBIDDEN, UNKNOWN_URL, not_run, throttled


def test_an_unknown_url_is_answered_as_recorded() -> None:
    """403 and a null message, never 404."""
    assert (UNKNOWN_URL.status, UNKNOWN_URL.body) == (403, b'{"Message":null}')
    assert dict(UNKNOWN_URL.headers) == {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": "AccessDeniedException",
    }


def test_whoever_may_not_call_is_told_where_to_read() -> None:
    """In the recorded words."""
    assert FORBIDDEN.status == 403
    assert json.loads(FORBIDDEN.body)["Message"].startswith("Forbidden. For troubleshooting Function URL authorization")


def test_a_throttle_is_429() -> None:
    """With the time after which it may go, where that is known."""
    assert throttled(Throttle("full")).status == 429
    assert dict(throttled(Throttle("full", 0.2)).headers)["Retry-After"] == "1"


def test_a_function_that_could_not_run_is_502() -> None:
    """As one that failed."""
    assert not_run(InfrastructureError("away")) == FAILED

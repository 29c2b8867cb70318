"""What invocations in process log, as it is kept for the tail of their log."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from handlers.logs import LogTail, OfInvocations, context_of, keep


class Broken:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def kept(message: object, *arguments: object, exc_info: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - as logging takes it
    """What is kept of one record of an invocation."""
    tail = LogTail()
    record = logging.LogRecord("app", logging.WARNING, "app.py", 1, message, arguments, exc_info)
    assert context_of("orders", "r-1", 0, tail).run(OfInvocations().filter, record)
    return tail.lines()


@pytest.mark.parametrize(
    ("message", "arguments", "text"),
    [
        ("%d apples", (3,), "3 apples"),
        ({"event": "by structlog", "item": 1}, (), "by structlog"),
        ("%d apples", ("many",), "%d apples"),
        (Broken(), (), "(text not available)"),
    ],
)
def test_a_record_is_kept_in_lambda_s_form(message: object, arguments: tuple[object, ...], text: str) -> None:
    """Also one that cannot be formatted: user code is not to fail by what it logs."""
    (line,) = kept(message, *arguments)
    level, at, request_id, said = line.split("\t")
    assert (level, at[-1], request_id, said) == ("[WARNING]", "Z", "r-1", text)


@pytest.mark.parametrize("exc_info", [(None, None, None), (None, 1, 2), ("nonsense",), True])
def test_an_exception_that_is_none_is_left_out(exc_info: object) -> None:
    """Whatever ``exc_info`` is."""
    (line,) = kept("said", exc_info=exc_info)
    assert line.endswith("\tsaid")


def test_an_exception_is_kept_with_its_trace() -> None:
    """As ``logging.exception`` gives it."""
    try:
        raise KeyError("k")
    except KeyError:
        (line,) = kept("caught", exc_info=sys.exc_info())
    assert "\tcaught\nTraceback (most recent call last):\n" in line
    assert line.endswith("KeyError: 'k'")


def test_outside_of_an_invocation_nothing_is_kept() -> None:
    """At import, and in threads that a handler starts."""
    keep("text")
    tail = LogTail()
    context_of("orders", "r-1", 0, tail).run(keep, "")
    assert tail.lines() == ()

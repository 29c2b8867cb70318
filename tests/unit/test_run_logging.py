"""Logging that one test sets up is no other test's."""

from __future__ import annotations

import io
import logging

import structlog

from pollers.telemetry.logging import configure_logging
from tests.run_logging import as_it_was, as_run_logs


def test_loggers_used_while_a_command_ran_in_this_process_can_be_listened_to_afterwards() -> None:
    """``headrace run`` and others set logging up for good."""
    log = structlog.get_logger("of.a.module")
    with as_it_was():
        configure_logging("info", stream=io.StringIO())
        log.warning("meanwhile")
    with structlog.testing.capture_logs() as lines:
        log.warning("afterwards")
    assert [line["event"] for line in lines] == ["afterwards"]


def test_loggers_used_meanwhile_can_be_listened_to_afterwards() -> None:
    """Those that the modules of Headrace hold for the life of the process."""
    log = structlog.get_logger("of.a.module")
    before = logging.getLogger().handlers[:]
    out = io.StringIO()
    with as_run_logs(stream=out):
        log.warning("meanwhile")
    assert "meanwhile" in out.getvalue()
    with structlog.testing.capture_logs() as lines:
        log.warning("afterwards")
    assert [line["event"] for line in lines] == ["afterwards"]
    assert logging.getLogger().handlers == before


def test_what_is_set_for_loggers_meanwhile_is_no_later_test_s() -> None:
    """``headrace invoke`` silences a whole package, and functions have loggers of their own."""
    package, function = logging.getLogger("handlers"), logging.getLogger("handlers.functions.of_this_test")
    before = package.level
    with as_it_was():
        package.setLevel(logging.CRITICAL)
        function.propagate = False
        function.addHandler(logging.NullHandler())
        function.setLevel(logging.DEBUG)
        logging.getLogger("handlers.functions.made_meanwhile").setLevel(logging.DEBUG)
    assert package.level == before
    assert function.propagate
    assert not function.handlers
    assert function.level == logging.getLogger("handlers.functions.made_meanwhile").level == logging.NOTSET

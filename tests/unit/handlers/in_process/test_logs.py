"""Log records of handlers inside Headrace: whose they are, and which are left out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from config.models import LoggingConfig
from handlers.function import Payload
from handlers.logs.tail import TAIL_LINES
from tests.run_logging import as_run_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.handlers.in_process.conftest import MakeFunction


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Headrace's own log, as JSON; everything as it was afterwards."""
    stream = io.StringIO()
    with as_run_logs(stream=stream):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("define", ["def", "async def"])
async def test_what_a_handler_logs_has_its_request(
    make: MakeFunction, logged: Callable[[], list[dict[str, Any]]], define: str
) -> None:
    """Function and request id, invocations side by side included; what Headrace logs itself has neither."""
    code = f"""
        import logging, structlog
        {define} handler(event, context):
            logging.warning("by logging")
            logging.getLogger("of.a.library").error("by a library", extra={{"item": 7}})
            structlog.get_logger().warning("by structlog")
    """
    async with make(code) as function:
        await asyncio.gather(*(function.invoke(b"{}", request_id=f"r-{number}") for number in range(5)))
        logging.warning("of our own")
    lines = logged()
    for number in range(5):
        own = {line["event"]: line for line in lines if line.get("request_id") == f"r-{number}"}
        assert set(own) == {"by logging", "by a library", "by structlog"}
        assert all(line["function"] == "orders" for line in own.values())
        assert own["by a library"]["item"] == 7
    (ours,) = (line for line in lines if line["event"] == "of our own")
    assert not {"function", "request_id"} & set(ours)


async def test_a_level_leaves_lower_records_out(make: MakeFunction, logged: Callable[[], list[dict[str, Any]]]) -> None:
    """Whichever logger they come from."""
    code = """
        import logging
        def handler(event, context):
            logging.warning("low")
            logging.getLogger("of.a.library").error("high")
            return context.log_group_name
    """
    config = LoggingConfig(log_format="JSON", application_log_level="ERROR", log_group="/all")
    async with make(code, logging_config=config) as function:
        assert (await function.invoke(b"{}", request_id="r")).result == Payload(b'"/all"')
    assert [line["event"] for line in logged()] == ["high"]


async def test_a_level_below_info_is_shown_for_the_functions_own_modules(
    make: MakeFunction, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Loggers that are called as their modules are; Headrace's own level stays that of all others."""
    code = """
        import logging
        def handler(event, context):
            logging.getLogger(__name__).debug("own")
            logging.getLogger("of.a.library").debug("another's")
    """
    config = LoggingConfig(log_format="JSON", application_log_level="DEBUG")
    async with make(code, logging_config=config) as function:
        await function.invoke(b"{}", request_id="r")
    assert [(line["event"], line["level"], line["request_id"]) for line in logged()] == [("own", "debug", "r")]


@pytest.mark.parametrize("define", ["def", "async def"])
async def test_an_invocation_s_log_has_what_it_printed_and_logged(
    make: MakeFunction, logged: Callable[[], list[dict[str, Any]]], capsys: pytest.CaptureFixture[str], define: str
) -> None:
    """Its own and no other's, in order, records in Lambda's form; what is printed elsewhere is printed all the same."""
    code = f"""
        import logging, structlog, sys
        {define} handler(event, context):
            print("printed", event, sep="-")
            logging.warning("logged %s", event)
            structlog.get_logger().warning("structured")
            print("elsewhere", file=sys.stderr)
            if event == 3:
                try:
                    1 / 0
                except ZeroDivisionError:
                    logging.exception("caught")
                raise KeyError("k")
    """
    async with make(code) as function:
        calls = (function.invoke(str(number).encode(), request_id=f"r-{number}") for number in range(4))
        *others, failed = await asyncio.gather(*calls)
    for number, invocation in enumerate(others):
        printed, record, structured = invocation.log
        assert printed == f"printed-{number}"
        assert record.startswith("[WARNING]\t20")
        assert record.endswith(f"Z\tr-{number}\tlogged {number}")
        assert structured.endswith("\tstructured")
    *_, caught, raised = failed.log
    assert "\tcaught\nTraceback (most recent call last):\n" in caught
    assert caught.endswith("ZeroDivisionError: division by zero")
    assert raised.startswith("[ERROR] KeyError: 'k'\nTraceback (most recent call last):\n  File ")
    written = capsys.readouterr()
    assert sorted(written.out.splitlines()) == [f"printed-{number}" for number in range(4)]
    assert written.err.count("elsewhere") == 4


async def test_an_invocation_s_log_is_bounded(make: MakeFunction) -> None:
    """The newest of it is kept."""
    code = """
        def handler(event, context):
            for number in range(100_000):
                print(number)
    """
    async with make(code) as function:
        log = (await function.invoke(b"{}", request_id="r")).log
    assert len(log) == TAIL_LINES
    assert log[-1] == "99999"


async def test_print_is_python_s_own(make: MakeFunction, capsys: pytest.CaptureFixture[str]) -> None:
    """With all that it can do; at import it belongs to no invocation."""
    code = """
        import io
        print("imported")
        def handler(event, context):
            into = io.StringIO()
            print("a", "b", sep="+", end="!", file=into)
            print("x", end="", flush=True)
            print()
            try:
                print(sep=1)
            except TypeError:
                return into.getvalue()
    """
    async with make(code) as function:
        invocation = await function.invoke(b"{}", request_id="r")
    assert invocation.result == Payload(b'"a+b!"')
    assert capsys.readouterr().out == "imported\nx\n"
    assert invocation.log == ("x",)

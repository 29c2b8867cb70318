"""The logs of functions in worker processes: a record is one event, with its own request's id and its own level."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from config.models import LoggingConfig
from handlers.function import FunctionError, Payload
from handlers.logs import log_tail
from pollers.emulators.cache import installed
from tests.e2e.functions import provided_function, python_function, until
from tests.node_client import NodeClient, executable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from structlog.typing import EventDict

Events = list[Any]


@pytest.fixture(name="events")
def _events() -> Iterator[list[EventDict]]:
    """Everything that is logged."""
    with structlog.testing.capture_logs() as events:
        yield events


def said(events: Events, *, of: str | None = None) -> list[tuple[str, str]]:
    """Level and text of what functions themselves said, of one request."""
    return [(event["log_level"], event["event"]) for event in events if "stream" in event and event["request_id"] == of]


async def test_a_record_of_several_lines_is_one_event_of_its_own_request(tmp_path: Path, events: Events) -> None:
    """``logging.exception`` has its whole traceback, and the next request has nothing of it."""
    source = """
        import logging
        def handler(event, context):
            try:
                1 / event
            except ZeroDivisionError:
                logging.exception("cannot\\ndivide")
            logging.getLogger("app").warning("done")
    """
    async with python_function(tmp_path, source) as function:
        first = await function.invoke(b"0", request_id="r-1")
        await function.invoke(b"1", request_id="r-2")
    (level, text), second = said(events, of="r-1")
    assert level == "error"
    assert text.startswith("[ERROR]\t")
    assert "\tr-1\tcannot\ndivide\nTraceback (most recent call last):\n" in text
    assert text.endswith("ZeroDivisionError: division by zero")
    assert text in first.log
    assert (second[0], second[1].split("\t")[2:]) == ("warning", ["r-1", "done"])
    assert [level for level, _ in said(events, of="r-2")] == ["warning"]


async def test_prints_and_records_keep_their_order(tmp_path: Path, events: Events) -> None:
    """Whatever wrote them, a print without an end included; the unfinished last line is the request's own."""
    source = """
        import logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            for number in range(20):
                print("print", number)
                logging.info("record %d", number)
                print("begun", end="")
            print(" and left", end="")
    """
    async with python_function(tmp_path, source) as function:
        await function.invoke(b"0", request_id="r-1")
        await function.invoke(b"0", request_id="r-2")
    for request in ("r-1", "r-2"):
        texts = [text.rpartition("\t")[2] for _, text in said(events, of=request)]
        assert texts[:4] == ["print 0", "record 0", "begunprint 1", "record 1"]
        assert texts[-3:] == ["begunprint 19", "record 19", "begun and left"]


async def test_what_comes_after_the_answer_belongs_to_the_request_that_was_answered(
    tmp_path: Path, events: Events
) -> None:
    """A thread that prints on: up to the next invocation it is the last one's, and no part of any result."""
    source = """
        import os, threading
        def handler(event, context):
            if event:
                def late():
                    while os.path.exists(event):
                        pass
                    os.write(1, b"late")
                    open(event + ".said", "w").close()
                threading.Thread(target=late).start()
            print("in time")
    """
    mark = tmp_path / "mark"
    mark.touch()
    async with python_function(tmp_path / "code", source) as function:
        first = await function.invoke(json.dumps(str(mark)).encode(), request_id="r-1")
        mark.unlink()
        await until((tmp_path / "mark.said").exists)
        second = await function.invoke(b"0", request_id="r-2")
    assert said(events, of="r-1") == [("info", "in time"), ("info", "late")]
    assert said(events, of="r-2") == [("info", "in time")]
    assert "late" not in first.log + second.log


async def test_an_unhandled_exception_is_one_event(tmp_path: Path, events: Events) -> None:
    """As AWS's client writes it: type, message and where."""
    source = "def handler(event, context):\n    raise ValueError('no such thing')\n"
    async with python_function(tmp_path, source) as function:
        assert isinstance((await function.invoke(b"0", request_id="r-1")).result, FunctionError)
    ((level, text),) = said(events, of="r-1")
    assert level == "error"
    assert text.startswith("[ERROR] ValueError: no such thing\nTraceback (most recent call last):\n")


async def test_json_format_and_its_levels(tmp_path: Path, events: Events) -> None:
    """Records are Lambda's JSON, lower levels are left out by whatever wrote them, plain text passes; START is too low."""
    source = """
        import logging, os
        quiet = logging.getLogger("quiet")
        quiet.setLevel("DEBUG")
        def handler(event, context):
            logging.info("left out")
            quiet.debug("left out too: its logger's own level is lower")
            logging.warning("low %s", "stock", extra={"item": 7})
            print('{"level": "info", "message": "left out"}')
            print('{"message": "left out: no level is INFO"}')
            print('{"level": "FATAL", "message": "shown"}')
            print("plain")
            try:
                raise KeyError("x")
            except KeyError:
                logging.exception("oh")
            return [os.environ["AWS_LAMBDA_LOG_FORMAT"], os.environ["AWS_LAMBDA_LOG_LEVEL"], context.log_group_name]
    """
    config = LoggingConfig(
        log_format="JSON", application_log_level="WARN", system_log_level="WARN", log_group="/all/logs"
    )
    async with python_function(tmp_path, source, logging_config=config) as function:
        invocation = await function.invoke(b"0", request_id="r-1")
    assert invocation.result == Payload(b'["JSON", "WARN", "/all/logs"]')
    assert [level for level, _ in said(events, of="r-1")] == ["warning", "critical", "info", "error"]
    low, _, plain, oh = (text for _, text in said(events, of="r-1"))
    record = json.loads(low)
    assert (record["level"], record["message"], record["requestId"], record["item"]) == (
        "WARNING",
        "low stock",
        "r-1",
        7,
    )
    assert plain == "plain"
    assert json.loads(oh)["errorType"] == "KeyError"
    assert invocation.log == tuple(text for _, text in said(events, of="r-1"))


async def test_json_format_makes_lambdas_platform_events(tmp_path: Path, events: Events) -> None:
    """The start, the end and the report are JSON, at Lambda's levels; a failure's are warnings."""
    source = """
        import os
        def handler(event, context):
            if event: os._exit(1)
    """
    config = LoggingConfig(log_format="JSON", system_log_level="DEBUG")
    async with python_function(tmp_path, source, logging_config=config) as function:
        for event in (b"0", b"1"):
            await function.invoke(event, request_id="r-" + event.decode())
    platform = [event for event in events if event["event"].startswith('{"time":')]
    parsed = [json.loads(event["event"]) for event in platform]
    assert [(event["log_level"], record["type"]) for event, record in zip(platform, parsed, strict=True)] == [
        ("info", "platform.start"),
        ("debug", "platform.runtimeDone"),
        ("info", "platform.report"),
        ("info", "platform.start"),
        ("warning", "platform.runtimeDone"),
        ("warning", "platform.report"),
    ]
    assert parsed[0]["record"] == {"requestId": "r-0", "version": "$LATEST"}
    assert parsed[2]["record"]["status"] == "success"
    assert set(parsed[2]["record"]["metrics"]) == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
    }
    assert parsed[5]["record"]["errorType"] == "Runtime.ExitError"


async def test_powertools_logger_has_its_levels(tmp_path: Path, events: Events) -> None:
    """Its lines of JSON are as they are; each has its level."""
    pytest.importorskip("aws_lambda_powertools")
    source = """
        from aws_lambda_powertools import Logger
        logger = Logger(service="orders", level="DEBUG")
        @logger.inject_lambda_context
        def handler(event, context):
            logger.debug("a"); logger.info({"b": 1}); logger.warning("c")
            try:
                1 / 0
            except ZeroDivisionError:
                logger.exception("d")
            logger.critical("e")
    """
    async with python_function(tmp_path, source) as function:
        await function.invoke(b"{}", request_id="r-1")
    lines = said(events, of="r-1")
    assert [level for level, _ in lines] == ["debug", "info", "warning", "error", "critical"]
    assert {json.loads(text)["function_request_id"] for _, text in lines} == {"r-1"}


async def test_awss_client_as_a_provided_runtime_has_its_records(tmp_path: Path, events: Events) -> None:
    """A command that names AWS's client gets the descriptor too."""
    (tmp_path / "app.py").write_text(
        "import logging\ndef handler(event, context):\n    logging.error('two\\nlines')\n    print('end')\n"
    )
    command = [sys.executable, "-m", "awslambdaric", "app.handler"]
    async with provided_function(tmp_path, "#!/bin/sh\n", command=command) as function:
        assert (await function.invoke(b"0", request_id="r-1")).result == Payload(b"null")
    (level, text), end = said(events, of="r-1")
    assert (level, text.rpartition("\t")[2]) == ("error", "two\nlines")
    assert end == ("info", "end")


async def test_a_bootstrap_that_says_something_without_an_end_says_it_of_its_own_request(
    tmp_path: Path, events: Events
) -> None:
    """A shell script's ``printf`` is one event each time, and its levels are read."""
    bootstrap = """\
        #!/bin/sh
        base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
        [ -z "$_LAMBDA_TELEMETRY_LOG_FD" ] || exit 1
        while :; do
            id=$(curl -sS -D - -o /dev/null $base/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
            [ -n "$id" ] || exit 1
            printf '[WARN]\\thandling %s' $id
            curl -sS -o /dev/null -d null $base/$id/response
        done
    """
    async with provided_function(tmp_path, bootstrap) as function:
        for request in ("r-1", "r-2"):
            await function.invoke(b"0", request_id=request)
    for request in ("r-1", "r-2"):
        assert said(events, of=request) == [("warning", f"[WARN]\thandling {request}")]


async def test_a_worker_that_dies_in_the_middle_of_a_record_has_said_the_rest(tmp_path: Path, events: Events) -> None:
    """What it wrote is its invocation's, whole lines, begun lines and begun records."""
    source = """
        import logging, os, time
        descriptor = int(open("/proc/self/environ").read().partition("_LAMBDA_TELEMETRY_LOG_FD=")[2].partition(chr(0))[0])
        def handler(event, context):
            logging.error("whole")
            os.write(2, b"begun")
            os.write(descriptor, bytes.fromhex("a55a001b00000100") + (time.time_ns() // 1000).to_bytes(8, "big") + b"half")
            os._exit(1)
    """
    async with python_function(tmp_path, source) as function:
        invocation = await function.invoke(b"0", request_id="r-1")
    assert isinstance(invocation.result, FunctionError)
    levels = {text.rpartition("\t")[2]: level for level, text in said(events, of="r-1")}
    assert levels == {"whole": "error", "begun": "info", "half": "critical"}
    assert {"begun", "half"} <= set(invocation.log)


async def test_frames_that_lie_spoil_no_more_than_their_invocation(tmp_path: Path, events: Events) -> None:
    """A child that inherits the descriptor and dies in the middle of a frame; the next request's records are whole."""
    source = """
        import logging, os, time
        descriptor = int(open("/proc/self/environ").read().partition("_LAMBDA_TELEMETRY_LOG_FD=")[2].partition(chr(0))[0])
        def handler(event, context):
            if event:
                header = bytes.fromhex("a55a0017ffffffff") + (time.time_ns() // 1000).to_bytes(8, "big")
                os.write(descriptor, header + b"half a record")
            else:
                logging.error("whole")
    """
    async with python_function(tmp_path, source) as function:
        await function.invoke(b"1", request_id="r-1")
        await function.invoke(b"0", request_id="r-2")
    assert said(events, of="r-1") == [("error", "half a record")]
    ((level, text),) = said(events, of="r-2")
    assert (level, text.rpartition("\t")[2]) == ("error", "whole")


METRICS = """
    from aws_lambda_powertools import Metrics
    metrics = Metrics(namespace="orders", service="orders")
    @metrics.log_metrics
    def handler(event, context):
        metrics.add_metric(name="Placed", unit="Count", value=1)
        print("working")
"""


async def test_embedded_metrics_are_counted_and_stay_in_the_log(tmp_path: Path, events: Events) -> None:
    """Where nobody asked for them they are lines like others."""
    pytest.importorskip("aws_lambda_powertools")
    async with python_function(tmp_path, METRICS) as function:
        await function.invoke(b"{}", request_id="r-1")
        assert function.status().embedded_metrics_total == 1
    assert [text[:7] for _, text in said(events, of="r-1")] == ["working", '{"_aws"']


async def test_embedded_metrics_go_where_they_are_wanted(tmp_path: Path, events: Events) -> None:
    """As they were printed, and then they are no part of the log."""
    pytest.importorskip("aws_lambda_powertools")
    lines: list[str] = []
    async with python_function(tmp_path, METRICS, metric_line=lines.append) as function:
        invocation = await function.invoke(b"{}", request_id="r-1")
    (line,) = lines
    assert json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "orders"
    assert said(events, of="r-1") == [("info", "working")]
    assert line not in invocation.log


@pytest.mark.parametrize("then", ["sys.exit(0)", "pass"], ids=["exits", "goes on"])
async def test_a_worker_that_heeds_sigterm_at_the_end_is_no_error(tmp_path: Path, events: Events, then: str) -> None:
    """AWS's client says that it was refused an invocation, and raises: both are how it is told to exit."""
    source = f"""
        import signal, sys
        def end(*_):
            print("goodbye", flush=True)
            {then}
        signal.signal(signal.SIGTERM, end)
        def handler(event, context): return None
    """
    async with python_function(tmp_path, source) as function:
        assert isinstance((await function.invoke(b"{}", request_id="r-1")).result, Payload)
    assert ("info", "goodbye") in said(events, of="r-1")
    assert not [
        event for event in events if event["log_level"] in ("warning", "error") or "Traceback" in event["event"]
    ]


@pytest.fixture(scope="session", name="node_client")
def _node_client() -> Path:
    """AWS's client for Node.js; the first run on a machine builds it."""
    return executable(installed(NodeClient()))


NODE = """
    exports.handler = async (event, context) => {
      console.debug("low");
      console.log("two\\nlines");
      process.stdout.write("printed\\n");
      console.error("failed", new TypeError("no such thing"));
    };
"""


@pytest.mark.timeout(900, func_only=False)
@pytest.mark.parametrize("by", ["node", "npx"])
async def test_records_of_the_node_client_are_events_too(
    tmp_path: Path, events: Events, node_client: Path, by: str
) -> None:
    """``console`` is written in frames: several lines are one event, in order with what is printed."""
    (tmp_path / "app.js").write_text(textwrap.dedent(NODE))
    command = ["node", str(node_client), "app.handler"]
    if by == "npx":
        (tmp_path / "node_modules").symlink_to(node_client.parents[3] / "node_modules")
        command = ["npx", "--no-install", "aws-lambda-ric", "app.handler"]
    async with provided_function(tmp_path, "#!/bin/sh\n", command=command, timeout=30) as function:
        assert (await function.invoke(b"0", request_id="r-1")).result == Payload(b"null")
    (debug, low), (info, two), printed, (error, failed) = said(events, of="r-1")
    assert (debug, info, error) == ("debug", "info", "error")
    assert low.endswith("\tr-1\tDEBUG\tlow")
    assert two.endswith("\tr-1\tINFO\ttwo\nlines")
    assert printed == ("info", "printed")
    assert "\tr-1\tERROR\tfailed TypeError: no such thing\n    at " in failed


@pytest.mark.timeout(900, func_only=False)
async def test_the_node_clients_json_is_filtered_by_level(tmp_path: Path, events: Events, node_client: Path) -> None:
    """By the client itself, which is told of format and level."""
    (tmp_path / "app.js").write_text(textwrap.dedent(NODE))
    config = LoggingConfig(log_format="JSON", application_log_level="ERROR", system_log_level="WARN")
    command = ["node", str(node_client), "app.handler"]
    async with provided_function(tmp_path, "#!/bin/sh\n", command=command, logging_config=config) as function:
        assert (await function.invoke(b"0", request_id="r-1")).result == Payload(b"null")
    printed, (level, text) = said(events, of="r-1")
    assert printed == ("info", "printed")
    assert level == "error"
    record = json.loads(text)
    assert (record["level"], record["requestId"], record["errorType"]) == ("ERROR", "r-1", "TypeError")


async def test_the_tail_of_a_failing_invocation_is_lambdas(tmp_path: Path) -> None:
    """START, what it wrote, the error as AWS's client indents it, END and REPORT (docs/lambda 8.1)."""
    source = """
        import logging
        def handler(event, context):
            print("printed")
            logging.warning("logged")
            raise Exception(event)
    """
    request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    async with python_function(tmp_path, source, memory_size=128) as function:
        tails = [log_tail(await function.invoke(b'"no"', request_id=request_id)).decode() for _ in range(2)]
    report = (
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
        r"\tMax Memory Used: \d+ MB\t"
    )
    whole = (
        rf"START RequestId: {request_id} Version: \$LATEST\nprinted\n"
        rf"\[WARNING\]\t\S+Z\t{request_id}\tlogged\n"
        rf"\[ERROR\] Exception: no\nTraceback \(most recent call last\):\n"
        r'\u00a0\u00a0File "\S+/app.py", line 6, in handler\n\u00a0\u00a0\u00a0\u00a0raise Exception\(event\)'
        rf"END RequestId: {request_id}\n{report}"
    )
    assert re.fullmatch(rf"{whole}Init Duration: \d+\.\d\d ms\t\n", tails[0])
    assert re.fullmatch(rf"{whole}\n", tails[1])


async def test_the_tail_in_json_is_one_of_records(tmp_path: Path) -> None:
    """What the function's levels leave out is not in it."""
    config = LoggingConfig(log_format="JSON", application_log_level="ERROR", system_log_level="INFO")
    source = """
        import logging
        def handler(event, context):
            logging.warning("left out")
            raise Exception(event)
    """
    async with python_function(tmp_path, source, logging_config=config) as function:
        tail = log_tail(await function.invoke(b'"no"', request_id="r-1"))
    start, error, report = map(json.loads, tail.decode().splitlines())
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert (error["errorMessage"], error["requestId"]) == ("no", "r-1")

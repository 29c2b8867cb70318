"""What one invocation of an in-process function gives, whatever the handler does."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from typing import Any

import anyio
import pytest
import structlog

from handlers.function import (
    PAYLOAD_LIMIT_BYTES,
    RESPONSE_LIMIT_BYTES,
    Call,
    Function,
    FunctionError,
    Invocation,
    Payload,
)
from handlers.in_process.function import ERRORS_A_SECOND
from tests.unit.handlers.in_process.conftest import ARN, MakeFunction

BOTH = pytest.mark.parametrize("define", ["def", "async def"])


async def run(function: Function, event: object = None, request_id: str = "r-1") -> Invocation:
    async with function as entered:
        return await entered.invoke(json.dumps(event).encode(), request_id=request_id)


async def failure_of(function: Function, event: object = None) -> tuple[FunctionError, Any]:
    result = (await run(function, event)).result
    assert isinstance(result, FunctionError)
    return result, json.loads(result.document)


@BOTH
async def test_the_handler_gets_the_parsed_event_and_its_answer_is_serialised(make: MakeFunction, define: str) -> None:
    """The event goes in as Python values, the answer comes out as JSON."""
    invocation = await run(make(f"{define} handler(event, context):\n    return {{'seen': event['n'] + 1}}"), {"n": 1})

    assert isinstance(invocation.result, Payload)
    assert json.loads(invocation.result.body) == {"seen": 2}
    assert invocation.request_id == "r-1"
    assert invocation.duration_seconds >= 0


@BOTH
async def test_no_return_value_is_null(make: MakeFunction, define: str) -> None:
    """As on Lambda, None is the body ``null``."""
    assert (await run(make(f"{define} handler(event, context): pass"))).result == Payload(b"null")


async def test_a_callable_object_with_an_async_call_is_awaited(make: MakeFunction) -> None:
    """Not just functions may be handlers."""
    code = """
        class Handler:
            async def __call__(self, event, context):
                return "called"
        handler = Handler()
    """
    assert (await run(make(code))).result == Payload(b'"called"')


async def test_a_plain_function_around_an_async_one_is_driven_to_its_end(make: MakeFunction) -> None:
    """A decorator that hands a coroutine through does not break the handler."""
    code = """
        import asyncio
        async def inner(event, context):
            await asyncio.sleep(0)
            return "inner"
        def handler(event, context):
            return inner(event, context)
    """
    assert (await run(make(code))).result == Payload(b'"inner"')


async def test_a_plain_handler_may_use_asyncio_run(make: MakeFunction) -> None:
    """The usual way to run async code on Lambda works, again and again."""
    code = """
        import asyncio
        async def inner(): return 7
        def handler(event, context): return asyncio.run(inner())
    """
    async with make(code) as function:
        results = [(await function.invoke(b"{}", request_id="r")).result for _ in range(3)]

    assert results == [Payload(b"7")] * 3


@BOTH
async def test_the_handler_never_runs_in_the_caller_s_thread(make: MakeFunction, define: str) -> None:
    """User code has threads of its own."""
    function = make(
        f"import threading\n{define} handler(event, context): return threading.get_ident()\nloaded = threading.get_ident()"
    )

    result = (await run(function)).result

    assert isinstance(result, Payload)
    assert int(result.body) != threading.get_ident()


@BOTH
async def test_with_one_call_at_a_time_code_runs_in_the_thread_that_imported_it(
    make: MakeFunction, define: str
) -> None:
    """What belongs to the thread that made it (an SQLite connection) can be made by the module."""
    code = f"""
        import sqlite3
        connection = sqlite3.connect(":memory:")
        {define} handler(event, context):
            if event.get("close"):
                return connection.close()
            return connection.execute("select 42").fetchone()[0]
    """
    async with make(code, concurrency=1) as function:
        results = [(await function.invoke(b"{}", request_id="r")).result for _ in range(3)]
        closed = (await function.invoke(b'{"close": true}', request_id="r")).result

    assert results == [Payload(b"42")] * 3
    assert closed == Payload(b"null")


@BOTH
async def test_an_exception_becomes_lambda_s_error_document(make: MakeFunction, define: str) -> None:
    """Type, message, request id and the user's own frames, as AWS's Python client reports them."""
    code = f"""
        class Broken(Exception): pass
        def deeper(): raise Broken("no such order")
        {define} handler(event, context): deeper()
    """
    error, document = await failure_of(make(code))

    assert (error.error_type, error.message) == ("Broken", "no such order")
    assert list(document) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (document["errorType"], document["errorMessage"], document["requestId"]) == (
        "Broken",
        "no such order",
        "r-1",
    )
    assert [line.split(", in ")[1].split("\n")[0] for line in document["stackTrace"]] == ["handler", "deeper"]
    assert "deeper()" in document["stackTrace"][0]
    assert "/app.py" in document["stackTrace"][0]


@BOTH
@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        (
            "import sys; sys.exit(3)",
            "Runtime.ExitError",
            "RequestId: r-1 Error: Runtime exited with error: exit status 3",
        ),
        (
            "import sys; sys.exit()",
            "Runtime.ExitError",
            "RequestId: r-1 Error: Runtime exited without providing a reason",
        ),
        (
            "raise SystemExit('bye')",
            "Runtime.ExitError",
            "RequestId: r-1 Error: Runtime exited with error: exit status 1",
        ),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("raise GeneratorExit", "GeneratorExit", ""),
        ("raise BaseException('odd')", "BaseException", "odd"),
        ("raise BaseExceptionGroup('both', [KeyboardInterrupt()])", "BaseExceptionGroup", "both (1 sub-exception)"),
        ("raise StopIteration('early')", None, None),
        ("import asyncio; raise asyncio.CancelledError('mine')", "CancelledError", "mine"),
        ("raise MemoryError", "MemoryError", ""),
        ("raise ValueError('\\ud800')", "ValueError", "?"),
    ],
)
async def test_whatever_is_raised_is_a_function_error(
    make: MakeFunction, define: str, statement: str, kind: str | None, message: str | None
) -> None:
    """Nothing that user code raises escapes, and the function can be invoked again."""
    code = f"{define} handler(event, context):\n    if event:\n        {statement}\n    return 'fine'"
    async with make(code, concurrency=1) as function:
        first = (await function.invoke(b"true", request_id="r-1")).result
        second = (await function.invoke(b"false", request_id="r-2")).result

    assert isinstance(first, FunctionError)
    if kind is not None:
        assert (first.error_type, first.message) == (kind, message)
    assert json.loads(first.document)["errorType"] == first.error_type
    assert second == Payload(b'"fine"')


@BOTH
async def test_endless_recursion_is_a_function_error(make: MakeFunction, define: str) -> None:
    """A RecursionError is reported like any other, its long stack trace shortened as Python does."""
    error, document = await failure_of(
        make(f"def again(): again()\n{define} handler(event, context): again()"),
    )

    assert error.error_type == "RecursionError"
    assert "more times" in document["stackTrace"][-1]


async def test_an_exception_without_text_of_its_own_is_reported(make: MakeFunction) -> None:
    """An exception whose ``__str__`` raises cannot break the report."""
    code = """
        class Mute(Exception):
            def __str__(self): raise SystemExit
        def handler(event, context): raise Mute
    """
    error, _ = await failure_of(make(code))

    assert error.error_type == "Mute"
    assert "SystemExit" in error.message


async def test_a_message_of_any_size_makes_a_document_within_the_limit(make: MakeFunction) -> None:
    """Memory is bounded whatever user code puts in an exception."""
    error, _ = await failure_of(make("def handler(event, context): raise ValueError('x' * 50_000_000)"))

    assert error.error_type == "ValueError"
    assert len(error.document) < PAYLOAD_LIMIT_BYTES


@BOTH
@pytest.mark.parametrize(
    "answer", ["__import__('datetime').datetime(2026, 1, 1)", "{1, 2}", "object()", "{'deep': [b'\\xff']}", "print"]
)
async def test_an_answer_that_is_not_json_is_a_marshal_error(make: MakeFunction, define: str, answer: str) -> None:
    """What Lambda's runtime cannot serialise fails with Lambda's own error."""
    error, document = await failure_of(make(f"{define} handler(event, context): return {answer}"))

    assert error.error_type == "Runtime.MarshalError"
    assert error.message.startswith("Unable to marshal response: ")
    assert document["stackTrace"] == []


async def test_an_answer_that_contains_itself_is_a_marshal_error(make: MakeFunction) -> None:
    """A circular answer neither hangs nor escapes."""
    error, _ = await failure_of(make("def handler(event, context):\n    a = []\n    a.append(a)\n    return a"))

    assert error.error_type == "Runtime.MarshalError"


@BOTH
async def test_an_answer_over_six_mebibytes_is_too_large(make: MakeFunction, define: str) -> None:
    """The limit counts the serialised answer; one byte less is fine."""
    code = f"{define} handler(event, context): return 'x' * event"
    async with make(code) as function:
        most = (await function.invoke(str(RESPONSE_LIMIT_BYTES - 2).encode(), request_id="r")).result
        more = (await function.invoke(str(RESPONSE_LIMIT_BYTES - 1).encode(), request_id="r")).result

    assert isinstance(most, Payload)
    assert len(most.body) == RESPONSE_LIMIT_BYTES
    assert isinstance(more, FunctionError)
    assert more.error_type == "Function.ResponseSizeTooLarge"


async def test_bytes_are_answered_as_they_are(make: MakeFunction) -> None:
    """As AWS's Python client does."""
    assert (await run(make("def handler(event, context): return b'\\xff raw'"))).result == Payload(b"\xff raw")


@BOTH
async def test_an_event_that_is_not_json_is_an_unmarshal_error(make: MakeFunction, define: str) -> None:
    """The handler is not called with something it cannot use."""
    async with make(f"{define} handler(event, context): return 'called'") as function:
        result = (await function.invoke(b"{nonsense", request_id="r")).result

    assert isinstance(result, FunctionError)
    assert result.error_type == "Runtime.UnmarshalError"


@BOTH
async def test_as_many_invocations_run_at_a_time_as_concurrency_says(make: MakeFunction, define: str) -> None:
    """Eight invocations meet in the handler before any of them returns."""
    code = """
        import asyncio, threading
        barrier = {barrier}
        {define} handler(event, context):
            {wait}
            return "met"
    """.format(
        define=define,
        barrier="threading.Barrier(8)" if define == "def" else "asyncio.Barrier(8)",
        wait="barrier.wait(60)" if define == "def" else "await asyncio.wait_for(barrier.wait(), 60)",
    )
    results: list[object] = []
    async with make(code, concurrency=8, timeout=60) as function, anyio.create_task_group() as group:

        async def one() -> None:
            results.append((await function.invoke(b"{}", request_id="r")).result)

        for _ in range(8):
            group.start_soon(one)

    assert results == [Payload(b'"met"')] * 8


async def test_threads_are_started_as_they_are_needed_and_used_again(make: MakeFunction) -> None:
    """One call at a time needs one thread, however many may run."""
    async with make("def handler(event, context): pass", concurrency=50) as function:
        for _ in range(20):
            await function.invoke(b"{}", request_id="r")
        status = function.status()

    assert (status.workers, status.started_total, status.busy, status.problem) == (1, 1, 0, None)


@BOTH
async def test_module_globals_survive_between_invocations(make: MakeFunction, define: str) -> None:
    """The code is imported once."""
    code = f"count = 0\n{define} handler(event, context):\n    global count\n    count += 1\n    return count"
    async with make(code) as function:
        results = [(await function.invoke(b"{}", request_id="r")).result for _ in range(3)]

    assert results == [Payload(b"1"), Payload(b"2"), Payload(b"3")]


@BOTH
async def test_context_variables_stay_within_an_invocation(make: MakeFunction, define: str) -> None:
    """Neither the poller's context variables nor an earlier invocation's are seen."""
    code = f"""
        import contextvars, structlog
        mine = contextvars.ContextVar("mine", default="unset")
        {define} handler(event, context):
            before = mine.get()
            mine.set("set")
            return [before, structlog.contextvars.get_contextvars()]
    """
    import structlog

    with structlog.contextvars.bound_contextvars(mapping="orders-queue"):
        async with make(code, concurrency=1) as function:
            results = [(await function.invoke(b"{}", request_id="r")).result for _ in range(2)]

    assert results == [Payload(b'["unset", {}]')] * 2


@BOTH
async def test_an_async_task_of_user_code_that_exits_does_not_end_the_loop(
    make: MakeFunction, define: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SystemExit in a task that user code started is that task's own affair."""
    code = """
        import asyncio
        async def leave(): raise SystemExit(1)
        async def handler(event, context):
            if event:
                task = asyncio.get_running_loop().create_task(leave())
                await asyncio.wait({task}, timeout=5)
                task.exception()
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
            await asyncio.sleep(0.001)
            return "still here"
    """
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        async with make(code) as function:
            results = [(await function.invoke(event, request_id="r")).result for event in (b"1", b"0")]

    assert results == [Payload(b'"still here"')] * 2


async def test_async_handlers_may_run_subprocesses(make: MakeFunction) -> None:
    """The event loop of user code is a whole one, though it is not the main thread's."""
    code = """
        import asyncio, sys
        async def handler(event, context):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE)
            out, _ = await process.communicate()
            return out.decode()
    """
    assert (await run(make(code))).result == Payload(b'"child\\n"')


@BOTH
async def test_the_context_is_lambda_s(make: MakeFunction, define: str) -> None:
    """Every attribute that code for Lambda reads is there."""
    code = f"""
        {define} handler(event, context):
            remaining = context.get_remaining_time_in_millis()
            return [context.aws_request_id, context.function_name, context.function_version,
                    context.invoked_function_arn, context.memory_limit_in_mb.isdigit(), context.log_group_name,
                    context.log_stream_name.split("/")[3][:9], context.identity.cognito_identity_id,
                    context.client_context, 19_000 < remaining <= 20_000]
    """
    result = (await run(make(code), request_id="r-7")).result

    assert isinstance(result, Payload)
    assert json.loads(result.body) == [
        *("r-7", "orders", "$LATEST", ARN, True, "/aws/lambda/orders", "[$LATEST]", None, None, True)
    ]


async def test_leaving_ends_every_thread(make: MakeFunction) -> None:
    """Nothing of a function outlives it."""
    before = threading.active_count()
    for define in ("def", "async def"):
        async with make(f"{define} handler(event, context): pass") as function:
            await asyncio.gather(*(function.invoke(b"{}", request_id="r") for _ in range(5)))
            assert threading.active_count() > before

    assert threading.active_count() == before


async def test_tasks_that_user_code_left_behind_are_cancelled_on_leaving(make: MakeFunction) -> None:
    """A background task sees its cancellation, so that it can clean up."""
    code = """
        import asyncio
        tasks = set()
        async def background(path):
            try:
                await asyncio.sleep(3600)
            finally:
                open(path, "w").close()
        async def handler(event, context):
            tasks.add(asyncio.get_running_loop().create_task(background(event)))
            await asyncio.sleep(0)
    """
    function = make(code)
    path = function._code / "cleaned-up"

    await run(function, str(path))

    assert path.exists()


@BOTH
async def test_what_a_handler_raises_is_in_the_log_with_where(make: MakeFunction, define: str) -> None:
    """Nobody has to look for the error document: type, message and the function's own frames are told at once."""
    with structlog.testing.capture_logs() as lines:
        await run(make(f"{define} handler(event, context):\n    return event['missing']"), {}, "r-7")

    [line] = [line for line in lines if line["log_level"] == "error"]
    assert line["request_id"] == "r-7"
    assert line["event"].startswith("[ERROR] KeyError: 'missing'\nTraceback (most recent call last):\n")
    assert "return event['missing']" in line["event"]


async def test_an_error_with_control_characters_is_shown_and_not_obeyed(make: MakeFunction) -> None:
    """Its text may come from a message that anybody has sent."""
    with structlog.testing.capture_logs() as lines:
        await run(make("def handler(event, context): raise ValueError('a\\x1b[2Jb')"))

    assert lines[0]["event"].splitlines()[0] == r"[ERROR] ValueError: a\x1b[2Jb"


async def test_a_handler_that_does_nothing_but_fail_does_not_flood_the_log(make: MakeFunction) -> None:
    """Some of its errors are logged each second, and its invocations go on."""
    async with make("def handler(event, context): raise ValueError('no')") as function:
        with structlog.testing.capture_logs() as lines:
            before = time.monotonic()
            for number in range(200):
                await function.invoke(b"{}", request_id=str(number))
            seconds = time.monotonic() - before

    assert 1 <= len(lines) <= ERRORS_A_SECOND * (int(seconds) + 2)


@BOTH
async def test_a_client_context_is_that_of_aws_s_client(make: MakeFunction, define: str) -> None:
    """An object with the three members that Lambda knows; those that are not given are None."""
    code = f"""
        {define} handler(event, context):
            given = context.client_context
            return [given.custom, given.env, given.client.app_title if given.client else None]
    """
    full = '{"custom": {"a": 1}, "env": {"make": "x"}, "client": {"app_title": "t", "unknown": 1}, "other": 2}'
    async with make(code) as function:
        results = [
            (await function.invoke(b"{}", request_id="r", call=Call(client_context=given))).result
            for given in (full, "{}")
        ]

    assert results == [Payload(b'[{"a": 1}, {"make": "x"}, "t"]'), Payload(b"[null, null, null]")]


@pytest.mark.parametrize("given", ["{", "[" * 100_000])
async def test_a_client_context_that_is_no_json_fails_the_invocation(make: MakeFunction, given: str) -> None:
    """As AWS's client does; the function goes on."""
    async with make("def handler(event, context): return 1") as function:
        result = (await function.invoke(b"{}", request_id="r", call=Call(client_context=given))).result
        again = (await function.invoke(b"{}", request_id="r")).result

    assert isinstance(result, FunctionError)
    assert result.error_type == "Runtime.LambdaContextUnmarshalError"
    assert again == Payload(b"1")


@BOTH
async def test_a_generator_is_no_answer(make: MakeFunction, define: str) -> None:
    """Lambda's Python runtime cannot stream, so neither does code that is to run there."""
    code = f"{define} handler(event, context): return (part for part in 'ab')"
    result = (await run(make(code))).result

    assert isinstance(result, FunctionError)
    assert result.error_type == "Runtime.MarshalError"

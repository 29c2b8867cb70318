"""Responses that are streamed by real worker processes: a custom runtime, and AWS's clients for Node.js and Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from handlers.function import FunctionError, Invocation, Payload
from pollers.emulators.cache import installed
from tests.e2e.functions import alive, provided_function, python_function, until
from tests.e2e.streaming import Reader, stream, streaming_function
from tests.e2e.test_runtime_clients_provided import node_function
from tests.node_client import NodeClient, executable

if TYPE_CHECKING:
    from pathlib import Path

    from handlers.workers import WorkerFunction

DONE = Payload(b"")


def error_of(invocation: Invocation) -> FunctionError:
    """How it failed."""
    assert isinstance(invocation.result, FunctionError), invocation
    return invocation.result


async def pid_of(function: WorkerFunction) -> int:
    """The worker, which must be able to work."""
    result = (await stream(function, None, "who")).result
    assert isinstance(result, Payload)
    pid: int = json.loads(result.body)[2]
    return pid


async def collect(into: list[Invocation], function: WorkerFunction, reader: Reader | None, event: object) -> None:
    """Invoke and keep what becomes of it."""
    into.append(await stream(function, reader, event))


async def test_each_piece_arrives_before_the_next_is_written(tmp_path: Path) -> None:
    """The function itself waits for what its reader does; the worker is used again."""
    gates = [tmp_path / "one", tmp_path / "two"]
    steps = [["write", "a"], ["await", str(gates[0])], ["write", "b"], ["await", str(gates[1])], ["write", "c"]]
    reader, ended = Reader(), list[Invocation]()
    async with streaming_function(tmp_path) as function, anyio.create_task_group() as group:
        group.start_soon(collect, ended, function, reader, steps)
        for gate, got in zip(gates, (b"a", b"ab"), strict=True):
            await until(lambda got=got: reader.got == got)  # type: ignore[misc]
            assert ended == []
            assert function.status().busy == 1
            gate.touch()
        await until(lambda: bool(ended))
        again = await stream(function, Reader(), "buffered", "r-2")
        assert function.status().started_total == 1
    assert (reader.content_type, reader.got) == ("text/x-steps", b"abc")
    assert (ended[0].result, ended[0].streamed, again.streamed) == (DONE, True, False)
    assert isinstance(again.result, Payload)
    assert ended[0].log[-1].startswith("REPORT RequestId: r-1\t")


async def test_without_a_stream_the_response_is_gathered(tmp_path: Path) -> None:
    """What mappings and plain invocations get."""
    async with streaming_function(tmp_path) as function:
        invocation = await stream(function, None, [["write", "a"], ["write", "\0" * 8], ["write", "b"]])
        large = error_of(await stream(function, None, [["flood", 8]]))
        broken = error_of(await stream(function, None, [["write", "a"], ["error", "no"]]))
        assert function.status().started_total == 1
    assert (invocation.result, invocation.streamed) == (Payload(b"a" + b"\0" * 8 + b"b"), False)
    assert large.error_type == "Function.ResponseSizeTooLarge"
    assert (broken.error_type, broken.message) == ("Function.Broke", "no")


async def test_a_function_waits_for_a_slow_reader(tmp_path: Path) -> None:
    """Nothing is lost, and its timeout is not over for a reader that comes in time."""
    reader, ended = Reader(), list[Invocation]()
    reader.free = anyio.Event()
    async with streaming_function(tmp_path) as function, anyio.create_task_group() as group:
        group.start_soon(collect, ended, function, reader, [["flood", 64], ["write", "end"]])
        await until(lambda: reader.pieces == 1)
        reader.free.set()
        await until(lambda: bool(ended))
    assert len(reader.got) == 64 * 1048576 + 3
    assert reader.got.endswith(b"xend")
    assert ended[0].result == DONE


@pytest.mark.parametrize("patience", [0, 1])
async def test_a_reader_that_goes_away_stops_no_function(tmp_path: Path, patience: int) -> None:
    """It writes all that it wanted to, and ends as ever."""
    done = tmp_path / "done"
    steps = [["write", "a"], ["flood", 20], ["await", str(done)]]
    reader, ended = Reader(patience), list[Invocation]()
    async with streaming_function(tmp_path) as function, anyio.create_task_group() as group:
        group.start_soon(collect, ended, function, reader, steps)
        await until(lambda: reader.pieces == patience)
        done.touch()
        await until(lambda: bool(ended))
        assert function.status().started_total == 1
    assert ended[0].result == DONE
    assert sum(line == "flooded" for line in ended[0].log) == 20


async def test_an_error_in_the_middle_ends_the_stream(tmp_path: Path) -> None:
    """The result is the error; the worker goes on."""
    reader = Reader()
    async with streaming_function(tmp_path) as function:
        pid = await pid_of(function)
        invocation = await stream(function, reader, [["write", "a"], ["error", '{"errorType":"E","errorMessage":"m"}']])
        assert await pid_of(function) == pid
    assert (reader.got, invocation.streamed) == (b"a", True)
    assert (error_of(invocation).error_type, error_of(invocation).message) == ("E", "m")


async def test_a_crash_in_the_middle_gives_what_was_written_and_the_exit(tmp_path: Path) -> None:
    """The next invocation has another worker."""
    reader = Reader()
    async with streaming_function(tmp_path) as function:
        invocation = await stream(function, reader, [["write", "a" * 300_000], ["exit", 7]])
        assert isinstance((await stream(function, None, "on")).result, Payload)
        assert function.status().started_total == 2
    assert (len(reader.got), invocation.streamed) == (300_000, True)
    assert error_of(invocation).message == "RequestId: r-1 Error: Runtime exited with error: exit status 7"


async def test_a_stream_without_end_times_out(tmp_path: Path) -> None:
    """What was written has been read; the worker is dead, and another one works."""
    reader = Reader()
    async with streaming_function(tmp_path, timeout=3) as function:
        pid = await pid_of(function)
        invocation = await stream(function, reader, [["write", "a"], ["hang", 0]])
        assert not alive(pid)
        await pid_of(function)
    assert (reader.got, invocation.streamed) == (b"a", True)
    assert error_of(invocation).message == "RequestId: r-1 Error: Task timed out after 3.00 seconds"


async def test_a_function_that_waits_for_its_reader_times_out_all_the_same(tmp_path: Path) -> None:
    """The worker is dead though its reader takes nothing; the invocation ends when the reader does."""
    reader, ended = Reader(), list[Invocation]()
    reader.free = anyio.Event()
    async with streaming_function(tmp_path, timeout=3) as function, anyio.create_task_group() as group:
        pid = await pid_of(function)
        group.start_soon(collect, ended, function, reader, [["flood", 100]])
        await until(lambda: reader.pieces == 1)
        await until(lambda: not alive(pid))
        await pid_of(function)
        assert ended == []
        reader.free.set()
    assert error_of(ended[0]).error_type == "Sandbox.Timedout"


async def test_a_runtime_that_breaks_its_stream_off_is_replaced(tmp_path: Path) -> None:
    """Its connection is gone and it does nothing more: the invocation has failed."""
    reader = Reader()
    async with streaming_function(tmp_path) as function:
        pid = await pid_of(function)
        invocation = await stream(function, reader, [["write", "a"], ["drop", 0]])
        assert not alive(pid)
        assert await pid_of(function) != pid
    assert (reader.got, invocation.streamed) == (b"a", True)
    assert error_of(invocation).error_type == "Runtime.TruncatedResponse"


@pytest.mark.parametrize("slow", [False, True])
async def test_a_cancelled_caller_stops_a_stream_for_good(tmp_path: Path, slow: bool) -> None:
    """Whether it waited for the function or for its reader: the worker is dead when the cancellation has been delivered."""
    reader = Reader()
    if slow:
        reader.free = anyio.Event()
    async with streaming_function(tmp_path) as function:
        pid = await pid_of(function)
        async with anyio.create_task_group() as group:
            group.start_soon(collect, [], function, reader, [["write", "a"], ["hang", 0]])
            await until(lambda: reader.pieces == 1)
            group.cancel_scope.cancel()
        assert not alive(pid)
        await pid_of(function)


async def test_a_stream_that_fails_otherwise_fails_its_caller_and_leaves_no_worker_running(tmp_path: Path) -> None:
    """A fault of whoever gave the stream is not hidden."""

    class Broken(Reader):
        async def write(self, chunk: bytes) -> None:
            raise ZeroDivisionError

    async with streaming_function(tmp_path) as function:
        pid = await pid_of(function)
        with pytest.raises(ZeroDivisionError):
            await stream(function, Broken(), [["write", "a"], ["hang", 0]])
        assert not alive(pid)
        await pid_of(function)


async def test_the_end_of_a_response_is_read_while_the_worker_goes_on(tmp_path: Path) -> None:
    """The function has done its work; a reader that takes its time keeps the last pieces, not the worker."""
    reader, ended = Reader(), list[Invocation]()
    reader.free = anyio.Event()
    async with streaming_function(tmp_path) as function, anyio.create_task_group() as group:
        group.start_soon(collect, ended, function, reader, [["write", "a"]])
        await until(lambda: reader.pieces == 1)
        await pid_of(function)
        assert ended == []
        reader.free.set()
    assert (reader.got, ended[0].result) == (b"a", DONE)


async def test_a_caller_that_is_cancelled_while_it_reads_the_end_leaves_the_worker_alone(tmp_path: Path) -> None:
    """The function has ended: nothing is left to stop."""
    reader = Reader()
    reader.free = anyio.Event()
    async with streaming_function(tmp_path) as function:
        async with anyio.create_task_group() as group:
            group.start_soon(collect, [], function, reader, [["write", "a"]])
            await until(lambda: reader.pieces == 1)
            pid = await pid_of(function)
            group.cancel_scope.cancel()
        assert await pid_of(function) == pid
        assert function.status().busy == 0


async def test_a_client_context_reaches_a_custom_runtime(tmp_path: Path) -> None:
    """As given, in UTF-8, but for line breaks: they would make headers of their own."""
    given = '{"custom":\r\n{"name": "Zoë"}}'
    async with streaming_function(tmp_path) as function:
        results = [(await stream(function, None, "who", context=context)).result for context in (given, None)]
    contexts = [json.loads(result.body)[1] for result in results if isinstance(result, Payload)]
    assert contexts == ['{"custom":  {"name": "Zoë"}}', None]


async def test_curl_streams_what_a_shell_script_prints(tmp_path: Path) -> None:
    """It asks before it sends, and closes the connection afterwards."""
    script = """\
        #!/bin/sh
        base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
        while true; do
          id=$(curl -s -D - -o event $base/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
          (echo one; while [ ! -e gate ]; do sleep 0.01; done; echo two) | curl -s -X POST -T - \\
            -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Expect: 100-continue' $base/$id/response
        done
    """
    reader, ended = Reader(), list[Invocation]()
    async with provided_function(tmp_path, script, concurrency=1) as function, anyio.create_task_group() as group:
        group.start_soon(collect, ended, function, reader, {})
        await until(lambda: reader.got == b"one\n")
        assert ended == []
        (tmp_path / "gate").touch()
        await until(lambda: bool(ended))
        assert (await stream(function, None, {})).result == Payload(b"one\ntwo\n")
        assert function.status().started_total == 1
    assert (reader.got, reader.content_type, ended[0].result) == (b"one\ntwo\n", "application/octet-stream", DONE)


@pytest.fixture(scope="session")
def node_client() -> Path:
    """AWS's client for Node.js; the first run on a machine builds it."""
    return executable(installed(NodeClient()))


@pytest.mark.timeout(900, func_only=False)
@pytest.mark.xdist_group("node")
class TestNodeClient:
    """``awslambda.streamifyResponse`` of AWS's own client."""

    async def test_a_streaming_handler_streams(self, node_client: Path, tmp_path: Path) -> None:
        """Piece by piece, with the http-integration prelude, an error in the middle, and gathered for plain callers."""
        (tmp_path / "app.mjs").write_text("""
            import { existsSync } from "node:fs";
            import { setTimeout } from "node:timers/promises";
            export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
              if (event.fail) { stream.write("part"); await setTimeout(50); throw new TypeError("no"); }
              const metadata = { statusCode: 201, headers: { "x-mine": "1" } };
              if (event.http) stream = awslambda.HttpResponseStream.from(stream, metadata);
              stream.write("one");
              while (event.gate && !existsSync(event.gate)) await setTimeout(10);
              stream.write("two " + JSON.stringify(context.clientContext));
              stream.end();
            });
        """)
        gate, reader, ended = tmp_path / "gate", Reader(), list[Invocation]()
        async with node_function(node_client, tmp_path, timeout=30, concurrency=1) as function:
            async with anyio.create_task_group() as group:
                group.start_soon(collect, ended, function, reader, {"gate": str(gate), "http": True})
                await until(lambda: reader.got.endswith(b"one"))
                assert ended == []
                gate.touch()
            prelude, nuls, body = reader.got.partition(b"\0" * 8)
            assert (json.loads(prelude), nuls) == ({"statusCode": 201, "headers": {"x-mine": "1"}}, b"\0" * 8)
            assert body == b"onetwo undefined"
            assert reader.content_type == "application/vnd.awslambda.http-integration-response"
            assert (ended[0].result, ended[0].streamed) == (DONE, True)
            gathered = await stream(function, None, {"http": True})
            assert gathered.result == Payload(reader.got)
            plain, failing = Reader(), Reader()
            await stream(function, plain, {}, context='{"custom": {"a": 1}}')
            assert (plain.content_type, plain.got) == ("application/octet-stream", b'onetwo {"custom":{"a":1}}')
            failed = await stream(function, failing, {"fail": True})
            assert (failing.got, failed.streamed) == (b"part", True)
            assert (error_of(failed).error_type, error_of(failed).message) == ("TypeError", "no")
            assert isinstance((await stream(function, None, {})).result, Payload)


async def test_awss_client_for_python_answers_in_one_piece(tmp_path: Path) -> None:
    """It has no streaming: a handler that gives a generator fails as on Lambda; what it returns is the result as a whole."""
    source = """
        def handler(event, context):
            if event == "generator":
                return (piece for piece in "ab")
            context = context.client_context
            return context and [context.custom, context.env, context.client.app_title]
    """
    reader: Any = Reader()
    client_context = '{"custom": {"a": 1}, "env": {"make": "x"}, "client": {"app_title": "t"}}'
    async with python_function(tmp_path, source) as function:
        generator = error_of(await stream(function, reader, "generator"))
        given = await stream(function, reader, 1, context=client_context)
        none = await stream(function, reader, 1)
    assert generator.error_type == "Runtime.MarshalError"
    assert given.result == Payload(b'[{"a": 1}, {"make": "x"}, "t"]')
    assert none.result == Payload(b"null")
    assert (reader.content_type, given.streamed) == (None, False)

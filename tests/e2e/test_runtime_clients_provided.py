"""``runtime: provided``: executables that speak the Runtime API, among them a shell script and AWS's client for Node.js."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from config.models import ProvidedFunction
from handlers.environment.world import World
from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, InfrastructureError, Invocation, Payload
from handlers.workers import WorkerFunction, prepare_provided
from pollers.emulators.cache import installed
from tests.e2e.functions import REPOSITORY, TIMEOUTS, alive, headrace_environment, provided_function, until
from tests.node_client import NodeClient, executable

if TYPE_CHECKING:
    from pathlib import Path


SHELL_EXAMPLE = REPOSITORY / "examples" / "bootstrap_shell"
BOOTSTRAP = [str(SHELL_EXAMPLE / "bootstrap")]
NODE_EXAMPLE = REPOSITORY / "examples" / "node_handler"
EVENT = {"Records": [{"messageId": "m-1", "body": "{}"}, {"messageId": "m-2", "body": "not json"}]}


async def run(function: WorkerFunction, event: object = None, request_id: str = "r-1") -> Invocation:
    """Run it once."""
    return await function.invoke(json.dumps(event).encode(), request_id=request_id)


def failed(invocation: Invocation) -> FunctionError:
    """How the function failed."""
    assert isinstance(invocation.result, FunctionError), invocation
    return invocation.result


def shell_example(**settings: object) -> WorkerFunction:
    """The shell bootstrap of the examples."""
    options = {"runtime": "provided", "command": ["./bootstrap"], "code": SHELL_EXAMPLE, "handler": "function.handle"}
    model = ProvidedFunction.model_validate({**options, **settings})
    return WorkerFunction("shell", model, prepare_provided, world=World(headrace_environment(), "us-east-1"))


def shell_code(folder: Path, source: str) -> Path:
    """Code for the bootstrap of the examples."""
    (folder / "function.sh").write_text(source)
    return folder


async def test_the_shell_bootstrap_of_the_examples_works() -> None:
    """A custom runtime of curl and sed, invocation after invocation in one process."""
    async with shell_example() as function:
        first, second = await run(function, EVENT), await run(function, {"Records": []}, "r-2")
        assert function.status().started_total == 1
    assert [json.loads(one.result.body) for one in (first, second) if isinstance(one.result, Payload)] == [
        {"batchItemFailures": []},
        {"batchItemFailures": []},
    ]
    assert any("START RequestId: r-2" in line for line in second.log)


async def test_a_proxy_does_not_stand_between_a_worker_and_its_runtime_api() -> None:
    """curl would ask the proxy for loopback addresses too; AWS's own clients ask none."""
    proxies = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    async with shell_example(environment=proxies) as function:
        assert isinstance((await run(function, EVENT)).result, Payload)


async def test_a_large_event_goes_through_curl(tmp_path: Path) -> None:
    """A mebibyte each way, which curl asks to send before it sends it."""
    async with shell_example(code=shell_code(tmp_path, "handle() { cat; }\n"), command=BOOTSTRAP) as function:
        event = b'"' + b"e" * 1024 * 1024 + b'"'
        assert (await function.invoke(event, request_id="r")).result == Payload(event)


async def test_an_error_of_the_shell_handler_is_a_function_error(tmp_path: Path) -> None:
    """Its type and message are what the bootstrap posted."""
    code = shell_code(tmp_path, """handle() { echo 'it "broke"' >&2; return 1; }\n""")
    async with shell_example(code=code, command=BOOTSTRAP) as function:
        error = failed(await run(function))
    assert (error.error_type, error.message) == ("Function.Failed", 'it "broke" ')


async def test_a_missing_shell_handler_is_an_init_error() -> None:
    """Posted to /init/error, reported with an empty request id."""
    async with shell_example(handler="function.missing") as function:
        error = failed(await run(function))
    assert error.error_type == "Runtime.NoSuchHandler"
    assert json.loads(error.document)["requestId"] == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["./missing"], "./missing does not exist in its code; expected an executable, relative to code"),
        (["./text"], "./text is not executable in its code; chmod"),
        (["no-such-program-anywhere"], "is not in PATH"),
    ],
)
async def test_a_command_that_is_none_is_unusable(tmp_path: Path, command: list[str], said: str) -> None:
    """Entering says what is wrong."""
    function = provided_function(tmp_path, "#!/bin/sh\n", command=command)
    (tmp_path / "text").write_text("text")
    with pytest.raises(FunctionUnusable, match=said):
        async with function:
            pass


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("#!/no/such/interpreter\n", "the interpreter that its first line names"),
        ("\x7fELF but not really", "neither a program"),
    ],
)
async def test_an_executable_that_cannot_be_executed_is_no_fault_of_the_records(
    tmp_path: Path, content: str, why: str
) -> None:
    """No attempt is spent on it: an infrastructure error, which says what and why."""
    async with provided_function(tmp_path, content) as function:
        result = (await run(function)).result
        problem = function.status().problem
    assert isinstance(result, InfrastructureError)
    assert "could not be started: " in result.message
    assert "/bootstrap: " in result.message
    assert why in result.message
    assert problem == result.message


async def test_an_executable_that_exits_at_once_fails_as_on_lambda(tmp_path: Path) -> None:
    """Before it asked for anything: Runtime.ExitError."""
    async with provided_function(tmp_path, "#!/bin/sh\necho bye\nexit 127\n") as function:
        invocation = await run(function)
    assert failed(invocation).message == "RequestId: r-1 Error: Runtime exited with error: exit status 127"
    assert invocation.log == ("bye",)


async def test_an_executable_that_never_answers_times_out(tmp_path: Path) -> None:
    """It and the client that it waits for are killed."""
    script = f"""\
        #!/bin/sh
        curl -s -o event http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next
        sleep 600 &
        echo $$ $! > {tmp_path / "pids"}
        sleep 600
    """
    pids = tmp_path / "pids"
    for timeout in TIMEOUTS:
        async with provided_function(tmp_path / "code", script, timeout=timeout) as function:
            error = failed(await run(function))
            assert error.error_type == "Sandbox.Timedout"
            if pids.exists() and len(pids.read_text().split()) == 2:
                assert not any(alive(int(pid)) for pid in pids.read_text().split())
                return
    pytest.fail("it never began")


async def test_a_runtime_that_answers_and_never_asks_again_is_replaced(tmp_path: Path) -> None:
    """Its answer counts; the next invocation gets another worker after a while, not a dead end."""
    script = """\
        #!/bin/sh
        base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
        id=$(curl -s -D - -o event $base/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
        curl -s -d '"done"' $base/$id/response
        sleep 600
    """
    async with provided_function(tmp_path, script, timeout=5, concurrency=1) as function:
        assert (await run(function)).result == Payload(b'"done"')
        assert (await run(function)).result == Payload(b'"done"')
        assert function.status().started_total == 2


async def test_a_runtime_that_loses_its_invocation_asks_again(tmp_path: Path) -> None:
    """As on AWS: until it has answered, it is given the same invocation."""
    script = """\
        #!/bin/sh
        base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
        curl -s -o lost $base/next
        id=$(curl -s -D - -o event $base/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
        curl -s -d @event $base/$id/response
        sleep 600
    """
    async with provided_function(tmp_path, script) as function:
        assert (await run(function, "again")).result == Payload(b'"again"')


async def test_a_client_that_drops_its_poll_and_comes_back_is_served(tmp_path: Path) -> None:
    """A runtime whose idle long poll is cut polls again, and loses nothing."""
    script = """\
        #!/bin/sh
        base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
        while true; do
          id=$(curl -s -D - -o event $base/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
          curl -s -d @event $base/$id/response
          curl -s -m 0.2 $base/next
          touch polled
        done
    """
    async with provided_function(tmp_path, script, concurrency=1) as function:
        assert (await run(function, 1)).result == Payload(b"1")
        await until((tmp_path / "polled").exists)
        assert (await run(function, 2)).result == Payload(b"2")
        assert function.status().started_total == 1


async def test_the_python_client_is_a_provided_executable_too(tmp_path: Path) -> None:
    """awslambdaric by its own command line, as in a container image of one's own."""
    (tmp_path / "app.py").write_text("def handler(event, context): return [event, context.function_name]\n")
    command = [sys.executable, "-m", "awslambdaric", "app.handler"]
    async with provided_function(tmp_path, "", command=command) as function:
        assert (await run(function, 7)).result == Payload(b'[7, "shell"]')


@pytest.fixture(scope="session")
def node_client() -> Path:
    """AWS's client for Node.js; the first run on a machine builds it."""
    return executable(installed(NodeClient()))


def node_function(client: Path, code: Path, handler: str = "app.handler", **settings: object) -> WorkerFunction:
    """A Node.js function."""
    options = {"runtime": "provided", "command": ["node", str(client), handler], "code": code, "timeout": 5}
    model = ProvidedFunction.model_validate({**options, **settings})
    return WorkerFunction("node", model, prepare_provided, world=World(headrace_environment(), "us-east-1"))


@pytest.mark.timeout(900, func_only=False)
class TestNodeClient:
    """The Runtime API in a second language: npm ``aws-lambda-ric``."""

    async def test_the_node_handler_of_the_examples_works(self, node_client: Path) -> None:
        """Partial failures, context, and log lines on both streams; one process for both invocations."""
        async with node_function(node_client, NODE_EXAMPLE) as function:
            for request_id in ("r-1", "r-2"):
                invocation = await run(function, EVENT, request_id)
                assert isinstance(invocation.result, Payload)
                assert json.loads(invocation.result.body) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
                assert any(f"{request_id}: m-2: " in line for line in invocation.log)
            assert function.status().started_total == 1

    async def test_its_errors_and_limits_are_lambdas(self, node_client: Path, tmp_path: Path) -> None:
        """A thrown error, a response that is too large, a crash, and work afterwards."""
        (tmp_path / "app.mjs").write_text("""
            export const handler = async (event, context) => {
              if (event === "throw") throw new TypeError("no");
              if (event === "large") return "x".repeat(7 * 1024 * 1024);
              if (event === "exit") process.exit(3);
              return [event.length, context.invokedFunctionArn, process.env.AWS_REGION];
            };
        """)
        async with node_function(node_client, tmp_path) as function:
            error = failed(await run(function, "throw"))
            assert (error.error_type, error.message) == ("TypeError", "no")
            assert failed(await run(function, "large")).error_type == "Function.ResponseSizeTooLarge"
            assert failed(await run(function, "exit")).message.endswith("Runtime exited with error: exit status 3")
            event = "e" * 5_000_000
            result = (await run(function, event)).result
        arn = "arn:aws:lambda:us-east-1:000000000000:function:node"
        assert isinstance(result, Payload)
        assert json.loads(result.body) == [5_000_000, arn, "us-east-1"]

    async def test_a_missing_node_module_is_an_init_error(self, node_client: Path, tmp_path: Path) -> None:
        """The client's own document."""
        async with node_function(node_client, tmp_path, "gone.handler") as function:
            error = failed(await run(function))
        assert error.error_type == "Runtime.ImportModuleError"
        assert "Cannot find module 'gone'" in error.message

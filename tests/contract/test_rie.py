"""Functions over HTTP against AWS's own Runtime Interface Emulator (docs/lambda 8.5)."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

import config.models as models
from handlers.function import FunctionError, InfrastructureError, Payload, Result, Throttle
from handlers.remote.endpoints import EMULATOR_PATH
from handlers.remote.http import HttpFunction
from pollers.emulators import EmulatorUnavailable, started
from tests.contract.rie import RuntimeInterfaceEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pollers.emulators import Emulator

    Start = Callable[..., Emulator]

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(900)]

APP = """
import os, sys, time

def handler(event, context):
    do = event.get("do")
    if do == "raise":
        raise ValueError("no such order")
    if do == "sleep":
        time.sleep(event["seconds"])
    if do == "wait":
        open(event["mine"], "w").close()
        while not os.path.exists(event["until"]):
            time.sleep(0.01)
    if do == "exit":
        sys.exit(3)
    if do == "big":
        return "x" * (6 * 1024 * 1024 + 1000)
    if do == "meet":
        open(event["mine"], "w").close()
        while not os.path.exists(event["other"]):
            time.sleep(0.01)
    if do == "none":
        return None
    return {"echo": event.get("text"), "pid": os.getpid()}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an emulator with the function above in it, stopped at the end of the test."""
    (tmp_path / "app.py").write_text(APP)
    with ExitStack() as stack:

        def start(timeout_seconds: int = 5) -> Emulator:
            try:
                return stack.enter_context(started(RuntimeInterfaceEmulator(tmp_path, timeout_seconds)))
            except EmulatorUnavailable as unavailable:
                pytest.fail(str(unavailable), pytrace=False)

        yield start


def function(*emulators: Emulator, **settings: Any) -> HttpFunction:  # noqa: ANN401 - the model's options
    urls = [emulator.endpoint_url + EMULATOR_PATH for emulator in emulators]
    model = models.HttpFunction(**{"runtime": "http", "urls": urls, "timeout": 20, **settings})
    return HttpFunction("legacy", "arn:aws:lambda:us-east-1:000000000000:function:legacy", model)


async def ask(entered: HttpFunction, **event: object) -> Result:
    return (await entered.invoke(json.dumps(event).encode(), request_id="r-1")).result


async def test_what_the_emulator_says_is_what_lambda_would_say(start: Start) -> None:
    """Answers, exceptions, exits and answers that are too large, one after another on one emulator."""
    emulator = await to_thread.run_sync(start)
    async with function(emulator) as entered:
        assert entered.concurrency == 1
        answer = await ask(entered, text="café \U0001f600")
        assert isinstance(answer, Payload)
        assert json.loads(answer.body)["echo"] == "café \U0001f600"
        assert await ask(entered, do="none") == Payload(b"null")

        raised = await ask(entered, do="raise")
        assert isinstance(raised, FunctionError)
        assert (raised.error_type, raised.message) == ("ValueError", "no such order")
        assert json.loads(raised.document)["stackTrace"]

        exited = await ask(entered, do="exit")
        assert isinstance(exited, FunctionError)
        assert exited.error_type == "Runtime.ExitError"
        assert exited.message.endswith("Runtime exited with error: exit status 3")

        large = await ask(entered, do="big")
        assert isinstance(large, FunctionError)
        assert large.error_type == "Function.ResponseSizeTooLarge"

        assert isinstance(await ask(entered), Payload)


async def test_the_emulator_s_own_timeout_comes_through(start: Start) -> None:
    """As Lambda's document; the emulator serves the next invocation."""
    emulator = await to_thread.run_sync(start, 1)
    async with function(emulator, timeout=1) as entered:
        result = await ask(entered, do="sleep", seconds=30)

        assert isinstance(result, FunctionError)
        assert result.error_type == "Sandbox.Timedout"
        assert result.message == "RequestId: r-1 Error: Task timed out after 1.00 seconds"
        assert isinstance(await ask(entered), Payload)


async def test_an_emulator_survives_what_would_be_concurrent_calls(start: Start, tmp_path: Path) -> None:
    """An invocation that was given up still runs in it: it is left alone until it has answered. A second call crashes it."""
    begun, let_go = tmp_path / "begun", tmp_path / "let go"
    emulator = await to_thread.run_sync(start, 120)
    async with function(emulator, timeout=120) as entered:
        pid = await ask(entered)
        given_up = asyncio.create_task(ask(entered, do="wait", mine=str(begun), until=str(let_go)))
        with anyio.fail_after(60):
            while not begun.exists():
                await anyio.sleep(0.01)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up

        assert isinstance(await ask(entered), Throttle)
        let_go.touch()
        with anyio.fail_after(60):
            while isinstance(after := await ask(entered), Throttle):
                await anyio.sleep(0.01)
        assert after == pid


async def test_several_emulators_serve_as_many_invocations_at_a_time(start: Start, tmp_path: Path) -> None:
    """Each its own function process: two invocations wait for each other."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    emulators = [await to_thread.run_sync(start) for _ in range(2)]
    async with function(*emulators, concurrency=10) as entered:
        assert entered.concurrency == 2
        results = await asyncio.gather(
            ask(entered, do="meet", mine=one, other=two), ask(entered, do="meet", mine=two, other=one)
        )

        pids = {json.loads(result.body)["pid"] for result in results if isinstance(result, Payload)}
        assert len(pids) == 2


async def test_an_emulator_that_has_gone_is_an_infrastructure_error(start: Start, tmp_path: Path) -> None:
    """It is said which."""
    with started(RuntimeInterfaceEmulator(tmp_path, 5)) as emulator:
        pass
    async with function(emulator) as entered:
        result = await ask(entered)

    assert isinstance(result, InfrastructureError)
    assert emulator.endpoint_url in result.message

"""Many invocations of every kind at once, some of them cancelled: each gets its own result, and nothing is left."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from handlers.in_process import function as in_process

if TYPE_CHECKING:
    from handlers.function import Result
    from tests.unit.handlers.in_process.conftest import MakeFunction

APP = """
    import asyncio, sys, time

    {define} handler(event, context):
        assert event["id"] == context.aws_request_id
        do = event["do"]
        if do == "raise":
            raise ValueError(event["id"])
        if do == "exit":
            sys.exit(3)
        if do == "hang":
            {hang}
        if do == "doze":
            {doze}
        return event["id"]
"""
INVOCATIONS = 400


def fits(result: Result, kind: str, request_id: str) -> bool:
    """Whether this can be the result of that invocation, and of no other."""
    match result:
        case Payload(body):
            return kind in ("answer", "doze") and json.loads(body) == request_id
        case FunctionError(error_type="ValueError", message=message):
            return kind == "raise" and message == request_id
        case FunctionError(error_type="Runtime.ExitError", message=message):
            return kind == "exit" and request_id in message
        case FunctionError(error_type="Sandbox.Timedout", message=message):
            return request_id in message  # on a loaded machine any may be too slow
        case Throttle():
            return True
        case FunctionError() | InfrastructureError():
            return False


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("define", ["def", "async def"])
async def test_every_invocation_gets_its_own_result(
    make: MakeFunction, define: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the others do meanwhile; in the end no thread, loop or task is left behind."""
    monkeypatch.setattr(in_process, "STOP_SECONDS", 0.1)
    chance = random.Random(seed)
    asynchronous = define == "async def"
    code = APP.format(
        define=define,
        hang="await asyncio.sleep(3600)" if asynchronous else "while True: time.sleep(0.001)",
        doze="await asyncio.sleep(0.002)" if asynchronous else "time.sleep(0.002)",
    )
    wrong: list[tuple[Result, str, str]] = []
    answered: list[Result] = []
    async with make(code, timeout=0.25, concurrency=20) as function:
        limiter = anyio.CapacityLimiter(20)

        async def one(number: int, kind: str, patience: float) -> None:
            async with limiter:
                event = json.dumps({"id": f"id-{number}", "do": kind}).encode()
                with anyio.move_on_after(patience):
                    result = (await function.invoke(event, request_id=f"id-{number}")).result
                    if isinstance(result, Payload):
                        answered.append(result)
                    if not fits(result, kind, f"id-{number}"):
                        wrong.append((result, kind, f"id-{number}"))

        async with anyio.create_task_group() as group:
            for number in range(INVOCATIONS):
                kind = chance.choices(["answer", "doze", "raise", "exit", "hang"], [50, 30, 10, 5, 2])[0]
                patience = chance.choice([60, 60, 60, 0, 0.001, 0.01])
                group.start_soon(one, number, kind, patience)

        assert wrong == []
        assert answered
        assert function.status().busy == 0
        with anyio.fail_after(60):
            while function.status().problem is not None:
                await anyio.sleep(0.005)
        function.timeout_seconds = 60
        last = (await function.invoke(b'{"id": "last", "do": "answer"}', request_id="last")).result
        assert last == Payload(b'"last"')

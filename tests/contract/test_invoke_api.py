"""Functions through the Invoke API of an emulator that really runs them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

import config.models as models
from handlers.function import FunctionError, InfrastructureError, Payload
from handlers.remote.invoke_api import InvokeApiFunction
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.emulators import Emulator

pytestmark = pytest.mark.emulator

APP = """
import time

def handler(event, context):
    print("asked to", event["do"])
    if event["do"] == "raise":
        raise ValueError("no such order")
    if event["do"] == "sleep":
        time.sleep(60)
    return {"echo": event}
"""


async def created(emulator: Emulator) -> str:
    """The ARN of a new function, whose timeout is a second."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", APP)
    async with plain_client(emulator, "lambda") as client:
        made = await client.create_function(
            FunctionName=unique("billing"),
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/billing",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=1,
        )
    return str(made["FunctionArn"])


def function(emulator: Emulator, arn: str) -> InvokeApiFunction:
    model = models.LambdaFunction(runtime="lambda", function_arn=arn, timeout=30)
    return InvokeApiFunction("billing", model, models.Aws(endpoint_url=emulator.endpoint_url))


async def ask(entered: InvokeApiFunction, do: str) -> Result:
    return (await entered.invoke(json.dumps({"do": do}).encode(), request_id="r")).result


async def test_answers_errors_timeouts_and_logs_come_through(ministack: Emulator) -> None:
    """Each as the result that it is, from a function that really runs."""
    async with function(ministack, await created(ministack)) as entered:
        answer = await entered.invoke(b'{"do": "answer"}', request_id="r")
        assert isinstance(answer.result, Payload)
        assert json.loads(answer.result.body) == {"echo": {"do": "answer"}}
        assert "asked to answer" in answer.log

        raised = await ask(entered, "raise")
        assert isinstance(raised, FunctionError)
        assert raised.message == "no such order"

        timed_out = await ask(entered, "sleep")
        assert isinstance(timed_out, FunctionError)
        assert timed_out.error_type == "Sandbox.Timedout"


async def test_a_function_that_does_not_exist_costs_no_attempt(ministack: Emulator) -> None:
    """It may be created yet."""
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{unique('gone')}"
    async with function(ministack, arn) as entered:
        result = await ask(entered, "answer")

    assert isinstance(result, InfrastructureError)
    assert f"invoking {arn}: ResourceNotFoundException: " in result.message

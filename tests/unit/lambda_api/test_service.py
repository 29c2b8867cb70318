"""The API as a part of the process: answers, errors, and its end."""

from __future__ import annotations

import json

import anyio
import anyio.lowlevel

from pollers.engine.stop import Stop
from pollers.lambda_api.access import SignedAccess
from tests.unit.lambda_api.rig import PATH, rig


async def test_a_function_is_invoked_and_its_answer_comes_back_byte_for_byte() -> None:
    """With the id of the request, which is the invocation's, and the version."""
    async with rig() as at, at.session.post(PATH.format("orders"), data=b' {"a" : 1.0} ') as reply:
        assert (reply.status, await reply.read()) == (200, b' {"a" : 1.0} ')
        [asked] = at.told["orders"].asked
        assert reply.headers["x-amzn-RequestId"] == asked.request_id
        assert reply.headers["X-Amz-Executed-Version"] == "$LATEST"
        assert "X-Amz-Function-Error" not in reply.headers


async def test_an_unknown_function_is_an_error_with_its_type_in_the_header() -> None:
    """As boto3 reads it."""
    async with rig() as at, at.session.post(PATH.format("nobody"), data=b"{}") as reply:
        assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (404, "ResourceNotFoundException")
        assert json.loads(await reply.read())["Message"].endswith(":function:nobody:$LATEST")
        assert reply.headers["x-amzn-RequestId"]


async def test_a_web_page_cannot_call_with_a_key_either() -> None:
    """It gets no further than its origin: the secret of a test set-up is easily guessed."""
    async with rig(access=SignedAccess({"test": "test"}, "us-east-1")) as at:
        assert b"web pages" in (await at.invoke(Origin="https://example.com"))[1]
        assert b"web pages" in (await at.invoke(Sec_Fetch_Site="cross-site"))[1]
        assert b"Missing Authentication Token" in (await at.invoke())[1]


async def test_a_web_page_cannot_call() -> None:
    """Neither by its origin nor under a name of its own that leads to loopback."""
    async with rig() as at:
        assert (await at.invoke(Origin="https://example.com"))[0] == 403
        assert (await at.invoke(Origin=at.url))[0] == 403
        for site in ("cross-site", "same-site", "same-origin"):
            assert (await at.invoke(Sec_Fetch_Site=site))[0] == 403
        assert (await at.invoke(Sec_Fetch_Site="none"))[0] == 200
        assert (await at.invoke(Host="evil.example:9001"))[0] == 403
        for host in (
            "localhost:9001",
            "127.0.0.1",
            "[::1]:9001",
            "LOCALHOST",
            "orders.lambda-url.us-east-1.localhost:1",
        ):
            assert (await at.invoke(Host=host))[0] == 200
        for host in ("0.0.0.0:9001", "127.0.0.1.example:9001", "localhost.example", "[::2]"):
            assert (await at.invoke(Host=host))[0] == 403


async def test_after_a_fault_it_is_run_again_on_the_same_address() -> None:
    """As the supervisor does with every service that breaks down."""
    async with rig() as at:
        second = Stop()
        async with anyio.create_task_group() as group:
            group.start_soon(at.service.run, second)
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert (await at.invoke())[0] == 200
        async with anyio.create_task_group() as group:
            group.start_soon(at.service.run, second)
            await anyio.lowlevel.checkpoint()
            assert (await at.invoke())[0] == 200
            second.request()

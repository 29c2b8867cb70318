"""Invoke and InvokeAsync as their clients see them."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.error_documents import raised, response_too_large
from handlers.errors import FunctionUnusable
from handlers.function import InfrastructureError, Payload, Throttle
from pollers.invocations import QueueFull
from pollers.lambda_api.invoke import EVENT_LIMIT_BYTES, INVOKE_ASYNC_LIMIT_BYTES
from pollers.storage import StoreUnwritable
from tests.unit.lambda_api.rig import PATH, Asked, Rig, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from handlers.function import Result

ASYNC = "/2014-11-13/functions/orders/invoke-async"
LIMIT = 6 * 1024 * 1024


def giving(result: Result) -> Callable[[Asked], Awaitable[Result]]:
    async def answer(asked: Asked) -> Result:
        return result

    return answer


async def asked(
    at: Rig, path: str = PATH.format("orders"), body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body."""
    async with at.session.post(path, data=BytesIO(body) if body else None, headers=headers) as reply:
        return reply.status, reply.headers, await reply.read()


async def test_no_payload_is_an_empty_object_to_the_function() -> None:
    """boto3 sends ``Content-Length: 0`` then (docs/lambda 11.2)."""
    async with rig() as at:
        assert (await asked(at))[::2] == (200, b"{}")
        assert at.told["orders"].asked[0].event == b"{}"


async def test_an_error_of_the_function_is_200_with_its_document() -> None:
    """``Unhandled``, whatever its kind."""
    async with rig() as at:
        error = raised("ValueError", "no", [], "id")
        at.told["orders"].answer = giving(error)
        status, headers, body = await asked(at)
        assert (status, headers["X-Amz-Function-Error"], body) == (200, "Unhandled", error.document)
        assert headers["X-Amz-Executed-Version"] == "$LATEST"


async def test_a_response_that_is_too_large_is_an_error_of_the_function() -> None:
    """In Lambda's words (docs/lambda 11.4)."""
    async with rig() as at:
        at.told["orders"].answer = giving(response_too_large())
        status, headers, body = await asked(at)
        assert (status, headers["X-Amz-Function-Error"]) == (200, "Unhandled")
        assert json.loads(body)["errorType"] == "Function.ResponseSizeTooLarge"


async def test_the_end_of_the_log_comes_only_if_it_is_asked_for() -> None:
    """Absent, not empty, without ``Tail``."""
    async with rig() as at:
        at.told["orders"].log = ("START RequestId: 1", "hello", "END RequestId: 1")
        _, headers, _ = await asked(at, headers={"X-Amz-Log-Type": "Tail"})
        assert base64.b64decode(headers["X-Amz-Log-Result"]) == b"START RequestId: 1\nhello\nEND RequestId: 1\n"
        assert "X-Amz-Log-Result" not in (await asked(at, headers={"X-Amz-Log-Type": "None"}))[1]
        assert "X-Amz-Log-Result" not in (await asked(at))[1]


async def test_the_client_context_reaches_the_function_as_it_was_given() -> None:
    """Decoded, and not written anew."""
    text = '{"custom":  {"a": 1.0}}'
    async with rig() as at:
        await asked(at, headers={"X-Amz-Client-Context": base64.b64encode(text.encode()).decode()})
        await asked(at)
        assert [one.call.client_context for one in at.told["orders"].asked] == [text, None]


async def test_a_dry_run_runs_nothing() -> None:
    """204 without a body; what is wrong with the request is still said."""
    async with rig() as at:
        status, headers, body = await asked(at, headers={"X-Amz-Invocation-Type": "DryRun"})
        assert (status, body, at.told["orders"].asked) == (204, b"", [])
        assert "X-Amz-Executed-Version" not in headers
        assert (await asked(at, PATH.format("nobody"), headers={"X-Amz-Invocation-Type": "DryRun"}))[0] == 404


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-Amz-Invocation-Type": "Soon"}, "enum value set: [Event, RequestResponse, DryRun]"),
        ({"X-Amz-Log-Type": "Head"}, "enum value set: [None, Tail]"),
        ({"X-Amz-Client-Context": "?"}, "Base64"),
    ],
)
async def test_a_header_of_nonsense_is_refused_before_anything_runs(headers: dict[str, str], said: str) -> None:
    """400, and the text says what would be right."""
    async with rig() as at:
        status, _, body = await asked(at, headers=headers)
        assert (status, at.told["orders"].asked) == (400, [])
        assert said in json.loads(body)["message"]


async def test_a_body_that_is_no_json_runs_nothing() -> None:
    """Nor is it queued."""
    async with rig() as at:
        for how in ("RequestResponse", "Event", "DryRun"):
            status, headers, body = await asked(at, body=b"\x87{", headers={"X-Amz-Invocation-Type": how})
            assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")
            assert json.loads(body)["Type"] == "User"
        assert (at.told["orders"].asked, at.queue.accepted) == ([], [])


async def test_beyond_the_concurrency_a_call_is_a_throttle_with_its_reason() -> None:
    """429; with reserved concurrency its reason is another one (docs/lambda 11.7)."""
    async with rig(concurrency=1) as at:
        entered, release = anyio.Event(), anyio.Event()

        async def slowly(asked: Asked) -> Result:
            entered.set()
            await release.wait()
            return Payload(b"1")

        at.told["orders"].answer = slowly
        async with anyio.create_task_group() as group:
            group.start_soon(at.invoke)
            await entered.wait()
            status, headers, body = await asked(at)
            assert (status, headers["x-amzn-ErrorType"]) == (429, "TooManyRequestsException")
            assert json.loads(body) == {
                "Type": "User",
                "message": "Rate Exceeded.",
                "Reason": "ConcurrentInvocationLimitExceeded",
            }
            at.functions["orders"].reserve(1)
            assert json.loads((await asked(at))[2])["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
            assert at.service.running() == 1
            release.set()
        at.functions["orders"].reserve(0)
        assert json.loads((await asked(at))[2])["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert (await asked(at, headers={"X-Amz-Invocation-Type": "Event"}))[0] == 202


async def test_a_call_waits_for_a_free_worker_as_long_as_the_configuration_says() -> None:
    """``queue_seconds``."""
    async with rig(concurrency=1, queue_seconds=60) as at:
        entered, release = anyio.Event(), anyio.Event()

        async def slowly(asked: Asked) -> Result:
            entered.set()
            await release.wait()
            return Payload(b"1")

        at.told["orders"].answer = slowly
        statuses = []

        async def call() -> None:
            statuses.append((await at.invoke())[0])

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await entered.wait()
            group.start_soon(call)
            while at.service.running() < 2:
                await anyio.sleep(0.001)
            release.set()
        assert statuses == [200, 200]


async def test_a_throttle_of_the_function_itself_says_when_to_come_again() -> None:
    """One in AWS may be throttled there; SDKs read the header."""
    async with rig() as at:
        at.told["orders"].answer = giving(Throttle("busy", 2.2))
        status, headers, _ = await asked(at)
        assert (status, headers["Retry-After"]) == (429, "3")


async def test_a_call_that_did_not_reach_the_function_is_a_service_error() -> None:
    """500, with the text where Lambda has it."""
    async with rig() as at:
        at.told["orders"].answer = giving(InfrastructureError("the worker could not be started"))
        status, headers, body = await asked(at)
        assert (status, headers["x-amzn-ErrorType"]) == (500, "ServiceException")
        assert json.loads(body) == {"Type": "Service", "Message": "the worker could not be started"}


async def test_a_function_that_cannot_be_had_is_not_ready() -> None:
    """502; it is tried again at the next call, so repairing its code is enough."""
    async with rig() as at:
        at.told["orders"].problem = FunctionUnusable("there is no folder /code")
        status, headers, body = await asked(at)
        assert (status, headers["x-amzn-ErrorType"]) == (502, "ResourceNotReadyException")
        assert json.loads(body)["message"] == "there is no folder /code"
        at.told["orders"].problem = None
        assert (await asked(at))[0] == 200


async def test_an_event_is_accepted_with_the_id_of_its_request() -> None:
    """202 without a body and without a version, whether or not the function could run now."""
    async with rig() as at:
        status, headers, body = await asked(at, body=b'{"a":1}', headers={"X-Amz-Invocation-Type": "Event"})
        assert (status, body, at.told["orders"].asked) == (202, b"", [])
        assert "X-Amz-Executed-Version" not in headers
        assert at.queue.accepted == [("orders", b'{"a":1}', headers["x-amzn-RequestId"])]


async def test_the_deprecated_operation_queues_too_in_both_spellings() -> None:
    """``invoke-async`` and ``invoke-async/``."""
    async with rig() as at:
        for path in (ASYNC, ASYNC + "/"):
            assert (await asked(at, path, b"[1]"))[0] == 202
        assert [event for _, event, _ in at.queue.accepted] == [b"[1]", b"[1]"]


@pytest.mark.parametrize(
    ("path", "limit", "headers"),
    [
        (PATH.format("orders"), EVENT_LIMIT_BYTES, {"X-Amz-Invocation-Type": "Event"}),
        (ASYNC, INVOKE_ASYNC_LIMIT_BYTES, {}),
    ],
)
async def test_an_event_that_is_too_large_is_refused(path: str, limit: int, headers: dict[str, str]) -> None:
    """The text names its size and the limit."""
    async with rig() as at:
        fits = b'"' + b"x" * (limit - 2) + b'"'
        assert (await asked(at, path, fits, headers=headers))[0] == 202
        status, told, body = await asked(at, path, fits + b" ", headers=headers)
        assert (status, told["x-amzn-ErrorType"]) == (413, "RequestEntityTooLargeException")
        assert json.loads(body)["message"] == (
            f"{limit + 1} byte payload is too large for the Event invocation type (limit {limit} bytes)"
        )


async def test_a_full_queue_is_a_throttle_and_a_full_disk_an_error_that_says_so() -> None:
    """Nothing was accepted, and the client is told."""
    async with rig() as at:
        at.queue.problem = QueueFull("full")
        assert (await asked(at, headers={"X-Amz-Invocation-Type": "Event"}))[0] == 429
        at.queue.problem = StoreUnwritable("no space left on device")
        status, _, body = await asked(at, headers={"X-Amz-Invocation-Type": "Event"})
        assert status == 500
        assert "no space left on device" in json.loads(body)["Message"]
        at.queue.problem = None
        assert (await asked(at, headers={"X-Amz-Invocation-Type": "Event"}))[0] == 202


async def test_six_mebibytes_fit_and_one_byte_more_does_not() -> None:
    """Announced or in chunks: 413, which the client gets to see, and the next request is answered."""
    async with rig() as at:
        fits = b'"' + b"x" * (LIMIT - 2) + b'"'
        assert (await asked(at, body=fits))[::2] == (200, fits)
        for body in (BytesIO(fits + b" "), _chunks(fits + b" ")):
            async with at.session.post(PATH.format("orders"), data=body) as reply:
                assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (413, "RequestEntityTooLargeException")
                assert json.loads(await reply.read())["message"] == (
                    "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
                )
        assert (await asked(at))[0] == 200
        assert at.service.server.bodies.held_bytes == 0


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]

"""Lambda's error documents (docs/lambda 8.1)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import error_documents as documents
from handlers.function import FunctionError


def members(error: FunctionError) -> dict[str, object]:
    found: dict[str, object] = json.loads(error.document)
    assert found["errorType"] == error.error_type
    assert found["errorMessage"] == error.message
    return found


def test_an_exception() -> None:
    """Keys in the order of AWS's Python client."""
    error = documents.raised("ValueError", "no", ["  File ..."], "R")

    assert (
        error.document == b'{"errorMessage":"no","errorType":"ValueError","requestId":"R","stackTrace":["  File ..."]}'
    )


@pytest.mark.parametrize(("seconds", "text"), [(1, "1.00"), (0.5, "0.50"), (900, "900.00"), (1.005, "1.00")])
def test_a_timeout(seconds: float, text: str) -> None:
    """Two decimals."""
    assert members(documents.timed_out(seconds, "R")) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: R Error: Task timed out after {text} seconds",
    }


def test_an_exit() -> None:
    """With and without a status, and as out of memory."""
    assert members(documents.exited("R")) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: R Error: Runtime exited without providing a reason",
    }
    assert documents.exited("R", "exit status 127").message == (
        "RequestId: R Error: Runtime exited with error: exit status 127"
    )
    assert (
        documents.exited("R", "signal: killed", error_type=documents.OUT_OF_MEMORY).error_type == "Runtime.OutOfMemory"
    )


def test_a_failed_init_has_an_empty_request_id() -> None:
    """All else is as the runtime posted it."""
    posted = (
        b'{"errorMessage":"No module named x","errorType":"Runtime.ImportModuleError","requestId":"","stackTrace":[]}'
    )

    assert members(documents.init_failed(posted)) == json.loads(posted)
    assert members(documents.init_failed(b'{"errorType":"E","errorMessage":"m"}'))["requestId"] == ""


def test_a_response_that_is_too_large() -> None:
    """Lambda's own text, and no other members (docs/lambda 8.1)."""
    assert members(documents.response_too_large()) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_a_reported_error_is_kept_byte_for_byte() -> None:
    """Its own spacing and members too."""
    body = b'{ "errorType":"E" , "errorMessage":"m","more":1}'

    assert documents.reported(body) == FunctionError("E", "m", body)


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[1]", b'"text"', b"null", b"\xff\xfe"])
def test_a_reported_error_that_is_no_object_becomes_a_message(body: bytes) -> None:
    """Under the type that the header gave."""
    error = documents.reported(body, error_type="Runtime.Odd")

    assert members(error)["errorType"] == "Runtime.Odd"


def test_a_reported_error_without_a_type_has_the_header_s() -> None:
    """Or else Lambda's word for all."""
    assert documents.reported(b"{}", error_type="Function.Odd").error_type == "Function.Odd"
    assert documents.reported(b'{"errorType":7}').error_type == "Unhandled"


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_can_be_put_into_a_document(kind: str, message: str) -> None:
    """Lone surrogates too, which no UTF-8 can carry."""
    error = documents.raised(kind or "E", message, [message], "R")

    assert members(error)
    error.message.encode()


@given(st.binary())
def test_any_bytes_can_be_reported(body: bytes) -> None:
    """A runtime may post what it likes."""
    for error in (documents.reported(body), documents.init_failed(body)):
        assert isinstance(json.loads(error.document), dict)

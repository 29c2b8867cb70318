"""What the tests of Python worker processes share."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from handlers.function import FunctionError, Invocation, Payload
from tests.e2e.functions import (
    children_of_this_process,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from handlers.workers import WorkerFunction

ECHO = "def handler(event, context): return event\n"


@contextmanager
def nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No child process, and no scratch folder, outlives its function."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = set(children_of_this_process())
    yield
    assert set(children_of_this_process()) <= before
    assert list(scratch.iterdir()) == []


def value(invocation: Invocation) -> Any:  # noqa: ANN401 - whatever the function returned
    """What the function returned."""
    assert isinstance(invocation.result, Payload), invocation
    return json.loads(invocation.result.body)


def failed(invocation: Invocation) -> FunctionError:
    """How the function failed; its document agrees with type and message."""
    error = invocation.result
    assert isinstance(error, FunctionError), invocation
    document = json.loads(error.document)
    assert (document["errorType"], document["errorMessage"]) == (error.error_type, error.message)
    return error


async def run(function: WorkerFunction, event: object = None, request_id: str = "r-1") -> Invocation:
    """Run it once."""
    return await function.invoke(json.dumps(event).encode(), request_id=request_id)

"""Functions in worker processes: their settings and their environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.models import PythonFunction

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


REFUSED = [
    (
        "code: ., handler: app.handler, memory_size: 127",
        "memory_size: found 127, expected an integer from 128 to 32768",
    ),
    ("code: ., handler: app.handler, credentials: some", "credentials: found 'some', expected one of inherit, none"),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_worker_process_can_have_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ],
)
def test_reserved_environment_variables_are_refused(folder: Folder, name: str) -> None:
    """In AWS's words, also where they are to be inherited, and whatever else is wrong."""
    found = folder.function_faults(
        f"code: ., handler: app.handler, environment: {{{name}: x, OTHER: [1]}}, inherit_environment: [{name}]"
    )

    where = [fault.split(": ")[0] for fault in found]
    assert sorted(where) == sorted(["environment.OTHER", f"environment.{name}", "inherit_environment[0]"])
    assert f"Reserved keys used in this request: {name}" in found[where.index(f"environment.{name}")]


@pytest.mark.parametrize(
    "name", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_LAMBDA_EXEC_WRAPPER", "Aa", "A1_"]
)
def test_other_environment_variables_may_be_set(folder: Folder, name: str) -> None:
    """Region and credentials among them: a worker on a laptop has no role."""
    found = folder.function(f"code: ., handler: app.handler, environment: {{{name}: x}}")

    assert isinstance(found, PythonFunction)
    assert found.environment == {name: "x"}


@pytest.mark.parametrize("name", ["1A", "A", "A-B", "A B", "A=B"])
def test_names_that_lambda_does_not_take_are_refused(folder: Folder, name: str) -> None:
    """A letter, and then letters, digits and underscores."""
    (fault,) = folder.function_faults(f"code: ., handler: app.handler, environment: {{'{name}': x}}")

    assert "expected a letter and then letters, digits and '_'" in fault


@pytest.mark.parametrize("value", ["[x]", "{a: b}", "null"])
def test_an_environment_value_is_one_value(folder: Folder, value: str) -> None:
    """Numbers, true and false become text, as in CloudFormation; nothing else does."""
    (fault,) = folder.function_faults(f"code: ., handler: app.handler, environment: {{TABLE: {value}}}")

    assert fault.startswith("environment.TABLE: found ")

"""The functions section: which runtime a function has, and what its name may be."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from config.functions.registry import RUNTIMES
from config.models import HttpFunction, InProcessFunction, LambdaFunction, ProvidedFunction, PythonFunction

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


NAMES = ", ".join(RUNTIMES)
ARN = "arn:aws:lambda:us-east-1:000000000000:function:billing"


@pytest.fixture
def program(folder: Folder) -> Folder:
    """The folder with an executable ``bootstrap``."""
    file = folder.path / "bootstrap"
    file.write_text("#!/bin/sh\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return folder


def test_python_is_the_default_runtime(folder: Folder) -> None:
    """With Lambda's timeout of three seconds."""
    found = folder.function("code: ., handler: app.handler")

    assert isinstance(found, PythonFunction)
    assert (found.code, found.handler, found.timeout) == (folder.path, "app.handler", 3)


def test_every_runtime_has_its_model(program: Folder) -> None:
    """One example each."""
    loaded = program.load(
        f"""\
        functions:
          python: {{runtime: python, code: ., handler: app.handler, layers: [.], interpreter: bootstrap, memory_size: 128}}
          in_process: {{runtime: in_process, code: ., handler: app.handler}}
          provided: {{runtime: provided, code: ., command: [./bootstrap, --flag], credentials: none}}
          lambda: {{runtime: lambda, function_arn: "{ARN}", qualifier: live}}
          http: {{runtime: http, urls: ["http://a:8080/x", "https://b"], headers: {{X-A: 1}}, tls: {{verify: false}}}}
        """
    )

    models = [PythonFunction, InProcessFunction, ProvidedFunction, LambdaFunction, HttpFunction]
    assert [type(found) for found in loaded.config.functions.values()] == models
    python = loaded.config.functions["python"]
    assert isinstance(python, PythonFunction)
    assert (python.layers, python.interpreter) == ([program.path], program.path / "bootstrap")


REFUSED = [
    (
        "code: ., handler: app.handler, Timeout: 3",
        "Timeout: found an unknown key (did you mean 'timeout'?), expected one of timeout, ",
    ),
    (
        "code: ., handler: app.handler, url: x",
        "url: found a setting of http functions, expected one of python functions: ",
    ),
    (
        "runtime: http, url: 'http://a', handler: x",
        "handler: found a setting of python and in_process and provided functions",
    ),
    (
        "runtime: python3.12, code: .",
        f"runtime: found 'python3.12', expected one of {NAMES} (python runs",
    ),
    (
        "runtime: nodejs22.x, code: .",
        f"runtime: found 'nodejs22.x', expected one of {NAMES} (provided",
    ),
    (
        "runtime: inprocess, code: .",
        f"runtime: found 'inprocess', expected one of {NAMES} (did you",
    ),
    ("runtime: [python]", f"runtime: found a list, expected one of {NAMES}"),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_function_has_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)


@pytest.mark.parametrize("name", ["a b", "a.b", "x" * 65, "''"])
def test_function_names_are_lambdas(folder: Folder, name: str) -> None:
    """Letters, digits, hyphens and underscores, 64 at most."""
    (fault,) = folder.faults(f"functions:\n  {name}: {{code: ., handler: app.handler}}\n")

    assert "expected 1 to 64 letters, digits, '-' and '_', as on Lambda" in fault


@pytest.mark.parametrize("value", ["text", "5", "[a]", "null", "true"])
def test_a_function_or_mapping_that_is_no_mapping_is_refused(folder: Folder, value: str) -> None:
    """It says what one has."""
    found = folder.faults(f"functions:\n  f: {value}\nevent_source_mappings:\n  m: {value}\n")

    assert len(found) == 2
    assert found[0].startswith("headrace.yaml:2: functions.f: found ")
    assert found[1].startswith("headrace.yaml:4: event_source_mappings.m: found ")

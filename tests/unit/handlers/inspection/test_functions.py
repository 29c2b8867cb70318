"""One function's remarks: what certainly cannot work, and what probably will not."""

from __future__ import annotations

import sys
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest

from config.models import InProcessFunction, ProvidedFunction, PythonFunction
from handlers.environment.world import World
from handlers.inspection.functions import Remark, inspect

WORLD = World({"PATH": "/usr/bin:/bin"}, "eu-west-1")


def python(folder: Path, text: str | None, **settings: Any) -> list[Remark]:  # noqa: ANN401 - of the model
    """The remarks on a handler whose module ``app`` is ``text``."""
    if text is not None:
        (folder / "app.py").write_text(text)
    model = PythonFunction(**{"code": folder, "handler": "app.handler", **settings})
    return inspect("f", model, WORLD)


def fake_python(folder: Path, script: str) -> Path:
    """A program to be taken for an interpreter."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


GOOD = "def handler(event, context): ...\n"


def test_a_handler_that_is_there_is_no_remark(tmp_path: Path) -> None:
    """With what it imports from its interpreter."""
    assert python(tmp_path, "import json, click, anyio.abc\n" + GOOD) == []


def test_a_module_that_is_nowhere_is_said(tmp_path: Path) -> None:
    """The start is not refused for it: whoever looks cannot know everything."""
    (remark,) = python(tmp_path, "import nowhere.to.be\n" + GOOD)
    assert not remark.fatal
    assert remark.message == (
        f"{tmp_path}/app.py:1 imports nowhere: it is neither in the code, nor in a layer, nor installed beside Headrace"
    )


def test_boto3_is_said_to_be_lambdas(tmp_path: Path) -> None:
    """Whoever comes from Lambda has never had to install it."""
    bare = fake_python(tmp_path, f'exec {sys.executable} -S "$@"')
    (remark,) = python(tmp_path, "import boto3\n" + GOOD, interpreter=bare)
    assert not remark.fatal
    assert remark.message == (
        f"{tmp_path}/app.py:1 imports boto3: boto3 is part of Lambda's Python runtime, not of Headrace: "
        f"{bare} -m pip install boto3, or bring it in the code or a layer"
    )


def test_a_layer_brings_what_the_code_lacks(tmp_path: Path) -> None:
    """In any of the places where a layer may have it."""
    (tmp_path / "layer" / "python").mkdir(parents=True)
    (tmp_path / "layer" / "python" / "only_in_layer.py").write_text("raise SystemExit")
    assert python(tmp_path, "import only_in_layer\n" + GOOD, layers=[tmp_path / "layer"]) == []
    assert len(python(tmp_path, "import only_in_layer\n" + GOOD)) == 1


def test_a_pythonpath_of_its_own_counts(tmp_path: Path) -> None:
    """The interpreter is asked in the worker's environment."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "only_there.py").write_text("raise SystemExit")
    own = {"PYTHONPATH": str(tmp_path / "more")}
    assert python(tmp_path, "import only_there\n" + GOOD, environment=own) == []


@pytest.mark.parametrize("name", ["config", "handlers", "pollers"])
def test_headraces_own_packages_are_not_there(tmp_path: Path, name: str) -> None:
    """A worker imports none of them."""
    (remark,) = python(tmp_path, f"import {name}\n{GOOD}")
    assert f"imports {name}" in remark.message


def test_a_missing_module_is_fatal(tmp_path: Path) -> None:
    """Found neither in the code nor where Headrace is installed."""
    (remark,) = python(tmp_path, None)
    assert remark.fatal
    assert remark.path == ("handler",)
    assert f"{tmp_path}/app.py does not exist" in remark.message
    assert "did you mean" not in remark.message


@pytest.mark.parametrize("handler", ["Lambda_Function.handler", "lambdafunction.handler"])
def test_a_module_of_almost_this_name_is_proposed(tmp_path: Path, handler: str) -> None:
    """Also where only upper and lower case differ."""
    (tmp_path / "lambda_function.py").write_text(GOOD)
    (remark,) = python(tmp_path, None, handler=handler)
    assert "did you mean lambda_function.handler?" in remark.message


def test_imports_are_not_judged_where_the_code_changes_the_path(tmp_path: Path) -> None:
    """Whatever is not found may be in one of the places that it adds."""
    assert python(tmp_path, f"import sys\nsys.path.insert(0, 'lib')\nimport nowhere\n{GOOD}") == []


@pytest.mark.parametrize("arguments", ["event", "event, context, more", "", "event, context, *, key"])
def test_a_handler_that_does_not_take_an_event_and_a_context_is_said(tmp_path: Path, arguments: str) -> None:
    """Every invocation would fail; what decorators make of it cannot be known."""
    (remark,) = python(tmp_path, f"\ndef handler({arguments}): ...\n")
    assert not remark.fatal
    assert remark.message.startswith(f"{tmp_path}/app.py:2: the handler cannot be called with two arguments")
    assert python(tmp_path, f"from functools import cache\n@cache\ndef handler({arguments}): ...\n") == []
    assert python(tmp_path, f"def handler({arguments}): ...\nhandler = print\n") == []


@pytest.mark.parametrize(
    "arguments", ["*all", "event, *more", "event, context=None", "event, context, more=1, **rest", "e, c, /"]
)
def test_a_handler_that_takes_an_event_and_a_context_is_not(tmp_path: Path, arguments: str) -> None:
    """However it takes them."""
    assert python(tmp_path, f"def handler({arguments}): ...\n") == []


def test_a_handler_in_an_installed_package_is_fine(tmp_path: Path) -> None:
    """Wrappers of agents are such ones."""
    assert python(tmp_path, None, handler="click.core.main") == []


@pytest.mark.parametrize("handler", ["pkg.app.handler", "pkg/app.handler"])
def test_a_module_inside_a_package_is_found(tmp_path: Path, handler: str) -> None:
    """With slashes too, as Lambda takes them."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "app.py").write_text(GOOD)
    assert python(tmp_path, None, handler=handler) == []
    (remark,) = python(tmp_path, None, handler="pkg.other.handler")
    assert remark.fatal
    assert f"{tmp_path}/pkg/other.py does not exist" in remark.message


def test_a_handler_in_a_layer_is_fine(tmp_path: Path) -> None:
    """Whether the code has a folder of the package's name, or not."""
    layer, code = tmp_path / "layer", tmp_path / "code"
    (layer / "python" / "pkg").mkdir(parents=True)
    (layer / "python" / "pkg" / "inner.py").write_text(GOOD)
    (code / "pkg").mkdir(parents=True)
    (code / "pkg" / "other.py").write_text("")
    assert python(code, None, handler="pkg.inner.handler", layers=[layer]) == []
    assert [remark.fatal for remark in python(code, None, handler="pkg.inner.handler")] == [True]


def test_a_module_for_another_python_is_not_missed(tmp_path: Path) -> None:
    """Its suffix is not one of ours."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "app.cpython-399-other.so").write_text("")
    assert python(tmp_path, None, handler="pkg.app.handler") == []


def test_a_package_that_changes_its_path_is_not_judged(tmp_path: Path) -> None:
    """The module may be anywhere."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("__path__.append('/somewhere')\n")
    assert python(tmp_path, None, handler="pkg.app.handler") == []


def test_a_missing_attribute_is_fatal_and_another_one_proposed(tmp_path: Path) -> None:
    """By what looks like it."""
    (remark,) = python(tmp_path, "def other(): ...\ndef handlr(event, context): ...\n")
    assert remark.fatal
    assert "did you mean app.handlr?" in remark.message


def test_a_handler_that_cannot_be_parsed_is_fatal(tmp_path: Path) -> None:
    """With file and line."""
    (remark,) = python(tmp_path, "x = 1\ndef handler(:\n")
    assert remark.fatal
    assert f"{tmp_path}/app.py:2: " in remark.message
    assert f"expected one in Python {sys.version_info.major}.{sys.version_info.minor}" in remark.message


class TestInterpreters:
    """What is configured as ``interpreter`` must be a Python that AWS's client runs on."""

    def test_a_working_one_is_asked_for_modules(self, tmp_path: Path) -> None:
        """In its own environment."""
        (remark,) = python(tmp_path, "import nowhere\n" + GOOD, interpreter=Path(sys.executable))
        assert remark.message.endswith(f"nor in {sys.executable}")
        assert not remark.fatal

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("exit 0", "does not work as a Python"),
            ("echo hello", "does not work as a Python"),
            ("echo nonsense >&2; exit 3", "does not work as a Python (nonsense)"),
            ("echo 'File main.py, line 8' >&2; echo 'SyntaxError: future feature' >&2; exit 1", "too old"),
        ],
    )
    def test_what_is_none_is_fatal(self, tmp_path: Path, script: str, said: str) -> None:
        """And named, with what would be right."""
        (remark,) = python(tmp_path, GOOD, interpreter=fake_python(tmp_path, script))
        assert (remark.path, remark.fatal) == (("interpreter",), True)
        assert said in remark.message
        assert "expected" in remark.message

    def test_one_that_does_not_answer_in_time_is_not_fatal(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The machine may be busy; the start itself asks once more."""
        monkeypatch.setattr("handlers.workers.interpreter.PROBE_SECONDS", 0.01)
        (remark,) = python(tmp_path, GOOD, interpreter=fake_python(tmp_path, "exec sleep 60"))
        assert (remark.path, remark.fatal) == (("interpreter",), False)
        assert "could not be asked" in remark.message

    def test_one_that_awss_client_is_not_made_for_is_fatal(self, tmp_path: Path) -> None:
        """What it needs is what its package says."""
        script = (
            f"exec {sys.executable} -S -c 'import collections, importlib.machinery, runpy, sys; "
            'version = collections.namedtuple("version", "major minor micro releaselevel serial"); '
            'sys.version_info = version(3, 9, 1, "final", 0); '
            'importlib.machinery.EXTENSION_SUFFIXES[:] = [".cpython-39-other.so"]; '
            """sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")' "$@" """
        )
        (remark,) = python(tmp_path, GOOD, interpreter=fake_python(tmp_path, script))
        assert remark.fatal
        assert "is Python 3.9, and AWS's client (awslambdaric) needs 3.10 or newer" in remark.message
        assert metadata("awslambdaric")["Requires-Python"] == ">=3.10"


class TestOtherRuntimes:
    """In process, and executables."""

    def test_in_process_code_is_looked_at_too(self, tmp_path: Path) -> None:
        """It finds what is installed beside Headrace."""
        (tmp_path / "app.py").write_text("import click, nowhere\nasync def handle(event, context): ...\n")
        model = InProcessFunction(runtime="in_process", code=tmp_path, handler="app.handler")
        attribute, module = inspect("f", model, WORLD)
        assert (attribute.fatal, module.fatal) == (True, False)
        assert "did you mean app.handle?" in attribute.message
        assert "nowhere" in module.message

    def test_a_program_that_is_not_in_path_is_fatal(self, tmp_path: Path) -> None:
        """The worker's PATH, which may be the function's own."""
        model = ProvidedFunction(runtime="provided", code=tmp_path, command=["nodee"])
        (remark,) = inspect("f", model, WORLD)
        assert (remark.path, remark.fatal) == (("command", 0), True)
        own = model.model_copy(update={"command": ["python"], "environment": {"PATH": str(tmp_path)}})
        fake_python(tmp_path, "exit 0")
        assert inspect("f", own, WORLD) == []

    def test_an_environment_beyond_the_limit_is_fatal(self, tmp_path: Path) -> None:
        """Named by the variable."""
        (remark,) = python(tmp_path, GOOD, environment={"BIG": "x" * 200_000})
        assert (remark.path, remark.fatal) == (("environment", "BIG"), True)

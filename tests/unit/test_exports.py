"""What packages export: every package says what it is for, and every name that it promises is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

from tests.unit.test_architecture import ROOT, modules, parsed

PACKAGES_FOUND = sorted(name for name, path in modules(ROOT).items() if path.name == "__init__.py")
WITHOUT_EXPORTS = {"pollers", "pollers.aws", "pollers.commands", "pollers.demo"}
"""Their docstrings say why."""
HEAVY = ("aiohttp", "botocore", "prometheus_client", "sqlite3")
"""Slow to import, and not needed by all commands."""


@pytest.mark.parametrize("package", PACKAGES_FOUND)
def test_a_package_says_what_it_is_for(package: str) -> None:
    """In its docstring, so that a reader knows the room before its files."""
    assert ast.get_docstring(parsed(modules(ROOT)[package]))


@pytest.mark.parametrize("package", sorted(set(PACKAGES_FOUND) - WITHOUT_EXPORTS))
def test_every_exported_name_is_there(package: str) -> None:
    """Names that are imported when they are used first would else be missed only by their user."""
    module = import_module(package)
    assert module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", sorted(set(PACKAGES_FOUND) - WITHOUT_EXPORTS))
def test_an_exported_name_is_not_a_file_of_the_package(package: str) -> None:
    """Importing the file would put the file in the name's place."""
    exported = set(import_module(package).__all__)
    assert [name for name in exported if f"{package}.{name}" in modules(ROOT)] == []


@pytest.mark.parametrize("arguments", [["--help"], ["check", "examples/headrace.yaml"]])
def test_a_command_that_runs_nothing_imports_nothing_heavy(arguments: list[str]) -> None:
    """``headrace --help`` and ``headrace check`` stay fast."""
    code = f"""
import runpy, sys
sys.argv = ["headrace", *{arguments}]
try:
    runpy.run_module("pollers", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

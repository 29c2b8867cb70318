"""What is loaded to be run: event patterns and functions are looked at as well, and faults have their places."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config import ConfigError
from pollers.supervisor.loading import inspect_functions, load_checked, load_runnable

if TYPE_CHECKING:
    from pathlib import Path

MAPPINGS = """
event_source_mappings:
  orders:
    event_source_arn: arn:aws:sqs:us-east-1:000000000000:orders
    function_name: orders
    filter_criteria: {filters: [{pattern: PATTERN}]}
"""


def written(folder: Path, handler: str = "app.handler", pattern: str = "{body: [a]}") -> Path:
    """A configuration of one in-process function and one mapping."""
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    file = folder / "headrace.yaml"
    function = f"functions:\n  orders: {{runtime: in_process, code: ., handler: {handler}}}"
    file.write_text(function + MAPPINGS.replace("PATTERN", pattern))
    return file


def test_a_configuration_that_can_run_is_loaded(tmp_path: Path) -> None:
    """With nothing to say of it."""
    loaded = load_runnable(written(tmp_path))

    assert list(loaded.config.functions) == ["orders"]
    assert loaded.notes == []


def test_a_function_that_cannot_work_is_a_fault(tmp_path: Path) -> None:
    """On the line of its handler; who only looks at mappings loads it all the same."""
    file = written(tmp_path, handler="app.absent")

    with pytest.raises(ConfigError) as raised:
        load_runnable(file)

    assert [(fault.line, fault.path) for fault in raised.value.faults] == [(2, "functions.orders.handler")]
    assert load_checked(file).config.functions


def test_a_pattern_that_lambda_refuses_is_a_fault(tmp_path: Path) -> None:
    """Whether functions are inspected or not."""
    file = written(tmp_path, pattern="{body: []}")

    for load in (load_checked, load_runnable):
        with pytest.raises(ConfigError, match="Invalid filter pattern definition"):
            load(file)


def test_only_the_functions_that_are_asked_for_are_inspected(tmp_path: Path) -> None:
    """One function is invoked whatever is wrong with the others."""
    loaded = load_checked(written(tmp_path, handler="app.absent"))

    assert inspect_functions(loaded, []) == ([], [])
    assert len(inspect_functions(loaded, ["orders"])[0]) == 1


@pytest.mark.parametrize("patterns", [0, 1])
def test_kinds_are_imported_for_patterns_only(tmp_path: Path, patterns: int) -> None:
    """Without one, loading does not pay for them: ``headrace check`` is quick."""
    file = written(tmp_path)
    if not patterns:
        file.write_text(file.read_text().partition("    filter_criteria")[0])
    code = (
        "import sys; from pollers.supervisor.loading import load_checked; load_checked(sys.argv[1]); "
        "print(sum(room in sys.modules for room in ('pollers.sources', 'pollers.filtering')))"
    )

    found = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True, timeout=60)

    assert found.stdout.strip() == str(2 * patterns)

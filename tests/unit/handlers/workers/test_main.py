"""What a Python worker's first lines import, and from where."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.workers.interpreter import MAIN, ask, worker_settings

PROBED = ("json", "os", "http.client", "importlib.machinery", "importlib.util")
"""What ``main.py`` imports itself, later or sooner."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of ``main.py`` among files that have the names of standard modules and cannot be imported."""
    folder = tmp_path / "workers"
    folder.mkdir()
    for module in ("json", "os", "re", "enum", "http", "importlib", "socket", "process", "python"):
        (folder / f"{module}.py").write_text("raise SystemExit('the wrong module')")
    return Path(shutil.copy(MAIN, folder))


def test_a_file_beside_it_hides_no_module_of_the_standard_library(copied: Path, tmp_path: Path) -> None:
    """Its folder is not looked at: neither by its own imports nor by those of AWS's client."""
    settings = {**worker_settings("app.handler", tmp_path / "code", []), "probe": True, "find": PROBED}
    done = subprocess.run([sys.executable, copied, json.dumps(settings)], capture_output=True, text=True, timeout=60)

    assert done.stderr == ""
    assert json.loads(done.stdout) == {"refused": None, "missing": []}


def test_a_function_does_not_find_what_lies_beside_it(tmp_path: Path) -> None:
    """A function's ``process`` or ``population`` module is its own, or missing."""
    names = [path.stem for path in MAIN.parent.glob("*.py") if path.stem != "__init__"]

    assert ask(sys.executable, worker_settings("app.handler", tmp_path, []), find=names) == {*names}


def test_no_file_beside_it_has_the_name_of_a_standard_module() -> None:
    """Twice safe: other tools, too, may run a file by its path."""
    assert not {path.stem for path in MAIN.parent.glob("*.py")} & sys.stdlib_module_names

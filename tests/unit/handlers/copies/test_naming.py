"""Code of a copy has the names of the user's own files, compiled now or before."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from handlers.copies import naming, own_name

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import importlib.util, sys, traceback
spec = importlib.util.spec_from_file_location("naming", sys.argv[1])
naming = importlib.util.module_from_spec(spec)
spec.loader.exec_module(naming)
naming.install({sys.argv[2]: "/own/code"})
sys.path.insert(0, sys.argv[2])
import package.app as app
print(app.outer().__code__.co_filename, app.__file__)
"""


def test_every_code_object_has_the_own_file_s_name(tmp_path: Path) -> None:
    """Functions inside functions too, and the second time, when compiled code is read; `__file__` is in the copy."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    app = tmp_path / "package" / "app.py"
    app.write_text("def outer():\n    def inner(): ...\n    return inner\n")
    for _ in range(2):
        command = [sys.executable, "-I", "-c", PROGRAM, naming.__file__, str(tmp_path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert said == ["/own/code/package/app.py", str(app)]
    assert list((tmp_path / "package" / "__pycache__").glob("app.*.pyc"))


def test_names_outside_of_copies_stay() -> None:
    """A folder whose name begins alike is another one."""
    assert own_name("/copy/code2/a.py", {"/copy/code": "/own"}) == "/copy/code2/a.py"
    assert own_name("/copy/code/a.py", {"/copy/code": "/own"}) == "/own/a.py"

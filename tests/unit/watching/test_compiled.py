"""What Python compiled of a source that has changed is not used again."""

from __future__ import annotations

import importlib.util
import py_compile
from pathlib import Path

from pollers.watching.compiled import forget_compiled


def test_only_what_was_compiled_of_the_changed_source_goes(tmp_path: Path) -> None:
    """The same name with more after it is another source; what is not there, or no Python, is no fault."""
    for name in ("app.py", "app2.py"):
        (tmp_path / name).write_text("x = 1\n")
        py_compile.compile(str(tmp_path / name))
    forget_compiled([str(tmp_path / name) for name in ("app.py", "gone.py", "data.json")])
    assert not Path(importlib.util.cache_from_source(str(tmp_path / "app.py"))).exists()
    assert Path(importlib.util.cache_from_source(str(tmp_path / "app2.py"))).exists()
